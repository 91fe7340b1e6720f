rule train_stage:
    """Train one stage, starting from the weights of the stage before it; resumes from its state folder."""
    input:
        windows="results/performers/{performer}/windows.h5",
        previous=previous_weights,
        warm=warm_weights,
        perceptual=perceptual_weights,
    output:
        weights="results/performers/{performer}/{stage}/generator.safetensors",
    log:
        "results/logs/train_stage/{performer}/{stage}.log",
    benchmark:
        "results/benchmarks/train_stage/{performer}/{stage}.tsv"
    conda:
        "../envs/train.yaml"
    threads: training_threads
    resources:
        gpu=training_gpus,
        mem_mb=growing(training_memory_mb),
        runtime=growing(stage_minutes),
    params:
        model=section("model"),
        training=stage_training,
        dataset=section("dataset"),
        state=stage_state,
        version=[version("model"), version("training")],
    script:
        "../workflow/scripts/train_stage.py"
