"""MediaPipe's landmarks mapped to the OpenPose layouts: known answers of tables, absence, palms and depth."""

import numpy as np
import pytest

from understudy.semantics.joints import BODY, FACE_CURVES
from understudy.semantics.pose_backends._landmark_bias import correct_bias
from understudy.semantics.pose_backends.mediapipe import (
    BODY_SOURCES,
    FACE_SOURCES,
    PALM_JOINTS,
    body_depth,
    drop_absent,
    map_body,
    map_face,
    map_hands,
)

# MediaPipe's own names of the landmarks that have a BODY_25 partner.
NAMED = {
    "nose": 0,
    "left_eye": 2,
    "right_eye": 5,
    "left_ear": 7,
    "right_ear": 8,
    "left_shoulder": 11,
    "right_shoulder": 12,
    "left_elbow": 13,
    "right_elbow": 14,
    "left_wrist": 15,
    "right_wrist": 16,
    "left_hip": 23,
    "right_hip": 24,
    "left_knee": 25,
    "right_knee": 26,
    "left_ankle": 27,
    "right_ankle": 28,
    "left_heel": 29,
    "right_heel": 30,
    "left_big_toe": 31,
    "right_big_toe": 32,
}


@pytest.fixture
def standing() -> np.ndarray:
    """33 landmarks (33, 4) of a person who faces the camera: x px, y px, depth px, visibility."""
    landmarks = np.zeros((33, 4))
    landmarks[:, 3] = 0.9
    rows = {0: 40, 11: 60, 13: 85, 15: 110, 23: 120, 25: 160, 27: 200, 29: 206, 31: 210, 2: 35, 7: 37}
    out = {0: 0, 11: 20, 13: 25, 15: 28, 23: 12, 25: 13, 27: 13, 29: 13, 31: 18, 2: 4, 7: 8}
    for left, row in rows.items():
        right = left + (3 if left == 2 else 1) if left else 0
        landmarks[right, :2] = (100 - out[left], row)
        landmarks[left, :2] = (100 + out[left], row)
    return landmarks


def test_body_table_is_mediapipes_names():
    found = {name: sources[0] for name, sources in BODY_SOURCES.items() if name in NAMED}
    assert found == NAMED
    assert BODY_SOURCES["neck"] == (11, 12)
    assert BODY_SOURCES["mid_hip"] == (23, 24)
    assert tuple(BODY_SOURCES) == tuple(BODY)


def test_face_table_has_mediapipes_left_and_right():
    """Known landmarks: 33 outer corner of the right eye, 263 of the left, 61 right corner of the lips, 152 chin."""
    assert len(FACE_SOURCES) == 70
    assert FACE_SOURCES[FACE_CURVES["right_eye"][0]] == (33,)
    assert FACE_SOURCES[45] == (263,)
    assert FACE_SOURCES[48] == (61,)
    assert FACE_SOURCES[8] == (152,)


def test_map_body_keeps_sides_and_lowest_score(standing):
    standing[11, 3] = 0.4
    body, depth = map_body(standing)
    assert body[BODY["left_wrist"], 0] > 100 > body[BODY["right_wrist"], 0]
    assert body[BODY["neck"], 2] == pytest.approx(0.4)
    assert body[BODY["left_small_toe"], 2] == pytest.approx(0.45)
    assert body[BODY["left_small_toe"], 0] > body[BODY["left_big_toe"], 0]
    assert depth[BODY["mid_hip"]] == 0


def test_bias_moves_every_joint_little_and_symmetrically(standing):
    places = np.stack([standing[list(BODY_SOURCES[name]), :3].mean(0) for name in BODY])
    moved = correct_bias(places) - places
    assert np.abs(moved).max() < 0.06 * 180
    assert np.linalg.norm(moved[BODY["left_shoulder"]]) > 1
    np.testing.assert_allclose(moved[BODY["left_knee"]] * [-1, 1, 1], moved[BODY["right_knee"]], atol=1e-9)


def test_depth_has_the_pictures_scale():
    """A person 1.7 m tall and 170 px high has 100 px per metre; away from the camera is positive."""
    generator = np.random.default_rng(1)
    world = generator.normal(size=(33, 3)).astype(np.float32)
    landmarks = np.column_stack([world[:, :2] * 100 + 50, np.zeros(33), np.ones(33)])
    np.testing.assert_allclose(body_depth(landmarks, world), 65 * world[:, 2], rtol=1e-4)


def test_face_sits_at_the_ears():
    landmarks = np.random.default_rng(2).uniform(0, 50, (478, 3))
    body_z = np.zeros(25)
    body_z[[BODY["left_ear"], BODY["right_ear"]]] = 7
    face, depth = map_face(landmarks, body_z)
    assert depth[[0, 16]].mean() == pytest.approx(7, abs=1e-4)
    np.testing.assert_allclose(face[8, :2], landmarks[152, :2], rtol=1e-6)
    assert (face[:, 2] == 1).all()
    assert not map_face(None, body_z)[0].any()


def test_hands_found_missing_and_on_a_ball(standing):
    body, body_z = map_body(standing)
    hand = np.zeros((21, 3))
    hand[:, :2] = standing[15, :2] + np.linspace(0, 15, 21)[:, None]
    hands, _ = map_hands([hand, None], standing, body, body_z)
    assert (hands[0, :, 2] == 1).all()
    np.testing.assert_allclose(hands[0, :, :2], hand[:, :2])
    assert np.flatnonzero(hands[1, :, 2]).tolist() == sorted(PALM_JOINTS)
    assert hands[1, 0, 2] == pytest.approx(0.45)
    elsewhere, _ = map_hands([hand + np.array([80, 0, 0]), None], standing, body, body_z)
    assert (elsewhere[0, :, 2] > 0).sum() == len(PALM_JOINTS)


def test_joints_outside_or_unsure_are_absent():
    joints = np.zeros((25, 3), np.float32)
    joints[:, :] = (10, 10, 0.9)
    joints[0, 0], joints[1, 1], joints[2, 2], joints[3, 0] = -0.1, 64.1, 0.29, 64
    joints[BODY["left_small_toe"], 2] = 0.2
    depth = np.ones(25, np.float32)
    drop_absent(joints, depth, height=64, width=64, min_score=0.3)
    assert np.flatnonzero(~joints.any(1)).tolist() == [0, 1, 2]
    assert np.flatnonzero(depth == 0).tolist() == [0, 1, 2]
