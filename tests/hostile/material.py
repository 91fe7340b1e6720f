"""Good files for bad inputs to be made of: one tiny synthetic clip through every job, made once in a process."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from filming import Take, barcode, write_video
from hostile.case import run_script
from planted import DATASET, stage, training
from understudy.clips import Clip
from understudy.dataset.reader import Footage
from understudy.layouts import change_file
from understudy.model.build import save_generator, start_generator
from understudy.settings import ModelSettings
from understudy.validation import complete

HEIGHT = 64
SYNTHETIC = {
    "build": "woman", "look": "check", "choreography": "sway", "start_s": 0.5, "duration_s": 2.0, "rate_fps": 12.0,
    "height_px": HEIGHT, "width_px": HEIGHT, "body_share": 0.82, "shift": 0.0, "background": 3,
}  # fmt: skip
FILLED = complete({"performers": {"nobody": {"clips": ["none"]}}})
MODEL = ModelSettings(generator="neural_texture", width=8, texels=16, latents=2)
CLIP = asdict(Clip("ada", "clip/synthetic.mp4", 0.0, 0.0, "largest", "none"))
NAMES = ("frames", "people", "pose", "surface", "flow", "camera", "windows", "driving", "truth")


def section(name: str, **changes: Any) -> dict[str, Any]:
    """A section of the settings at its defaults, with changes."""
    return FILLED[name] | changes


def decode_settings(**changes: Any) -> dict[str, Any]:
    return section("decode", height_px=HEIGHT) | changes


def training_section(**changes: Any) -> dict[str, Any]:
    """A training of two steps."""
    row = stage(height_px=32, clip_frames=1, batch=1, steps=2, **changes)
    return json.loads(json.dumps(asdict(training(row))))


@cache
def made() -> Path:
    """Make every file of a tiny clip, once; the folder that holds the folder `clip`."""
    folder = Path(os.environ["UNDERSTUDY_MATERIAL"])
    if (folder / "done").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "clip").mkdir(parents=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        _run_every_job()
        write_video(Path("plain.mp4"), [barcode(number) for number in range(12)], Take())
    finally:
        os.chdir(before)
    (folder / "done").touch()
    return folder


def copied(folder: Path) -> Path:
    """Copy the clip's files into a case's folder: clip/frames.h5 and so on, with relative paths that hold there."""
    shutil.copytree(made() / "clip", folder / "clip")
    return folder / "clip"


def plain_video() -> bytes:
    """A good H.264 video of twelve numbered pictures of 64 x 64 px in an MP4 file."""
    return (made() / "plain.mp4").read_bytes()


def _run_every_job() -> None:
    run_script("synthesize_clip", {}, _outputs("video:synthetic.mp4", "truth"), params={"settings": SYNTHETIC})
    Path("clip/crop.json").write_text(json.dumps({"left": 0, "top": 0, "width": HEIGHT, "height": HEIGHT}))
    decode(Path("clip/synthetic.mp4"))
    find_people()
    estimate_pose()
    estimate_surface()
    estimate_flow()
    estimate_camera()
    index_windows()
    with Footage(Path("clip/windows.h5"), 32) as footage:
        generator = start_generator(list(footage.spread(4)), MODEL, 0, footage.chart)
    save_generator(Path("clip/generator.safetensors"), generator, {"stage": "s0t0", "step": 0})
    fit_driving()


def decode(video: Path, clip: dict[str, Any] | None = None, **changes: Any) -> None:
    """Run rule decode_clip on a video, with clip/crop.json."""
    run_script(
        "decode_clip",
        {"video": str(video), "crop": "clip/crop.json"},
        {"frames": "results/frames.h5", "sound": "results/sound.mka"}
        if clip
        else _outputs("frames", "sound:sound.mka"),
        params={"clip": clip or CLIP, "settings": decode_settings(**changes)},
    )


def find_people(backend: str = "truth", output: str = "clip/people.h5", **changes: Any) -> None:
    """Run rule find_people on clip/frames.h5."""
    settings = section("pose", backend=backend, **changes)
    run_script("find_people", _inputs("frames"), {"people": output}, params={"settings": settings})


def estimate_pose(output: str = "clip/pose.h5") -> None:
    """Run rule estimate_pose on the clip's people."""
    inputs = _inputs("frames", "people") | {"sheet": [], "whole": []}
    params = {"person": "largest", "settings": section("pose", backend="truth")}
    run_script("estimate_pose", inputs, {"pose": output}, params=params)


def estimate_surface(output: str = "clip/surface.h5", **changes: Any) -> None:
    """Run rule estimate_surface on the clip's pose."""
    settings = section("surface") | changes
    run_script("estimate_surface", _inputs("frames", "pose"), {"surface": output}, params={"settings": settings})


def estimate_flow(output: str = "clip/flow.h5", **changes: Any) -> None:
    """Run rule estimate_flow on the clip's frames."""
    settings = section("flow", strides=[1]) | changes
    run_script("estimate_flow", _inputs("frames"), {"flow": output}, params={"settings": settings})


def estimate_camera(output: str = "clip/camera.h5", motion: str = "still") -> None:
    """Run rule estimate_camera on the clip."""
    settings = section("camera", motion=motion)
    run_script("estimate_camera", _inputs("frames", "surface"), {"camera": output}, params={"settings": settings})


def index_windows(output: str = "clip/windows.h5") -> None:
    """Run rule index_windows on the clip."""
    inputs = {name: [f"clip/{name}.h5"] for name in ("frames", "pose", "surface", "flow", "camera")}
    run_script("index_windows", inputs, {"windows": output}, params={"settings": asdict(DATASET)})


def fit_driving(output: str = "clip/driving.h5") -> None:
    """Run rule fit_driving: the clip performs itself."""
    params = {"settings": section("rendering", retarget="none"), "surface": section("surface")}
    run_script("fit_driving", _inputs("pose", "surface", "camera", "windows"), {"driving": output}, params=params)


def train_stage(state: str = "results/state", previous: str = "", warm: str = "", **changes: Any) -> None:
    """Run rule train_stage for two steps on the clip's windows."""
    inputs = _inputs("windows") | {"previous": [previous] if previous else [], "warm": [warm] if warm else []}
    params = {"model": asdict(MODEL), "training": training_section() | changes, "dataset": asdict(DATASET)}
    outputs = {"weights": "results/s0t0/generator.safetensors"}
    run_script("train_stage", inputs, outputs, params=params | {"state": state}, resources={"gpu": 1})


def render_transfer() -> None:
    """Run rule render_transfer on the clip's driving.h5."""
    inputs = _inputs("driving", "frames") | {"weights": "clip/generator.safetensors", "sound": "clip/sound.mka"}
    outputs = {"video": "results/video.mp4", "side_by_side": "results/side_by_side.mp4"}
    params = {
        "settings": section("rendering", retarget="none"),
        "film": section("film"),
        "provenance": section("provenance"),
    }
    params["statement"] = {"performer": "ada", "driving_clip": "ben", "settings_sha256": 64 * "0"}
    run_script("render_transfer", inputs, outputs, params=params)


def rewrite(path: Path, change) -> None:
    """Open an HDF5 file for changes that no job would make."""

    with change_file(path) as file:
        change(file)


def _inputs(*names: str) -> dict[str, str]:
    return {name: f"clip/{name}.h5" for name in names}


def _outputs(*names: str) -> dict[str, str]:
    """Names of outputs in clip/: `frames` is clip/frames.h5, `sound:sound.mka` another file."""
    pairs = [name.partition(":") for name in names]
    return {name: f"clip/{file or name + '.h5'}" for name, _, file in pairs}


def lazily(make: Callable[[], bytes]) -> Callable[[Path], None]:
    """Write bytes that are only made when the case runs."""
    return lambda path: path.write_bytes(make()) and None
