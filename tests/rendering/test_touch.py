from dataclasses import replace

import numpy as np
import pytest

from handmade import standing_track
from understudy.dataset.statistics import measure_body
from understudy.rendering.reach import reach
from understudy.rendering.retarget import retarget
from understudy.rendering.touch import keep_touching
from understudy.semantics.joints import BODY


def touching_hip(track, way=(4.0, -3.0)):
    """The left hand laid on the left hip, on every frame."""
    body, hands = track.body.copy(), track.hands.copy()
    arm = [
        np.dstack([body[..., :2], track.body_z[..., None]])[:, BODY[f"left_{j}"]]
        for j in ("shoulder", "elbow", "wrist")
    ]
    size = np.ptp(body[0, :, 1]) / 94
    target = np.dstack([body[..., :2], track.body_z[..., None]])[:, BODY["left_hip"]] + size * np.array([*way, 0])
    elbow, wrist = reach(*arm, target, np.tile([1.0, 0, 0], (len(body), 1)))
    body_z = track.body_z.copy()
    for joint, place in (("elbow", elbow), ("wrist", wrist)):
        body[:, BODY[f"left_{joint}"], :2], body_z[:, BODY[f"left_{joint}"]] = place[:, :2], place[:, 2]
    hands[:, 0, :, :2] = wrist[:, None, :2]
    return replace(track, body=body, body_z=body_z, hands=hands)


def to_hip(track) -> np.ndarray:
    return track.body[:, BODY["left_wrist"], :2] - track.body[:, BODY["left_hip"], :2]


def test_a_hand_on_the_hip_stays_on_the_hip_of_longer_arms():
    driver, performer = touching_hip(standing_track(24)), standing_track(24)
    longer = performer.body
    for side in ("left", "right"):
        for joint, way in (("elbow", 10), ("wrist", 20)):
            longer[:, BODY[f"{side}_{joint}"], 1] += way
    performer.hands[..., 1] += 20
    moved = retarget(driver, measure_body(driver), measure_body(performer), "hip")
    assert np.linalg.norm(to_hip(moved) - to_hip(driver), axis=1).max() < 1.5
    upper = np.linalg.norm(np.diff(moved.body[:, [BODY["left_shoulder"], BODY["left_elbow"]], :2], axis=1), axis=-1)
    assert upper.min() > 20  # the longer arm is bent, not shrunk


def test_free_hands_are_left_alone():
    driver = standing_track(24)
    for side, sign in (("left", 1), ("right", -1)):
        driver.body[:, BODY[f"{side}_wrist"], 0] += 25 * sign
        driver.hands[:, 0 if side == "left" else 1, :, 0] += 25 * sign
    moved = standing_track(24, scale=1.3)
    assert keep_touching(moved, driver, 1.3) is moved


def test_a_hand_far_before_the_chest_does_not_touch_it():
    driver = touching_hip(standing_track(24))
    driver.body_z[:, BODY["left_wrist"]] = -40
    driver.hands_z[:, 0] = -40
    assert keep_touching(driver, driver, 1.0) is driver


def test_folded_hands_stay_together():
    driver = standing_track(24)
    for row, side in enumerate(("left", "right")):
        driver.body[:, BODY[f"{side}_wrist"], :2] = [64 + (1 if side == "left" else -1), 45]
        driver.body_z[:, BODY[f"{side}_wrist"]] = -30
        driver.hands[:, row, :, :2] = driver.body[:, BODY[f"{side}_wrist"], None, :2]
        driver.hands_z[:, row] = -30
    performer = standing_track(24)
    performer.body[:, [BODY["left_shoulder"], BODY["left_elbow"], BODY["left_wrist"]], 0] += 6
    performer.body[:, [BODY["right_shoulder"], BODY["right_elbow"], BODY["right_wrist"]], 0] -= 6
    moved = retarget(driver, measure_body(driver), measure_body(performer), "hip")
    wrists = moved.body[:, [BODY["left_wrist"], BODY["right_wrist"]], 0]
    assert wrists[:, 0] - wrists[:, 1] == pytest.approx(2, abs=1)
