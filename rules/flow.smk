rule estimate_flow:
    """Estimate backward optical flow and where it can be trusted."""
    input:
        frames="results/clips/{clip}/frames.h5",
    output:
        flow="results/clips/{clip}/flow.h5",
    log:
        "results/logs/estimate_flow/{clip}.log",
    benchmark:
        "results/benchmarks/estimate_flow/{clip}.tsv"
    conda:
        environment("flow", "flow")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        settings=section("flow"),
        version=version("flow"),
    script:
        "../workflow/scripts/estimate_flow.py"
