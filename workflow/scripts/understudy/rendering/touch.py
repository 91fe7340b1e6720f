"""Hands that touch: where the driver's lies on head, trunk, thigh or the other hand, the performer's does too.

Arms and trunks differ from person to person, so an arm led by its own bones alone would leave the hip or sink into it.
A hand's place on what it touches is carried over, and the arm reaches for it. It takes depth: in a flat picture a hand
before the chest and one upon it look the same.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter1d

from understudy.dataset.track import SIDES, PoseTrack
from understudy.rendering.reach import reach
from understudy.semantics.joints import BODY

TOUCHES, FREE = 0.02, 0.05  # of the body's height: gaps at which a hand touches fully, and no longer at all
SMOOTH_FRAMES = 1.5  # sigma over time of how much a hand touches
TORSOS = 3.0  # a person's height over that of the torso
# The usual shape of a person, as shares of bones.
PELVIS_HALF, CHEST_HALF = 0.95, 0.5  # half width over the distance of the hips, of the shoulders
TRUNK_DEPTH = 0.23  # half depth over the torso's length
HEAD_RADIUS = 0.5  # over the way from shoulders to ears
THIGH_RADIUS = 0.18  # over its length
PALM_DEPTH = 0.03  # of the body's height, between two palms that touch
PALM = (0, 5, 17)  # wrist, first knuckles of index and little finger


def keep_touching(moved: PoseTrack, driver: PoseTrack, hand_ratio: float) -> PoseTrack:
    """Lead the arms of retargeted poses so that hands touch what the driver's touch.

    Args:
        moved: the poses, pixels of the performer's frames.
        driver: the same frames of the driver, pixels of theirs, with depth.
        hand_ratio: size of the performer's hands over the driver's.
    """
    old, new = _Frame(driver), _Frame(moved)
    shifts = [_shift(old, new, side, hand_ratio) for side in (0, 1)]
    if not any(touching.any() for _, touching in shifts):
        return moved
    body, body_z = moved.body.copy(), moved.body_z.copy()
    hands, hands_z = moved.hands.copy(), moved.hands_z.copy()
    for row, (side, (shift, touching)) in enumerate(zip(SIDES, shifts, strict=True)):
        arm = [new.body[touching, BODY[f"{side}_{joint}"]] for joint in ("shoulder", "elbow", "wrist")]
        elbow, wrist = reach(*arm, arm[2] + shift[touching])
        for joint, place in (("elbow", elbow), ("wrist", wrist)):
            body[touching, BODY[f"{side}_{joint}"], :2] = place[:, :2]
            body_z[touching, BODY[f"{side}_{joint}"]] = place[:, 2]
        way = (wrist - arm[2])[:, None]
        hands[touching, row, :, :2] += way[..., :2] * (hands[touching, row, :, 2:] > 0)
        hands_z[touching, row] += way[..., 2] * (hands[touching, row, :, 2] > 0)
    return replace(moved, body=body, body_z=body_z, hands=hands, hands_z=hands_z)


class _Frame:
    """Points in space (T, ..., 3) px of a track, and what hands can lie on."""

    def __init__(self, track: PoseTrack):
        self.body = np.concatenate([track.body[..., :2], track.body_z[..., None]], -1).astype(np.float64)
        self.seen = track.body[..., 2] > 0
        hands = np.concatenate([track.hands[..., :2], track.hands_z[..., None]], -1).astype(np.float64)
        known = (track.hands[:, :, list(PALM), 2] > 0).all(-1)  # (T, 2)
        wrists = self.body[:, [BODY["left_wrist"], BODY["right_wrist"]]]
        self.palms = np.where(known[..., None], hands[:, :, list(PALM)].mean(2), wrists)  # (T, 2, 3)
        self.hips, self.shoulders, self.ears = (self._middle(name) for name in ("hip", "shoulder", "ear"))
        up = self.shoulders - self.hips
        self.torso = np.linalg.norm(up, axis=1)  # (T,)
        self.height = TORSOS * float(np.median(self.torso[self.torso > 0])) if (self.torso > 0).any() else 1.0

    def point(self, name: str) -> np.ndarray:
        return self.body[:, BODY[name]]

    def shows(self, *names: str) -> np.ndarray:
        """Frames (T,) that show all of these joints."""
        return self.seen[:, [BODY[name] for name in names]].all(1)

    def _middle(self, name: str) -> np.ndarray:
        return (self.point(f"left_{name}") + self.point(f"right_{name}")) / 2

    def axes(self) -> np.ndarray:
        """Axes (T, 3, 3) of the trunk, rows: to the person's left, up, to the front."""
        up = _unit(self.shoulders - self.hips)
        across = self.point("left_shoulder") - self.point("right_shoulder")
        across += self.point("left_hip") - self.point("right_hip")
        across = _unit(across - (across * up).sum(-1, keepdims=True) * up)
        return np.stack([across, up, np.cross(across, up)], 1)

    def half_width(self, height: np.ndarray) -> np.ndarray:
        """Half width (T,) px of the trunk at heights (T,): 0 hips, 1 shoulders."""
        hips = np.linalg.norm(self.point("left_hip") - self.point("right_hip"), axis=1)
        chest = np.linalg.norm(self.point("left_shoulder") - self.point("right_shoulder"), axis=1)
        share = np.clip(height, 0, 1)
        return np.maximum((1 - share) * PELVIS_HALF * hips + share * CHEST_HALF * chest, 1e-6)


@dataclass(frozen=True)
class _Touch:
    """Gap (T,) px of the driver's palm, infinite where it cannot touch, and the place (T, 3) of the performer's."""

    gap: np.ndarray
    place: np.ndarray


def _shift(old: _Frame, new: _Frame, side: int, hand_ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Way (T, 3) px of one palm to where it touches, and frames (T,) in which it does."""
    touches = [_trunk(old, new, side), _head(old, new, side), _other_hand(old, new, side, hand_ratio)]
    touches += [_thigh(old, new, side, leg) for leg in SIDES]
    arm = old.shows(*(f"{SIDES[side]}_{joint}" for joint in ("shoulder", "elbow", "wrist")))
    weights = np.stack(
        [np.clip((FREE * old.height - each.gap) / ((FREE - TOUCHES) * old.height), 0, 1) * arm for each in touches]
    )  # (A, T)
    weights = gaussian_filter1d(weights, SMOOTH_FRAMES, axis=1, mode="nearest") * arm
    weights[weights < 0.01] = 0
    ways = np.stack([each.place - new.palms[:, side] for each in touches])  # (A, T, 3)
    ways = np.where(np.isfinite(ways), ways, 0)
    shift = (weights[..., None] * ways).sum(0) / np.maximum(weights.sum(0), 1)[:, None]
    return shift, weights.any(0)


def _trunk(old: _Frame, new: _Frame, side: int) -> _Touch:
    """An upright drum with an elliptic section, as wide as hips and shoulders say."""
    axes, way = old.axes(), old.palms[:, side] - old.hips
    along = np.einsum("tij,tj->ti", axes, way)  # (T, 3): left, up, front
    height = along[:, 1] / np.maximum(old.torso, 1e-6)
    wide, deep = old.half_width(height), np.maximum(TRUNK_DEPTH * old.torso, 1e-6)
    out = np.hypot(along[:, 0] / wide, along[:, 2] / deep)
    beside = np.hypot(along[:, 0], along[:, 2]) * np.maximum(1 - 1 / np.maximum(out, 1e-6), 0)
    above = np.maximum(np.maximum(-0.15 - height, height - 1), 0) * old.torso
    gap = np.where(
        old.shows("left_hip", "right_hip", "left_shoulder", "right_shoulder"), np.hypot(beside, above), np.inf
    )
    scaled = np.stack(
        [along[:, 0] * new.half_width(height) / wide, height * new.torso, along[:, 2] * TRUNK_DEPTH * new.torso / deep],
        1,
    )
    return _Touch(gap, new.hips + np.einsum("tij,ti->tj", new.axes(), scaled))


def _head(old: _Frame, new: _Frame, side: int) -> _Touch:
    """A ball about the middle of the ears."""
    radius, wider = (HEAD_RADIUS * np.linalg.norm(each.ears - each.shoulders, axis=1) for each in (old, new))
    way = old.palms[:, side] - old.ears
    gap = np.maximum(np.linalg.norm(way, axis=1) - radius, 0)
    gap = np.where(old.shows("left_ear", "right_ear", "left_shoulder", "right_shoulder"), gap, np.inf)
    return _Touch(gap, new.ears + way * (wider / np.maximum(radius, 1e-6))[:, None])


def _thigh(old: _Frame, new: _Frame, side: int, leg: str) -> _Touch:
    """A rod from hip to knee."""
    names = (f"{leg}_hip", f"{leg}_knee")
    (start, end), (new_start, new_end) = ([each.point(name) for name in names] for each in (old, new))
    bone, new_bone = end - start, new_end - new_start
    long, new_long = (np.maximum(np.linalg.norm(each, axis=1), 1e-6) for each in (bone, new_bone))
    way = old.palms[:, side] - start
    share = np.clip((way * bone).sum(1) / long**2, 0, 1)[:, None]
    off = way - share * bone
    gap = np.maximum(np.linalg.norm(off, axis=1) - THIGH_RADIUS * long, 0)
    return _Touch(
        np.where(old.shows(*names), gap, np.inf), new_start + share * new_bone + off * (new_long / long)[:, None]
    )


def _other_hand(old: _Frame, new: _Frame, side: int, ratio: float) -> _Touch:
    """The other palm: both meet in the middle of their ways."""
    apart = old.palms[:, side] - old.palms[:, 1 - side]
    gap = np.maximum(np.linalg.norm(apart, axis=1) - PALM_DEPTH * old.height, 0)
    return _Touch(np.where(old.shows("left_wrist", "right_wrist"), gap, np.inf), new.palms.mean(1) + ratio * apart / 2)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
