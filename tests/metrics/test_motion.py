"""Known answers: one joint off, absent joints, a panned texture that keeps or loses its looks."""

import numpy as np
import pytest

from understudy.metrics.motion import (
    JOINTS_17,
    body_height,
    drift,
    joint_distances,
    joint_error,
    pck,
    warp_error,
)
from understudy.semantics.joints import BODY


def joints(frames: int = 4, count: int = 17) -> np.ndarray:
    made = np.random.default_rng(1).uniform(10, 90, (frames, count, 3)).astype(np.float32)
    made[..., 2] = 1
    return made


def test_the_truth_has_no_error():
    true = joints()
    error = joint_error(true, true, 100)
    assert (error.median_percent, error.p95_percent, error.missing_share) == (0, 0, 0)
    assert pck(true, true, 0.05, 100) == 1


def test_errors_are_percent_of_the_height():
    true = joints()
    shifted = true + np.float32((3, 4, 0))
    error = joint_error(shifted, true, 200)
    assert error.median_percent == pytest.approx(2.5)
    assert error.p95_percent == pytest.approx(2.5)
    assert pck(shifted, true, 0.025 + 1e-6, 200) == 1
    assert pck(shifted, true, 0.024, 200) == 0


def test_absent_joints_are_missing_not_far():
    true, estimated = joints(), joints()
    estimated[0, :, :] = 0  # one of four frames
    error = joint_error(estimated, true, 100)
    assert error.median_percent == 0
    assert error.missing_share == 0.25
    assert pck(estimated, true, 0.05, 100) == 0.75
    assert np.isnan(joint_distances(estimated, true)[0]).all()
    true[0] = 0  # not asked for
    assert joint_error(estimated, true, 100).missing_share == 0
    assert np.isnan(joint_error(np.zeros_like(true), true, 100).median_percent)


def test_a_standing_body_is_measured_from_nose_to_foot():
    body = np.zeros((10, 25, 3), np.float32)
    body[:, BODY["nose"]] = (50, 20, 1)
    body[:, BODY["left_ankle"]] = (50, 110, 1)
    body[:9, BODY["right_heel"]] = (50, 120, 1)
    assert body_height(body) == pytest.approx(100)


def test_without_feet_the_torso_tells_the_height():
    body = np.zeros((5, 25, 3), np.float32)
    assert np.isnan(body_height(body))
    body[:, BODY["neck"]] = (50, 30, 1)
    body[:, BODY["mid_hip"]] = (50, 60, 1)
    assert body_height(body) == pytest.approx(90)


def test_the_seventeen_are_distinct_and_leave_out_means_and_feet():
    assert len(set(JOINTS_17)) == 17
    names = {name for name, joint in BODY.items() if joint in JOINTS_17}
    assert not any("toe" in name or "heel" in name or name in ("neck", "mid_hip") for name in names)


def test_warp_error_sees_flicker_but_not_motion():
    wide = np.random.default_rng(2).integers(0, 200, (20, 40, 3), dtype=np.uint8)
    before, picture = wide[:, 10:30], wide[:, 12:32]  # content moves 2 px to the left
    flow = np.zeros((20, 20, 2), np.float32)
    flow[..., 0] = 2
    trusted = np.zeros((20, 20), bool)
    trusted[:, :18] = True
    assert warp_error(picture, before, flow, trusted) == 0
    assert warp_error(picture + np.uint8(51), before, flow, trusted) == pytest.approx(0.2)
    assert warp_error(picture, before, flow * 0, trusted) > 0.1
    assert np.isnan(warp_error(picture, before, flow, trusted & False))


def test_drift_is_last_quarter_minus_first():
    assert drift(np.array([4.0, 4, 0, 0, 0, 0, 1, 3])) == -2
    assert drift(np.array([1.0])) == 0
