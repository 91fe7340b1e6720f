"""Paths steadied by the picture's motion: trembling goes, quick turns stay, what flow cannot know is left alone."""

import cv2
import numpy as np
import pytest

from understudy.semantics.people import SHAPES
from understudy.semantics.smoothing import smooth_runs
from understudy.semantics.steadying import (
    LEAST_PX,
    POINTS,
    TALL_PX,
    find_motion,
    person_height,
    steady_clip,
    steady_path,
)

FRAMES, HEIGHT, WIDTH = 30, 240, 200
WEIGHT, JOLT = 50, 0.5
TRUST = np.ones((FRAMES, 1))
JOINED = ("body", "face", "hands")


def quick_turn():
    """A joint that goes right and turns back within a frame, (FRAMES, 2) px."""
    x = 80 + 4 * np.minimum(np.arange(FRAMES), FRAMES - np.arange(FRAMES))
    return np.column_stack([x, np.full(FRAMES, 60.0)]).astype(np.float64)


def motion_of(path, trust=TRUST):
    """What flow sees of a path, (T, 3): from each frame to the one before; of the first one nothing."""
    back = np.zeros_like(path)
    back[1:] = path[:-1] - path[1:]
    return np.concatenate([back, np.broadcast_to(trust, (len(path), 1))], 1)


def trembling(path, exact):
    return float(np.abs(np.diff(path - exact, axis=0)).mean())


@pytest.fixture
def noise():
    return np.random.default_rng(1).normal(0, 1, (FRAMES, 2))


def test_trembling_goes_and_a_quick_turn_stays(noise):
    """Against the filter over time, which must cut the turn off."""
    exact = quick_turn()
    path = steady_path(exact + noise, motion_of(exact), WEIGHT, JOLT)
    assert trembling(path, exact) < 0.15 * trembling(exact + noise, exact)
    filtered = smooth_runs(exact + noise, np.ones(FRAMES, bool), 7)
    turn = FRAMES // 2
    assert abs(path[turn] - exact[turn])[0] < 0.5 < abs(filtered[turn] - exact[turn])[0]


def test_exact_places_stay():
    exact = quick_turn()
    np.testing.assert_allclose(steady_path(exact, motion_of(exact), WEIGHT, JOLT), exact, atol=0.3)


def test_skin_that_moves_steadily_against_the_joint_does_not_pull(noise):
    """The skin before a joint in a turning body is faster than the joint; only its acceleration is taken."""
    exact, drift = quick_turn(), motion_of(quick_turn())
    drift[:, 0] += 1.5
    path = steady_path(exact + noise, drift, WEIGHT, JOLT)
    np.testing.assert_allclose(path, steady_path(exact + noise, motion_of(exact), WEIGHT, JOLT), atol=1e-6)


def test_motion_that_cannot_be_trusted_leaves_places_nearly_alone(noise):
    exact = quick_turn()
    path = steady_path(exact + noise, motion_of(exact, np.zeros((FRAMES, 1))), WEIGHT, JOLT)
    assert np.abs(path - exact - noise).mean() < 0.6, "calmed a little"
    assert trembling(path, exact) > 0.3 * trembling(exact + noise, exact)


def test_one_wrong_motion_is_not_followed():
    """Flow that leaps from a joint to another edge for a frame."""
    exact = quick_turn()
    wrong = motion_of(exact)
    wrong[8, :2] += 25
    assert np.abs(steady_path(exact, wrong, WEIGHT, JOLT) - exact).max() < 1.5


def filmed(path, joints):
    """A textured square person that moves on a path: rows of pose.h5, frames, mattes."""
    random = np.random.default_rng(2)
    skin = cv2.GaussianBlur(random.integers(0, 255, (180, 120, 3), dtype=np.uint8), (0, 0), 1.5)
    wall = cv2.GaussianBlur(random.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8), (0, 0), 2)
    frames, mattes = [], []
    for x, y in path:
        way = np.float32([[1, 0, x], [0, 1, y]])
        person = cv2.warpAffine(np.full((180, 120), 255, np.uint8), way, (WIDTH, HEIGHT))
        drawn = cv2.warpAffine(skin, way, (WIDTH, HEIGHT))
        frames.append(np.where(person[..., None] > 127, drawn, wall))
        mattes.append(person)
    rows = {"body": np.zeros((len(path), 25, 3)), "face": np.zeros((len(path), 70, 3))}
    rows |= {"hands": np.zeros((len(path), 2, 21, 3)), "body_z": np.zeros((len(path), 25))}
    rows |= {"face_z": np.zeros((len(path), 70)), "hands_z": np.zeros((len(path), 2, 21))}
    for joint, place in joints.items():
        rows["body"][:, joint, :2], rows["body"][:, joint, 2] = path + place, 0.9
    return {name: values.astype(np.float32) for name, values in rows.items()}, np.stack(frames), np.stack(mattes)


JOINTS = {0: (60, 20), 4: (30, 90), 8: (60, 110), 11: (50, 165)}


@pytest.fixture(scope="module")
def clip():
    turn = np.arange(8.0)
    path = np.column_stack([20 + 3 * np.sin(turn), 30 + 2 * np.cos(turn)])
    return path, *filmed(path, JOINTS)


def test_motion_of_the_picture_is_found_at_every_joint(clip):
    path, rows, frames, mattes = clip
    motion = find_motion(rows, frames, mattes, person_height(rows))
    assert motion.shape == (8, POINTS, 3)
    for joint in JOINTS:
        np.testing.assert_allclose(motion[1:, joint, :2], path[:-1] - path[1:], atol=0.15)
        assert (motion[1:, joint, 2] > 0.5).all()
    assert not motion[0].any(), "nothing is before the first frame"
    assert not motion[:, 1].any(), "an absent joint"


def test_without_mattes_motion_is_found_all_the_same(clip):
    path, rows, frames, _ = clip
    motion = find_motion(rows, frames, None, person_height(rows))
    np.testing.assert_allclose(motion[1:, 8, :2], path[:-1] - path[1:], atol=0.15)


def test_parts_and_threads_find_the_same_motion(clip):
    _, rows, frames, mattes = clip
    tall = person_height(rows)
    whole = find_motion(rows, frames, mattes, tall)
    parts = [
        find_motion({name: values[part] for name, values in rows.items()}, frames, mattes[part], tall, part.start, 2)
        for part in (slice(0, 3), slice(3, 8))
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_large_person_moves_in_pixels_of_the_frame(clip):
    path, rows, frames, mattes = clip
    larger = [cv2.resize(frame, None, fx=3, fy=3) for frame in frames]
    mattes = [cv2.resize(matte, None, fx=3, fy=3) for matte in mattes]
    rows = {name: values * (3, 3, 1) for name, values in rows.items() if name in JOINED}
    assert person_height(rows) > 2 * TALL_PX
    motion = find_motion(rows, larger, mattes, person_height(rows))
    np.testing.assert_allclose(motion[1:, 8, :2], 3 * (path[:-1] - path[1:]), atol=0.45)


def test_a_speck_of_a_person_has_no_motion(clip):
    _, rows, frames, mattes = clip
    rows = {name: values * (0.1, 0.1, 1) for name, values in rows.items() if name in JOINED}
    assert person_height(rows) < LEAST_PX
    assert not find_motion(rows, frames, mattes, person_height(rows)).any()


def test_a_clip_is_steadied_in_place_and_absent_joints_stay_absent(clip):
    path, rows, frames, mattes = clip
    rows = {name: values.copy() for name, values in rows.items()}
    noise = np.random.default_rng(3).normal(0, 0.8, (8, len(JOINTS), 2))
    rows["body"][:, list(JOINTS), :2] += noise
    rows["body"][4, 11] = 0
    before = rows["body"].copy()
    motion = find_motion(rows, frames, mattes, person_height(rows))
    moved = steady_clip(rows, motion, WEIGHT, person_height(rows), 24, (HEIGHT, WIDTH))
    exact = path + JOINTS[8]
    assert 0.1 < moved < 2
    assert trembling(rows["body"][:, 8, :2], exact) < 0.4 * trembling(before[:, 8, :2], exact)
    np.testing.assert_array_equal(rows["body"][..., 2], before[..., 2])
    assert not rows["body"][4, 11].any()
    assert not rows["face"].any()
    np.testing.assert_array_equal(rows["body"][5:, 11], before[5:, 11], "three frames are no path")


def test_nobody_is_left_alone():
    rows = {"body": np.zeros((5, 25, 3)), "face": np.zeros((5, 70, 3)), "hands": np.zeros((5, 2, 21, 3))}
    assert person_height(rows) == 0
    frames = np.zeros((5, 64, 64, 3), np.uint8)
    motion = find_motion(rows, frames, None, 0)
    assert not motion.any()
    assert steady_clip(rows, motion, WEIGHT, 0, 24, (64, 64)) == 0


@pytest.mark.parametrize("rate", [24, 48])
def test_depths_change_no_faster_than_bodies_turn(rate):
    """A slow turn stays, trembling goes, at any frame rate; an absent joint has no depth, and ends no other's path."""
    time = np.arange(4 * rate) / rate
    turn = 10 * np.sin(2 * np.pi * time / 3)
    rows = {"body": np.zeros((len(time), 25, 3)), "body_z": np.zeros((len(time), 25))}
    rows |= {"face": np.zeros((len(time), 70, 3)), "face_z": np.zeros((len(time), 70))}
    rows |= {"hands": np.zeros((len(time), 2, 21, 3)), "hands_z": np.zeros((len(time), 2, 21))}
    rows["body"][:, :2], rows["body"][rate, 1] = (50, 60, 1), 0
    rows["body_z"][:, :2] = turn[:, None]
    rows["body_z"] += np.random.default_rng(4).normal(0, 1, (len(time), 25))
    rows["body_z"][rate, 1] = 0
    before = rows["body_z"].copy()
    steady_clip(rows, np.zeros((len(time), POINTS, 3)), WEIGHT, 100, rate, (HEIGHT, WIDTH))
    inner = slice(3, -3)
    assert trembling(rows["body_z"][inner, 0], turn[inner]) < 0.15 * trembling(before[inner, 0], turn[inner])
    assert np.abs(rows["body_z"][inner, 0] - turn[inner]).max() < 1.5
    assert rows["body_z"][rate, 1] == 0
    assert abs(rows["body_z"][rate + 1, 1] - turn[rate + 1]) < 3
    np.testing.assert_array_equal(rows["body_z"][:, 2:], before[:, 2:])


def test_depths_are_calmed_alike_at_any_rate():
    """What a turn of 0.7 s keeps of its way depends on time, not on the number of frames."""
    kept = []
    for rate in (24, 48):
        time = np.arange(6 * rate) / rate
        rows = {name: np.zeros((len(time), *shape)) for name, shape in SHAPES.items()}
        rows["body"][:, 0] = (50, 60, 1)
        rows["body_z"][:, 0] = np.sin(2 * np.pi * time / 0.7)
        steady_clip(rows, np.zeros((len(time), POINTS, 3)), WEIGHT, 100, rate, (HEIGHT, WIDTH))
        kept.append(np.abs(rows["body_z"][rate:-rate, 0]).max())
    assert 0.05 < kept[0] < 0.8
    assert kept[1] == pytest.approx(kept[0], rel=0.05)


def test_one_joint_alone_has_no_height_and_no_motion():
    rows = {name: np.zeros((5, *shape)) for name, shape in SHAPES.items()}
    rows["body"][:, 3] = (20, 20, 1)
    frames = np.zeros((5, 64, 64, 3), np.uint8)
    assert person_height(rows) == 0
    assert not find_motion(rows, frames, None, 0).any()


def test_no_joint_leaves_the_picture():
    rows = {name: np.zeros((12, *shape)) for name, shape in SHAPES.items()}
    rows["body"][:, 4, 0] = np.abs(12.0 * (np.arange(12) - 6))  # turns back at the picture's edge within a frame
    rows["body"][:, 4, 1:] = (60, 1)
    motion = np.zeros((12, POINTS, 3))
    motion[:, 4] = (12, 0, 1)
    steady_clip(rows, motion, 1000, 100, 24, (HEIGHT, WIDTH))
    assert rows["body"][:, 4, 0].min() >= 0
