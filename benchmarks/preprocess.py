"""Frames a second of decode + pose + surface + flow at 256 px, one after the other in one process of two threads.

    .venv/bin/python benchmarks/preprocess.py VIDEO

The yardstick of the same run is decoding alone at the same size.
"""

import logging
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))

from understudy.clips import Clip  # noqa: E402
from understudy.flow.estimate import estimate_flow  # noqa: E402
from understudy.semantics.locate import locate_person  # noqa: E402
from understudy.semantics.pose import estimate_pose  # noqa: E402
from understudy.semantics.surface import estimate_surface  # noqa: E402
from understudy.settings import DecodeSettings, FlowSettings, PoseSettings, SurfaceSettings, from_params  # noqa: E402
from understudy.validation import complete  # noqa: E402
from understudy.video.decode import decode_clip  # noqa: E402
from understudy.video.frames import Frames  # noqa: E402

logger = logging.getLogger("preprocess")

THREADS = 2


def main(video: Path) -> None:
    """Time each step once and print frames a second and the ratio to decoding."""
    filled = complete({"performers": {"a": {"clips": ["a"]}}, "flow": {"strides": [1]}})
    pose = from_params(PoseSettings, filled["pose"])
    decode = from_params(DecodeSettings, filled["decode"])
    surface, flow = from_params(SurfaceSettings, filled["surface"]), from_params(FlowSettings, filled["flow"])
    clip = Clip("a", str(video), 0, 0, "largest", "person")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = folder / "frames.h5"
        steps = {
            "locate": lambda: locate_person(video, folder / "crop.json", clip, pose, decode),
            "decode": lambda: decode_clip(video, folder / "crop.json", frames, folder / "sound.mka", clip, decode),
            "pose": lambda: estimate_pose(frames, folder / "pose.h5", pose, THREADS),
            "surface": lambda: estimate_surface(frames, folder / "pose.h5", folder / "surface.h5", surface, THREADS),
            "flow": lambda: estimate_flow(frames, folder / "flow.h5", flow, THREADS),
        }
        seconds, busy = {}, {}
        for step, act in steps.items():
            started, used = time.perf_counter(), time.process_time()
            act()
            seconds[step], busy[step] = time.perf_counter() - started, time.process_time() - used
        with Frames(frames) as clip_frames:
            count, size = len(clip_frames), (clip_frames.height, clip_frames.width)
    logger.info("%d frames of %d x %d px", count, *size)
    for step, spent in seconds.items():
        logger.info(
            "%-8s %6.1f ms a frame (%.1f ms of processors), %5.2f times decoding",
            *(step, 1000 * spent / count, 1000 * busy[step] / count, spent / seconds["decode"]),
        )
    total = sum(spent for step, spent in seconds.items() if step != "locate")
    logger.info(
        "together %.1f frames a second without locate, %.2f times decoding", count / total, total / seconds["decode"]
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(Path(sys.argv[1]))
