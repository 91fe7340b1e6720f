"""Known answers: the same posture elsewhere, one limb off, a turn, a crossing, postures that cannot be compared."""

import numpy as np
import pytest

from standing import HEIGHT, STANDING, postures, standing, turned_body
from understudy.metrics.posture import CROSSING, CROSSINGS, FACING, Postures, nearest_postures, posture_distance
from understudy.semantics.joints import BODY


def test_the_same_posture_is_found_wherever_it_stands():
    others = np.concatenate([standing(left_wrist=(30 + 9 * number, -20)) for number in range(6)])
    mine = others[[4, 1]].copy()
    mine[..., :2] += (80, -13)
    found = nearest_postures(postures(mine), postures(others))
    assert found.index.tolist() == [4, 1]
    assert found.distance == pytest.approx(0, abs=1e-6)


def test_one_wrist_off_counts_with_its_limb():
    moved = standing(left_wrist=(32 + 30, 0))
    apart = posture_distance(postures(moved), postures(standing()))[0, 0]
    assert apart == pytest.approx((30 / 17 + 30 / 3) / 2 / HEIGHT, rel=1e-5)


@pytest.mark.parametrize("degrees", [40, -40, 90, 180])
def test_a_turn_is_told_with_its_side(degrees):
    body, depth = turned_body(degrees)
    turned = postures(body, depth)
    assert np.degrees(abs(turned.facing[0])) == pytest.approx(abs(degrees), abs=1)
    if abs(degrees) < 180:
        assert np.sign(turned.facing[0]) == np.sign(degrees)
    assert posture_distance(turned, postures(standing()))[0, 0] > FACING * np.radians(abs(degrees)) * 0.99


def test_a_turn_back_is_told_without_depths():
    away = standing(**{name: (-x, y) for name, (x, y) in STANDING.items()})
    both = Postures.of(np.concatenate([standing(), away]), None, HEIGHT)
    assert both.facing == pytest.approx([0, np.pi])


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("the left hand at the face", {"left_wrist": (6, -92)}),
        ("the hands together", {"left_wrist": (2, 10), "right_wrist": (-2, 10)}),
        ("the right hand over the body", {"right_wrist": (0, -30)}),
        ("the forearms crossed", {"left_wrist": (-12, -20), "right_wrist": (12, -20)}),
        ("the legs crossed", {"left_ankle": (-14, 96), "right_ankle": (14, 96)}),
    ],
)
def test_crossings_are_seen_and_cost_where_the_footage_lacks_them(name, moved):
    crossed, still = postures(standing(**moved)), postures(standing())
    shown = dict(zip(CROSSINGS, crossed.crossings[0], strict=True))
    assert shown[name] and not still.crossings.any()
    there, back = posture_distance(crossed, still)[0, 0], posture_distance(still, crossed)[0, 0]
    assert there - back == pytest.approx(CROSSING * sum(shown.values()))


def test_postures_without_joints_are_not_compared():
    few = standing()
    few[:, BODY["left_hip"]] = 0
    found = nearest_postures(postures(np.concatenate([few, standing()])), postures(standing()))
    assert found.index.tolist() == [-1, 0] and np.isinf(found.distance[0])
    assert nearest_postures(postures(standing()), postures(standing(0))).index.tolist() == [-1]
