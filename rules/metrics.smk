rule measure_coverage:
    """Measure, before any training, how far each driving frame lies from the footage, and say what to film."""
    input:
        driving="results/transfers/{performer}/{driving}/driving.h5",
        windows="results/performers/{performer}/windows.h5",
    output:
        coverage="results/transfers/{performer}/{driving}/coverage.json",
        sheet=shown(
            "results/transfers/{performer}/{driving}/coverage.png",
            "coverage",
            "Coverage",
            "coverage",
        ),
    log:
        "results/logs/measure_coverage/{performer}/{driving}.log",
    benchmark:
        "results/benchmarks/measure_coverage/{performer}/{driving}.tsv"
    priority: 10  # before training: footage that is missing is told at once
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        settings=coverage_metrics(),
        version=version("metrics"),
    script:
        "../workflow/scripts/measure_coverage.py"


rule measure_performer:
    """Measure the generator, and its start, on the held-out frames of the performer's own clips."""
    input:
        weights=final_weights,
        windows="results/performers/{performer}/windows.h5",
        networks=metrics_files,
    output:
        metrics=shown(
            "results/performers/{performer}/metrics.json",
            "performer_figures",
            "Figures",
            "figures",
        ),
    log:
        "results/logs/measure_performer/{performer}.log",
    benchmark:
        "results/benchmarks/measure_performer/{performer}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        settings=metrics_section(),
        version=version("metrics"),
    script:
        "../workflow/scripts/measure_performer.py"


rule find_film_people:
    """Look at a finished film with the pose estimator, as at any clip."""
    input:
        video="results/transfers/{performer}/{driving}/video.mp4",
        files=film_pose_files,
    output:
        people="results/transfers/{performer}/{driving}/film_people.h5",
    log:
        "results/logs/find_film_people/{performer}/{driving}.log",
    benchmark:
        "results/benchmarks/find_film_people/{performer}/{driving}.tsv"
    conda:
        environment("pose", "pose")
    threads: 1
    resources:
        gpu=film_pose_gpus,
        mem_mb=growing(pose_memory_mb),
        runtime=growing(240),
    params:
        settings=film_people_pose(),
        files=film_pose_state,
        version=version("semantics"),
    script:
        "../workflow/scripts/find_film_people.py"


rule measure_transfer:
    """Measure a film, for synthetic pairs against the true transfer."""
    input:
        video="results/transfers/{performer}/{driving}/video.mp4",
        driving="results/transfers/{performer}/{driving}/driving.h5",
        windows="results/performers/{performer}/windows.h5",
        weights=final_weights,
        truth=transfer_truth,
        people=film_people,
        networks=metrics_files,
    output:
        metrics=shown(
            "results/transfers/{performer}/{driving}/metrics.json",
            "transfer_figures",
            "Figures",
            "figures",
        ),
    log:
        "results/logs/measure_transfer/{performer}/{driving}.log",
    benchmark:
        "results/benchmarks/measure_transfer/{performer}/{driving}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        settings=metrics_section(),
        crf=rendering_crf(),
        film=section("film"),
        pose=film_pose(),
        version=version("metrics"),
    script:
        "../workflow/scripts/measure_transfer.py"
