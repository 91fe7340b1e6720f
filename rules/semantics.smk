rule locate_person:
    """Find where in the picture the person moves, so that the frames can be cropped to them."""
    input:
        video=source_video,
    output:
        crop="results/clips/{clip}/crop.json",
    log:
        "results/logs/locate_person/{clip}.log",
    benchmark:
        "results/benchmarks/locate_person/{clip}.tsv"
    conda:
        environment("pose", "pose")
    resources:
        gpu=pose_gpus,
    params:
        clip=clip_row,
        pose=single_picture_pose(),
        decode=section("decode"),
        version=version("semantics"),
    script:
        "../workflow/scripts/locate_person.py"


rule estimate_pose:
    """Estimate body joints, face landmarks and hands of every frame."""
    input:
        frames="results/clips/{clip}/frames.h5",
        files=pose_files,
    output:
        pose="results/clips/{clip}/pose.h5",
    log:
        "results/logs/estimate_pose/{clip}.log",
    benchmark:
        "results/benchmarks/estimate_pose/{clip}.tsv"
    conda:
        environment("pose", "pose")
    threads: 1
    resources:
        gpu=pose_gpus,
        mem_mb=4000,
        runtime=240,
    params:
        settings=pose_section,
        files=pose_state,
        version=version("semantics"),
    script:
        "../workflow/scripts/estimate_pose.py"


rule estimate_surface:
    """Estimate part, U and V of every pixel of the person, and the matte."""
    input:
        frames="results/clips/{clip}/frames.h5",
        pose="results/clips/{clip}/pose.h5",
        files=surface_files,
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
        gpu=surface_gpus,
        mem_mb=4000,
        runtime=240,
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
    params:
        version=version("semantics"),
    script:
        "../workflow/scripts/export_openpose_json.py"
