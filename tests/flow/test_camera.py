"""The camera's motion against clips cut out of one large picture by known homographies, a person before it."""

import cv2
import numpy as np
import pytest

from understudy import layouts
from understudy.flow.camera import estimate_camera, read_camera
from understudy.flow.homography import carried, corners, for_opencv, from_corners
from understudy.layouts import change_file
from understudy.settings import CameraSettings

HEIGHT, WIDTH = 96, 80
AUTO = CameraSettings(motion="auto", still_share=0.004)


def views(way):
    """Homographies (T, 3, 3) from frames to a wall, corners moved by `way(t)` (4, 2) px."""
    return np.stack([from_corners(corners(HEIGHT, WIDTH) + 60 + way(t), HEIGHT, WIDTH) for t in range(24)])


def pan(t):
    """To the right and back, a zoom and a tilt of some pixels."""
    phase = t / 12 * np.pi
    zoom = 4 * np.sin(phase / 2) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    return (22 * np.sin(phase), 5 * np.cos(phase)) + zoom + np.array([[0, 0], [0, 2], [0, -2], [0, 0]]) * np.sin(phase)


@pytest.fixture
def estimated(texture, write_frames, tmp_path):
    """Return a function that films a wall by given views, a dark block walking before it, and estimates the camera."""

    def estimate(to_wall, light=lambda t: 1.0, settings=AUTO, walls=lambda t: 1, factor=1, caption=None):
        rgb, mattes = [], []
        painted = {seed: texture(seed, 230, 230) for seed in {walls(t) for t in range(len(to_wall))}}
        size = WIDTH * factor, HEIGHT * factor
        for t, view in enumerate(to_wall):
            matrix = for_opencv(view @ np.diag([1 / factor, 1 / factor, 1]))
            frame = cv2.warpPerspective(painted[walls(t)], matrix, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
            frame = np.clip(frame * light(t), 0, 255).astype(np.uint8)
            matte = np.zeros(frame.shape[:2], np.uint8)
            left = (10 + 2 * t % 40) * factor
            matte[30 * factor : 90 * factor, left : left + 20 * factor] = 255
            frame[matte > 0] = (20, 30, 90)
            if caption is not None:
                frame[60:, :] = caption[60:96, :80]
            rgb.append(frame)
            mattes.append(matte)
        with layouts.create(tmp_path / "surface.h5", "surface", "test") as file:
            for matte in mattes:
                file.append(part=matte, uv=np.zeros((*matte.shape, 2), np.uint8), matte=matte, valid=np.bool_(True))
        frames = write_frames(np.stack(rgb))
        if caption is not None:
            with change_file(frames) as file:
                file.attrs["ignore"] = "[[0, 60, 80, 96]]"
        estimate_camera(frames, tmp_path / "surface.h5", tmp_path / "camera.h5", settings)
        return read_camera(tmp_path / "camera.h5")

    return estimate


def errors(found, to_wall, factor=1):
    """Median and largest distance px between found and true places of trusted frames' corners."""
    true = np.linalg.inv(to_wall[found.reference]) @ to_wall
    there = carried(corners(HEIGHT, WIDTH), true)
    away = np.linalg.norm(carried(corners(HEIGHT, WIDTH) * factor, found.to_reference) / factor - there, axis=-1)
    return np.median(away[found.valid]), away[found.valid].max()


def test_known_motion_is_found_and_does_not_drift(estimated):
    to_wall = views(pan)
    found = estimated(to_wall)
    assert found.moving and found.valid.all()
    median, worst = errors(found, to_wall)
    assert median < 0.4 and worst < 1  # the camera turned by 44 px
    assert np.array_equal(found.to_reference[found.reference], np.eye(3))


def test_changing_light_is_not_taken_for_motion(estimated):
    to_wall = views(pan)
    found = estimated(to_wall, light=lambda t: 1 + 0.2 * np.sin(t / 3))
    assert found.valid.all() and errors(found, to_wall)[0] < 0.4


def test_large_frames_are_compared_smaller_and_answered_large(estimated):
    to_wall = views(pan)
    found = estimated(to_wall, factor=3)
    assert found.valid.all() and errors(found, to_wall, factor=3)[0] < 0.4


def test_a_camera_at_rest_gives_exact_identities(estimated):
    found = estimated(views(lambda t: np.zeros(2)), light=lambda t: 1 + 0.02 * np.sin(t))
    assert not found.moving and found.valid.all()
    assert np.array_equal(found.to_reference, np.tile(np.eye(3), (24, 1, 1)))


def test_a_camera_said_to_be_at_rest_is_not_looked_at(estimated):
    found = estimated(views(pan), settings=CameraSettings(motion="still", still_share=0.004))
    assert not found.moving and np.array_equal(found.to_reference[5], np.eye(3))


def test_what_is_burnt_into_ignored_boxes_holds_nothing_fast(estimated, texture):
    to_wall = views(pan)
    found = estimated(to_wall, caption=texture(9, 96, 96))
    assert found.moving and found.valid.all() and errors(found, to_wall)[0] < 0.8


def test_frames_before_another_wall_are_not_trusted_and_bridged(estimated):
    to_wall = views(pan)
    found = estimated(to_wall, walls=lambda t: 2 if t in (10, 11) else 1)
    assert found.moving and np.flatnonzero(~found.valid).tolist() == [10, 11]
    even = np.linspace(found.to_reference[9, 0, 2], found.to_reference[12, 0, 2], 4)
    np.testing.assert_allclose(found.to_reference[9:13, 0, 2], even, atol=0.3)
    assert errors(found, to_wall)[0] < 0.4


def test_what_cannot_be_laid_together_counts_as_still_and_says_so(estimated):
    found = estimated(views(pan), walls=lambda t: t)
    assert not found.moving and not found.valid.any()
    assert np.array_equal(found.to_reference, np.tile(np.eye(3), (24, 1, 1)))
