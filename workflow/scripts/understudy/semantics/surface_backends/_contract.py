"""What every surface backend gives: part index, U, V and matte of every frame, in order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from understudy.semantics.pose_rows import PoseRows
from understudy.settings import SurfaceSettings
from understudy.video.frames import Frames


@dataclass(frozen=True)
class FrameSurface:
    """One frame's surface; P and Q are `samples` times the frame's height and width. All zero where not valid."""

    part: np.ndarray  # (P, Q) uint8, 0 background, 1..24, cut and filled by the matte
    uv: np.ndarray  # (P, Q, 2) uint8, 0..255 for 0..1
    matte: np.ndarray  # (H, W) uint8, share of the pixel that is the person, 0..255
    valid: bool
    body_part: np.ndarray | None = None  # (P, Q) uint8, of the bare body, not cut; None where a backend has none
    body_uv: np.ndarray | None = None  # (P, Q, 2) uint8


class SurfaceBackend(Protocol):
    """A file in this folder holds a class `Backend` that keeps this protocol; its file name is its name."""

    name: str
    version: str
    chart: str  # name of the atlas that U and V belong to
    has_body: bool  # then every frame carries body_part and body_uv
    fits_clip: bool  # then all frames share what is fitted to the whole clip, by `fit` or taken from another job's

    def __init__(self, settings: SurfaceSettings): ...

    def __call__(self, frames: Frames, pose: PoseRows, threads: int = 1) -> Iterator[FrameSurface]:
        """Yield one surface per frame, in order.

        Args:
            frames: the clip, or a part of it; then what is fitted to the clip was taken before.
            pose: the rows of pose.h5 of these frames.
            threads: at most so many at once.
        """

    def attributes(self) -> dict[str, Any]:
        """Return what else surface.h5 keeps about the clip, of which `take` makes another one ready for its parts.

        Asked for after the last frame, or after `fit`.
        """

    # Only of a backend that fits the clip:

    def fit(self, frames: Frames, pose: PoseRows, threads: int = 1) -> None:
        """Fit what all frames share to the whole clip; calling the backend does so where nobody has."""

    def take(self, attributes: Mapping[str, Any]) -> None:
        """Take what another one fitted to the whole clip."""
