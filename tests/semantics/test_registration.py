"""Joints registered to the matte: shifted joints come back, absent ones stay absent, the matte of others is ignored."""

import numpy as np
import pytest

from understudy.body.figure import TO_CAMERA
from understudy.body.fit import BodyShape, draw_fitted, fit_body
from understudy.body.model import Body
from understudy.body.rotation import rotation
from understudy.semantics.joints import BODY
from understudy.semantics.registration import MOVED, figure_at, joint_influence, register_clip

PX_PER_M, SIZE, FRAMES = 90.0, 192, 12
MOVING = [BODY[name] for name in MOVED]


@pytest.fixture
def clip() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Exact joints of a person who waves, as arrays of pose.h5, and the mattes of the body drawn from them."""
    body = Body("neutral")
    rows = {"body": np.ones((FRAMES, 25, 3), np.float32), "face": np.ones((FRAMES, 70, 3), np.float32)}
    rows |= {"hands": np.ones((FRAMES, 2, 21, 3), np.float32), "body_z": np.zeros((FRAMES, 25), np.float32)}
    rows |= {"face_z": np.zeros((FRAMES, 70), np.float32), "hands_z": np.zeros((FRAMES, 2, 21), np.float32)}
    mattes = []
    for frame in range(FRAMES):
        turn = rotation((0, 1, 0), -40 - 3 * frame)
        vertices = body.posed({"upperarm01.L": turn, "upperarm01.R": turn.T}).vertices
        for name, points in (
            ("body", body.joints(vertices)),
            ("face", body.face(vertices)),
            ("hands", body.hands(vertices)),
        ):
            place = points @ TO_CAMERA.T * PX_PER_M + [SIZE / 2, SIZE / 2, 0]
            rows[name][frame, ..., :2], rows[f"{name}_z"][frame] = place[..., :2], place[..., 2]
        part, _ = draw_fitted(fit_body(figure_at(rows, frame), BodyShape(PX_PER_M, 1.2, PX_PER_M)), SIZE, SIZE)
        mattes.append(np.where(part > 0, 255, 0).astype(np.uint8))
    return rows, np.stack(mattes)


def error(rows: dict[str, np.ndarray], exact: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(rows["body"][:, MOVING, :2] - exact[:, MOVING, :2], axis=2)))


def test_influence_sums_to_one_and_ends_at_the_joints():
    numbers, influence = joint_influence()
    np.testing.assert_allclose(influence.sum(1), 1, atol=1e-6)
    assert len(numbers) > 3000
    assert (influence.max(0) > 0.9).all()


def test_joints_that_fit_stay_where_they_are(clip):
    rows, mattes = clip
    exact = rows["body"].copy()
    register_clip(rows, mattes, smooth_frames=7)
    assert error(rows, exact) < 0.6


def test_shifted_legs_come_back(clip):
    """Hips, knees and ankles 4 px to one side: most of it is found, feet follow, depth and score do not change."""
    rows, mattes = clip
    exact = rows["body"].copy()
    legs = [BODY[name] for name in BODY if name.rpartition("_")[2] in ("hip", "knee", "ankle", "toe", "heel")]
    rows["body"][:, legs, 0] += 4
    before = error(rows, exact)
    shift = register_clip(rows, mattes, smooth_frames=7)
    assert shift > 0.5
    assert error(rows, exact) < 0.7 * before
    heel, ankle = ((rows["body"] - exact)[:, BODY[name], 0] for name in ("left_heel", "left_ankle"))
    np.testing.assert_allclose(heel, ankle, atol=1e-3)
    assert ankle.mean() < 3.5
    np.testing.assert_array_equal(rows["body"][..., 2], exact[..., 2])


def test_absent_joints_stay_absent(clip):
    rows, mattes = clip
    rows["body"][:, BODY["left_wrist"]] = 0
    rows["hands"][:, 0] = 0
    rows["body"][3] = 0
    register_clip(rows, mattes, smooth_frames=7)
    assert not rows["body"][:, BODY["left_wrist"]].any()
    assert not rows["hands"][:, 0].any()
    assert not rows["body"][3].any()


def test_without_mattes_nothing_moves(clip):
    rows, mattes = clip
    before = rows["body"].copy()
    assert register_clip(rows, np.zeros_like(mattes), smooth_frames=7) == 0
    np.testing.assert_array_equal(rows["body"], before)


def test_another_person_beside_does_not_pull(clip):
    rows, mattes = clip
    exact = rows["body"].copy()
    mattes[:, 20:180, 165:] = 255
    register_clip(rows, mattes, smooth_frames=7)
    assert error(rows, exact) < 0.8


def test_threads_do_not_change_the_joints(clip):
    rows, mattes = clip
    rows["body"][..., 0] += 2
    others = {name: values.copy() for name, values in rows.items()}
    register_clip(rows, mattes, smooth_frames=7)
    register_clip(others, mattes, smooth_frames=7, threads=3)
    np.testing.assert_array_equal(rows["body"], others["body"])
