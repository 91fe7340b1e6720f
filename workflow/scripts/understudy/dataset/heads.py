"""The face of a person in a clip: its size, how it is turned, and its own shape, told apart from what it does.

A face is the 70 points of FACE_70. Axes are the camera's, x right, y down, z away; the standard face is the neutral
body's, facing the camera, in metres about the middle of `POSED`.
"""

from functools import lru_cache

import numpy as np

from understudy.body.figure import TO_CAMERA
from understudy.body.fit import FACE_POINTS
from understudy.body.model import Body

POSED = FACE_POINTS  # they tell size and turn: the jaw slides along the silhouette, pupils move
LEAST_FRAMES = 5  # with fewer whole faces nothing is said about the head
MOST_FRAMES = 200  # so many, evenly chosen, are enough


@lru_cache(maxsize=1)
def standard_face() -> np.ndarray:
    """Face (70, 3) of the neutral body, metres."""
    body = Body("neutral")
    points = body.face(body.rest).astype(np.float64) @ TO_CAMERA.T
    return points - points[POSED].mean(0)


def turned_faces(face: np.ndarray, depth: np.ndarray | None, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find size and turn of a face in frames that show it whole.

    Args:
        face: (T, 70, 2 or more), x px, y px.
        depth: (T, 70) px; None takes the face as seen by a distant camera.
        shape: (70, 3), of this person.

    Returns:
        (T,) pixels per metre and (T, 3, 3) rotations from the face's axes to the camera's.

    Source: with depth Umeyama, PAMI 1991; without it the nearest scaled rotation to the affine camera.
    """
    model = shape[POSED] - shape[POSED].mean(0)  # (K, 3)
    points = face[:, POSED, :2].astype(np.float64)
    if depth is not None:
        points = np.concatenate([points, depth[:, POSED, None]], -1)
    points = points - points.mean(1, keepdims=True)  # (T, K, 2 or 3)
    if depth is None:
        cameras = np.swapaxes(np.linalg.pinv(model) @ points, 1, 2)  # (T, 2, 3)
        left, sizes, right = np.linalg.svd(cameras, full_matrices=False)
        rows = left @ right
        return sizes.mean(1), np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], 1)
    left, sizes, right = np.linalg.svd(np.einsum("tki,ka->tia", points, model))
    sign = np.ones_like(sizes)
    sign[:, -1] = np.sign(np.linalg.det(left @ right))
    return (sizes * sign).sum(1) / (model**2).sum(), left * sign[:, None] @ right


def whole_faces(face: np.ndarray) -> np.ndarray:
    """Numbers (N,) of frames that show all points of face (T, 70, 3), evenly chosen; none where there are too few."""
    whole = np.flatnonzero((face[..., 2] > 0).all(1))
    return whole[:0] if len(whole) < LEAST_FRAMES else whole[:: max(1, len(whole) // MOST_FRAMES)]


def head_scale(face: np.ndarray, depth: np.ndarray | None) -> float | None:
    """Measure the size of the head: the median over frames of the similarity from the standard face to the landmarks.

    Args:
        face: (T, 70, 3) float, x px, y px, score.
        depth: (T, 70) float px; None takes the face as seen by a distant camera.

    Returns:
        Pixels per metre of the standard face; None when too few faces are found.
    """
    whole = whole_faces(face)
    if not len(whole):
        return None
    scale, _ = turned_faces(face[whole], None if depth is None else depth[whole], standard_face())
    return float(np.median(scale))


def face_shape(face: np.ndarray, depth: np.ndarray | None) -> np.ndarray | None:
    """Measure a person's own face: the standard face plus the usual way of each point off it.

    Args:
        face, depth: as for `head_scale`.

    Returns:
        (70, 3) float64, metres of the standard face; None where too few whole faces are seen.
    """
    whole = whole_faces(face)
    if not len(whole):
        return None
    standard = standard_face()
    away = None if depth is None else depth[whole]
    scale, turn = turned_faces(face[whole], away, standard)
    points = np.zeros((len(whole), 70, 3))
    points[..., :2] = face[whole, :, :2]
    if away is not None:
        points[..., 2] = away
    points -= points[:, POSED].mean(1, keepdims=True)
    off = points - scale[:, None, None] * standard @ np.swapaxes(turn, 1, 2)  # (N, 70, 3), in the camera's axes
    if away is None:
        off[..., 2] = 0
    return standard + np.median(off @ turn / scale[:, None, None], 0)  # off in the face's axes
