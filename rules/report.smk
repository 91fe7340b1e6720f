rule build_report:
    """Write the report: one folder with a page and its films, to send or to keep."""
    input:
        report_inputs,
    output:
        page="results/report/index.html",
    log:
        "results/logs/build_report/report.log",
    benchmark:
        "results/benchmarks/build_report/report.tsv"
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=section("report"),
        transfers=report_transfers,
        configuration=configuration,
        version=version("report"),
    script:
        "../workflow/scripts/build_report.py"


rule draw_overlay:
    """Show what the estimators saw: pose, parts, matte and flow over the footage, and a table of doubtful frames."""
    input:
        frames="results/clips/{clip}/frames.h5",
        pose="results/clips/{clip}/pose.h5",
        people="results/clips/{clip}/people.h5",
        surface="results/clips/{clip}/surface.h5",
        flow="results/clips/{clip}/flow.h5",
    output:
        film=shown("results/clips/{clip}/overlay.mp4", "overlay", "Clips", "estimates"),
        doubtful="results/clips/{clip}/doubtful.tsv",
    log:
        "results/logs/draw_overlay/{clip}.log",
    benchmark:
        "results/benchmarks/draw_overlay/{clip}.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        crf=rendering_crf(),
        film=section("film"),
        numbers=own_numbers,
        version=version("report"),
    script:
        "../workflow/scripts/draw_overlay.py"


rule draw_people:
    """Show the people a clip's `person` can name: a row of crops for each track, with its number and span."""
    input:
        frames=sheet_frames,
        people=sheet_people,
    output:
        sheet=shown("results/clips/{clip}/people.png", "people", "Clips", "people"),
    log:
        "results/logs/draw_people/{clip}.log",
    benchmark:
        "results/benchmarks/draw_people/{clip}.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        version=version("report"),
    script:
        "../workflow/scripts/draw_people.py"
