"""What a person wears, as two small colour histograms: torso and thighs."""

import cv2
import numpy as np

from understudy.semantics.joints import BODY

HUES, SATURATIONS, VALUES = 8, 3, 4
BINS = HUES * SATURATIONS * VALUES
REGIONS = 2  # torso, thighs
SAMPLES = 16  # points along and across a region
NARROWEST = 0.35  # width of a torso over its height, seen from the side
THIGH_WIDTH = 0.25  # of its length
INSIDE = (0.1, 0.9)  # share of a region that is looked at; its rim shows what is behind


def person_look(picture: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Count the colours of torso and thighs.

    Args:
        picture: (H, W, 3) uint8 RGB.
        body: (25, 3) float, BODY_25: x px, y px, score.

    Returns:
        (2, BINS) float32, each row sums to 1; zeros where the joints round a region are not seen.
    """
    look = np.zeros((REGIONS, BINS), np.float32)
    shoulders = [BODY["right_shoulder"], BODY["left_shoulder"]]
    hips = [BODY["right_hip"], BODY["left_hip"]]
    if (body[shoulders + hips, 2] > 0).all():
        look[0] = _colours(picture, _between(body[shoulders, :2], body[hips, :2]))
    thighs = [
        _limb(body[BODY[f"{side}_hip"], :2], body[BODY[f"{side}_knee"], :2])
        for side in ("right", "left")
        if body[BODY[f"{side}_hip"], 2] > 0 and body[BODY[f"{side}_knee"], 2] > 0
    ]
    if thighs:
        look[1] = _colours(picture, np.concatenate(thighs))
    return look


def look_similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Compare two looks (2, BINS): Bhattacharyya coefficient 0..1, mean over regions both know; nan where none."""
    both = (one.sum(1) > 0) & (other.sum(1) > 0)
    if not both.any():
        return float("nan")
    return float(np.sqrt(one[both] * other[both]).sum(1).mean())


def _between(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Points (N, 2) px inside the figure with the corners top (2, 2) and bottom (2, 2), right then left."""
    height = np.linalg.norm(top.mean(0) - bottom.mean(0))
    edges = []
    for ends in (top, bottom):
        width = ends[1] - ends[0]
        length = max(np.linalg.norm(width), 1e-6)
        half = width / 2 * max(1, NARROWEST * height / length)
        edges.append((ends.mean(0) - half, ends.mean(0) + half))
    share = np.linspace(*INSIDE, SAMPLES)[:, None]
    left, right = ((1 - share) * edges[0][side] + share * edges[1][side] for side in (0, 1))  # (S, 2)
    return ((1 - share[..., None]) * left + share[..., None] * right).reshape(-1, 2)


def _limb(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Points (N, 2) px along a limb and a little to its sides."""
    along = np.linspace(*INSIDE, SAMPLES)[:, None, None]
    aside = np.linspace(-0.5, 0.5, SAMPLES // 4)[None, :, None] * THIGH_WIDTH
    way = end - start
    return (start + along * way + aside * way[::-1] * [1, -1]).reshape(-1, 2)


def _colours(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Histogram (BINS,) float32 of the pixels at points (N, 2) px; zeros where none is inside the picture."""
    columns, rows = np.floor(points).astype(int).T
    inside = (rows >= 0) & (columns >= 0) & (rows < picture.shape[0]) & (columns < picture.shape[1])
    if not inside.any():
        return np.zeros(BINS, np.float32)
    pixels = np.ascontiguousarray(picture[rows[inside], columns[inside]][None])  # (1, N, 3)
    seen = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    sizes, ranges = [HUES, SATURATIONS, VALUES], [0, 180, 0, 256, 0, 256]
    counts = cv2.calcHist([seen], [0, 1, 2], None, sizes, ranges)
    for axis in range(3):  # neighbours in colour share, so that a shade at a bin's border counts as near
        counts = _spread(counts, axis, circular=axis == 0)
    return (counts / counts.sum()).ravel().astype(np.float32)


def _spread(counts: np.ndarray, axis: int, circular: bool) -> np.ndarray:
    """Give a quarter of each bin to each of its neighbours along an axis."""
    pad = [(1, 1) if number == axis else (0, 0) for number in range(3)]
    wide = np.pad(counts, pad, mode="wrap" if circular else "edge")
    size = counts.shape[axis]
    before, here, after = (np.take(wide, range(start, start + size), axis) for start in range(3))
    return before / 4 + here / 2 + after / 4
