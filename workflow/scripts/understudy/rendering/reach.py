"""Two bones that reach for a place: arms whose hands keep touching, legs that stand."""

import numpy as np

STRAIGHT = 0.999  # of both bones' length; nobody reaches farther
LEAST = 1e-9


def reach(
    start: np.ndarray, middle: np.ndarray, end: np.ndarray, target: np.ndarray, bend: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Turn two bones so that the second one ends at a target, or as near to it as they are long.

    Args:
        start, middle, end: (T, 3) px: shoulder, elbow, wrist, or hip, knee, ankle.
        target: (T, 3) px.
        bend: (T, 3), the way the middle joint leaves the straight line; None keeps the one it has.

    Returns:
        New places (T, 3) of middle and end; the lengths of both bones stay.

    Source: law of cosines.
    """
    first, second = (np.linalg.norm(b - a, axis=-1) for a, b in ((start, middle), (middle, end)))  # (T,)
    way = target - start
    distance = np.linalg.norm(way, axis=-1)
    along = way / np.maximum(distance, LEAST)[:, None]
    distance = np.clip(distance, np.abs(first - second) / STRAIGHT, STRAIGHT * (first + second))
    aside = middle - start if bend is None else bend
    aside = aside - (aside * along).sum(-1, keepdims=True) * along
    aside = aside / np.maximum(np.linalg.norm(aside, axis=-1), LEAST)[:, None]
    there = (first**2 - second**2 + distance**2) / np.maximum(2 * distance, LEAST)
    out = np.sqrt(np.maximum(first**2 - there**2, 0))
    return start + there[:, None] * along + out[:, None] * aside, start + distance[:, None] * along
