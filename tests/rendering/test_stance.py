import numpy as np
import pytest

from handmade import standing_track
from understudy.rendering.stance import WINDOW_FRAMES, foot_place, rests, shifted, stand
from understudy.semantics.joints import BODY


def test_rests_are_found_between_steps():
    place = np.zeros((30, 2))
    place[12:18, 0] = np.linspace(2, 12, 6)
    place[18:, 0] = 14
    assert rests(place, np.ones(30, bool), 1.0) == [(0, 12), (18, 30)]


def test_what_is_not_seen_does_not_rest():
    seen = np.ones(20, bool)
    seen[8] = False
    assert rests(np.zeros((20, 2)), seen, 1.0) == [(0, 8), (9, 20)]
    assert rests(np.zeros((WINDOW_FRAMES - 1, 2)), seen[: WINDOW_FRAMES - 1], 1.0) == []


def test_feet_of_a_standing_driver_stand_while_the_body_sways():
    driver, moved = standing_track(40), standing_track(40)
    way = 2 * np.sin(np.arange(40) / 5)
    swaying = shifted(moved, np.stack([way, 0 * way], 1))
    held = stand(swaying, driver, 1.0)
    for side in ("left", "right"):
        assert np.ptp(foot_place(swaying, side)[0], axis=0).max() > 3.5
        assert np.ptp(foot_place(held, side)[0], axis=0).max() < 0.01
    assert np.allclose(held.body[..., 1], moved.body[..., 1])


def test_shaking_feet_are_calmed_and_slides_stay():
    calm = standing_track(40)
    noise = np.random.default_rng(0).normal(0, 0.07, (40, 2))  # px; steadied joints shake no more
    held = stand(shifted(calm, noise), shifted(calm, noise), 1.0)
    assert np.ptp(foot_place(held, "left")[0], axis=0).max() < 0.01
    slide = np.stack([0.15 * np.arange(40), np.zeros(40)], 1)  # 6 px, of a person of 90
    sliding = shifted(calm, slide)
    assert np.allclose(stand(sliding, sliding, 1.0).body, sliding.body, atol=1e-3)


def test_a_small_step_is_no_rest():
    """1.5 percent of the height up and down within a second, between two rests."""
    calm = standing_track(60)
    lift = np.zeros((60, 2))
    lift[20:44, 1] = -1.35 * np.sin(np.pi * np.arange(24) / 24)
    stepping = shifted(calm, lift)
    held = stand(stepping, stepping, 1.0)
    assert np.abs(held.body - stepping.body)[22:42].max() < 0.5
    way = np.abs(np.diff(held.body[:, BODY["left_heel"], 1])).sum()
    assert way > 0.7 * np.abs(np.diff(stepping.body[:, BODY["left_heel"], 1])).sum()


def test_absent_feet_stay_absent():
    driver = standing_track(20)
    driver.body[:, BODY["left_ankle"]] = 0
    held = stand(driver, driver, 1.0)
    assert (held.body[:, BODY["left_ankle"]] == 0).all()
    nobody = standing_track(20)
    nobody.body[:] = 0
    assert stand(nobody, nobody, 1.0) is nobody


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_leg_is_stretched_by_no_more_than_a_little(scale):
    driver, moved = standing_track(30), standing_track(30, scale=scale)
    moved.body[:, BODY["left_heel"], 0] += np.linspace(0, 40 * scale, 30)
    held = stand(moved, driver, scale)
    off = held.body[:, BODY["left_ankle"], :2] - moved.body[:, BODY["left_ankle"], :2]
    hips = held.body[:, BODY["left_hip"], :2] - moved.body[:, BODY["left_hip"], :2]
    assert np.linalg.norm(off - hips, axis=1).max() <= 0.03 * 90 * scale + 1e-3
