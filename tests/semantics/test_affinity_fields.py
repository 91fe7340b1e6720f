"""People from heat maps and affinity fields whose answer is known: alone, crossing, hidden, cut off, many at random."""

import numpy as np
import pytest

from planted_people import match, plant, random_scene, standing_body
from understudy.semantics.joints import BODY, BODY_LIMBS
from understudy.semantics.pose_backends._affinity_fields import (
    AGREEMENT,
    FIELDS,
    PAIRS,
    Limb,
    Person,
    assemble,
    connect,
    find_people,
    kept,
    line_scores,
)
from understudy.semantics.pose_backends._heatmaps import find_peaks, upsample

SIZE = (368, 480)


def decode(bodies: np.ndarray, **changes) -> tuple[np.ndarray, np.ndarray]:
    maps = plant(bodies, SIZE, **changes)
    return find_people(find_peaks(upsample(maps.heat, SIZE), 0.0), maps.fields, SIZE)


def joints(*names: str) -> list[int]:
    return [BODY[name] for name in names]


def assert_found(bodies: np.ndarray, found: np.ndarray) -> None:
    """Every planted person is found once, every joint within a pixel, none besides."""
    partners = match(found, bodies)
    assert sorted(partners) == list(range(len(found))) and len(found) == len(bodies)
    for body, partner in zip(bodies, partners, strict=True):
        seen = np.isfinite(body[:, 0])
        assert np.array_equal(found[partner, :, 2] > 0, seen)
        assert np.linalg.norm(found[partner, seen, :2] - body[seen], axis=1).max() < 1


def test_tables_cover_all_joints_and_channels_once():
    assert len(PAIRS) == len(FIELDS) == 26
    assert sorted(FIELDS) == list(range(0, 52, 2))
    assert set(PAIRS.ravel()) == set(range(25))
    assert {frozenset(limb) for limb in BODY_LIMBS} <= {frozenset(pair) for pair in PAIRS.tolist()}


CHANNELS = (  # limbs in the order of the network's channels
    ("neck", "mid_hip"), ("right_hip", "right_knee"), ("right_knee", "right_ankle"), ("mid_hip", "right_hip"),
    ("mid_hip", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("neck", "right_shoulder"),
    ("right_shoulder", "right_elbow"), ("right_elbow", "right_wrist"), ("right_shoulder", "right_ear"),
    ("neck", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    ("left_shoulder", "left_ear"), ("neck", "nose"), ("nose", "right_eye"), ("nose", "left_eye"),
    ("right_eye", "right_ear"), ("left_eye", "left_ear"), ("left_ankle", "left_big_toe"),
    ("left_big_toe", "left_small_toe"), ("left_ankle", "left_heel"), ("right_ankle", "right_big_toe"),
    ("right_big_toe", "right_small_toe"), ("right_ankle", "right_heel"),
)  # fmt: skip


def test_every_limb_has_its_own_channel():
    """Written down a second time, by name: planted maps use the decoder's own table."""
    by_channel = dict(zip(FIELDS, PAIRS.tolist(), strict=True))
    assert [by_channel[2 * row] for row in range(26)] == [[BODY[start], BODY[end]] for start, end in CHANNELS]


def test_surer_joints_go_first():
    """A limb's place in the order is its agreement with the field and a tenth of its joints' scores."""
    peaks = [np.zeros((0, 3)) for _ in range(25)]
    peaks[1], peaks[8] = np.array([[10.0, 10, 0.5], [30, 10, 0.9]]), np.array([[10.0, 40, 0.6], [30, 40, 0.7]])
    fields = np.zeros((52, 6, 6), np.float32)
    fields[1] = 1  # neck to middle of the hips, straight down everywhere
    first, second = (limb for limb in connect(peaks, fields, (48, 48)) if limb.start == limb.end)
    assert (first.start, second.start) == (1, 0)
    assert first.score == second.score == pytest.approx(1)
    assert (first.order, second.order) == pytest.approx((1 + 0.1 * 1.6, 1 + 0.1 * 1.1))


def test_one_person():
    body = standing_body(300, 240, 340)[None]
    found, scores = decode(body)
    assert_found(body, found)
    peak = 49 / 65  # of a label of 7 px blurred by 4
    assert found[0, :, 2] == pytest.approx(peak, abs=0.06)
    assert scores == pytest.approx((25 * peak + 26) / 51, abs=0.08)  # enlarged fields swing above 1


def test_nobody():
    found, scores = decode(np.empty((0, 25, 2)))
    assert found.shape == (0, 25, 3) and scores.shape == (0,)


def test_two_side_by_side_and_a_small_one():
    bodies = np.stack([standing_body(320, 110, 350), standing_body(300, 260, 345), standing_body(180, 400, 330)])
    assert_found(bodies, decode(bodies)[0])


def test_two_whose_arms_and_legs_cross():
    """Limbs of the same kind cross in the middle; only the fields tell whose wrist is whose."""
    one, other = standing_body(300, 200, 345), standing_body(300, 262, 345)
    for name, place in (("left_elbow", (262, 150)), ("left_wrist", (300, 200))):
        one[BODY[name]] = place
    other[joints("left_elbow", "left_wrist")] += [60, -20]
    other[joints("right_elbow", "right_wrist")] = [200, 175], [160, 215]
    one[joints("right_elbow", "right_wrist")] -= [50, 30]
    bodies = np.stack([one, other])
    assert_found(bodies, decode(bodies)[0])


def test_crossed_forearms_of_one_kind():
    """Two left forearms make a cross: a joiner by distance alone would swap the wrists."""
    starts = np.array([[100.0, 100, 1], [140, 100, 1]])
    ends = np.array([[145.0, 150, 1], [95, 150, 1]])  # of the first, of the second
    maps = np.zeros((2, 200, 240), np.float32)
    for start, end in zip(starts, ends, strict=True):
        way = (end - start)[:2]
        for step in np.linspace(0, 1, 200):
            x, y = start[:2] + step * way
            maps[:, int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4] = (way / np.linalg.norm(way))[:, None, None]
    scores = line_scores(starts, ends, maps)
    assert np.diag(scores).min() > 0.8 and max(scores[0, 1], scores[1, 0]) == 0


def test_a_hidden_joint_leaves_the_rest_together():
    body = standing_body(300, 240, 340)
    body[joints("left_wrist", "right_knee", "right_ankle", "right_big_toe", "right_small_toe", "right_heel")] = np.nan
    found, _ = decode(body[None])
    assert_found(body[None], found)


def test_a_hidden_elbow_costs_its_wrist():
    body = standing_body(300, 240, 340)
    body[BODY["left_elbow"]] = np.nan
    found, _ = decode(body[None])
    body[BODY["left_wrist"]] = np.nan
    assert_found(body[None], found)


def test_a_hidden_neck_is_bridged_by_the_ears():
    """Redundant limbs from ear to shoulder hold the head to the arms."""
    body = standing_body(300, 240, 340)
    kept_parts = ("nose", "eye", "ear", "shoulder", "elbow", "wrist")
    body[[row for name, row in BODY.items() if not name.endswith(kept_parts)]] = np.nan
    assert_found(body[None], decode(body[None])[0])


def test_cut_by_the_frame():
    body = standing_body(500, 240, 480)  # legs below the picture
    body[body[:, 1] > SIZE[0] - 12] = np.nan
    assert np.isfinite(body[:, 0]).sum() < 20
    assert_found(body[None], decode(body[None])[0])


def test_a_leg_alone_is_nobody_beside_a_whole_person():
    """A leg with its foot, often the same leg seen as the other one, counts only where nobody else is."""
    whole, leg = standing_body(300, 120, 340), standing_body(300, 360, 340)
    leg[[row for name, row in BODY.items() if name[:5] != "left_" or name[5:] not in ("knee", "ankle", "heel")]] = (
        np.nan
    )
    assert len(decode(np.stack([whole, leg]))[0]) == 1
    assert len(decode(leg[None])[0]) == 1


def test_noise_makes_no_people():
    maps = plant(np.empty((0, 25, 2)), SIZE, noise=0.03, random=np.random.default_rng(5))
    found, _ = find_people(find_peaks(upsample(maps.heat, SIZE), 0.0), maps.fields, SIZE)
    assert len(found) == 0


def test_line_scores_known_answers():
    across = np.zeros((2, 40, 80), np.float32)
    across[0, 18:23, 10:70] = 1  # points to the right
    start = np.array([[12.0, 20, 1]])
    ends = np.array([[65.0, 20, 1], [12, 20, 1], [12.5, 20.2, 1], [40, 36, 1]])
    scores = line_scores(start, ends, across)
    assert scores[0, 0] == pytest.approx(1)
    assert scores[0, 1] == 0  # upon each other
    assert scores[0, 3] == 0  # leaves the field
    assert line_scores(ends[:1], start, across)[0, 0] == 0  # backwards
    nothing = line_scores(start, np.array([[12.2, 20, 1]]), 0 * across)
    assert nothing[0, 0] == pytest.approx(0.05, abs=1e-4)  # so near that no field is needed


def slow_score(start: np.ndarray, end: np.ndarray, fields: np.ndarray) -> float:
    """OpenPose's loop along one line."""
    height, width = fields.shape[1:]
    way = end[:2] - start[:2]
    length = np.hypot(*way)
    steps = max(5, min(25, int(np.sqrt(5 * np.abs(way).max()) + 0.5)))
    values = []
    for step in range(steps):
        x, y = (int(np.floor(value + 0.5)) for value in start[:2] + step * way / steps)
        value = fields[:, min(max(y, 0), height - 1), min(max(x, 0), width - 1)] @ way / length
        values += [value] if value > AGREEMENT else []
    if len(values) / steps > 0.95:
        return float(np.mean(values))
    return 0.05 + 1e-6 if length < np.sqrt(height * width) / 150 else 0.0


def test_line_scores_agree_with_the_slow_reading():
    random = np.random.default_rng(2)
    fields = (0.6 + random.normal(0, 0.2, (2, 60, 90))).astype(np.float32)
    starts, ends = (np.column_stack([random.uniform(0, [90, 60], (9, 2)), np.ones(9)]) for _ in range(2))
    expected = [[slow_score(start, end, fields) for end in ends] for start in starts]
    scores = line_scores(starts, ends, fields)
    assert (scores > 0).sum() > 10 and (scores == 0).sum() > 10
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def limb(order: float, pair: int, start: int = 0, end: int = 0) -> Limb:
    return Limb(order, 1.0, pair, start, end)


def test_two_halves_that_share_no_joint_are_made_one():
    peaks = [np.array([[0.0, 0, 1]]) for _ in range(25)]
    shoulder_elbow, neck_hip, neck_shoulder = (PAIRS.tolist().index(pair) for pair in ([2, 3], [1, 8], [1, 2]))
    (person,) = assemble([limb(3, shoulder_elbow), limb(2, neck_hip), limb(1, neck_shoulder)], peaks)
    assert person.count == 4 and person.score == 4 + 3
    assert sorted(np.flatnonzero(person.joints >= 0)) == [1, 2, 3, 8]


def test_two_people_who_share_a_joint_stay_two():
    peaks = [np.array([[0.0, 0, 1], [9, 9, 1]]) for _ in range(25)]
    neck_hip, neck_shoulder = (PAIRS.tolist().index(pair) for pair in ([1, 8], [1, 2]))
    people = assemble([limb(3, neck_hip), limb(2, neck_hip, 1, 1), limb(1, neck_shoulder, 0, 0)], peaks)
    assert len(people) == 2
    people = assemble([limb(3, neck_hip), limb(2, neck_shoulder, 1, 0), limb(1, neck_hip, 1, 0)], peaks)
    assert len(people) == 2 and people[0].count == people[1].count == 2


def slow_people(limbs: list[Limb], peaks: list[np.ndarray]) -> list[tuple[frozenset, float]]:
    """OpenPose's rules on plain sets of (joint, candidate)."""
    people: list[tuple[set, float]] = []
    for one in limbs:
        ends = [(PAIRS[one.pair][0], one.start), (PAIRS[one.pair][1], one.end)]
        having = [next((person for person in people if end in person[0]), None) for end in ends]
        joints_score = sum(peaks[j][c, 2] for (j, c), person in zip(ends, having, strict=True) if person is None)
        if having[0] is None and having[1] is None:
            people.append((set(ends), one.score + joints_score))
        elif having[0] is having[1]:
            people[people.index(having[0])] = (having[0][0], having[0][1] + one.score)
        elif None in having:
            person, new = (having[0] or having[1]), ends[having.index(None)]
            if new[0] not in {joint for joint, _ in person[0]}:
                people[people.index(person)] = (person[0] | {new}, person[1] + one.score + joints_score)
        elif not {joint for joint, _ in having[0][0]} & {joint for joint, _ in having[1][0]}:
            people = [person for person in people if person is not having[0] and person is not having[1]]
            people.append((having[0][0] | having[1][0], having[0][1] + having[1][1] + one.score))
    return [(frozenset((int(joint), int(candidate)) for joint, candidate in found), score) for found, score in people]


@pytest.mark.parametrize("seed", range(5))
def test_assembly_agrees_with_the_slow_reading(seed):
    random = np.random.default_rng(seed)
    peaks = [np.column_stack([np.zeros((3, 2)), random.uniform(0.1, 1, 3)]) for _ in range(25)]
    pairs, candidates = random.integers(0, 26, 150), random.integers(0, 3, (150, 2))
    limbs = [
        Limb(1 - row / 150, float(random.uniform(0.1, 1)), int(pair), int(start), int(end))
        for row, (pair, (start, end)) in enumerate(zip(pairs, candidates, strict=True))
    ]
    found = [
        (frozenset((int(joint), int(person.joints[joint])) for joint in np.flatnonzero(person.joints >= 0)), person)
        for person in assemble(limbs, peaks)
    ]
    expected = dict(slow_people(limbs, peaks))
    assert {members for members, _ in found} == set(expected) and len(found) > 3
    for members, person in found:
        assert person.count == len(members)
        assert person.score == pytest.approx(expected[members])


def test_who_is_kept():
    def person(count: int, feet: int, score: float) -> Person:
        made = Person(count=count + feet, score=score)
        made.joints[[1, 2, 3, 4, 5, 6, 7, 8][:count]] = 0
        made.joints[[19, 20, 21, 22, 23, 24][:feet]] = 0
        return made

    whole, pair, faint, leg = person(6, 0, 10), person(2, 0, 9), person(6, 0, 2.3), person(3, 3, 10)
    assert kept([whole, pair, faint, leg]) == [whole]
    assert kept([pair, faint, leg]) == [leg]
    assert kept([person(5, 3, 10)])[0].count == 8


def test_random_scenes():
    """A sample of the thousand that benchmarks/openpose_decoder.py decodes."""
    random, right = np.random.default_rng(7), 0
    for _ in range(40):
        bodies = random_scene(random, SIZE)
        try:
            assert_found(bodies, decode(bodies)[0])
            right += 1
        except AssertionError:
            pass
    assert right >= 38
