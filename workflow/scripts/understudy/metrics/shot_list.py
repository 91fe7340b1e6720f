"""Words for what the footage lacks: moments of a driving clip that nothing in it is near to, and what to film."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from understudy.metrics.motion import JOINTS_17
from understudy.metrics.posture import CROSSINGS, LIMBS, Postures, joint_distance
from understudy.semantics.joints import BODY

BRIDGED_FRAMES = 3  # of a moment that are near again for so short are part of it
LEAST_FRAMES = 2  # a single frame is more often the estimator's mistake than a posture
MOST_LIMBS = 2  # named in one moment
LIMB_APART = 0.4  # of the threshold: a limb that is farther off than that is named
FACING_WORDS = (  # degrees to either side, up to which the words hold
    (25, "facing the camera"),
    (65, "turned half to the {side} of the picture"),
    (115, "in profile, to the {side} of the picture"),
    (155, "turned away, to the {side} of the picture"),
    (181, "with the back to the camera"),
)
_PLACE = {joint: place for place, joint in enumerate(JOINTS_17)}


@dataclass(frozen=True)
class Moment:
    """Frames of the driving clip in a row that nothing in the footage is near to.

    Attributes:
        first, last, worst: numbers of frames.
        words: what is to be seen in the worst of them.
    """

    first: int
    last: int
    worst: int
    words: str


def uncovered_moments(
    distance: np.ndarray,
    nearest: np.ndarray,
    driving: Postures,
    footage: Postures,
    threshold: float,
    rare_parts: Callable[[int], Sequence[str]] = lambda frame: (),
) -> list[Moment]:
    """List the moments that are farther than the threshold from all of the footage.

    Args:
        distance: (T,) body heights, infinite where a frame shows nobody to compare; such frames are no moment.
        nearest: (T,) int, the nearest posture of the footage, -1 there.
        driving: T postures.
        footage: N postures.
        threshold: body heights.
        rare_parts: names what a frame shows of the body and the footage hardly did.
    """
    moments = []
    for first, last in _runs(np.isfinite(distance) & (distance > threshold)):
        reach = np.where(np.isfinite(distance[first : last + 1]), distance[first : last + 1], -1)
        worst = first + int(reach.argmax())
        near = footage.rows(slice(nearest[worst], nearest[worst] + 1))
        words = describe(driving.rows(slice(worst, worst + 1)), near, threshold)
        if hidden := rare_parts(worst):
            words += f", so that {_joined(hidden)} can be seen"
        moments.append(Moment(first, last, worst, words))
    return moments


def shot_list(moments: Sequence[Moment], distance: np.ndarray) -> list[str]:
    """Write what to film, one sentence for each kind of moment, the farthest first."""
    spans: dict[str, list[Moment]] = {}
    for moment in sorted(moments, key=lambda each: -distance[each.worst]):
        spans.setdefault(moment.words, []).append(moment)
    return [
        f"Film the performer {words}, as in {_spans(same)} of the driving clip "
        f"({distance[same[0].worst]:.2f} body heights from anything filmed)."
        for words, same in spans.items()
    ]


def describe(posture: Postures, near: Postures, threshold: float) -> str:
    """Say in words where a body faces, what its limbs do that those of the nearest footage do not, and what crosses.

    Args:
        posture, near: one posture each.
        threshold: body heights.
    """
    apart = joint_distance(posture.joints[0], near.joints[0])  # (17,)
    off = {limb: np.nanmean(apart[list(places)]) for limb, places in LIMBS.items() if _seen(apart[list(places)])}
    named = sorted((limb for limb in off if off[limb] > LIMB_APART * threshold), key=lambda limb: -off[limb])
    joints = posture.joints[0]
    words = [_limb_words(joints, limb) for limb in named[:MOST_LIMBS]]
    crossings = zip(CROSSINGS, posture.crossings[0], near.crossings[0], strict=True)
    words += [name for name, shown, known in crossings if shown and not known]
    facing = _facing_words(posture)
    if not words:
        return f"{facing}, in this posture"
    return f"{facing}, with {_joined(words)}"


def _runs(far: np.ndarray) -> list[tuple[int, int]]:
    """First and last frame of each run of (T,) bool, short breaks bridged, short runs left out."""
    runs: list[tuple[int, int]] = []
    for frame in np.flatnonzero(far).tolist():
        if runs and frame - runs[-1][1] <= BRIDGED_FRAMES + 1:
            runs[-1] = runs[-1][0], frame
        else:
            runs.append((frame, frame))
    return [(first, last) for first, last in runs if last - first + 1 >= min(LEAST_FRAMES, len(far))]


def _facing_words(posture: Postures) -> str:
    facing = posture.facing[0]
    if np.isnan(facing):
        return "as the driving clip shows it"
    words = next(text for most, text in FACING_WORDS if abs(np.degrees(facing)) < most)
    if not posture.has_depth:  # to which side is not known
        return words.replace("to the {side} of the picture", "to either side")
    return words.format(side="right" if facing > 0 else "left")


def _limb_words(joints: np.ndarray, limb: str) -> str:
    side, _, part = limb.partition("_")
    if limb == "head":
        return "the head held as there"
    return f"the {side} {part} {_arm(joints, side) if part == 'arm' else _leg(joints, side)}"


def _arm(joints: np.ndarray, side: str) -> str:
    """Say where an arm is, by its wrist or else its elbow; NaN compares as false."""
    shoulder, elbow, wrist = (_joint(joints, f"{side}_{name}") for name in ("shoulder", "elbow", "wrist"))
    hand = wrist if np.isfinite(wrist).all() else elbow
    across, up = hand[0] - shoulder[0], shoulder[1] - hand[1]
    head = _joint(joints, "nose")[1]
    out = f"to the {'right' if across > 0 else 'left'} of the picture"
    if hand[1] < head - 0.04:
        return "raised above the head"
    if shoulder[2] - hand[2] > 0.25:
        return "reaching towards the camera"
    if up > -0.06 and abs(across) > 0.15:
        return f"stretched out {out}"
    if up > -0.06:
        return "raised and bent, the hand at the height of the shoulder"
    if abs(across) > 0.15:
        return f"held out low {out}"
    return "hanging down" if up < -0.25 else "bent, the hand before the body"


def _leg(joints: np.ndarray, side: str) -> str:
    """Say where a leg is."""
    other = "right" if side == "left" else "left"
    hip, knee, ankle, stand = (
        _joint(joints, name) for name in (f"{side}_hip", f"{side}_knee", f"{side}_ankle", f"{other}_ankle")
    )
    foot = ankle if np.isfinite(ankle).all() else knee
    across = foot[0] - hip[0]
    out = f"to the {'right' if across > 0 else 'left'} of the picture"
    if knee[1] - hip[1] < 0.12:
        return "raised, the knee at the height of the hip"
    if stand[1] - foot[1] > 0.06:
        return f"lifted {out}" if abs(across) > 0.15 else "lifted off the ground"
    if abs(across) > 0.15:
        return f"set wide {out}"
    return "bent at the knee" if foot[1] - hip[1] < 0.36 else "standing as the driver's"


def _joint(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[_PLACE[BODY[name]]]


def _seen(apart: np.ndarray) -> bool:
    return bool(np.isfinite(apart).any())


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _spans(moments: Sequence[Moment]) -> str:
    named = [f"{each.first} to {each.last}" if each.last > each.first else str(each.first) for each in moments]
    return f"frame{'s' if len(named) > 1 or ' ' in named[0] else ''} {_joined(named)}"
