"""Two yardsticks for every figure: the nearest training frame by pose, and the previous true frame repeated."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from understudy.dataset.reader import Footage
from understudy.dataset.track import read_track
from understudy.dataset.windows import TRAINING, Windows, read_windows
from understudy.metrics.motion import body_height
from understudy.metrics.nearest import Nearest, nearest_frames
from understudy.metrics.reference import held_out_frames, resized
from understudy.metrics.series import Series, TrueFrame
from understudy.settings import MetricsSettings
from understudy.video.frames import Frames


class TrainingFrames:
    """The performer's training frames: their poses, and their pictures on demand; a context manager.

    Attributes:
        index: what windows.h5 holds.
        poses: (N, 25, 3) BODY_25 of all training frames, frame pixels.
        height_px: of the performer's standing body, frame pixels; NaN where the footage does not show it.
    """

    def __init__(self, windows: Path):
        self.index: Windows = read_windows(windows)
        tracks = [read_track(clip.pose).body for clip in self.index.clips]
        self._places = [
            (run.clip, run.first + offset)
            for run in self.index.runs
            if run.split == TRAINING
            for offset in range(run.length)
        ]
        self.poses = np.stack([tracks[clip][row] for clip, row in self._places])
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
        return self._tracks[clip][first : first + length]

    def nearest(self, poses: np.ndarray, height_px: float) -> Nearest:
        """Find for each pose (T, 25, 3) the training frame with the most similar one."""
        return nearest_frames(poses, self.poses, height_px, self.height_px)

    def picture(self, number: int, height: int, width: int) -> np.ndarray:
        """Read training frame `number`, an index into `poses`, at a size: (H, W, 3) uint8."""
        clip, row = self._places[number]
        return resized(self.frames(clip)[row], height, width)


def held_out_yardsticks(
    footage: Footage, training: TrainingFrames, settings: MetricsSettings, every: int
) -> dict[str, dict[str, Any]]:
    """Measure the nearest training frame and the previous frame on the held-out frames."""
    poses = [training.pose_rows(run.clip, run.first, run.length) for run in footage.runs]
    if not poses:
        return {}
    nearest = training.nearest(np.concatenate(poses), training.height_px)
    return yardstick_series(held_out_frames(footage), nearest.index, training, settings, every)


def yardstick_series(
    frames: Iterable[TrueFrame], nearest: np.ndarray, training: TrainingFrames, settings: MetricsSettings, every: int
) -> dict[str, dict[str, Any]]:
    """Figures of both yardsticks; `nearest` (T,) numbers training frames, -1 where there is none."""
    by_pose, repeated = Series(settings.tolerance_px, every), Series(settings.tolerance_px, every)
    before: TrueFrame | None = None
    for true, number in zip(frames, nearest.tolist(), strict=True):
        if number >= 0:
            by_pose.add(training.picture(number, *true.picture.shape[:2]), true)
        if before is not None and before.number == true.number - 1:
            repeated.add(before.picture, true)
        before = true
    return {"nearest_training_frame": by_pose.figures(), "previous_frame": repeated.figures()}
