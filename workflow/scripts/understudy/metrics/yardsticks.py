"""Two yardsticks for every figure: the nearest training frame by pose, and the previous true frame repeated."""

from collections.abc import Callable, Iterable

import numpy as np

from understudy.dataset.reader import Footage
from understudy.metrics.reference import held_out_frames
from understudy.metrics.series import Series, TrueFrame
from understudy.metrics.training_frames import TrainingFrames


def held_out_yardsticks(
    footage: Footage, training: TrainingFrames, new_series: Callable[[], Series]
) -> dict[str, Series]:
    """Measure the nearest training frame and the previous frame on the held-out frames."""
    poses = [training.pose_rows(run.clip, run.first, run.length) for run in footage.runs]
    if not poses:
        return {}
    nearest = training.nearest(np.concatenate(poses), training.height_px)
    return yardstick_series(held_out_frames(footage), nearest.index, training, new_series)


def yardstick_series(
    frames: Iterable[TrueFrame], nearest: np.ndarray, training: TrainingFrames, new_series: Callable[[], Series]
) -> dict[str, Series]:
    """Gather the figures of both yardsticks; `nearest` (T,) numbers training frames, -1 where there is none."""
    by_pose, repeated = new_series(), new_series()
    before: TrueFrame | None = None
    for true, number in zip(frames, nearest.tolist(), strict=True):
        if number >= 0:
            by_pose.add(training.picture(number, *true.picture.shape[:2]), true)
        if before is not None and before.number == true.number - 1:
            repeated.add(before.picture, true)
        before = true
    return {"nearest_training_frame": by_pose, "previous_frame": repeated}
