import numpy as np
import pytest

from handmade import standing_track
from understudy.dataset.statistics import measure_body
from understudy.dataset.track import FEET, PoseTrack
from understudy.rendering.retarget import retarget
from understudy.semantics.joints import BODY

LEGS = [number for name, number in BODY.items() if any(part in name for part in ("knee", "ankle", "toe", "heel"))]
HIPS = [BODY[name] for name in ("mid_hip", "left_hip", "right_hip")]


def cut(track: PoseTrack, joints: list[int]) -> PoseTrack:
    track.body[:, joints] = 0
    return track


def test_a_driver_seen_to_the_waist_stands_on_the_performers_ground(caplog):
    driver, performer = cut(standing_track(24, scale=2, x=200, ground=250), LEGS), standing_track(24)
    moved = retarget(driver, measure_body(driver), measure_body(performer), "ground")
    assert "shows no feet" in caplog.text
    assert (moved.body[:, LEGS, 2] > 0).all()
    assert moved.lowest(FEET) == pytest.approx(110, abs=0.5)
    assert np.ptp(moved.body[:, BODY["left_ankle"], :2], axis=0).max() < 0.1
    assert np.allclose(moved.body[:, HIPS, :2], performer.body[:, HIPS, :2], atol=0.5)
    thigh = np.linalg.norm(moved.body[:, BODY["left_knee"], :2] - moved.body[:, BODY["left_hip"], :2], axis=1)
    assert thigh.max() <= np.hypot(1, 22) * 1.01


def test_a_driver_without_hips_is_placed_by_the_shoulders():
    driver, performer = cut(standing_track(24, scale=2, x=200, ground=250), LEGS + HIPS), standing_track(24)
    moved = retarget(driver, measure_body(driver), measure_body(performer), "ground")
    shoulders = [BODY["left_shoulder"], BODY["right_shoulder"]]
    assert np.allclose(moved.body[:, shoulders, :2], performer.body[:, shoulders, :2], atol=0.5)
    assert (moved.body[:, LEGS, 2] > 0).all() and moved.lowest(FEET) == pytest.approx(110, abs=0.5)


def test_legs_that_the_performer_never_showed_are_not_drawn(caplog):
    driver, performer = standing_track(24, scale=2, x=200, ground=250), cut(standing_track(24), LEGS)
    moved = retarget(driver, measure_body(driver), measure_body(performer), "ground")
    assert "no knees and no ankles" in caplog.text
    assert (moved.body[:, LEGS] == 0).all()
    upper = [number for number in range(25) if number not in LEGS]
    assert np.allclose(moved.body[:, upper, :2], performer.body[:, upper, :2], atol=0.5)


def test_two_halves_need_no_legs(caplog):
    driver, performer = (cut(standing_track(24, scale=scale), LEGS + HIPS) for scale in (2, 1))
    moved = retarget(driver, measure_body(driver), measure_body(performer), "ground")
    assert (moved.body[:, LEGS] == 0).all()
    assert np.allclose(moved.body[:, BODY["nose"], :2], performer.body[:, BODY["nose"], :2], atol=0.5)
