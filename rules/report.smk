rule draw_overlay:
    """Show what the estimators saw: pose, parts, matte and flow over the footage, and a table of doubtful frames."""
    input:
        frames="results/clips/{clip}/frames.h5",
        pose="results/clips/{clip}/pose.h5",
        surface="results/clips/{clip}/surface.h5",
        flow="results/clips/{clip}/flow.h5",
    output:
        film="results/clips/{clip}/overlay.mp4",
        doubtful="results/clips/{clip}/doubtful.tsv",
    log:
        "results/logs/draw_overlay/{clip}.log",
    benchmark:
        "results/benchmarks/draw_overlay/{clip}.tsv"
    conda:
        "../envs/report.yaml"
    params:
        crf=rendering_crf(),
        version=version("report"),
    script:
        "../workflow/scripts/draw_overlay.py"
