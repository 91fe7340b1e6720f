"""Parts and matte made to agree, and mattes kept to one person: what is nearer to another is not theirs."""

import cv2
import numpy as np

from understudy.semantics.joints import BODY, BODY_LIMBS

LIMB_WIDTH = 0.06  # of a person's size, the diagonal of their joints' box


def cut_and_fill(
    part: np.ndarray, uv: np.ndarray, matte: np.ndarray, samples: int, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Cut parts outside the matte and grow them to its border by nearest neighbour.

    Args:
        part: (P, Q) uint8, 0 background, 1..24.
        uv: (P, Q, 2) uint8.
        matte: (H, W) uint8, 0..255; half and more counts as the person.
        samples: P / H, surface samples per pixel and axis.
        reach: how far parts grow, surface samples.

    Returns:
        New part and uv.
    """
    height, width = part.shape
    person = matte if samples == 1 else cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR)
    person = person > 127
    part, uv = part * person, uv * person[..., None]
    if not part.any():
        return part, uv
    window = _window(person)  # the rest of the picture is empty and costs time
    _grow(part[window], uv[window], person[window], reach)
    return part, uv


def _window(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns that hold all True of (P, Q)."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _grow(part: np.ndarray, uv: np.ndarray, person: np.ndarray, reach: float) -> None:
    """Grow parts over the person by nearest neighbour, in place."""
    known = part > 0
    away, nearest = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3, labelType=cv2.DIST_LABEL_PIXEL
    )
    place = np.zeros((nearest.max() + 1, 2), np.int64)  # label of a known sample -> its row and column
    place[nearest[known]] = np.argwhere(known)
    grown = person & ~known & (away <= reach)
    row, column = place[nearest[grown]].T
    part[grown] = part[row, column]
    uv[grown] = uv[row, column]


def body_matte(part: np.ndarray, samples: int) -> np.ndarray:
    """Share of each pixel that parts (P, Q) cover: (H, W) uint8, 0..255."""
    height, width = part.shape[0] // samples, part.shape[1] // samples
    covered = (part > 0).reshape(height, samples, width, samples)
    return np.round(255 * covered.mean((1, 3))).astype(np.uint8)


def keep_own(matte: np.ndarray, body: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Take the pixels out of a person's matte that lie nearer to another person's figure.

    Args:
        matte: (H, W) uint8, 0..255.
        body: (25, 3) float, the person's BODY_25: x px, y px, score.
        others: (N, 25, 3) float, other people's.

    Returns:
        (H, W) uint8; the same array where nobody else is there.
    """
    if not len(others) or not matte.any():
        return matte
    near = np.min([_away_from(other, *matte.shape) for other in others], axis=0)
    return np.where(near < _away_from(body, *matte.shape), 0, matte).astype(np.uint8)


def _away_from(body: np.ndarray, height: int, width: int) -> np.ndarray:
    """Distance (H, W) px of every pixel to a person's figure: torso, head and limbs as wide as limbs are."""
    present = body[:, 2] > 0
    away = np.ones((height, width), np.uint8)
    if not present.any():
        return np.full((height, width), np.inf, np.float32)
    size = np.hypot(*np.ptp(body[present, :2], axis=0))
    thickness = max(1, round(LIMB_WIDTH * size))
    points = np.round(body[:, :2] - 0.5).astype(int)
    for start, end in BODY_LIMBS:
        if present[start] and present[end]:
            cv2.line(away, points[start].tolist(), points[end].tolist(), 0, thickness)
    torso = [BODY[name] for name in ("right_shoulder", "left_shoulder", "left_hip", "right_hip")]
    if present[torso].all():
        cv2.fillConvexPoly(away, points[torso], 0)
    if present[BODY["nose"]]:
        cv2.circle(away, points[BODY["nose"]].tolist(), thickness, 0, -1)
    return cv2.distanceTransform(away, cv2.DIST_L2, 3)
