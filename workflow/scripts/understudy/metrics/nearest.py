"""The nearest training frame by pose: the film one gets without learning anything, a yardstick."""

from dataclasses import dataclass

import numpy as np

from understudy.metrics.motion import JOINTS_17
from understudy.semantics.joints import BODY

LEAST_JOINTS = 6  # joints in common, below which two poses cannot be compared
_MIDDLE = (BODY["left_hip"], BODY["right_hip"])
_PAIRS = 1 << 18  # of frames compared at once, with 17 distances each: 70 MiB, however long both clips are


@dataclass(frozen=True)
class Nearest:
    """For each frame the most similar of the others.

    Attributes:
        index: (T,) int64, -1 where nothing can be compared.
        distance: (T,) float64, mean distance of the joints as a share of the body's height; inf there.
    """

    index: np.ndarray
    distance: np.ndarray


def nearest_frames(poses: np.ndarray, others: np.ndarray, height_px: float, others_height_px: float) -> Nearest:
    """Find for each pose the most similar one of others, wherever the persons stand and however tall they are.

    Args:
        poses: (T, 25, 3) BODY_25: x px, y px, score.
        others: (N, 25, 3).
        height_px, others_height_px: heights of the bodies, pixels.
    """
    mine, theirs = _centred(poses, height_px), _centred(others, others_height_px)
    index, distance = np.full(len(mine), -1), np.full(len(mine), np.inf)
    rows = max(1, _PAIRS // max(len(theirs), 1))
    for start in range(0, len(mine), rows):
        block = _mean_distance(mine[start : start + rows], theirs)  # (B, N)
        best = block.argmin(1) if len(theirs) else np.zeros(len(block), int)
        least = block[np.arange(len(block)), best] if len(theirs) else np.full(len(block), np.inf)
        index[start : start + rows] = np.where(np.isfinite(least), best, -1)
        distance[start : start + rows] = least
    return Nearest(index, distance)


def _centred(body: np.ndarray, height_px: float) -> np.ndarray:
    """Joints (T, 17, 2) about the middle of the hips in body heights; NaN where a joint or the hips are absent."""
    hips = body[:, list(_MIDDLE)]  # (T, 2, 3)
    joints = body[:, list(JOINTS_17)]
    there = (joints[..., 2] > 0) & (hips[..., 2] > 0).all(1)[:, None]
    centred = (joints[..., :2] - hips[..., :2].mean(1, keepdims=True)) / height_px
    return np.where(there[..., None], centred, np.nan)


def _mean_distance(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Mean distance (B, N) over the joints both poses have; inf where they are too few."""
    distance = np.linalg.norm(mine[:, None] - theirs[None], axis=-1)  # (B, N, 17)
    common = np.isfinite(distance)
    count = common.sum(-1)
    mean = np.where(common, distance, 0).sum(-1) / np.maximum(count, 1)
    return np.where(count >= LEAST_JOINTS, mean, np.inf)
