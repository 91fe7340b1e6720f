"""One frame's figure: the joints a body is fitted to, in pixels with depth, and the names of the BODY_25 joints.

Axes are the camera's: x right, y down, z away from the camera, all in pixels. Left and right are the person's own.
Source of the layout: Cao et al., OpenPose, TPAMI 2021.
"""

import math
from dataclasses import dataclass

import numpy as np

BODY_25 = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "mid_hip",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
    "left_big_toe",
    "left_small_toe",
    "left_heel",
    "right_big_toe",
    "right_small_toe",
    "right_heel",
)
BODY = {name: index for index, name in enumerate(BODY_25)}

BODY_HEIGHT_M = 1.7  # of the rest body, about

# How a person who faces the camera lies in the camera's axes: rows x, y, z from the body's axes (left, back, up).
TO_CAMERA = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@dataclass(frozen=True)
class Figure:
    """Places x, y, z px and scores 0..1 of one frame; score 0 is an absent point."""

    body: np.ndarray  # (25, 3) float64
    body_score: np.ndarray  # (25,)
    face: np.ndarray  # (70, 3)
    face_score: np.ndarray  # (70,)
    hands: np.ndarray  # (2, 21, 3), left hand first
    hands_score: np.ndarray  # (2, 21)

    @classmethod
    def from_rows(
        cls,
        body: np.ndarray,
        face: np.ndarray,
        hands: np.ndarray,
        body_z: np.ndarray | None = None,
        face_z: np.ndarray | None = None,
        hands_z: np.ndarray | None = None,
    ) -> "Figure":
        """Join one row of pose.h5 or driving.h5: (K, 3) of x, y, score with (K,) depths; no depth means flat."""
        rows = []
        for joints, depth in ((body, body_z), (face, face_z), (hands, hands_z)):
            joints = np.asarray(joints, np.float64)
            depth = np.zeros(joints.shape[:-1]) if depth is None else np.asarray(depth, np.float64)
            rows += [np.concatenate([joints[..., :2], depth[..., None]], -1), joints[..., 2]]
        return cls(*rows)


def complete_torso(figure: Figure, rest: np.ndarray, px_per_m: float) -> np.ndarray | None:
    """Fill in shoulders and hips that are absent from those that are there, at the sizes of the rest pose.

    Args:
        figure: one frame.
        rest: (25, 3) joints of the rest pose, metres, camera's axes.
        px_per_m: size of the person, pixels per metre.

    Returns:
        (25, 3) places in which both shoulders and both hips are set, or None without a single one of them.
    """
    points, seen = figure.body.copy(), figure.body_score > 0
    pairs = {"shoulder": (BODY["right_shoulder"], BODY["left_shoulder"]), "hip": (BODY["right_hip"], BODY["left_hip"])}
    if not any(seen[joint] for pair in pairs.values() for joint in pair):
        return None
    across = np.array([1.0, 0, 0])  # from the person's right to the left, where nothing is known: facing the camera
    for right, left in pairs.values():
        if seen[right] and seen[left] and length(points[left] - points[right]) > 1e-6:
            across = unit(points[left] - points[right])
            break
    width = {name: px_per_m * length(rest[left] - rest[right]) for name, (right, left) in pairs.items()}
    down = unit(np.array([-across[1], across[0], 0])) if np.hypot(*across[:2]) > 0.1 else np.array([0, 1.0, 0])
    long = px_per_m * length(rest[list(pairs["shoulder"])].mean(0) - rest[list(pairs["hip"])].mean(0))
    for name, (right, left) in pairs.items():
        if seen[right] != seen[left]:
            there, missing, sign = (right, left, 1) if seen[right] else (left, right, -1)
            points[missing] = points[there] + sign * across * width[name]
    for name, other, sign in (("shoulder", "hip", -1), ("hip", "shoulder", 1)):
        if not seen[list(pairs[name])].any():
            middle = points[list(pairs[other])].mean(0) + sign * down * long
            points[list(pairs[name])] = middle + np.outer([-0.5, 0.5], across * width[name])
    return points


def unit(vector: np.ndarray) -> np.ndarray:
    """Scale a vector (3,) to length 1; a vector of no length stays so."""
    return vector / max(length(vector), 1e-9)


def length(vector: np.ndarray) -> float:
    """Length of a vector (3,); numpy's own takes five times as long for so few numbers."""
    return math.sqrt(vector @ vector)


def frame(main: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Orthonormal right-handed axes (3, 3), columns: `second` made orthogonal to `main`, `main`, and across both."""
    main = unit(main)
    second = unit(second - (second @ main) * main)
    return np.stack([second, main, cross(second, main)], axis=1)


def smallest_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) by the smallest angle from one direction (3,) to another; about any axis if they are opposite."""
    start, end = unit(start), unit(end)
    cosine = float(start @ end)
    if cosine < -0.9999:
        axis = unit(cross(start, np.eye(3)[0 if abs(start[0]) < 0.9 else 1]))
        return 2 * np.outer(axis, axis) - np.eye(3)
    skew = cross_matrix(cross(start, end))
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Vector product of two vectors (3,); numpy's own takes ten times as long for so few numbers."""
    (a, b, c), (x, y, z) = first.tolist(), second.tolist()
    return np.array([b * z - c * y, c * x - a * z, a * y - b * x])


def cross_matrix(vector: np.ndarray) -> np.ndarray:
    """Matrix (3, 3) that multiplies like the vector product with a vector (3,) from the left."""
    x, y, z = vector.tolist()
    return np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])


def similarity(start: np.ndarray, end: np.ndarray, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Scale and rotation (3, 3) that carry points (N, 3) onto points (N, 3) up to a shift, least squares.

    Source: Umeyama, PAMI 1991.
    """
    share = weights / weights.sum()
    start, end = start - share @ start, end - share @ end
    left, sizes, right = np.linalg.svd((end * share[:, None]).T @ start)
    sign = np.array([1, 1, np.sign(np.linalg.det(left @ right))])
    scale = (sizes * sign).sum() / (share @ (start**2).sum(1))
    return float(scale), left * sign @ right
