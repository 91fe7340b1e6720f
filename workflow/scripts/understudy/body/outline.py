"""Outlines of silhouettes: distances and directions to them, and how far two of them lie apart."""

import cv2
import numpy as np

STEP_PX = 1.0  # along a ray, between which borders are interpolated


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """Distance to the border of a mask (H, W) bool, pixels, below 0 inside: (H, W) float32."""
    inside = mask.astype(np.uint8)
    return cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) - cv2.distanceTransform(inside, cv2.DIST_L2, 5)


def sampled(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Values (N,) of a field (H, W) float32 at points (N, 2) px, linearly interpolated."""
    places = (points - 0.5).astype(np.float32).reshape(-1, 1, 2)
    found = [
        cv2.remap(field, block[..., 0], block[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]
        for block in np.split(places, range(30000, len(places), 30000))  # remap takes up to 32767 rows
        if len(block)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def gradient(field: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Unit gradients (N, 2) of a distance field (H, W) at points (N, 2) px; shorter where it has a ridge."""
    slopes = [sampled(cv2.Sobel(field, cv2.CV_32F, *axis, ksize=3), points) / 8 for axis in ((1, 0), (0, 1))]
    slope = np.stack(slopes, 1)
    return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 0.3)


def border_ways(
    person: np.ndarray, drawn: np.ndarray, points: np.ndarray, normal: np.ndarray, reach: np.ndarray, leg: np.ndarray
) -> np.ndarray:
    """How far outwards the border of the person lies from the drawn outline.

    Where the drawn body is met before, nothing is known, but between legs, under a skirt, it is half the way there.

    Args:
        person: (h, w) float32, 0..1.
        drawn: (h, w) float32, the drawn silhouette.
        points: (N, 2) px, near the drawn outline.
        normal: (N, 2) unit length, outwards.
        reach: (2,) px, how far the border is looked for inwards and outwards.
        leg: (N,) bool, points on legs.

    Returns:
        (N,) px, below 0 inwards, not a number where no border is found.
    """
    inwards, outwards = (int(np.ceil(way / STEP_PX)) for way in reach)
    steps = STEP_PX * np.arange(-inwards, outwards + 1)
    ray = points[:, None] + steps[:, None] * normal[:, None]  # (N, S, 2)
    seen, body = (sampled(mask, ray.reshape(-1, 2)).reshape(ray.shape[:2]) - 0.5 for mask in (person, drawn))
    beyond = ((ray < 0.5) | (ray > np.array(person.shape[::-1]) - 0.5)).any(2)
    seen[beyond] = np.nan  # what lies beyond the picture's edge is not known
    here = _border(body, inwards)
    way = _border(seen, inwards)
    again = (body[:, inwards:] > 0) & (steps[inwards:] > np.nan_to_num(here)[:, None] + 1)
    gap = np.where(again.any(1), steps[inwards + again.argmax(1)], np.inf)
    inner = ~(seen[:, inwards] <= 0)
    met = inner & (gap < np.where(np.isnan(way), np.inf, way))
    way[met] = np.where(leg[met] & np.isfinite(gap[met]), (gap[met] + here[met]) / 2, np.nan)
    return way - here


def _border(inside: np.ndarray, start: int) -> np.ndarray:
    """Place of the border nearest to the start of each ray: outwards from within, inwards from without.

    Args:
        inside: (N, S) float, above 0 within, not a number where it is not known, at steps of STEP_PX.
        start: number of the step where the rays start.

    Returns:
        (N,) px from the start, linearly interpolated, below 0 inwards; not a number where there is no border.
    """
    place = np.full(len(inside), np.nan)
    within = inside[:, start] > 0
    for rows, sign in ((np.flatnonzero(within), 1), (np.flatnonzero(inside[:, start] <= 0), -1)):
        values = sign * (inside[rows, start:] if sign > 0 else inside[rows, start::-1])  # above 0 before the border
        passed = ~(values > 0)
        last = passed.argmax(1)
        found = passed.any(1)
        rows, last, values = rows[found], np.maximum(last[found], 1), values[found]
        number = np.arange(len(rows))
        before, after = values[number, last - 1], values[number, last]
        slope = np.where(before == after, 1, before - after)
        place[rows] = sign * STEP_PX * (last - 1 + before / slope)
    return place
