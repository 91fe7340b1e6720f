"""Rotations as 3 x 3 matrices in the body's axes."""

import numpy as np


def rotation(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    """Turn by an angle about an axis through the origin, by the right-hand rule.

    Returns:
        (3, 3) float64, to be multiplied from the left onto column vectors.

    Source: Rodrigues' formula.
    """
    x, y, z = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    angle = np.radians(degrees)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def rotation_between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Smallest rotation (3, 3) that carries one direction (3,) onto another (3,); opposite ones are refused."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    if start @ end < -0.999999:
        raise ValueError("opposite directions have no smallest rotation between them")
    x, y, z = np.cross(start, end)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + cross + cross @ cross / (1 + start @ end)
