rule synthesize_clip:
    """Render a clip of a synthetic performer, with the exact answer to every estimator."""
    output:
        video="results/clips/{clip}/synthetic.mp4",
        truth="results/clips/{clip}/truth.h5",
    log:
        "results/logs/synthesize_clip/{clip}.log",
    benchmark:
        "results/benchmarks/synthesize_clip/{clip}.tsv"
    conda:
        "../envs/synthetic.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=synthetic_section,
        version=version("synthetic"),
    script:
        "../workflow/scripts/synthesize_clip.py"
