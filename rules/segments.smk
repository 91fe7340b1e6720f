rule find_people_segment:
    """Find everyone in one segment of a long clip; who is who is found out when the segments are joined."""
    input:
        frames="results/clips/{clip}/frames.h5",
        files=pose_files,
    output:
        people=temp("results/clips/{clip}/segments/people_{segment}.h5"),
    log:
        "results/logs/find_people_segment/{clip}/{segment}.log",
    benchmark:
        "results/benchmarks/find_people_segment/{clip}/{segment}.tsv"
    conda:
        environment("pose", "pose")
    threads: 1
    resources:
        gpu=pose_gpus,
        mem_mb=growing(pose_memory_mb),
        runtime=growing(240),
    params:
        segment="{segment}",
        settings=people_pose,
        files=pose_state,
        version=version("semantics"),
    script:
        "../workflow/scripts/find_people_segment.py"


rule follow_person:
    """Follow the chosen person through all of a long clip: smoothed, not yet registered to the mattes."""
    input:
        frames="results/clips/{clip}/frames.h5",
        people="results/clips/{clip}/people.h5",
        whole=whole_picture,
        sheet=people_sheet,
    output:
        followed=temp("results/clips/{clip}/segments/followed.h5"),
    log:
        "results/logs/follow_person/{clip}.log",
    benchmark:
        "results/benchmarks/follow_person/{clip}.tsv"
    conda:
        "../envs/people.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        person=chosen_person,
        settings=pose_section,
        version=version("semantics"),
    script:
        "../workflow/scripts/follow_person.py"


rule register_segment:
    """Find how far the joints of one segment of a long clip lie off the person's outline, and how it moves."""
    input:
        frames="results/clips/{clip}/frames.h5",
        followed="results/clips/{clip}/segments/followed.h5",
    output:
        shifts=temp("results/clips/{clip}/segments/shifts_{segment}.h5"),
    log:
        "results/logs/register_segment/{clip}/{segment}.log",
    benchmark:
        "results/benchmarks/register_segment/{clip}/{segment}.tsv"
    conda:
        "../envs/people.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        segment="{segment}",
        settings=pose_section,
        version=version("semantics"),
    script:
        "../workflow/scripts/register_segment.py"


rule fit_surface:
    """Fit once, to all of a long clip, what the surfaces of its segments share."""
    input:
        frames="results/clips/{clip}/frames.h5",
        pose="results/clips/{clip}/pose.h5",
    output:
        fit=temp("results/clips/{clip}/segments/fit.json"),
    log:
        "results/logs/fit_surface/{clip}.log",
    benchmark:
        "results/benchmarks/fit_surface/{clip}.tsv"
    conda:
        environment("surface", "surface")
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        settings=surface_section,
        version=version("semantics"),
    script:
        "../workflow/scripts/fit_surface.py"


rule estimate_surface_segment:
    """Estimate part, U and V of every pixel of the person, and the matte, in one segment of a long clip."""
    input:
        frames="results/clips/{clip}/frames.h5",
        pose="results/clips/{clip}/pose.h5",
        files=surface_files,
        fit=surface_fit,
    output:
        surface=temp("results/clips/{clip}/segments/surface_{segment}.h5"),
    log:
        "results/logs/estimate_surface_segment/{clip}/{segment}.log",
    benchmark:
        "results/benchmarks/estimate_surface_segment/{clip}/{segment}.tsv"
    conda:
        environment("surface", "surface")
    threads: 1
    resources:
        gpu=surface_gpus,
        mem_mb=growing(surface_memory_mb),
        runtime=growing(240),
    params:
        segment="{segment}",
        settings=surface_section,
        files=surface_state,
        version=version("semantics"),
    script:
        "../workflow/scripts/estimate_surface_segment.py"


rule estimate_flow_segment:
    """Estimate backward optical flow and where it can be trusted in one segment of a long clip."""
    input:
        frames="results/clips/{clip}/frames.h5",
        files=flow_files,
    output:
        flow=temp("results/clips/{clip}/segments/flow_{segment}.h5"),
    log:
        "results/logs/estimate_flow_segment/{clip}/{segment}.log",
    benchmark:
        "results/benchmarks/estimate_flow_segment/{clip}/{segment}.tsv"
    conda:
        environment("flow", "flow")
    threads: 1
    resources:
        gpu=flow_gpus,
        mem_mb=growing(flow_memory_mb),
        runtime=growing(240),
    params:
        segment="{segment}",
        settings=flow_section(),
        files=flow_state,
        version=version("flow"),
    script:
        "../workflow/scripts/estimate_flow_segment.py"
