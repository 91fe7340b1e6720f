"""Dances: joint angles as functions of time, the same for every performer.

A dance moves the pelvis along a path, puts the feet where it steps, and leads the arms from gesture to gesture. The
legs are solved on the neutral build; other builds turn the same joints by the same angles.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from understudy.body.model import Body, skin
from understudy.body.rotation import rotation
from understudy.synthetic.gestures import DOWN, GESTURES, arm_rotations, blend
from understudy.synthetic.legs import Foot, leg_rotations, standing_height

BEAT_S = 0.6  # 100 beats a minute
SWING = 0.5  # share of a step in which its foot is in the air


@dataclass(frozen=True)
class Dance:
    """What tells one choreography from another.

    Attributes:
        turn_deg, turn_s: how far the body turns to either side, and the time there and back.
        sway_m, sway_s: sideways way of the hips to either side, and its time there and back.
        bend_deg: sideways bend of the trunk.
        drop_m: how deep the knees bend.
        lift_m: how high a stepping foot is lifted; feet that do not travel are lifted too.
        step_s: time between two steps of one foot.
        slot_s: time of one gesture.
        gestures: names of gestures of the left and the right arm; each cycle shows all of them in another order.
    """

    turn_deg: float
    turn_s: float
    sway_m: float
    sway_s: float
    bend_deg: float
    drop_m: float
    lift_m: float
    step_s: float
    slot_s: float
    gestures: tuple[tuple[str, str], ...]


DANCES = {
    "sway": Dance(
        turn_deg=66,
        turn_s=9.6,
        sway_m=0.07,
        sway_s=2.4,
        bend_deg=7,
        drop_m=0.025,
        lift_m=0.0,
        step_s=1.2,
        slot_s=1.8,
        gestures=(
            ("down", "down"),
            ("cross", "down"),
            ("down", "cross"),
            ("side", "down"),
            ("down", "side"),
            ("chest", "chest"),
        ),
    ),
    "reach": Dance(
        turn_deg=62,
        turn_s=8.4,
        sway_m=0.05,
        sway_s=4.8,
        bend_deg=12,
        drop_m=0.09,
        lift_m=0.0,
        step_s=1.2,
        slot_s=1.5,
        gestures=(
            ("high", "down"),
            ("down", "high"),
            ("front", "side"),
            ("side", "front"),
            ("cross", "side"),
            ("high", "high"),
            ("side", "cross"),
            ("low", "low"),
        ),
    ),
    "steps": Dance(
        turn_deg=62,
        turn_s=10.8,
        sway_m=0.12,
        sway_s=4.8,
        bend_deg=4,
        drop_m=0.03,
        lift_m=0.10,
        step_s=1.2,
        slot_s=1.2,
        gestures=(
            ("swing", "back"),
            ("back", "swing"),
            ("cross", "back"),
            ("back", "cross"),
            ("wave", "down"),
            ("chest", "chest"),
        ),
    ),
    "turns": Dance(
        turn_deg=100,
        turn_s=9.6,
        sway_m=0.04,
        sway_s=3.6,
        bend_deg=5,
        drop_m=0.03,
        lift_m=0.03,
        step_s=1.2,
        slot_s=1.6,
        gestures=(
            ("side", "side"),
            ("cross", "high_cross"),
            ("down", "wave"),
            ("wave", "down"),
            ("side", "cross"),
            ("cross", "side"),
        ),
    ),
}
_SEED = {name: number for number, name in enumerate(DANCES)}


@dataclass(frozen=True)
class Moment:
    """A dance at one time: rotations of bones, and the pelvis's sideways and forward place on the floor, metres."""

    rotations: dict[str, np.ndarray]
    place: tuple[float, float]


def dance(choreography: str, time_s: float) -> Moment:
    """Joint angles and place of a dance.

    Args:
        choreography: a key of `DANCES`.
        time_s: seconds from the dance's start, any number from 0 up.
    """
    steps = DANCES[choreography]
    x, y, turn = _path(steps, time_s)
    beat = np.sin(np.pi * time_s / BEAT_S)
    drop = steps.drop_m * beat**2
    bend = steps.bend_deg * np.sin(2 * np.pi * time_s / steps.sway_s + 0.6) * _variation(time_s, 1)
    root = rotation((0, 0, 1), turn) @ rotation((0, 1, 0), 0.3 * bend)
    lead = _path(steps, time_s + 0.25)[2] - turn  # the trunk turns ahead of the pelvis, the head ahead of the trunk
    rotations = {
        "root": root,
        "spine04": rotation((0, 1, 0), 0.35 * bend),
        "spine03": rotation((0, 0, 1), 0.5 * lead) @ rotation((1, 0, 0), 60 * drop),
        "spine02": rotation((0, 1, 0), 0.35 * bend),
        "neck02": rotation((0, 0, 1), 0.5 * lead - 0.30 * turn) @ rotation((0, 1, 0), -0.5 * bend),
        "head": rotation((0, 0, 1), -0.15 * turn) @ rotation((1, 0, 0), 4 * beat**2 - 2),
    }
    pelvis = np.array([x, y, standing_height() - drop])
    for side in "LR":
        rotations |= leg_rotations(side, pelvis, root, _foot(steps, side, time_s))
    left, right = _arms(choreography, time_s)
    rotations |= arm_rotations("L", left, 5 * beat * np.sin(1.7 * time_s)) | arm_rotations(
        "R", right, 5 * beat * np.sin(1.7 * time_s + 2)
    )
    return Moment(rotations, (x, y))


def place_on_floor(body: Body, moment: Moment) -> np.ndarray:
    """Translation (3,) in metres that puts a body's lower foot on the floor z = 0 without its feet sliding.

    The way over the floor is scaled by the legs' length: with the same angles a shorter leg makes a shorter step.
    """
    way = np.array(moment.place) * (_leg_length(body.build) / _leg_length("neutral"))
    feet = skin(body, *body.moved_bones(moment.rotations), _feet(body.build))
    return np.array([way[0], way[1], -feet[:, 2].min()]) - [*body.heads[0, :2], 0]


def _path(steps: Dance, time_s: float) -> tuple[float, float, float]:
    """Place of the pelvis on the floor, metres, and its turn to the left, degrees."""
    swing = np.sin(2 * np.pi * time_s / steps.turn_s)
    turn = steps.turn_deg * swing * (0.45 + 0.55 * swing**2)  # most of the time towards the camera
    x = steps.sway_m * np.sin(2 * np.pi * time_s / steps.sway_s) * _variation(time_s, 0)
    return x, -0.3 * steps.sway_m * np.cos(2 * np.pi * time_s / (1.6 * steps.sway_s)), turn


def _variation(time_s: float, phase: float) -> float:
    """A slow change of size between 0.7 and 1 whose period no dance shares, so that no two bars are alike."""
    return 0.85 + 0.15 * np.sin(2 * np.pi * time_s / 15.53 + phase)


def _foot(steps: Dance, side: str, time_s: float) -> Foot:
    """Where a foot is: it rests through the second part of each step and swings to its next place in the first."""
    late = 0.5 if side == "R" else 0.0
    count, share = divmod(time_s / steps.step_s + late, 1)
    resting = count - late + (1 + SWING) / 2  # middle of the rest that follows, in steps
    before, after = (_stand(steps, side, steps.step_s * middle) for middle in (resting - 1, resting))
    if share >= SWING:
        return after
    swing = share / SWING
    ease = swing * swing * (3 - 2 * swing)
    x, y = (a + (b - a) * ease for a, b in zip((before.x, before.y), (after.x, after.y), strict=True))
    turn = before.turn_deg + (after.turn_deg - before.turn_deg) * ease
    travel = np.hypot(after.x - before.x, after.y - before.y) + np.radians(abs(after.turn_deg - before.turn_deg)) * 0.15
    height = max(steps.lift_m, 0.05 * min(1.0, travel / 0.08)) * np.sin(np.pi * swing) ** 2
    return Foot(x, y, height, turn)


def _stand(steps: Dance, side: str, time_s: float) -> Foot:
    """Where a foot belongs under the pelvis at a time; the sway is not followed, the hips move over the feet."""
    _, y, turn = _path(steps, time_s)
    apart = 0.12 if side == "L" else -0.12  # metres
    angle = np.radians(turn)
    return Foot(apart * np.cos(angle), y + apart * np.sin(angle), 0.0, turn + (7 if side == "L" else -7))


def _arms(choreography: str, time_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Directions (2, 3) of upper and lower arm, left and right, led from one gesture to the next."""
    steps = DANCES[choreography]
    number, share = divmod(time_s / steps.slot_s, 1)
    ease = min(share / 0.75, 1.0)
    ease = ease**3 * (10 + ease * (6 * ease - 15))  # starts and ends at rest
    now, following = _gesture(choreography, int(number)), _gesture(choreography, int(number) + 1)
    return blend(now[0], following[0], ease), blend(now[1], following[1], ease) * [-1, 1, 1]


@lru_cache(maxsize=64)
def _gesture(choreography: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Left and right arm of the n-th gesture, both as left arms; each cycle has all gestures in an order of its own."""
    names = DANCES[choreography].gestures
    if number == 0:
        return DOWN, DOWN
    cycle, place = divmod(number - 1, len(names))
    order = np.random.default_rng([_SEED[choreography], cycle]).permutation(len(names))
    left, right = names[order[place]]
    return GESTURES[left], GESTURES[right]


@lru_cache(maxsize=8)
def _leg_length(build: str) -> float:
    body = Body(build)
    hip, knee, ankle = (body.heads[body.bones.index(name)] for name in ("upperleg01.L", "lowerleg01.L", "foot.L"))
    return float(np.linalg.norm(hip - knee) + np.linalg.norm(knee - ankle))


@lru_cache(maxsize=8)
def _feet(build: str) -> np.ndarray:
    """Numbers of the vertices that hang on the feet."""
    body = Body(build)
    bones = [number for number, bone in enumerate(body.bones) if bone.startswith(("foot", "toe"))]
    return np.flatnonzero(body.weights[:, bones].sum(1) > 0.5)
