"""Frames a second of decode + pose + surface + flow at 256 px, as the workflow runs them on two cores.

    .venv/bin/python benchmarks/preprocess.py VIDEO

First each step alone, one after the other, then decode followed by flow beside pose and surface, which is what
`snakemake --cores 2` does with one clip. The yardstick of the same run is decoding alone at the same size.
"""

import logging
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))

from understudy.clips import Clip  # noqa: E402
from understudy.flow.estimate import estimate_flow  # noqa: E402
from understudy.semantics.choice import Choice  # noqa: E402
from understudy.semantics.locate import locate_person  # noqa: E402
from understudy.semantics.people import find_people  # noqa: E402
from understudy.semantics.pose import estimate_pose  # noqa: E402
from understudy.semantics.surface import estimate_surface  # noqa: E402
from understudy.settings import DecodeSettings, FlowSettings, PoseSettings, SurfaceSettings, from_params  # noqa: E402
from understudy.validation import complete  # noqa: E402
from understudy.video.decode import decode_clip  # noqa: E402
from understudy.video.frames import Frames  # noqa: E402

logger = logging.getLogger("preprocess")


def main(video: Path) -> None:
    """Time each step alone, then the steps side by side; print frames a second and ratios to decoding."""
    filled = complete({"performers": {"a": {"clips": ["a"]}}, "flow": {"strides": [1]}})
    pose = from_params(PoseSettings, filled["pose"])
    decode = from_params(DecodeSettings, filled["decode"])
    surface, flow = from_params(SurfaceSettings, filled["surface"]), from_params(FlowSettings, filled["flow"])
    clip = Clip("a", str(video), 0, 0, "largest", "person")
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(1, get_context("spawn")) as beside:
        folder = Path(name)
        frames = folder / "frames.h5"
        steps: dict[str, Callable[[], None]] = {
            "locate": lambda: locate_person(video, folder / "crop.json", clip, Choice("largest"), pose, decode),
            "decode": lambda: decode_clip(video, folder / "crop.json", frames, folder / "sound.mka", clip, decode),
            "people": lambda: find_people(frames, folder / "people.h5", pose),
            "pose": lambda: estimate_pose(frames, folder / "people.h5", folder / "pose.h5", Choice("largest"), pose),
            "surface": lambda: estimate_surface(frames, folder / "pose.h5", folder / "surface.h5", surface),
            "flow": lambda: estimate_flow(frames, folder / "flow.h5", flow),
        }
        spent = {step: _time(act) for step, act in steps.items()}
        beside.submit(_time, str).result()  # the other process has imported what it needs

        def side_by_side() -> None:
            steps["decode"]()
            other = beside.submit(estimate_flow, frames, folder / "flow.h5", flow)
            steps["pose"]()
            steps["surface"]()
            other.result()

        together = _time(side_by_side)
        with Frames(frames) as clip_frames:
            count, size = len(clip_frames), (clip_frames.height, clip_frames.width)
    logger.info("%d frames of %d x %d px", count, *size)
    for step, seconds in spent.items():
        logger.info(
            "%-8s %6.1f ms a frame, %5.2f times decoding", step, 1000 * seconds / count, seconds / spent["decode"]
        )
    serial = sum(spent.values()) - spent["locate"]
    for what, seconds in (("one after the other", serial), ("side by side on two cores", together)):
        logger.info("%s: %.1f frames a second, %.2f times decoding", what, count / seconds, seconds / spent["decode"])


def _time(act: Callable[[], object]) -> float:
    """Seconds by the clock that a call takes."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(Path(sys.argv[1]))
