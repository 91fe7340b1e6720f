"""Which points of an estimator count as seen."""

import numpy as np

from understudy.semantics.pose_backends._contract import FramePose


def flat_pose(
    body: np.ndarray, face: np.ndarray, hands: np.ndarray, size: tuple[int, int], min_score: float
) -> FramePose:
    """Build the pose of one person without depth or matte; points outside the picture or of a low score are absent.

    Args:
        body: (25, 3) float, x px, y px, score.
        face: (70, 3) float.
        hands: (2, 21, 3) float.
        size: height and width of the picture, pixels.
        min_score: points with a lower score are absent.
    """
    seen = [_seen(points, size, min_score) for points in (body, face, hands)]
    return FramePose(*seen, *(np.zeros(points.shape[:-1], np.float32) for points in seen))


def _seen(points: np.ndarray, size: tuple[int, int], min_score: float) -> np.ndarray:
    place, score = points[..., :2], points[..., 2]
    height, width = size
    present = (score > 0) & (score >= min_score) & ((place >= 0) & (place <= [width, height])).all(-1)
    kept = np.where(present[..., None], points, 0).astype(np.float32)
    kept[..., 2] = kept[..., 2].clip(0, 1)
    return kept
