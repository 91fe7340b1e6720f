"""What makes a face and a hand somebody's own: the performer's replaces the driver's, the expression stays."""

import numpy as np

from understudy.dataset.heads import LEAST_FRAMES, POSED, turned_faces
from understudy.dataset.statistics import FINGER_BONES, BodyStatistics
from understudy.dataset.track import PoseTrack
from understudy.semantics.joints import HAND_21, HAND_LIMBS

FINGER_SPREAD = (0.7, 1.4)  # a finger's ratio may differ so much from the whole hand's


def face_offsets(track: PoseTrack, driver: BodyStatistics, performer: BodyStatistics) -> np.ndarray:
    """Find how each point of the driver's face moves to lie as it does on the performer's, at the driver's size.

    Args:
        track: the driver's poses.
        driver, performer: with the face of each.

    Returns:
        (T, 70, 3) px: the difference of the two faces, turned as the driver's is; zeros in frames without a whole face,
        and where one of the clips shows too few or has no depth.
    """
    offsets = np.zeros((len(track), 70, 3))
    whole = (track.face[..., 2] > 0).all(1)
    alike = (driver.solid is None) == (performer.solid is None)  # faces seen with depth and without differ
    if driver.face is None or performer.face is None or not alike or whole.sum() < LEAST_FRAMES:
        return offsets
    theirs, ours = np.array(driver.face), np.array(performer.face)
    change = ours - theirs
    change -= change[POSED].mean(0)
    depth = None if track.face_z is None else track.face_z[whole]
    scale, turn = turned_faces(track.face[whole], depth, theirs)
    offsets[whole] = scale[:, None, None] * change @ np.swapaxes(turn, 1, 2)
    return offsets


def finger_ratios(driver: BodyStatistics, performer: BodyStatistics, hand: float, solid: bool) -> dict[str, float]:
    """Length of each bone of the fingers, of the performer over the driver; `hand` where one of them shows it not.

    Args:
        driver, performer: of both clips.
        hand: the ratio of the whole hands.
        solid: compare lengths in space, else in the picture.
    """
    ours, theirs = (performer.solid, driver.solid) if solid else (performer.flat, driver.flat)
    ratios = {}
    for name in FINGER_BONES:
        known = ours.get(name) and theirs.get(name)
        ratio = ours[name] / theirs[name] / hand if known else 1.0
        ratios[name] = hand * float(np.clip(ratio, *FINGER_SPREAD))
    return ratios


def grown_hands(hands: np.ndarray, seen: np.ndarray, ratios: dict[str, float]) -> np.ndarray:
    """Rebuild hands from their wrists outwards, each bone times its ratio.

    Args:
        hands: (T, 2, 21, 3) px.
        seen: (T, 2, 21) bool; joints that are not seen lie on the one before them.
        ratios: as `finger_ratios` gives them.

    Returns:
        (T, 2, 21, 3) px; the wrists stay.
    """
    old, new = hands.copy(), hands.copy()
    for start, end in HAND_LIMBS:
        old[:, :, end] = np.where(seen[:, :, end, None], hands[:, :, end], old[:, :, start])
        new[:, :, end] = new[:, :, start] + ratios[HAND_21[end]] * (old[:, :, end] - old[:, :, start])
    return new
