"""What is under fire: every rule, with the files its job makes in the small project and those it reads."""

from dataclasses import dataclass

ADA, BEN = "results/clips/ada", "results/clips/ben"
PIECES = f"{ADA}/segments"  # Ada's clip is split in three, Ben's is not
PERFORMER, TRANSFER = "results/performers/ada", "results/transfers/ada/ben"
FETCHED = "weights/raft/raft-things.pth"


@dataclass(frozen=True)
class Target:
    """One job: `outputs[0]` is what the command asks for; a training has a state that is not declared.

    `settings` are changes that the job's rule needs to be there, for Snakemake's --config.
    """

    name: str
    rule: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    state: str = ""
    settings: tuple[str, ...] = ()


def _stage(name: str, previous: str = "") -> Target:
    before = (f"{PERFORMER}/{previous}/generator.safetensors",) if previous else ()
    folder = f"{PERFORMER}/{name}"
    inputs = (f"{PERFORMER}/windows.h5", *before)
    return Target(f"train_stage {name}", "train_stage", (f"{folder}/generator.safetensors",), inputs, folder)


def _files(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in names)


TARGETS = (
    Target("fetch_weights", "fetch_weights", (FETCHED,)),
    Target("synthesize_clip", "synthesize_clip", _files(BEN, "synthetic.mp4", "truth.h5")),
    Target("locate_person", "locate_person", _files(BEN, "crop.json"), _files(BEN, "synthetic.mp4")),
    Target(
        "decode_clip", "decode_clip", _files(BEN, "frames.h5", "sound.mka"), _files(BEN, "synthetic.mp4", "crop.json")
    ),
    Target("find_people", "find_people", _files(BEN, "people.h5"), _files(BEN, "frames.h5")),
    Target("draw_people", "draw_people", _files(BEN, "people.png"), _files(BEN, "frames.h5", "people.h5")),
    Target("estimate_pose", "estimate_pose", _files(BEN, "pose.h5"), _files(BEN, "frames.h5", "people.h5")),
    Target("estimate_surface", "estimate_surface", _files(BEN, "surface.h5"), _files(BEN, "frames.h5", "pose.h5")),
    Target("estimate_flow", "estimate_flow", _files(BEN, "flow.h5"), _files(BEN, "frames.h5")),
    # MediaPipe's blocks are longer than these clips, so its search for people is never split here.
    Target(
        "find_people_segment",
        "find_people_segment",
        _files(PIECES, "people_2of3.h5"),
        _files(ADA, "frames.h5", "truth.h5"),
        settings=("pose={backend: truth}",),
    ),
    Target("follow_person", "follow_person", _files(PIECES, "followed.h5"), _files(ADA, "frames.h5", "people.h5")),
    Target("register_segment", "register_segment", _files(PIECES, "shifts_1of3.h5"), _files(PIECES, "followed.h5")),
    Target("fit_surface", "fit_surface", _files(PIECES, "fit.json"), _files(ADA, "frames.h5", "pose.h5")),
    Target(
        "estimate_surface_segment",
        "estimate_surface_segment",
        _files(PIECES, "surface_3of3.h5"),
        (*_files(ADA, "frames.h5", "pose.h5"), *_files(PIECES, "fit.json")),
    ),
    Target("estimate_flow_segment", "estimate_flow_segment", _files(PIECES, "flow_2of3.h5"), _files(ADA, "frames.h5")),
    Target(
        "estimate_flow joined",
        "estimate_flow",
        _files(ADA, "flow.h5"),
        _files(PIECES, "flow_1of3.h5", "flow_2of3.h5", "flow_3of3.h5"),
    ),
    Target("estimate_camera", "estimate_camera", _files(ADA, "camera.h5"), _files(ADA, "frames.h5", "surface.h5")),
    Target(
        "draw_overlay",
        "draw_overlay",
        _files(ADA, "overlay.mp4", "doubtful.tsv"),
        _files(ADA, "frames.h5", "pose.h5", "people.h5", "surface.h5", "flow.h5"),
    ),
    Target(
        "export_openpose_json",
        "export_openpose_json",
        _files(ADA, "openpose_json"),
        _files(ADA, "synthetic.mp4", "frames.h5", "pose.h5"),
    ),
    Target(
        "index_windows",
        "index_windows",
        _files(PERFORMER, "windows.h5"),
        _files(ADA, "frames.h5", "pose.h5", "surface.h5", "flow.h5", "camera.h5"),
    ),
    _stage("s0t0"),
    _stage("s1t1", "s0t0"),
    Target(
        "fit_driving",
        "fit_driving",
        _files(TRANSFER, "driving.h5"),
        (*_files(BEN, "pose.h5", "surface.h5", "camera.h5"), f"{PERFORMER}/windows.h5"),
    ),
    Target(
        "measure_coverage",
        "measure_coverage",
        _files(TRANSFER, "coverage.json", "coverage.png"),
        (f"{TRANSFER}/driving.h5", f"{PERFORMER}/windows.h5"),
    ),
    Target(
        "preview_transfer",
        "preview_transfer",
        _files(TRANSFER, "preview.mp4"),
        (f"{TRANSFER}/driving.h5", f"{PERFORMER}/windows.h5", *_files(BEN, "frames.h5")),
    ),
    Target(
        "render_transfer",
        "render_transfer",
        _files(TRANSFER, "video.mp4", "side_by_side.mp4"),
        (
            f"{PERFORMER}/s1t1/generator.safetensors",
            f"{TRANSFER}/driving.h5",
            *_files(BEN, "frames.h5", "sound.mka"),
        ),
    ),
    Target(
        "measure_performer",
        "measure_performer",
        _files(PERFORMER, "metrics.json"),
        _files(PERFORMER, "s1t1/generator.safetensors", "windows.h5"),
    ),
    Target(
        "find_film_people",
        "find_film_people",
        _files(TRANSFER, "film_people.h5"),
        _files(TRANSFER, "video.mp4"),
    ),
    Target(
        "measure_transfer",
        "measure_transfer",
        _files(TRANSFER, "metrics.json"),
        (
            *_files(TRANSFER, "video.mp4", "driving.h5", "film_people.h5"),
            *_files(PERFORMER, "s1t1/generator.safetensors", "windows.h5"),
        ),
    ),
    Target(
        "build_report",
        "build_report",
        ("results/report/index.html",),
        (*_files(TRANSFER, "video.mp4", "metrics.json", "coverage.json"), *_files(PERFORMER, "metrics.json")),
    ),
)
