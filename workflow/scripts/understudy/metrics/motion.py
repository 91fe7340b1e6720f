"""How true motion is: joint errors, share of correct joints, flicker along the motion, drift over a clip.

Joints are (T, K, 3) float: x px, y px, score; a joint with score 0 is absent.
"""

from dataclasses import dataclass

import numpy as np

from understudy.flow.agreement import sample
from understudy.semantics.joints import BODY

# the 17 joints that all estimators know: COCO's; neck and mid-hip are means of others, toes and heels often hidden
_SIDES = ("left", "right")
JOINTS_17 = (
    BODY["nose"],
    *(BODY[f"{side}_{joint}"] for joint in ("eye", "ear", "shoulder", "elbow", "wrist") for side in _SIDES),
    *(BODY[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle") for side in _SIDES),
)
_LOW = tuple(BODY[f"{side}_{joint}"] for side in _SIDES for joint in ("ankle", "heel", "big_toe"))
STANDING_PERCENTILE = 90
TORSOS = 3.0  # from nose to foot, of a person of usual proportions


@dataclass(frozen=True)
class JointError:
    """Distances between estimated and true joints.

    Attributes:
        median_percent, p95_percent: of the body's height; NaN where no joint is in both.
        missing_share: share of the true joints that the estimate lacks, 0..1.
    """

    median_percent: float
    p95_percent: float
    missing_share: float


def body_height(body: np.ndarray) -> float:
    """Height of a standing person: from the nose to the lower foot, 90th percentile over frames, pixels.

    Where no frame shows both, three times the distance from neck to mid-hip stands for it.

    Args:
        body: (T, 25, 3), BODY_25.

    Returns:
        Pixels; NaN where no frame shows the torso either.
    """
    nose, low = body[:, BODY["nose"]], body[:, list(_LOW)]
    lowest = np.where(low[..., 2] > 0, low[..., 1], -np.inf).max(1)  # (T,)
    heights = (lowest - nose[:, 1])[(nose[:, 2] > 0) & np.isfinite(lowest)]
    if len(heights) == 0:
        heights = TORSOS * joint_distances(body[:, BODY["neck"]], body[:, BODY["mid_hip"]])
        heights = heights[np.isfinite(heights)]
    return float(np.percentile(heights, STANDING_PERCENTILE)) if len(heights) else float("nan")


def joint_distances(estimated: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Distance of each joint (T, K) px from its truth; NaN where it is absent in either."""
    there = (estimated[..., 2] > 0) & (true[..., 2] > 0)
    distance = np.linalg.norm(estimated[..., :2].astype(np.float64) - true[..., :2], axis=-1)
    return np.where(there, distance, np.nan)


def joint_error(estimated: np.ndarray, true: np.ndarray, height_px: float) -> JointError:
    """Measure how far joints are from their truth.

    Args:
        estimated, true: (T, K, 3).
        height_px: the body's height, as `body_height` gives it for the true joints.
    """
    distance = joint_distances(estimated, true)
    distance = distance[np.isfinite(distance)] / height_px * 100
    wanted = true[..., 2] > 0
    missing = (wanted & (estimated[..., 2] <= 0)).sum() / max(wanted.sum(), 1)
    if len(distance) == 0:
        return JointError(float("nan"), float("nan"), float(missing))
    return JointError(float(np.median(distance)), float(np.percentile(distance, 95)), float(missing))


def pck(estimated: np.ndarray, true: np.ndarray, share: float, height_px: float) -> float:
    """Share of the true joints found within a distance, 0..1; an absent joint is a wrong one.

    Args:
        estimated, true: (T, K, 3).
        share: of the body's height that counts as correct, such as 0.05.
        height_px: the body's height, pixels.

    Source: Yang, Ramanan, TPAMI 2013, with the body's height in place of the head's.
    """
    distance = joint_distances(estimated, true)
    return float((np.nan_to_num(distance, nan=np.inf) <= share * height_px).sum() / max((true[..., 2] > 0).sum(), 1))


def warp_error(picture: np.ndarray, before: np.ndarray, flow: np.ndarray, trusted: np.ndarray) -> float:
    """Change of a picture along the motion: low where what moves keeps its looks, high where it flickers.

    Read it as a ratio to the same figure of real footage, whose light and folds change too.

    Args:
        picture, before: (H, W, 3) uint8, frame t and t - 1.
        flow: (H, W, 2) float32 px, from frame t back to t - 1.
        trusted: (H, W) bool, pixels that count.

    Returns:
        Mean absolute difference over the trusted pixels and colours, the range of values being 1; NaN without any.
    """
    if not trusted.any():
        return float("nan")
    moved = sample(before.astype(np.float32), flow)
    return float(np.abs(moved - picture)[trusted].mean(dtype=np.float64) / 255)


def flicker(
    picture: np.ndarray, before: np.ndarray, before_that: np.ndarray, trusted: np.ndarray
) -> tuple[float, float]:
    """Measure change that the next frame takes back.

    Args:
        picture: (H, W, 3), frame t.
        before, before_that: (H, W, 3) float32, frames t - 1 and t - 2 moved along the motion to frame t.
        trusted: (H, W) bool, pixels that count.

    Returns:
        amplitude: half the mean absolute second difference, the range of values being 1: what goes to and fro from
            frame to frame, nothing where a change goes on.
        index: 0..1, the sum of the absolute second differences over that of the absolute first ones: 0 where changes go
            on, 1 where each is taken back, 0.87 for noise; 0 without any change. NaN both without pixels.
    """
    if not trusted.any():
        return float("nan"), float("nan")
    now, last, first = (each[trusted].astype(np.float64) / 255 for each in (picture, before, before_that))
    second = np.abs(now - 2 * last + first).mean()
    steps = (np.abs(now - last) + np.abs(last - first)).mean()
    return float(second / 2), float(second / steps) if steps > 0 else 0.0


def quarters(figures: np.ndarray) -> list[float]:
    """Mean of each quarter of one figure per frame (T,), in order; empty where there are fewer than 4."""
    return [float(part.mean()) for part in np.array_split(figures, 4)] if len(figures) >= 4 else []


def drift(figures: np.ndarray) -> float:
    """Mean of the last quarter minus that of the first, of one figure per frame (T,); below 0 it gets worse."""
    quarter = max(len(figures) // 4, 1)
    return float(np.mean(figures[-quarter:]) - np.mean(figures[:quarter]))
