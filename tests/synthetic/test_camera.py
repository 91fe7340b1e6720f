"""The camera against points whose pixel is known."""

import numpy as np
import pytest

from understudy.body.model import Body
from understudy.settings import SyntheticSettings
from understudy.synthetic.camera import Camera, frame_person


def settings(**changes):
    plain = {
        "build": "woman",
        "look": "check",
        "choreography": "sway",
        "start_s": 0.0,
        "duration_s": 0.5,
        "rate_fps": 12.0,
        "height_px": 80,
        "width_px": 72,
        "body_share": 0.8,
        "shift": 0.0,
        "background": 3,
    }
    return SyntheticSettings(**(plain | changes))


def test_the_point_looked_at_is_the_middle_of_the_picture():
    camera = Camera(100.0, (0.0, -4.0, 1.0), 60, 80)
    pixels, depth = camera.project(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 2.0], [0.0, 4.0, 2.0]]))
    assert pixels == pytest.approx(np.array([[40, 30], [65, 30], [40, 5], [40, 17.5]]))
    assert depth == pytest.approx(np.array([4, 4, 4, 8]))


def test_rays_go_through_the_pixels_they_belong_to():
    camera = Camera(100.0, (0.2, -4.0, 1.0), 6, 8)
    rays = camera.rays(2)  # (12, 16, 3)
    pixels, _ = camera.project(np.array(camera.position) + 3 * rays.reshape(-1, 3))
    column, row = (np.meshgrid(np.arange(16), np.arange(12))[axis].ravel() for axis in (0, 1))
    assert pixels == pytest.approx(np.stack([(column + 0.5) / 2, (row + 0.5) / 2], axis=1), abs=1e-4)


def test_a_neutral_body_fills_its_share_of_the_picture_and_stands_above_its_lower_edge():
    camera = frame_person(settings(height_px=400, width_px=300))
    rest = Body("neutral").rest
    standing = np.stack([rest[:, 0], np.zeros(len(rest)), rest[:, 2] - rest[:, 2].min()], axis=1)
    pixels, _ = camera.project(standing)
    assert np.ptp(pixels[:, 1]) == pytest.approx(0.8 * 400, abs=0.5)
    assert 400 - pixels[:, 1].max() == pytest.approx(0.2 * 400 / 3, abs=0.5)


def test_who_dances_what_does_not_move_the_camera():
    assert frame_person(settings()) == frame_person(settings(build="man", look="dark", choreography="turns"))
