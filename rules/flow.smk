rule estimate_flow:
    """Estimate backward optical flow and where it can be trusted."""
    input:
        frames="results/clips/{clip}/frames.h5",
        files=flow_files,
        segments=segments_of("flow"),
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
        gpu=unless_split(flow_gpus, 0),
        mem_mb=growing(unless_split(flow_memory_mb, JOIN_MB)),
        runtime=growing(240),
    params:
        settings=flow_section(),
        files=flow_state,
        version=version("flow"),
    script:
        "../workflow/scripts/estimate_flow.py"


rule estimate_camera:
    """Find how the camera moved, on the background alone."""
    input:
        frames="results/clips/{clip}/frames.h5",
        surface="results/clips/{clip}/surface.h5",
    output:
        camera="results/clips/{clip}/camera.h5",
    log:
        "results/logs/estimate_camera/{clip}.log",
    benchmark:
        "results/benchmarks/estimate_camera/{clip}.tsv"
    conda:
        "../envs/flow_dis.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=section("camera"),
        version=version("flow"),
    script:
        "../workflow/scripts/estimate_camera.py"
