"""What every pose backend gives: the raw, unsmoothed poses of everyone it finds in a frame, frame by frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from understudy.settings import PoseSettings
from understudy.video.frames import Frames


@dataclass(frozen=True)
class FramePose:
    """One person in one frame, in pixels of the frame (pixel centres at +0.5).

    An absent joint is 0, 0, 0. Depths grow away from the camera and are 0 at the mid-hip; a backend that knows no
    depth leaves them 0. Hands: left, right of the person.
    """

    body: np.ndarray  # (25, 3) BODY_25: x px, y px, score 0..1
    face: np.ndarray  # (70, 3) FACE_70
    hands: np.ndarray  # (2, 21, 3) HAND_21
    body_z: np.ndarray  # (25,) px
    face_z: np.ndarray  # (70,)
    hands_z: np.ndarray  # (2, 21)
    matte: np.ndarray | None = None  # (H, W) uint8, share of the pixel that is this person, 0..255; None: not known

    @classmethod
    def nobody(cls, matte: np.ndarray | None = None) -> "FramePose":
        """Return the row of a frame in which a person is not seen: all zero."""
        shapes = ((25, 3), (70, 3), (2, 21, 3), (25,), (70,), (2, 21))
        return cls(*(np.zeros(shape, np.float32) for shape in shapes), matte)

    @property
    def found(self) -> bool:
        """Whether a person is seen at all."""
        return bool((self.body[:, 2] > 0).any())


class PoseBackend(Protocol):
    """A file in this folder holds a class `Backend` that keeps this protocol; its file name is its name.

    A frame's poses are everyone found in it, none where nobody is, in any order: the place in the sequence is no
    identity, and the next frame may have them in another order. Who is who is found out by `semantics.tracks`.
    """

    name: str
    version: str  # of the estimator behind it
    has_depth: bool
    has_matte: bool  # then every pose carries one
    exact: bool  # then nothing is smoothed, bridged or registered
    memory_frames: int  # frames it has to see before those that count; 0 where it looks at each frame by itself
    block_s: float  # one with a memory begins anew so often, seconds, in every clip; then segments change nothing

    def __init__(self, settings: PoseSettings): ...

    def __call__(self, frames: Frames) -> Iterator[Sequence[FramePose]]:
        """Yield the poses of every frame, frames in order."""

    def detect(self, picture: np.ndarray) -> Sequence[FramePose]:
        """Estimate the poses in one (H, W, 3) uint8 RGB picture without memory of others; used to find the person."""
