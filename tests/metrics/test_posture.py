"""Known answers: the same posture elsewhere, one limb off, a turn, a crossing, postures that cannot be compared."""

import numpy as np
import pytest

from standing import HEIGHT, STANDING, postures, standing, turned_body
from understudy.metrics.posture import (
    CROSSING,
    CROSSINGS,
    FACING,
    Postures,
    limb_distance,
    nearest_postures,
    posture_distance,
)
from understudy.semantics.joints import BODY


def test_the_same_posture_is_found_wherever_it_stands():
    others = np.concatenate([standing(left_wrist=(30 + 9 * number, -20)) for number in range(6)])
    mine = others[[4, 1]].copy()
    mine[..., :2] += (80, -13)
    found = nearest_postures(postures(mine), postures(others))
    assert found.index.tolist() == [4, 1]
    assert found.distance == pytest.approx(0, abs=1e-6)


def test_distance_is_the_mean_over_joints():
    moved = standing(left_wrist=(32 + 30, 0))
    apart = posture_distance(postures(moved), postures(standing()))[0, 0]
    assert apart == pytest.approx(30 / 17 / HEIGHT, rel=1e-5)


def test_a_limb_is_compared_by_itself_about_its_root():
    """Both arms are known, each from another frame; the leg moved with its hip is the leg it was."""
    up, out = (
        {"left_elbow": (30, -95), "left_wrist": (32, -130)},
        {"right_elbow": (-55, -70), "right_wrist": (-90, -70)},
    )
    footage = postures(np.concatenate([standing(**up), standing(**out)]))
    assert limb_distance(postures(standing(**up, **out)), footage, 1) == pytest.approx(0, abs=1e-7)
    assert nearest_postures(postures(standing(**up, **out)), footage).distance[0] > 0.03
    far = limb_distance(postures(standing(left_wrist=(32, -40))), postures(standing()), 1)
    assert far == pytest.approx(40 / 2 / 5 / HEIGHT)  # of elbow and wrist, of five limbs


def test_what_was_shown_for_an_instant_is_hardly_known():
    footage = postures(np.concatenate([standing(9), standing(left_wrist=(32, -40))]))
    raised = postures(standing(left_wrist=(32, -40)))
    assert limb_distance(raised, footage, 1) == pytest.approx(0, abs=1e-7)
    assert limb_distance(raised, footage, 10) == pytest.approx(0.9 * 40 / 2 / 5 / HEIGHT)


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
