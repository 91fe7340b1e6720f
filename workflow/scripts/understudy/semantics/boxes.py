"""Boxes round people: left, top, right, bottom in pixels."""

import numpy as np


def person_boxes(body: np.ndarray, face: np.ndarray, hands: np.ndarray) -> np.ndarray:
    """Return the smallest boxes round all present joints.

    Args:
        body: (T, 25, 3) float, x px, y px, score.
        face: (T, 70, 3) float.
        hands: (T, 2, 21, 3) float.

    Returns:
        (T, 4) float32, left, top, right, bottom px; zeros where no joint is present.
    """
    return joint_boxes(np.concatenate([body, face, hands.reshape(len(hands), 42, 3)], 1))


def joint_boxes(joints: np.ndarray) -> np.ndarray:
    """Return the smallest boxes (T, 4) float32 px round the present ones of (T, K, 3) joints; zeros where none is."""
    present = joints[..., 2:] > 0  # (T, K, 1)
    low = np.where(present, joints[..., :2], np.inf).min(1)  # (T, 2)
    high = np.where(present, joints[..., :2], -np.inf).max(1)
    return np.where(present.any(1), np.concatenate([low, high], 1), 0).astype(np.float32)


def box_overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the intersection over union (...) 0..1 of boxes (..., 4)."""
    low, high = np.maximum(one[..., :2], other[..., :2]), np.minimum(one[..., 2:], other[..., 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(-1) for box in (one, other)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-9)


def box_sizes(boxes: np.ndarray) -> np.ndarray:
    """Return the diagonals (...) px of boxes (..., 4), at least 1."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return np.maximum(np.hypot(sides[..., 0], sides[..., 1]), 1.0)


def box_centres(boxes: np.ndarray) -> np.ndarray:
    """Return the centres (..., 2) px of boxes (..., 4)."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2
