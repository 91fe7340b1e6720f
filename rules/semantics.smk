rule locate_person:
    """Find where in the picture the person moves, so that the frames can be cropped to them."""
    input:
        video=source_video,
        whole=whole_picture,
        sheet=whole_sheet,
        files=locating_files,
    output:
        crop="results/clips/{clip}/crop.json",
    log:
        "results/logs/locate_person/{clip}.log",
    benchmark:
        "results/benchmarks/locate_person/{clip}.tsv"
    conda:
        locating_environment
    resources:
        gpu=locating_gpus,
        mem_mb=growing(pose_memory_mb),
        runtime=growing(240),
    params:
        clip=located_row,
        pose=locating_pose,
        files=locating_state,
        decode=locating_decode(),
        version=version("semantics"),
    script:
        "../workflow/scripts/locate_person.py"


rule find_people:
    """Estimate body joints, face landmarks and hands of everyone in every frame, and who is who over time."""
    input:
        frames="results/clips/{clip}/frames.h5",
        files=pose_files,
        segments=people_segments,
    output:
        people="results/clips/{clip}/people.h5",
    log:
        "results/logs/find_people/{clip}.log",
    benchmark:
        "results/benchmarks/find_people/{clip}.tsv"
    conda:
        environment("pose", "pose")
    threads: 1
    resources:
        gpu=people_gpus,
        mem_mb=growing(people_memory_mb),
        runtime=growing(240),
    params:
        settings=people_pose,
        files=pose_state,
        version=version("semantics"),
    script:
        "../workflow/scripts/find_people.py"


rule estimate_pose:
    """Follow the chosen person: their joints, face landmarks and hands, on steady paths."""
    input:
        frames="results/clips/{clip}/frames.h5",
        people="results/clips/{clip}/people.h5",
        whole=whole_picture,
        sheet=people_sheet,
        followed=followed_person,
        segments=registered_segments,
    output:
        pose="results/clips/{clip}/pose.h5",
    log:
        "results/logs/estimate_pose/{clip}.log",
    benchmark:
        "results/benchmarks/estimate_pose/{clip}.tsv"
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
        "../workflow/scripts/estimate_pose.py"


rule estimate_surface:
    """Estimate part, U and V of every pixel of the person, and the matte."""
    input:
        frames="results/clips/{clip}/frames.h5",
        pose="results/clips/{clip}/pose.h5",
        files=surface_files,
        segments=segments_of("surface"),
        fit=surface_fit,
    output:
        surface="results/clips/{clip}/surface.h5",
    log:
        "results/logs/estimate_surface/{clip}.log",
    benchmark:
        "results/benchmarks/estimate_surface/{clip}.tsv"
    conda:
        environment("surface", "surface")
    threads: 1
    resources:
        gpu=unless_split(surface_gpus, 0),
        mem_mb=growing(unless_split(surface_memory_mb, JOIN_MB)),
        runtime=growing(240),
    params:
        settings=surface_section,
        files=surface_state,
        version=version("semantics"),
    script:
        "../workflow/scripts/estimate_surface.py"


rule export_openpose_json:
    """Write the poses of a clip as OpenPose's --write_json would have, for programs that read such files."""
    input:
        video=source_video,
        frames="results/clips/{clip}/frames.h5",
        pose="results/clips/{clip}/pose.h5",
    output:
        keypoints=directory("results/clips/{clip}/openpose_json"),
    log:
        "results/logs/export_openpose_json/{clip}.log",
    benchmark:
        "results/benchmarks/export_openpose_json/{clip}.tsv"
    conda:
        environment("video", "decode")
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        version=version("semantics"),
    script:
        "../workflow/scripts/export_openpose_json.py"
