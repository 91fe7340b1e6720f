rule index_windows:
    """List the runs of frames that train a performer and those held out, and measure the performer's body."""
    input:
        frames=performer_files("frames.h5"),
        pose=performer_files("pose.h5"),
        surface=performer_files("surface.h5"),
        flow=performer_files("flow.h5"),
        camera=performer_files("camera.h5"),
    output:
        windows="results/performers/{performer}/windows.h5",
    log:
        "results/logs/index_windows/{performer}.log",
    benchmark:
        "results/benchmarks/index_windows/{performer}.tsv"
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=section("dataset"),
        version=version("dataset"),
    script:
        "../workflow/scripts/index_windows.py"
