"""Legs that reach for the feet: two-bone inverse kinematics on the neutral build."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from understudy.body.model import Body
from understudy.body.rotation import rotation

SLACK = 0.993  # share of the straight leg's length at which a person stands at ease


@dataclass(frozen=True)
class Foot:
    """A foot in the world: place of the ankle on the floor and its height above standing, metres; turn to the left."""

    x: float
    y: float
    lift: float
    turn_deg: float


@dataclass(frozen=True)
class _Leg:
    """The neutral leg at rest: joints relative to the root's head, and height of the ankle above the sole, metres."""

    hip: np.ndarray
    knee: np.ndarray
    ankle: np.ndarray
    sole: float


def standing_height() -> float:
    """Height of the neutral pelvis (root's head) above the floor with the legs almost straight, metres."""
    leg = _leg("L")
    reach = SLACK * (np.linalg.norm(leg.knee - leg.hip) + np.linalg.norm(leg.ankle - leg.knee))
    return float(np.sqrt(reach**2 - 0.03**2) + leg.sole - leg.hip[2])


def leg_rotations(side: str, pelvis: np.ndarray, root: np.ndarray, foot: Foot) -> dict[str, np.ndarray]:
    """Rotations of hip, knee and ankle, relative to their parents, that put a foot in its place.

    Args:
        side: "L" or "R".
        pelvis: (3,), head of the root bone in the world, metres, floor at z = 0.
        root: (3, 3), rotation of the root bone.
        foot: where the foot is to be; beyond the leg's reach it hangs on the straight leg.

    Source: law of cosines; the knee bends in the plane of hip, ankle and the foot's direction.
    """
    leg = _leg(side)
    heading = rotation((0, 0, 1), foot.turn_deg)
    forward = heading @ [0, -1, 0]
    hip = pelvis + root @ leg.hip
    way = np.array([foot.x, foot.y, foot.lift + leg.sole]) - hip
    thigh, shin = np.linalg.norm(leg.knee - leg.hip), np.linalg.norm(leg.ankle - leg.knee)
    distance = min(np.linalg.norm(way), 0.999 * (thigh + shin))
    way /= np.linalg.norm(way)
    along = (thigh**2 - shin**2 + distance**2) / (2 * distance)
    ahead = forward - (forward @ way) * way
    knee = along * way + np.sqrt(thigh**2 - along**2) * ahead / np.linalg.norm(ahead)  # from the hip
    upper = _frame(knee, forward) @ _frame(leg.knee - leg.hip, np.array([0, -1.0, 0])).T
    lower = _frame(distance * way - knee, forward) @ _frame(leg.ankle - leg.knee, np.array([0, -1.0, 0])).T
    toes = heading @ rotation((1, 0, 0), min(220 * foot.lift, 25))  # a lifted foot points down
    return {
        f"upperleg01.{side}": root.T @ upper,
        f"lowerleg01.{side}": upper.T @ lower,
        f"foot.{side}": lower.T @ toes,
    }


def _frame(along: np.ndarray, forward: np.ndarray) -> np.ndarray:
    """Axes (3, 3), columns: along the bone, forward as far as it is across the bone, sideways."""
    along = along / np.linalg.norm(along)
    ahead = forward - (forward @ along) * along
    ahead /= np.linalg.norm(ahead)
    return np.stack([along, ahead, np.cross(along, ahead)], axis=1)


@lru_cache(maxsize=2)
def _leg(side: str) -> _Leg:
    body = Body("neutral")
    root, hip, knee, ankle = (
        body.heads[body.bones.index(name)].astype(np.float64)
        for name in ("root", f"upperleg01.{side}", f"lowerleg01.{side}", f"foot.{side}")
    )
    return _Leg(hip - root, knee - root, ankle - root, float(ankle[2] - body.rest[:, 2].min()))
