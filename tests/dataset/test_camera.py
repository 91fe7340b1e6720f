"""A moving camera on its way to the generator: places in the reference frame, runs of trusted frames, maps."""

import numpy as np
import pytest
import torch

from handmade import standing_track, write_clip
from understudy.dataset.reader import Footage
from understudy.dataset.track import carried_track
from understudy.dataset.windows import index_windows, read_windows
from understudy.flow.homography import carried
from understudy.layouts import create, open_file
from understudy.semantics.joints import BODY
from understudy.settings import DatasetSettings

FRAMES = 40
SETTINGS = DatasetSettings(held_out=0.2, gap_frames=2, surface="clipped")


def pan(t):
    """To the right by a pixel a frame, half as large again at the end."""
    scale = 1 + t / (2 * FRAMES)
    return np.array([[scale, 0, t], [0, scale, 0], [0, 0, 1.0]])


def write_camera(path, to_reference, valid, moving=True):
    with create(path, "camera", "test") as file:
        file.extend(to_reference=to_reference, valid=valid)
        file.attributes({"moving": moving, "reference": 0, "height": 128, "width": 128})


@pytest.fixture
def indexed(tmp_path):
    """Return a function that indexes a clip whose camera moved so, and reads its windows.h5."""

    def index(to_reference=None, valid=None, moving=True):
        """Without a motion there is no camera.h5."""
        clip = write_clip(tmp_path / "clip", standing_track(FRAMES))
        camera = []
        if to_reference is not None:
            camera = [tmp_path / "camera.h5"]
            write_camera(camera[0], to_reference, np.ones(FRAMES, bool) if valid is None else valid, moving)
        windows = tmp_path / "windows.h5"
        index_windows([clip.frames], [clip.pose], [clip.surface], [clip.flow], windows, SETTINGS, camera=camera)
        return windows

    return index


def test_a_figure_is_carried_with_its_depth():
    track = standing_track(FRAMES)
    track.body_z[:] = 3
    track.body[2, BODY["nose"]] = 0  # absent
    moved = carried_track(track, np.stack([pan(t) for t in range(FRAMES)]))
    np.testing.assert_allclose(moved.body[20, 8, :2], carried(track.body[20, 8, :2].astype(float), pan(20)), rtol=1e-6)
    np.testing.assert_allclose(moved.hands[20, 1, 5, 1], 1.25 * track.hands[20, 1, 5, 1], rtol=1e-6)
    np.testing.assert_allclose(moved.body_z[20], 3 * 1.25, rtol=1e-6)
    assert moved.body[2, BODY["nose"]].tolist() == [0, 0, 0]


def test_place_is_measured_as_the_reference_frame_shows_it(indexed):
    still = read_windows(indexed()).statistics
    shift = np.tile(np.eye(3), (FRAMES, 1, 1))
    shift[:, 0, 2] = 7
    moved = read_windows(indexed(shift)).statistics
    assert moved.x_px == pytest.approx(still.x_px + 7, abs=1e-3) and moved.ground_px == pytest.approx(still.ground_px)
    assert moved.solid["thigh"] == pytest.approx(still.solid["thigh"], rel=1e-4)


def test_frames_that_are_not_trusted_train_nothing(indexed):
    valid = np.ones(FRAMES, bool)
    valid[[10, 11]] = False
    moving = np.stack([pan(t) for t in range(FRAMES)])
    assert [(run.first, run.length) for run in read_windows(indexed(moving, valid)).runs][:2] == [(0, 10), (12, 18)]
    resting = np.tile(np.eye(3), (FRAMES, 1, 1))
    untold = read_windows(indexed(resting, np.zeros(FRAMES, bool), moving=False))
    assert untold.runs == read_windows(indexed()).runs, "where nothing is known the camera counts as still"


def test_maps_carry_the_camera_in_the_networks_pixels(indexed):
    with Footage(indexed(np.stack([pan(t) for t in range(FRAMES)])), 64) as footage:
        maps = [semantic for semantic, _ in footage.play(footage.runs[0])]
        torch.testing.assert_close(maps[8].camera[0], torch.tensor([[1.1, 0, 4], [0, 1.1, 0], [0, 0, 1]]))
        batch = footage.sample(torch.Generator().manual_seed(2), 3, 2)
        for place in range(4):
            expected = torch.cat([maps[int(number)].camera for number in batch.frames[:, place]])
            assert torch.equal(batch.maps[place].camera, expected)


def test_another_motion_is_another_training(indexed):
    def sources(*motion):
        with open_file(indexed(*motion), "windows") as file:
            return file.attrs["sources"]

    moving = np.stack([pan(t) for t in range(FRAMES)])
    assert sources(moving) != sources(moving + 0.01)
    resting = np.tile(np.eye(3), (FRAMES, 1, 1))
    assert sources(resting, None, False) == sources()


def test_without_motion_every_map_has_the_exact_identity(indexed):
    with Footage(indexed(), 64) as footage:
        batch = footage.sample(torch.Generator().manual_seed(2), 3, 2)
    assert all(torch.equal(one.camera, torch.eye(3).repeat(3, 1, 1)) for one in batch.maps)
