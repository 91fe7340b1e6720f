"""A surface without a body behind it, carried over limb by limb: the driver's parts moved onto the performer's bones.

Each part keeps its U and V; along its bone it is stretched like the bone, across like the whole person. What the
driver's picture hides stays unknown, so narrow seams are filled from beside them and nothing else is invented.
"""

from collections.abc import Mapping

import cv2
import numpy as np

from understudy.body.parts import NUMBERS as PARTS_OF  # group -> its one or two parts
from understudy.dataset.track import PoseTrack
from understudy.semantics.joints import BODY

SEAM_SHARE = 0.012  # of the picture's height: gaps so wide between limbs are closed
LEAST_BONE = 0.02  # of the figure's size: a shorter bone points at the camera and has no direction
# Group -> its bone's ends and the class whose ratio stretches it; later ones lie over earlier ones.
_BONES = {
    "torso": ("mid_hip", "neck", "torso"),
    "head": ("neck", "nose", "head"),
    **{
        f"{limb}.{side[0].upper()}": (f"{side}_{start}", f"{side}_{end}", bone)
        for limb, start, end, bone in (
            ("upperleg", "hip", "knee", "thigh"),
            ("lowerleg", "knee", "ankle", "shin"),
            ("foot", "ankle", "big_toe", "foot"),
            ("upperarm", "shoulder", "elbow", "upper_arm"),
            ("lowerarm", "elbow", "wrist", "forearm"),
            ("hand", "wrist", "wrist", "hand"),
        )
        for side in ("left", "right")
    },
}
_WHOLE = ("head", "hand", "foot")  # keep their shape
Affine = tuple[np.ndarray, np.ndarray, np.ndarray]  # linear (2, 2), old and new middle (2,) px: new = L (x - old) + new


def limb_maps(old: np.ndarray, new: np.ndarray, ratios: Mapping[str, float], turn: np.ndarray) -> dict[str, Affine]:
    """Find how each group of parts moves in one frame.

    Args:
        old, new: (25, 3) px, score, of the driver and of the same frame as the performer.
        ratios: as `bone_ratios` gives them.
        turn: (2, 2) rotation of the whole picture.

    Returns:
        Group -> its map, for groups whose bones are seen.
    """
    maps = {}
    thick = (ratios["hip"] + ratios["shoulder"]) / 2
    for group, (start, end, bone) in _BONES.items():
        first, last = BODY[start], BODY[end]
        if min(old[first, 2], old[last, 2], new[first, 2], new[last, 2]) <= 0:
            continue
        middle, new_middle = ((each[first, :2] + each[last, :2]) / 2 for each in (old, new))
        if group.split(".")[0] in _WHOLE:
            anchor = last if group == "head" else first
            maps[group] = ratios[bone] * turn, old[anchor, :2].astype(float), new[anchor, :2].astype(float)
            continue
        way = (old[last, :2] - old[first, :2]).astype(float)
        new_way = (new[last, :2] - new[first, :2]).astype(float)
        size = np.linalg.norm(way)
        if size < LEAST_BONE * np.ptp(old[old[:, 2] > 0, 1]):
            maps[group] = thick * turn, middle, new_middle
            continue
        along = way / size
        stretch = thick * np.eye(2) + (ratios[bone] - thick) * np.outer(along, along)
        maps[group] = _turn_between(way, new_way, turn) @ stretch, middle, new_middle
    return maps


def move_limbs(
    part: np.ndarray,
    uv: np.ndarray,
    maps: Mapping[str, Affine],
    height: int,
    width: int,
    samples: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the driver's parts where the performer's limbs are.

    Args:
        part, uv: (P, Q) and (P, Q, 2) uint8, of the driver.
        maps: of this frame, pixels.
        height, width: of the performer's frames, pixels.
        samples: per pixel and axis, of the old surface and of the new one.

    Returns:
        (P', Q') and (P', Q', 2) uint8.
    """
    old, new = samples
    drawn = np.zeros((height * new, width * new), np.uint8)
    drawn_uv = np.zeros((*drawn.shape, 2), np.uint8)
    for group, (linear, before, after) in maps.items():
        rows, columns = np.nonzero(np.isin(part, PARTS_OF[group]))
        if not len(rows):
            continue
        box = np.array([[x, y] for x in (columns.min(), columns.max() + 1) for y in (rows.min(), rows.max() + 1)]) / old
        box = ((box - before) @ linear.T + after) * new
        left, top = np.clip(np.floor(box.min(0)), 0, drawn.shape[::-1]).astype(int)
        right, bottom = np.clip(np.ceil(box.max(0)), 0, drawn.shape[::-1]).astype(int)
        y, x = np.mgrid[top:bottom, left:right]
        places = (np.stack([x, y], -1) + 0.5) / new  # px of the performer's frames
        source = np.floor(((places - after) @ np.linalg.inv(linear).T + before) * old).astype(int)
        inside = ((source >= 0) & (source < part.shape[::-1])).all(-1)
        source = np.where(inside[..., None], source, 0)
        found = part[source[..., 1], source[..., 0]]
        mine = inside & np.isin(found, PARTS_OF[group])
        drawn[top:bottom, left:right][mine] = found[mine]
        drawn_uv[top:bottom, left:right][mine] = uv[source[..., 1], source[..., 0]][mine]
    return _closed(drawn, drawn_uv, max(1, round(SEAM_SHARE * height * new)))


def turn_of(matrix: np.ndarray) -> np.ndarray:
    """Rotation (2, 2) within a similarity (3, 3)."""
    return matrix[:2, :2] / np.sqrt(abs(np.linalg.det(matrix[:2, :2])))


def frame_maps(
    seen: PoseTrack, moved: PoseTrack, row: int, ratios: Mapping[str, float], turn: np.ndarray
) -> dict[str, Affine]:
    """`limb_maps` of one frame of two tracks."""
    return limb_maps(seen.body[row], moved.body[row], ratios, turn)


def _turn_between(start: np.ndarray, end: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Rotation (2, 2) from one way (2,) to another; the usual one where the new way has no length."""
    cosine, sine = start @ end, start[0] * end[1] - start[1] * end[0]
    size = np.hypot(cosine, sine)
    return usual if size < 1e-9 else np.array([[cosine, -sine], [sine, cosine]]) / size


def _closed(part: np.ndarray, uv: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Fill gaps that are narrower than twice the reach, samples, with the nearest sample."""
    shown = (part > 0).astype(np.uint8)
    if not shown.any():
        return part, uv
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    gaps = (cv2.morphologyEx(shown, cv2.MORPH_CLOSE, kernel) > 0) & (shown == 0)
    if not gaps.any():
        return part, uv
    _, label = cv2.distanceTransformWithLabels(1 - shown, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    places = np.zeros((label.max() + 1,), np.int64)
    places[label[shown > 0]] = np.flatnonzero(shown)
    nearest = places[label[gaps]]
    part, uv = part.copy(), uv.copy()
    part[gaps], uv[gaps] = part.ravel()[nearest], uv.reshape(-1, 2)[nearest]
    return part, uv
