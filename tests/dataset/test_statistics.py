import json
from dataclasses import replace

import numpy as np
import pytest

from handmade import standing_track
from understudy.body.model import Body
from understudy.dataset.heads import head_scale
from understudy.dataset.statistics import BodyStatistics, measure_body


def test_lengths_and_places_of_a_known_person():
    found = measure_body(standing_track(24, scale=1.5, x=70, ground=160, sway=3))
    assert found.flat["hip"] == pytest.approx(1.5 * 14, rel=1e-3)
    assert found.flat["torso"] == pytest.approx(1.5 * 30, rel=1e-3)
    assert found.flat["shoulder"] == pytest.approx(1.5 * 24, rel=1e-3)
    assert found.flat["neck"] == pytest.approx(1.5 * 14, rel=1e-3)
    assert found.flat["thigh"] == pytest.approx(1.5 * np.hypot(1, 22), rel=1e-3)
    assert found.x_px == pytest.approx(70, abs=0.5)
    assert found.ground_px == pytest.approx(160, abs=1e-3)
    assert found.root_y_px == pytest.approx(160 - 1.5 * 48, abs=1e-3)
    assert found.height_px == pytest.approx(1.5 * 92, rel=1e-3)


def test_percentile_ignores_foreshortened_frames():
    track = standing_track(40)
    track.body[:20, 10, :2] = track.body[:20, 9, :2]  # the right thigh points at the camera
    assert measure_body(track).flat["thigh"] == pytest.approx(np.hypot(1, 22), rel=1e-3)


def test_depth_counts_where_it_is_known():
    track = standing_track(24)
    track.body_z[:, 13] = track.body_z[:, 10] = 30  # both knees away from the camera
    found = measure_body(track)
    assert found.flat["thigh"] == pytest.approx(np.hypot(1, 22), rel=1e-3)
    assert found.solid["thigh"] == pytest.approx(np.sqrt(1 + 22**2 + 30**2), rel=1e-3)


def test_bones_that_change_their_length_with_depth_wobble():
    track = standing_track(60)
    track.body_z[:] = 0
    assert measure_body(track).wobble < 0.03
    nearer = np.linspace(1, 1.6, 60, dtype=np.float32)[:, None]
    track.body[..., :2] *= nearer[..., None]
    assert measure_body(track).wobble < 0.03, "who comes nearer grows as a whole"
    track.body_z[:] = np.random.default_rng(1).normal(0, 12, track.body_z.shape)
    assert measure_body(track).wobble > 0.1
    assert measure_body(replace(track, body_z=None, face_z=None, hands_z=None)).wobble is None


def test_bones_that_are_never_seen_have_no_length():
    track = standing_track(24)
    track.body[:, [11, 14, 19, 20, 21, 22, 23, 24], :] = 0
    track.face[:] = 0
    found = measure_body(track)
    assert "shin" not in found.flat and "foot" not in found.flat and "head" not in found.flat
    assert found.ground_px is None and found.stance is None


def test_invalid_frames_do_not_count():
    track = standing_track(24)
    track.valid[10:] = False
    track.body[10:] *= 7
    found = measure_body(track)
    assert found.frames == 10
    assert found.flat["torso"] == pytest.approx(30, rel=1e-3)


def faces(scale: float, turns: np.ndarray) -> np.ndarray:
    """The standard face, scaled and turned about the upright axis, (T, 70, 3) px."""
    body = Body("neutral")
    rest = body.face(body.rest)
    rest = np.stack([rest[:, 0], -rest[:, 2], rest[:, 1]], 1)
    turned = [
        rest @ np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
        for turn in turns
    ]
    return scale * np.stack(turned)


def test_head_scale_is_found_from_any_side_with_and_without_depth():
    points = faces(150.0, np.linspace(-0.8, 0.8, 9))
    flat = np.concatenate([points[..., :2], np.ones((*points.shape[:2], 1))], -1)
    assert head_scale(flat, points[..., 2]) == pytest.approx(150, rel=1e-4)
    assert head_scale(flat, None) == pytest.approx(150, rel=1e-4)
    flat[3:, 5, 2] = 0
    assert head_scale(flat, None) is None


def test_stance_knows_near_and_far():
    near, far = standing_track(30, scale=1.5, ground=200), standing_track(30, scale=1.0, ground=150)
    track = type(near).join([near, far])
    stance = measure_body(track).stance
    assert stance.near_px == pytest.approx(200 - 1.5 * 6)
    assert stance.near_height_px / stance.far_height_px == pytest.approx(1.5, rel=1e-3)


def test_statistics_survive_json():
    found = measure_body(standing_track(24))
    assert BodyStatistics.from_json(json.loads(json.dumps(found.as_json()))) == found
