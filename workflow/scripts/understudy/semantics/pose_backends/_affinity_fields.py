"""Who owns which joint: candidate joints are joined along OpenPose's part affinity fields, best limb first.

Source: Cao et al., OpenPose, TPAMI 2021, section 3.3 (line integrals, greedy assembly with redundant limbs); the
constants are those of OpenPose 1.7 for BODY_25.
"""

from dataclasses import dataclass, field

import numpy as np

from understudy.semantics.joints import BODY
from understudy.semantics.pose_backends._heatmaps import PEAK_SCORE, upsample

# Limbs as pairs of BODY_25 joints, and the channel of the x component of each limb's field (y is the next one).
PAIRS = np.array(
    [
        (1, 8), (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (8, 12), (12, 13), (13, 14),
        (1, 0), (0, 15), (15, 17), (0, 16), (16, 18), (2, 17), (5, 18),
        (14, 19), (19, 20), (14, 21), (11, 22), (22, 23), (11, 24),
    ]
)  # fmt: skip
FIELDS = (0, 14, 22, 16, 18, 24, 26, 6, 2, 4, 8, 10, 12, 30, 32, 36, 34, 38, 20, 28, 40, 42, 44, 46, 48, 50)
FEET = [BODY[f"{side}_{joint}"] for side in ("left", "right") for joint in ("big_toe", "small_toe", "heel")]

FEWEST_STEPS, MOST_STEPS = 5, 25  # samples along a limb
AGREEMENT = 0.05  # a sample counts whose field points along the limb by more than this
SHARE = 0.95  # more of a limb's samples than this must count
NEAR = 1 / 150  # of the map's geometric mean side: joints so near each other may be joined without a field
JOINT_WEIGHT = 0.1  # of the joints' own scores in the order of limbs
FEWEST_JOINTS = 3  # of a person, feet not counted
FEWEST_WITH_FEET = 4  # a person with feet and no more other joints is a leg seen twice
LOWEST_SCORE = 0.4  # of a person, mean per joint


@dataclass
class Person:
    """A person under assembly: for each joint the number of its candidate, -1 where there is none yet."""

    joints: np.ndarray = field(default_factory=lambda: np.full(25, -1))
    score: float = 0.0  # of all joints and limbs
    count: int = 0  # joints, a merged person's own added


@dataclass(frozen=True)
class Limb:
    """A limb that a field speaks for: candidate `start` of the pair's first joint to candidate `end` of its second."""

    order: float  # limbs of a higher one are taken first
    score: float  # mean agreement with the field
    pair: int
    start: int
    end: int


def find_people(peaks: list[np.ndarray], fields: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Join candidate joints to people.

    Args:
        peaks: for each of the 25 joints (N, 3), x px, y px of the enlarged maps, score.
        fields: (52, h, w) float32, part affinity fields as the network gives them, -1..1.
        size: height and width of the enlarged maps, pixels.

    Returns:
        (P, 25, 3) float64, x px, y px of the enlarged maps, score, zero where absent; and (P,) float64, score of each
        person, 0 to about 1.
    """
    people = kept(assemble(connect(peaks, fields, size), peaks))
    return bodies_of(people, peaks), np.array([person.score for person in people]) / (25 + len(PAIRS))


def bodies_of(people: list[Person], peaks: list[np.ndarray]) -> np.ndarray:
    """Look up people's joints among the peaks: (P, 25, 3) float64, zero where absent."""
    body = np.zeros((len(people), 25, 3))
    for row, person in enumerate(people):
        for joint in np.flatnonzero(person.joints >= 0):
            body[row, joint] = peaks[joint][person.joints[joint]]
    return body


def connect(peaks: list[np.ndarray], fields: np.ndarray, size: tuple[int, int]) -> list[Limb]:
    """List every limb that a field speaks for, in the order in which they are taken."""
    limbs = []
    for pair, ((first, second), channel) in enumerate(zip(PAIRS, FIELDS, strict=True)):
        starts, ends = peaks[first], peaks[second]
        if len(starts) == 0 or len(ends) == 0:
            continue
        scores = line_scores(starts, ends, upsample(fields[channel : channel + 2], size))  # (N, M)
        for start, end in np.argwhere(scores > 1e-6):
            score = scores[start, end]
            order = score + JOINT_WEIGHT * (starts[start, 2] + ends[end, 2])
            limbs.append(Limb(float(order), float(score), pair, int(start), int(end)))
    return sorted(limbs, key=lambda limb: (limb.order, limb.score, limb.pair, limb.start, limb.end), reverse=True)


def line_scores(starts: np.ndarray, ends: np.ndarray, fields: np.ndarray) -> np.ndarray:
    """Mean agreement of a field with the straight lines from every start to every end.

    Args:
        starts: (N, 3) float, x px, y px, score.
        ends: (M, 3) float, likewise.
        fields: (2, H, W) float32, x and y component of the limb's field, -1..1.

    Returns:
        (N, M) float64, 0..1; 0 where the field does not speak for the line.
    """
    height, width = fields.shape[1:]
    way = ends[None, :, :2] - starts[:, None, :2]  # (N, M, 2)
    length = np.linalg.norm(way, axis=2)
    direction = way / np.maximum(length, 1e-6)[..., None]
    steps = (np.sqrt(5 * np.abs(way).max(2)) + 0.5).astype(int).clip(FEWEST_STEPS, MOST_STEPS)  # (N, M)
    step = np.arange(MOST_STEPS)
    place = starts[:, None, None, :2] + step[:, None] * (way / steps[..., None])[:, :, None]  # (N, M, steps, 2)
    column, row = (np.floor(place + 0.5).astype(int).clip(0, [width - 1, height - 1])).transpose(3, 0, 1, 2)
    agreement = np.einsum("cnms,nmc->nms", fields[:, row, column], direction)
    counts = (agreement > AGREEMENT) & (step < steps[..., None])  # (N, M, steps)
    number = counts.sum(2)
    mean = (agreement * counts).sum(2) / np.maximum(number, 1)
    near = np.where(length < NEAR * np.sqrt(height * width), PEAK_SCORE + 1e-6, 0)
    return np.where(length > 1e-6, np.where(number / steps > SHARE, mean, near), 0)


def assemble(limbs: list[Limb], peaks: list[np.ndarray]) -> list[Person]:
    """Take limbs one by one: each starts a person, adds a joint, joins two people, or confirms one."""
    people: list[Person | None] = []
    owners = [np.full(len(found), -1) for found in peaks]  # person of each candidate
    for limb in limbs:
        ends = tuple(zip(PAIRS[limb.pair], (limb.start, limb.end), strict=True))  # (joint, candidate) twice
        owned = [owners[joint][candidate] for joint, candidate in ends]
        if max(owned) < 0:
            people.append(Person())
            for joint, candidate in ends:
                _give(people[-1], len(people) - 1, (joint, candidate), owners, peaks)
            people[-1].score += limb.score
        elif min(owned) < 0:
            free = ends[owned.index(-1)]
            person = people[max(owned)]
            if person.joints[free[0]] < 0:
                _give(person, max(owned), free, owners, peaks)
                person.score += limb.score
        elif owned[0] == owned[1]:
            people[owned[0]].score += limb.score
        else:
            _merge(people, min(owned), max(owned), limb.score, owners)
    return [person for person in people if person is not None]


def kept(people: list[Person]) -> list[Person]:
    """Leave out people of too few joints or too low a score; feet count only where nobody is left without them."""
    without_feet = []
    for person in people:
        feet = int((person.joints[FEET] >= 0).sum())
        if not (feet and person.count - feet <= FEWEST_WITH_FEET) and _enough(person, person.count - feet):
            without_feet.append(person)
    return without_feet or [person for person in people if _enough(person, person.count)]


def _enough(person: Person, count: int) -> bool:
    return count >= FEWEST_JOINTS and person.score / count >= LOWEST_SCORE


def _give(
    person: Person, number: int, found: tuple[int, int], owners: list[np.ndarray], peaks: list[np.ndarray]
) -> None:
    """Add a (joint, candidate) to a person."""
    joint, candidate = found
    person.joints[joint] = candidate
    person.count += 1
    person.score += peaks[joint][candidate, 2]
    owners[joint][candidate] = number


def _merge(people: list[Person | None], first: int, second: int, score: float, owners: list[np.ndarray]) -> None:
    """Make two people one where no joint is found in both."""
    one, other = people[first], people[second]
    if ((one.joints >= 0) & (other.joints >= 0)).any():
        return
    one.joints = np.maximum(one.joints, other.joints)
    one.count += other.count
    one.score += other.score + score
    people[second] = None
    for owner in owners:
        owner[owner == second] = first
