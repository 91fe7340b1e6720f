"""The exact surface of a synthetic clip, read beside its video: a yardstick, and a pipeline without an estimator."""

from collections.abc import Iterator
from typing import Any

from understudy.body.parts import CHART
from understudy.semantics.pose_rows import PoseRows
from understudy.semantics.surface_backends._contract import FrameSurface
from understudy.semantics.truth import open_truth
from understudy.settings import SurfaceSettings
from understudy.video.frames import Frames


class Backend:
    """Reads truth.h5; the bare body is the same surface."""

    name = "truth"
    version = "1"
    chart = CHART
    fits_clip = False
    has_body = True

    def __init__(self, settings: SurfaceSettings):
        self.samples = settings.samples

    def __call__(self, frames: Frames, pose: PoseRows, threads: int = 1) -> Iterator[FrameSurface]:
        with open_truth(frames) as truth:
            for index in range(len(frames)):
                part, uv = (truth.map(name, index, self.samples) for name in ("part", "uv"))
                yield FrameSurface(part, uv, truth.matte(index), bool(part.any()), part, uv)

    def attributes(self) -> dict[str, Any]:
        return {}
