rule fetch_weights:
    """Download a file of config/weights.yaml and check it; one that is there already stays as it is."""
    input:
        fetch_allowed,
    output:
        file="weights/{name}",
    log:
        "results/logs/fetch_weights/{name}.log",
    benchmark:
        "results/benchmarks/fetch_weights/{name}.tsv"
    wildcard_constraints:
        name=known_weights(),
    conda:
        "../envs/weights.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        name="{name}",
    script:
        "../workflow/scripts/fetch_weights.py"
