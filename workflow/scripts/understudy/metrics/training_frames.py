"""The performer's training frames: poses, postures and pictures, as yardsticks and coverage need them."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from understudy.dataset.track import PoseTrack, read_track
from understudy.dataset.windows import TRAINING, Windows, read_windows
from understudy.metrics.motion import body_height
from understudy.metrics.nearest import Nearest, nearest_frames
from understudy.metrics.posture import Postures
from understudy.metrics.reference import resized
from understudy.video.frames import Frames


class TrainingFrames:
    """The performer's training frames: their poses, and their pictures on demand; a context manager.

    Attributes:
        index: what windows.h5 holds.
        poses: (N, 25, 3) BODY_25 of all training frames, frame pixels.
        depths: (N, 25) px, away from the camera; None where the estimator knows none.
        height_px: of the performer's standing body, frame pixels; NaN where the footage does not show it.
    """

    def __init__(self, windows: Path):
        self.index: Windows = read_windows(windows)
        tracks = [read_track(clip.pose) for clip in self.index.clips]
        self._places = [
            (run.clip, run.first + offset)
            for run in self.index.runs
            if run.split == TRAINING
            for offset in range(run.length)
        ]
        self.poses = np.stack([tracks[clip].body[row] for clip, row in self._places])
        self.depths = _depths(tracks, self._places)
        self.height_px = body_height(self.poses)
        self._tracks = tracks
        self._stack = ExitStack()
        self._open: dict[int, Frames] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def frames(self, clip: int) -> Frames:
        """Open the frames of one of the performer's clips."""
        if clip not in self._open:
            self._open[clip] = self._stack.enter_context(Frames(self.index.clips[clip].frames))
        return self._open[clip]

    def pose_rows(self, clip: int, first: int, length: int) -> np.ndarray:
        """Read poses (length, 25, 3) of any frames of a clip."""
        return self._tracks[clip].body[first : first + length]

    def nearest(self, poses: np.ndarray, height_px: float) -> Nearest:
        """Find for each pose (T, 25, 3) the training frame with the most similar one."""
        return nearest_frames(poses, self.poses, height_px, self.height_px)

    @cached_property
    def postures(self) -> Postures:
        """Postures of all training frames."""
        return Postures.of(self.poses, self.depths, self.height_px)

    def postures_of(self, clip: int, rows: slice) -> Postures:
        """Postures of any frames of a clip."""
        track = self._tracks[clip].rows(rows)
        return Postures.of(track.body, None if self.depths is None else track.body_z, self.height_px)

    def place(self, number: int) -> tuple[int, int]:
        """Return clip and frame of training frame `number`, an index into `poses`."""
        return self._places[number]

    def picture(self, number: int, height: int, width: int) -> np.ndarray:
        """Read training frame `number`, an index into `poses`, at a size: (H, W, 3) uint8."""
        clip, row = self._places[number]
        return resized(self.frames(clip)[row], height, width)


def _depths(tracks: Sequence[PoseTrack], places: Sequence[tuple[int, int]]) -> np.ndarray | None:
    """Depths (N, 25) of the frames at some places; None where a clip has none."""
    if any(track.body_z is None for track in tracks):
        return None
    return np.stack([tracks[clip].body_z[row] for clip, row in places])
