"""Smoothing over time: known answers of filter, gaps and jumps."""

import numpy as np
import pytest

from defaults import pose_settings
from understudy.semantics.pose import smooth_clip
from understudy.semantics.smoothing import bridge_gaps, mend_jumps, smooth_joints, smooth_runs, unbroken_runs

TIME = np.arange(40.0)


def track(place: np.ndarray, absent: slice | None = None) -> np.ndarray:
    values = np.column_stack([place, 2 * place, np.ones(len(place))])
    if absent is not None:
        values[absent] = 0
    return values


def test_runs():
    assert unbroken_runs(np.array([1, 1, 0, 0, 1, 0], bool)) == [(0, 2), (4, 5)]
    assert unbroken_runs(np.zeros(3, bool)) == []


def test_a_parabola_comes_through_unchanged():
    parabola = (0.3 * TIME**2 - 5 * TIME + 7)[:, None]
    np.testing.assert_allclose(smooth_runs(parabola, np.ones(40, bool), 7), parabola, atol=1e-9)


def test_an_impulse_is_answered_symmetrically():
    """Zero phase: the answer to an impulse is the filter's kernel, mirror-symmetric about the impulse."""
    impulse = np.zeros((40, 1))
    impulse[20] = 1
    answer = smooth_runs(impulse, np.ones(40, bool), 7)[:, 0]
    np.testing.assert_allclose(answer[17:24], np.array([-2, 3, 6, 7, 6, 3, -2]) / 21, atol=1e-12)
    assert np.abs(answer[:17]).max() < 1e-12


def test_runs_do_not_leak_into_each_other():
    values, present = np.zeros((40, 1)), np.ones(40, bool)
    values[20:], present[20] = 100, False
    smoothed = smooth_runs(values, present, 7)
    assert (smoothed[:20] == 0).all()
    np.testing.assert_allclose(smoothed[21:], 100)


def test_short_runs_and_window_one_are_left_alone():
    noise = np.random.default_rng(0).normal(size=(3, 1))
    np.testing.assert_array_equal(smooth_runs(noise, np.ones(3, bool), 7), noise)
    noise = np.random.default_rng(0).normal(size=(30, 1))
    np.testing.assert_array_equal(smooth_runs(noise, np.ones(30, bool), 1), noise)


@pytest.mark.parametrize(("length", "bridged"), [(1, True), (5, True), (6, False)])
def test_gaps_up_to_the_limit_are_bridged(length, bridged):
    given = track(TIME, slice(10, 10 + length))
    found = bridge_gaps(given, longest=5)
    assert (found[10 : 10 + length, 2] > 0).all() == bridged
    if bridged:
        np.testing.assert_allclose(found[:, 0], TIME)
        np.testing.assert_allclose(found[10 : 10 + length, 2], 0.5)
    else:
        np.testing.assert_array_equal(found, given)


def test_gaps_without_two_ends_stay():
    given = track(TIME, slice(0, 2))
    given[-2:] = 0
    np.testing.assert_array_equal(bridge_gaps(given, longest=5), given)


def test_a_single_jump_is_taken_out_and_a_fast_move_kept():
    jumping = track(TIME.copy())
    jumping[12, :2] += 30
    assert (mend_jumps(jumping, reach=5)[:, 2] == 0).nonzero()[0].tolist() == [12]
    turning = track(np.abs(TIME - 20) * 10)  # 10 px a frame, then back
    np.testing.assert_array_equal(mend_jumps(turning, reach=11), turning)


@pytest.mark.parametrize("length", range(1, 7))
def test_clips_of_a_few_frames_are_left_whole(length):
    straight = track(TIME[:length])
    np.testing.assert_array_equal(mend_jumps(straight, reach=2), straight)
    joints, depth = straight[:, None].astype(np.float32), np.zeros((length, 1), np.float32)
    smooth_joints(joints, depth, gap_frames=8, smooth_frames=7, reach=2)
    np.testing.assert_allclose(joints[:, 0], straight, atol=1e-5)


def test_smooth_joints_mends_bridges_and_keeps_depth_with_its_joint():
    joints = np.zeros((40, 2, 3), np.float32)
    joints[:, 0] = track(TIME)
    joints[15, 0, 0] += 50
    joints[30:, 0] = 0
    depth = np.zeros((40, 2), np.float32)
    depth[:30, 0] = 3
    smooth_joints(joints, depth, gap_frames=4, smooth_frames=7, reach=5)
    np.testing.assert_allclose(joints[:30, 0, 0], TIME[:30], atol=1e-4)
    np.testing.assert_allclose(depth[:30, 0], 3, atol=1e-5)
    assert not joints[30:, 0].any()
    assert not joints[:, 1].any()


@pytest.mark.parametrize(("gap", "valid"), [(4, True), (5, False)])
def test_frames_without_a_person(gap, valid):
    """A short gap is bridged and valid, a long one is zero rows; no row is lost or moved."""
    rows = {
        "body": np.tile(np.float32([50, 60, 0.9]), (30, 25, 1)),
        "face": np.zeros((30, 70, 3), np.float32),
        "hands": np.zeros((30, 2, 21, 3), np.float32),
        "body_z": np.zeros((30, 25), np.float32),
        "face_z": np.zeros((30, 70), np.float32),
        "hands_z": np.zeros((30, 2, 21), np.float32),
    }
    rows["body"][:, 4, 1] = np.arange(30) + 20
    rows["body"][10 : 10 + gap] = 0
    found = smooth_clip(rows, pose_settings("any", smooth_frames=7, gap_frames=4, motion_weight=0))
    expected = np.ones(30, bool)
    expected[10 : 10 + gap] = valid
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal((rows["body"][..., 2] > 0).all(1), expected)
    np.testing.assert_allclose(rows["body"][expected, 4, 1], (np.arange(30) + 20)[expected], atol=1e-4)


def test_a_guessed_palm_gives_way_between_two_seen_hands():
    rows = {
        "body": np.tile(np.float32([50, 60, 0.9]), (12, 25, 1)),
        "face": np.zeros((12, 70, 3), np.float32),
        "hands": np.tile(np.float32([40, 40, 1]), (12, 2, 21, 1)),
        "body_z": np.zeros((12, 25), np.float32),
        "face_z": np.zeros((12, 70), np.float32),
        "hands_z": np.zeros((12, 2, 21), np.float32),
    }
    rows["body"][:, 4, 1] = 200
    rows["hands"][5, 0] = 0
    rows["hands"][5, 0, [0, 2, 5, 17]] = (48, 40, 0.4)
    smooth_clip(rows, pose_settings("any", smooth_frames=1, gap_frames=4))
    np.testing.assert_allclose(rows["hands"][5, 0, :, 0], 40)


@pytest.mark.parametrize("weight", [0, 50])
def test_places_are_left_to_the_motion_where_it_counts(weight):
    """Depths are filtered either way."""
    random = np.random.default_rng(1)
    rows = {
        "body": np.tile(np.float32([50, 60, 0.9]), (12, 25, 1)),
        "face": np.zeros((12, 70, 3), np.float32),
        "hands": np.zeros((12, 2, 21, 3), np.float32),
        "body_z": random.normal(0, 1, (12, 25)).astype(np.float32),
        "face_z": np.zeros((12, 70), np.float32),
        "hands_z": np.zeros((12, 2, 21), np.float32),
    }
    rows["body"][:, 4, 1] = 400
    rows["body"][..., :2] += random.normal(0, 0.3, (12, 25, 2))
    before = {name: values.copy() for name, values in rows.items()}
    smooth_clip(rows, pose_settings("any", smooth_frames=7, gap_frames=4, motion_weight=weight))
    assert np.array_equal(rows["body"], before["body"]) == (weight > 0)
    assert np.abs(rows["body_z"]).mean() < 0.8 * np.abs(before["body_z"]).mean()
