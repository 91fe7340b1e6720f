"""Postures: joints about the hips, where the body faces, what crosses what; and how far one lies from the others.

A length is in heights of the performer's standing body. Camera axes: x right, y down, z away.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from understudy.metrics.motion import JOINTS_17
from understudy.semantics.joints import BODY

LEAST_JOINTS = 6  # in common, below which two postures cannot be compared
DEPTH = 0.5  # of a distance in depth, which estimators know less well
FACING = 0.1  # body heights for a turn of one radian: what the front shows then is not what the footage showed
CROSSING = 0.02  # body heights for each crossing that the footage's frame does not show
_PAIRS = 1 << 17  # of frames compared at once, with 17 joints each: 70 MiB, however long both clips are
_SEEN_WIDTH = 0.03  # of shoulders or hips, body heights: narrower ones do not tell where a body without depths faces

_SIDES = ("left", "right")
_NAMES = {joint: place for place, joint in enumerate(JOINTS_17)}
_ARM, _LEG = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")
LIMBS = {
    **{f"{side}_arm": tuple(_NAMES[BODY[f"{side}_{joint}"]] for joint in _ARM) for side in _SIDES},
    **{f"{side}_leg": tuple(_NAMES[BODY[f"{side}_{joint}"]] for joint in _LEG) for side in _SIDES},
    "head": tuple(_NAMES[BODY[joint]] for joint in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")),
}  # name to places among the 17 joints

NEAR_FACE, NEAR_HAND = 0.1, 0.08  # body heights: nearer than that a wrist hides the face, or the other hand


@dataclass(frozen=True)
class Postures:
    """Postures of T frames.

    Attributes:
        joints: (T, 17, 3) float64, x, y, depth about the middle of the hips, body heights; NaN where absent.
        facing: (T,) radians: 0 to the camera, pi / 2 to the picture's right, pi or -pi away from the camera; without
            depths 0..pi, to whichever side; NaN where neither shoulders nor hips are seen.
        crossings: (T, C) bool, in the order of `CROSSINGS`.
        has_depth: depths are known.
    """

    joints: np.ndarray
    facing: np.ndarray
    crossings: np.ndarray
    has_depth: bool

    def __len__(self) -> int:
        return len(self.joints)

    @classmethod
    def of(cls, body: np.ndarray, depth: np.ndarray | None, height_px: float) -> Self:
        """Describe poses.

        Args:
            body: (T, 25, 3) BODY_25: x px, y px, score.
            depth: (T, 25) px, away from the camera; None where the estimator knows none.
            height_px: of the performer's standing body.
        """
        points = _points(body, depth) / height_px  # (T, 25, 3)
        hips = (points[:, BODY["left_hip"]] + points[:, BODY["right_hip"]]) / 2
        centred = points - hips[:, None]
        crossings = np.stack([crosses(centred) for crosses in CROSSINGS.values()], 1)
        return cls(centred[:, list(JOINTS_17)], _facing(centred, depth is not None), crossings, depth is not None)

    def flat(self) -> Self:
        """Forget depths, and to which side bodies face, for comparison with those that have none."""
        if not self.has_depth:
            return self
        joints = self.joints.copy()
        joints[..., 2] = np.where(np.isfinite(joints[..., 0]), 0, np.nan)
        return type(self)(joints, np.abs(self.facing), self.crossings, False)

    def rows(self, chosen: slice | np.ndarray) -> Self:
        """Choose frames."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return type(self)(**{name: value if name == "has_depth" else value[chosen] for name, value in values.items()})


@dataclass(frozen=True)
class Found:
    """For each posture the nearest of the others.

    Attributes:
        index: (T,) int64, -1 where nothing can be compared.
        distance: (T,) float64, body heights; infinite there.
    """

    index: np.ndarray
    distance: np.ndarray


def nearest_postures(mine: Postures, others: Postures) -> Found:
    """Find for each posture the nearest of others, wherever the persons stand."""
    mine, others = (mine, others) if mine.has_depth and others.has_depth else (mine.flat(), others.flat())
    index, distance = np.full(len(mine), -1), np.full(len(mine), np.inf)
    if not len(others):
        return Found(index, distance)
    step = max(1, _PAIRS // len(others))
    for start in range(0, len(mine), step):
        rows = slice(start, start + step)
        block = posture_distance(mine.rows(rows), others)  # (B, N)
        best = block.argmin(1)
        distance[rows] = block[np.arange(len(block)), best]
        index[rows] = np.where(np.isfinite(distance[rows]), best, -1)
    return Found(index, distance)


def limb_distance(mine: Postures, others: Postures, among: int) -> np.ndarray:
    """Measure how far each limb, seen from its own root, lies from where the others hold theirs.

    Every limb is compared by itself: a generator learns an arm whatever the legs do. The mean distance to the nearest
    `among` of the others counts, because what was shown for an instant is hardly learnt.

    Returns:
        (T,) float64, body heights, mean over the limbs that can be compared; 0 where none can.
    """
    mine, others = (mine, others) if mine.has_depth and others.has_depth else (mine.flat(), others.flat())
    found = np.full((len(LIMBS), len(mine)), np.nan)
    step = max(1, _PAIRS // max(len(others), 1))
    for limb, places in enumerate(LIMBS.values()):
        theirs = _about_root(others.joints, places)
        for start in range(0, len(mine), step):
            apart = joint_distance(_about_root(mine.joints[start : start + step], places)[:, None], theirs[None])
            whole = np.where(np.isfinite(apart).all(-1), apart.mean(-1), np.inf)  # (B, N)
            nearest = np.partition(whole, min(among, whole.shape[1]) - 1, axis=1)[:, :among] if len(others) else whole
            found[limb, start : start + step] = np.where(np.isfinite(nearest), nearest, np.nan).mean(1)
    return _mean(found.T)


def _about_root(joints: np.ndarray, places: tuple[int, ...]) -> np.ndarray:
    """Joints (T, n - 1, 3) of a limb about its first one."""
    return joints[:, list(places[1:])] - joints[:, [places[0]]]


def posture_distance(mine: Postures, others: Postures) -> np.ndarray:
    """Measure how far postures lie apart.

    The mean distance of the joints, plus what a turn of the body costs, plus what each crossing costs that the other
    does not show.

    Args:
        mine: B postures.
        others: N postures.

    Returns:
        (B, N) float64, body heights; infinite where fewer than 6 joints are in common.
    """
    apart = joint_distance(mine.joints[:, None], others.joints[None])  # (B, N, 17)
    count = np.isfinite(apart).sum(-1)
    turn = np.nan_to_num(turned(mine.facing[:, None], others.facing[None]))
    unseen = (mine.crossings[:, None] & ~others.crossings[None]).sum(-1)
    distance = _mean(apart) + FACING * turn + CROSSING * unseen
    return np.where(count >= LEAST_JOINTS, distance, np.inf)


def joint_distance(joints: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance (..., 17) of joints (..., 17, 3), depth counting by half; NaN where one is absent."""
    return np.linalg.norm((joints - others) * (1, 1, DEPTH), axis=-1)


def turned(facing: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the angle between two directions a body faces, 0..pi."""
    return np.abs((facing - others + np.pi) % (2 * np.pi) - np.pi)


def _points(body: np.ndarray, depth: np.ndarray | None) -> np.ndarray:
    """Join joints (T, 25, 3) and depths (T, 25) to x, y, depth (T, 25, 3) px, NaN where absent; no depths are 0."""
    depth = np.zeros(body.shape[:2]) if depth is None else depth
    points = np.concatenate([body[..., :2], depth[..., None]], -1).astype(np.float64)
    return np.where(body[..., 2:] > 0, points, np.nan)


def _facing(points: np.ndarray, has_depth: bool) -> np.ndarray:
    """Where the bodies (T, 25, 3) face, by shoulders and hips; their joints of the left lie right in the picture."""
    across = np.stack(
        [points[:, BODY[f"left_{joint}"]] - points[:, BODY[f"right_{joint}"]] for joint in ("shoulder", "hip")]
    )
    across = np.where(np.isfinite(across), across, 0).sum(0)  # (T, 3), the wider one weighs more
    if has_depth:
        facing = np.arctan2(across[:, 2], across[:, 0])
        return np.where(np.hypot(across[:, 0], across[:, 2]) > _SEEN_WIDTH, facing, np.nan)
    widest = np.abs(across[:, 0]).max(initial=0)
    if widest <= _SEEN_WIDTH:
        return np.full(len(points), np.nan)
    return np.where(across[:, 0] == 0, np.nan, np.arccos(np.clip(across[:, 0] / widest, -1, 1)))


def _mean(apart: np.ndarray) -> np.ndarray:
    """Mean over the joints that are in both, 0 where there is none."""
    there = np.isfinite(apart)
    return np.where(there, apart, 0).sum(-1) / np.maximum(there.sum(-1), 1)


def _at(points: np.ndarray, name: str) -> np.ndarray:
    return points[:, BODY[name], :2]


def _near(points: np.ndarray, first: str, second: str, reach: float) -> np.ndarray:
    return np.linalg.norm(_at(points, first) - _at(points, second), axis=-1) < reach


def _cut(points: np.ndarray, first: tuple[str, str], second: tuple[str, str]) -> np.ndarray:
    """Tell where two bones cross each other in the picture (T,) bool."""
    (a, b), (c, d) = ([_at(points, name) for name in bone] for bone in (first, second))
    return (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)


def _side(start: np.ndarray, end: np.ndarray, point: np.ndarray) -> np.ndarray:
    """On which side of a line points (T, 2) lie: above 0 on one, below on the other, NaN where one is absent."""
    way, to = end - start, point - start
    return way[:, 0] * to[:, 1] - way[:, 1] * to[:, 0]


def _before_torso(points: np.ndarray, side: str) -> np.ndarray:
    """Tell where a wrist lies between shoulders and hips (T,) bool."""
    wrist = _at(points, f"{side}_wrist")
    corners = [_at(points, name) for name in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")]
    sides = np.stack([_side(corners[place], corners[(place + 1) % 4], wrist) for place in range(4)])
    return (sides > 0).all(0) | (sides < 0).all(0)


CROSSINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "the left hand at the face": lambda points: _near(points, "left_wrist", "nose", NEAR_FACE),
    "the right hand at the face": lambda points: _near(points, "right_wrist", "nose", NEAR_FACE),
    "the hands together": lambda points: _near(points, "left_wrist", "right_wrist", NEAR_HAND),
    "the left hand over the body": lambda points: _before_torso(points, "left"),
    "the right hand over the body": lambda points: _before_torso(points, "right"),
    "the forearms crossed": lambda points: _cut(points, ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist")),
    "the legs crossed": lambda points: (
        _cut(points, ("left_knee", "left_ankle"), ("right_knee", "right_ankle"))
        | _cut(points, ("left_hip", "left_knee"), ("right_hip", "right_knee"))
        | _cut(points, ("left_knee", "left_ankle"), ("right_hip", "right_knee"))
        | _cut(points, ("left_hip", "left_knee"), ("right_knee", "right_ankle"))
    ),
}  # words for what hides what, and whether points (T, 25, 3) about the hips show it
