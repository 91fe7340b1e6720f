import numpy as np
import pytest

from handmade import standing_track
from understudy.dataset.statistics import measure_body
from understudy.dataset.track import PoseTrack
from understudy.errors import FootageError
from understudy.rendering.normalise import move_surface, move_track, normalise


def normalised(driver: PoseTrack, performer: PoseTrack) -> PoseTrack:
    return move_track(driver, normalise(driver, measure_body(driver), measure_body(performer)))


def near_and_far(near_scale: float, far_scale: float, near: float, far: float, x: float = 64) -> PoseTrack:
    """First 20 frames near the camera, then 20 far from it."""
    return PoseTrack.join(
        [
            standing_track(20, scale=near_scale, ground=near, x=x),
            standing_track(20, scale=far_scale, ground=far, x=x),
        ]
    )


def test_the_performer_drives_itself_unchanged():
    track = near_and_far(1.5, 1.0, 180, 150)
    assert np.allclose(normalised(track, track).body, track.body, atol=0.05)


def test_near_and_far_land_on_near_and_far():
    driver, performer = near_and_far(3.0, 2.0, 400, 300, x=250), near_and_far(1.5, 1.0, 180, 140)
    moved = normalised(driver, performer)
    assert np.allclose(moved.body, performer.body, atol=0.1)
    assert np.allclose(moved.face, performer.face, atol=0.1)
    assert np.allclose(moved.hands, performer.hands, atol=0.1)


def test_halfway_takes_the_middle_scale():
    driver = PoseTrack.join(
        [near_and_far(2.0, 1.0, 400, 300), *(standing_track(1, scale=1.5, ground=350 + shift) for shift in (0, 0))]
    )
    performer = near_and_far(1.0, 0.5, 200, 150)
    similarity = normalise(driver, measure_body(driver), measure_body(performer))
    assert similarity.scale[[0, 20, 40]] == pytest.approx([0.5, 0.5, 0.5], abs=1e-3)
    driver_statistics = measure_body(driver)
    ankle = driver.lowest([11, 14])
    assert (ankle[40] - driver_statistics.stance.far_px) / (
        driver_statistics.stance.near_px - driver_statistics.stance.far_px
    ) == pytest.approx(0.5, abs=0.02)


def test_a_driver_on_the_spot_does_not_walk_the_performers_range():
    driver, performer = standing_track(40, scale=2, ground=300), near_and_far(1.5, 1.0, 180, 140)
    moved = normalised(driver, performer)
    ankles = moved.lowest([11, 14])
    assert np.ptp(ankles) < 0.1
    assert 134 < ankles[0] < 174


def test_a_jump_is_carried_by_the_scale():
    driver = standing_track(60, scale=2, ground=300)
    driver.body[30:32, :, 1] -= 30
    moved = normalised(driver, standing_track(40))
    ankles = moved.lowest([11, 14])
    assert ankles[0] - ankles[30] == pytest.approx(15, abs=0.2)


def test_unseen_feet_are_refused():
    driver = standing_track(24)
    driver.body[:, [11, 14]] = 0
    with pytest.raises(FootageError, match="driving clip shows the ankles in fewer than 5 frames"):
        normalised(driver, standing_track(24))


def test_a_moved_surface_is_the_same_surface_elsewhere():
    part = np.zeros((8, 8), np.uint8)
    part[2:4, 2:4] = 7
    part[2, 2] = 9
    same = move_surface(part, 1.0, np.zeros(2), 8, 8, (1, 1))
    assert np.array_equal(same, part)
    twice = move_surface(part, 2.0, np.array([1.0, -2.0]), 12, 14, (1, 1))
    expected = np.zeros((12, 14), np.uint8)
    expected[2:6, 5:9] = 7
    expected[2:4, 5:7] = 9
    assert np.array_equal(twice, expected)
    finer = move_surface(part, 1.0, np.zeros(2), 8, 8, (1, 2))
    assert np.array_equal(finer, np.repeat(np.repeat(part, 2, 0), 2, 1))
