import numpy as np
import pytest

from handmade import standing_track
from understudy.dataset.statistics import measure_body
from understudy.rendering.lean import lean, turned_upright


@pytest.mark.parametrize("degrees", [-20.0, 12.0])
def test_a_rolled_camera_is_found_and_turned_back(degrees):
    upright = standing_track(24)
    rolled, matrix = turned_upright(upright, degrees, 0)
    assert measure_body(rolled).up[0] == pytest.approx(degrees, abs=0.1)
    assert np.allclose(matrix[:2, :2] @ matrix[:2, :2].T, np.eye(2))
    roll, pitch = lean(measure_body(rolled), measure_body(upright))
    assert (roll, pitch) == (pytest.approx(-degrees, abs=0.1), 0)
    assert np.allclose(turned_upright(rolled, roll, pitch)[0].body, upright.body, atol=0.2)


@pytest.mark.parametrize("degrees", [-25.0, 15.0])
def test_a_pitched_camera_is_found_and_turned_back(degrees):
    upright = standing_track(24)
    pitched, _ = turned_upright(upright, 0, degrees)
    assert np.ptp(pitched.body[0, :, 1]) < 0.98 * np.ptp(upright.body[0, :, 1])
    assert measure_body(pitched).up[1] == pytest.approx(degrees, abs=0.1)
    back, _ = turned_upright(pitched, *lean(measure_body(pitched), measure_body(upright)))
    assert np.allclose(back.body, upright.body, atol=0.1) and np.allclose(back.body_z, upright.body_z, atol=0.1)


def test_small_leans_and_lying_people_are_left_alone():
    upright = standing_track(24)
    for degrees in (2.0, 90.0):
        rolled, _ = turned_upright(upright, degrees, 0)
        assert lean(measure_body(rolled), measure_body(upright)) == (0, 0)
    track, matrix = turned_upright(upright, 0, 0)
    assert track is upright and np.array_equal(matrix, np.eye(3))
