rule fit_driving:
    """Draw the driving clip's motion with the performer's own body, where the performer stood."""
    input:
        pose="results/clips/{driving}/pose.h5",
        surface="results/clips/{driving}/surface.h5",
        camera="results/clips/{driving}/camera.h5",
        windows="results/performers/{performer}/windows.h5",
    output:
        driving="results/transfers/{performer}/{driving}/driving.h5",
    log:
        "results/logs/fit_driving/{performer}/{driving}.log",
    benchmark:
        "results/benchmarks/fit_driving/{performer}/{driving}.tsv"
    priority: 10  # before training: a driving clip that cannot be drawn is told at once
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=transfer_rendering,
        surface=section("surface"),
        version=version("rendering"),
    script:
        "../workflow/scripts/fit_driving.py"


rule preview_transfer:
    """Show before any training what will move: the retargeted figure over the performer's background."""
    input:
        driving="results/transfers/{performer}/{driving}/driving.h5",
        windows="results/performers/{performer}/windows.h5",
        frames="results/clips/{driving}/frames.h5",
    output:
        video="results/transfers/{performer}/{driving}/preview.mp4",
    log:
        "results/logs/preview_transfer/{performer}/{driving}.log",
    benchmark:
        "results/benchmarks/preview_transfer/{performer}/{driving}.tsv"
    priority: 20
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=transfer_rendering,
        film=section("film"),
        version=version("rendering"),
    script:
        "../workflow/scripts/preview_transfer.py"


rule render_transfer:
    """Render the film: the performer in the driver's poses, at the driving clip's rate and with its sound."""
    input:
        weights=final_weights,
        driving="results/transfers/{performer}/{driving}/driving.h5",
        credentials=signing_files,
        frames="results/clips/{driving}/frames.h5",
        sound="results/clips/{driving}/sound.mka",
    output:
        video=shown(
            "results/transfers/{performer}/{driving}/video.mp4",
            "film",
            "Films",
            "film",
        ),
        side_by_side=shown(
            "results/transfers/{performer}/{driving}/side_by_side.mp4",
            "side_by_side",
            "Films",
            "side by side",
        ),
    log:
        "results/logs/render_transfer/{performer}/{driving}.log",
    benchmark:
        "results/benchmarks/render_transfer/{performer}/{driving}.tsv"
    priority: 10  # the film before any figures
    conda:
        "../envs/train.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        settings=transfer_rendering,
        film=section("film"),
        provenance=section("provenance"),
        signed_by=signing_state,
        statement=transfer_statement,
        version=version("rendering"),
    script:
        "../workflow/scripts/render_transfer.py"
