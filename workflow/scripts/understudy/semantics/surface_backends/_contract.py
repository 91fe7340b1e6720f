"""What every surface backend gives: part index, U, V and matte of every frame, in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import h5py
import numpy as np

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

    def __init__(self, settings: SurfaceSettings): ...

    def __call__(self, frames: Frames, pose: h5py.File, threads: int = 1) -> Iterator[FrameSurface]:
        """Yield one surface per frame, in order.

        Args:
            frames: the clip.
            pose: its opened pose.h5.
            threads: at most so many at once.
        """

    def attributes(self) -> dict[str, Any]:
        """Return what else surface.h5 keeps about the clip; asked for after the last frame."""
