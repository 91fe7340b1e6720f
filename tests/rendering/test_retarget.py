from dataclasses import replace

import numpy as np
import pytest

from handmade import standing_track
from understudy.dataset.statistics import measure_body
from understudy.dataset.track import FEET, PoseTrack
from understudy.rendering.gaps import fill_linear
from understudy.rendering.retarget import bone_ratios, retarget
from understudy.semantics.joints import BODY


def transferred(driver: PoseTrack, performer: PoseTrack, place: str = "ground") -> PoseTrack:
    return retarget(driver, measure_body(driver), measure_body(performer), place)


def length(track: PoseTrack, start: str, end: str) -> np.ndarray:
    a, b = (track.body[:, BODY[name], :2] for name in (start, end))
    return np.linalg.norm(a - b, axis=1)


@pytest.mark.parametrize("place", ["ground", "hip"])
def test_the_performer_drives_itself_unchanged(place):
    track = standing_track(24)
    moved = transferred(track, track, place)
    for name in ("body", "face", "hands", "body_z", "face_z", "hands_z"):
        assert np.allclose(getattr(moved, name), getattr(track, name), atol=1e-3), name


@pytest.mark.parametrize("place", ["ground", "hip"])
@pytest.mark.parametrize("scale", [0.4, 2.0])
def test_a_driver_of_another_size_and_place_becomes_the_performer(scale, place):
    performer = standing_track(24)
    moved = transferred(standing_track(24, scale=scale, x=200, ground=300), performer, place)
    for name in ("body", "face", "hands"):
        assert np.allclose(getattr(moved, name), getattr(performer, name), atol=1e-2), name


def test_legs_become_the_performers():
    driver, performer = standing_track(24, legs=1.3), standing_track(24)
    moved = transferred(driver, performer)
    for start, end in (("left_hip", "left_knee"), ("right_knee", "right_ankle"), ("left_shoulder", "left_elbow")):
        assert np.allclose(length(moved, start, end), length(performer, start, end), atol=0.05)
    assert np.allclose(moved.body[..., :2], performer.body[..., :2], atol=0.3)  # knees lie 1 px outside the hips


def test_a_childs_head_becomes_the_performers():
    driver, performer = standing_track(24, scale=0.7, head=1.5), standing_track(24)
    moved = transferred(driver, performer)
    assert np.ptp(moved.face[..., 0], axis=1) == pytest.approx(np.ptp(performer.face[..., 0], axis=1), rel=1e-3)
    assert np.allclose(moved.body[:, BODY["left_ear"]], performer.body[:, BODY["left_ear"]], atol=0.05)


def test_feet_stay_on_the_performers_ground_and_jumps_scale_with_the_legs():
    driver = standing_track(40, scale=2, ground=250)
    driver.body[30:33, :, 1] -= 20  # a jump of 20 px
    moved = transferred(driver, standing_track(24, ground=110))
    low = moved.lowest(FEET)
    assert low[:30] == pytest.approx(110, abs=0.01)
    assert low[30:33] == pytest.approx(110 - 10, abs=0.01)


def test_sideways_motion_scales_with_the_legs():
    moved = transferred(standing_track(24, scale=2, x=300, sway=30), standing_track(24, x=64))
    assert np.ptp(moved.body[:, 8, 0]) == pytest.approx(30, rel=0.02)
    assert np.median(moved.body[:, 8, 0]) == pytest.approx(64, abs=0.1)


def test_bone_vectors_keep_their_direction():
    driver = standing_track(24, scale=1.7, legs=0.8)
    moved = transferred(driver, standing_track(24))
    for start, end in (("left_elbow", "left_wrist"), ("right_hip", "right_knee"), ("left_ankle", "left_big_toe")):
        vectors = [each.body[:, BODY[end], :2] - each.body[:, BODY[start], :2] for each in (driver, moved)]
        units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in vectors]
        assert np.allclose(*units, atol=1e-4)


def test_scores_are_the_drivers():
    driver = standing_track(24)
    driver.body[3:6, 4] = 0  # right wrist hidden
    driver.body[..., 2] *= 0.7
    driver.face[5] = 0
    moved = transferred(driver, standing_track(24))
    assert np.array_equal(moved.body[..., 2], driver.body[..., 2])
    assert (moved.body[3:6, 4] == 0).all() and (moved.face[5] == 0).all()


def test_a_hidden_joint_does_not_move_its_children():
    driver = standing_track(24)
    seen = transferred(driver, standing_track(24))
    driver.body[7, BODY["left_elbow"]] = 0
    hidden = transferred(driver, standing_track(24))
    assert np.allclose(hidden.body[7, BODY["left_wrist"]], seen.body[7, BODY["left_wrist"]], atol=0.5)


def test_a_hand_that_came_off_is_drawn_back_to_its_wrist():
    driver = standing_track(24)
    driver.hands[4, 0, :, 0] += 30
    moved = transferred(driver, standing_track(24))
    palm = measure_body(driver).flat["hand"]
    off = np.linalg.norm(moved.hands[:, 0, 0, :2] - moved.body[:, BODY["left_wrist"], :2], axis=1)
    assert off[4] == pytest.approx(palm / 2, rel=0.05)
    assert off[5] < 0.01


def test_hidden_hips_keep_their_way_from_the_shoulders():
    driver, performer = standing_track(24, scale=2, x=120, ground=200), standing_track(24)
    whole = transferred(driver, performer, "hip")
    driver.body[10, [8, 9, 12]] = 0
    hidden = transferred(driver, performer, "hip")
    assert np.allclose(hidden.body[10, BODY["neck"]], whole.body[10, BODY["neck"]], atol=0.05)


def test_unseen_feet_leave_the_height_to_the_hips():
    driver, performer = standing_track(24, scale=2, ground=200), standing_track(24)
    driver.body[:, [11, 14, 19, 20, 21, 22, 23, 24]] = 0
    moved = transferred(driver, performer, "ground")
    assert np.allclose(moved.body[:, 8, 1], performer.body[:, 8, 1], atol=0.1)


def test_ratios_are_held_near_the_rest_of_the_body():
    driver, performer = standing_track(24), standing_track(24, scale=3)
    driver.hands[..., :2] = driver.hands[:, :, :1, :2] + (driver.hands[..., :2] - driver.hands[:, :, :1, :2]) / 10
    ratios = bone_ratios(measure_body(driver), measure_body(performer))
    assert ratios["hand"] == pytest.approx(3 * 1.6, rel=1e-3)
    assert ratios["thigh"] == pytest.approx(3, rel=1e-3)


def test_depth_counts_only_when_both_clips_have_it():
    driver, performer = standing_track(24), standing_track(24)
    driver.body_z[:, [10, 13]] = 30
    assert bone_ratios(measure_body(driver), measure_body(performer))["thigh"] < 0.7
    flat = PoseTrack(performer.body, performer.face, performer.hands, performer.valid)
    assert bone_ratios(measure_body(driver), measure_body(flat))["thigh"] == pytest.approx(1, rel=1e-3)
    moved = retarget(driver, measure_body(driver), measure_body(flat), "hip")
    assert np.allclose(moved.body_z, driver.body_z, atol=1e-3)


def test_depth_in_which_bones_change_their_length_counts_little():
    """The driver's thighs are as long as the performer's in the picture and look longer by what depth makes up."""
    driver, performer = measure_body(standing_track()), measure_body(standing_track())
    solid = dict(driver.solid) | {"thigh": 1.5 * driver.solid["thigh"]}
    steady, shaking = (replace(driver, solid=solid, wobble=wobble) for wobble in (0.01, 0.15))
    assert bone_ratios(steady, performer)["thigh"] == pytest.approx(1 / 1.5, rel=0.02)
    assert bone_ratios(shaking, performer)["thigh"] == pytest.approx(1, rel=0.02)
    assert bone_ratios(steady, replace(performer, wobble=0.15))["thigh"] == pytest.approx(1, rel=0.02)
    unknown = replace(driver, solid=solid, wobble=None)  # of a file from before it was measured
    assert bone_ratios(unknown, performer)["thigh"] == pytest.approx(1 / 1.5, rel=0.02)


def test_gaps_are_filled_linearly():
    values = np.array([[0.0], [9.0], [2.0], [9.0]])
    assert fill_linear(values, np.array([True, False, True, False])).ravel().tolist() == [0, 1, 2, 2]
