"""No surface at all: for generators that draw from limbs and face alone. The matte comes from the pose backend."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from understudy.errors import BackendError
from understudy.semantics.pose_rows import PoseRows
from understudy.semantics.surface_backends._contract import FrameSurface
from understudy.settings import SurfaceSettings
from understudy.video.frames import Frames


class Backend:
    """Gives part 0 everywhere, and the person's matte, by which losses weigh pixels."""

    name = "none"
    version = "1"
    chart = "none"
    fits_clip = False
    has_body = False

    def __init__(self, settings: SurfaceSettings):
        self.samples = settings.samples

    def __call__(self, frames: Frames, pose: PoseRows, threads: int = 1) -> Iterator[FrameSurface]:
        if "matte" not in pose:
            raise BackendError(
                f"{pose.filename} holds no matte, because its pose backend makes none, and surface.backend 'none' has "
                "none of its own; set surface.backend to body_model, or pose.backend to mediapipe."
            )
        drawn = frames.height * self.samples, frames.width * self.samples
        part, uv = np.zeros(drawn, np.uint8), np.zeros((*drawn, 2), np.uint8)
        for index in range(len(frames)):
            yield FrameSurface(part, uv, pose["matte"][index], bool(pose["valid"][index]))

    def attributes(self) -> dict[str, Any]:
        return {}
