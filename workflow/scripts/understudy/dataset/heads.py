"""The head of a person in a clip: its size, how it is turned, and its own shape, told apart from what the face does.

A head is 75 points: FACE_70, then nose, eyes and ears of BODY_25. Axes are the camera's, x right, y down, z away; the
standard head is the neutral body's, facing the camera, in metres about the middle of `POSED`.
"""

from functools import lru_cache

import numpy as np

from understudy.body.figure import BODY, TO_CAMERA
from understudy.body.fit import FACE_POINTS
from understudy.body.model import Body
from understudy.dataset.track import PoseTrack

HEAD = tuple(BODY[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear"))
FACE = 70  # points of the face, which come first
EARS = (FACE + 3, FACE + 4)
POSED = FACE_POINTS  # they tell size and turn: the jaw slides along the silhouette, pupils move
LEAST_FRAMES = 5  # with fewer whole faces nothing is said about the head
MOST_FRAMES = 200  # so many, evenly chosen, are enough


@lru_cache(maxsize=1)
def standard_head() -> np.ndarray:
    """Head (75, 3) of the neutral body, metres."""
    body = Body("neutral")
    points = np.concatenate([body.face(body.rest), body.joints(body.rest)[list(HEAD)]]).astype(np.float64) @ TO_CAMERA.T
    return points - points[POSED].mean(0)


def turned_heads(face: np.ndarray, depth: np.ndarray | None, head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find size and turn of a head in frames with a whole face.

    Args:
        face: (T, 70, 2 or more), x px, y px.
        depth: (T, 70) px; None takes the face as seen by a distant camera.
        head: (75, 3), of this person.

    Returns:
        (T,) pixels per metre and (T, 3, 3) rotations from the head's axes to the camera's.

    Source: with depth Umeyama, PAMI 1991; without it the nearest scaled rotation to the affine camera.
    """
    model = head[POSED] - head[POSED].mean(0)  # (K, 3)
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


def whole_faces(track: PoseTrack) -> np.ndarray:
    """Numbers (N,) of frames with a whole face, evenly chosen; none where there are too few."""
    whole = np.flatnonzero((track.face[..., 2] > 0).all(1))
    return whole[:0] if len(whole) < LEAST_FRAMES else whole[:: max(1, len(whole) // MOST_FRAMES)]


def head_shape(track: PoseTrack) -> np.ndarray | None:
    """Measure a person's own head: the standard head plus the usual way of each point off it.

    Returns:
        (75, 3) float64, metres of the standard face; None where too few whole faces are seen. Points of the body that
        are not seen stay the standard head's.
    """
    track = track.rows(whole_faces(track))
    if not len(track):
        return None
    head = standard_head()
    scale, turn = turned_heads(track.face, track.face_z, head)
    points, seen = head_points(track)
    points = points - points[:, POSED].mean(1, keepdims=True)
    off = points - scale[:, None, None] * head @ np.swapaxes(turn, 1, 2)  # (T, 75, 3), in the camera's axes
    if track.face_z is None:
        off[..., 2] = 0
    own = np.where(seen[..., None], off @ turn / scale[:, None, None], np.nan)  # in the head's axes
    shown = seen.sum(0) >= LEAST_FRAMES
    usual = np.zeros_like(head)
    usual[shown] = np.nanmedian(own[:, shown], 0)
    return head + usual


def head_points(track: PoseTrack) -> tuple[np.ndarray, np.ndarray]:
    """Points (T, 75, 3) px of each frame's head, depth 0 where there is none, and which are seen (T, 75)."""
    joints = np.concatenate([track.face, track.body[:, list(HEAD)]], 1).astype(np.float64)
    seen = joints[..., 2] > 0
    joints[..., 2] = 0
    if track.face_z is not None and track.body_z is not None:
        joints[..., 2] = np.concatenate([track.face_z, track.body_z[:, list(HEAD)]], 1)
    return joints, seen
