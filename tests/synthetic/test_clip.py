"""A rendered clip: its truth holds together, and the same settings give the same files."""

import hashlib
import json

import numpy as np
import pytest

from synthetic.test_camera import settings
from understudy.body.parts import chart
from understudy.layouts import open_file
from understudy.synthetic.clip import synthesize_clip
from understudy.synthetic.drum import drum
from understudy.synthetic.scene import SAMPLES, Scene
from understudy.synthetic.truth import View, flow_rows, pose_rows, surface_rows


@pytest.fixture(scope="module")
def scene():
    return Scene(settings(look="plain", choreography="reach", height_px=96, width_px=96))


@pytest.fixture(scope="module")
def pair(scene):
    """Two neighbouring shots with their rasters."""
    shots = [scene.shot(5.2 + step / 24) for step in (0, 1)]
    return [View(shot, scene.raster(shot, SAMPLES)) for shot in shots]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    synthesize_clip(folder / "clip.mp4", folder / "truth.h5", settings())
    return folder


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_clip_is_written_whole(clip):
    with open_file(clip / "truth.h5", "truth") as truth:
        assert truth["body"].shape == (6, 25, 3)
        assert truth["part"].shape == (6, 160, 144) and truth["matte"].shape == (6, 80, 72)
        assert truth.attrs["samples"] == 2 and truth.attrs["chart"] == "understudy-1"
        camera = json.loads(truth.attrs["camera"])
        assert set(camera) == {"focal_px", "position", "look_at", "height", "width"}
        assert truth["valid"][:].all()
        assert (truth["backward"][0] == 0).all() and (truth["visible"][0] == 255).all()
        assert sorted(np.unique(truth["part"]))[0] == 0 and len(np.unique(truth["part"])) > 15


def test_the_same_settings_give_the_same_files(clip, tmp_path):
    synthesize_clip(tmp_path / "clip.mp4", tmp_path / "truth.h5", settings())
    assert digest(tmp_path / "clip.mp4") == digest(clip / "clip.mp4")
    with open_file(tmp_path / "truth.h5", "truth") as again, open_file(clip / "truth.h5", "truth") as truth:
        assert set(again) == set(truth) and dict(again.attrs) == dict(truth.attrs)
        assert all((again[name][:] == truth[name][:]).all() for name in truth)  # LZF's bytes are free to differ


def test_joints_in_pixels_are_the_projected_joints_in_metres(scene, pair):
    rows = pose_rows(scene, pair[0].shot)
    pixels, depth = scene.camera.project(rows["joints_world"])
    assert (rows["body"][:, 2] == 1).all()
    assert np.abs(rows["body"][:, :2] - pixels).max() < 1e-3
    assert rows["body_z"][8] == 0
    nearer = rows["body_z"][:, None] < rows["body_z"][None]
    assert (nearer == (depth[:, None] < depth[None])).mean() > 0.99
    left, top, right, bottom = rows["person_box"]
    assert left < pixels[:, 0].min() and right > pixels[:, 0].max() and top < pixels[0, 1] and bottom <= 96


def test_joints_outside_the_frame_are_absent():
    narrow = Scene(settings(height_px=96, width_px=20, shift=0.5))
    rows = pose_rows(narrow, narrow.shot(0.0))
    assert (rows["body"][rows["body"][:, 2] == 0] == 0).all() and (rows["body"][:, 2] == 0).any()
    assert rows["person_box"][2] <= 20


def test_surface_and_matte_show_the_same_person(scene, pair):
    rows = surface_rows(scene, pair[0], chart(scene.body))
    covered = (rows["part"] > 0).reshape(96, 2, 96, 2).mean((1, 3))
    assert np.abs(covered - rows["matte"] / 255.0).mean() < 0.01
    assert covered[rows["matte"] == 255].min() > 0.5 and covered[rows["matte"] == 0].max() < 0.5
    box = pose_rows(scene, pair[0].shot)["person_box"]
    row, column = np.nonzero(rows["matte"])
    assert np.abs([column.min() - box[0], row.min() - box[1], column.max() + 1 - box[2]]).max() < 1.01


def test_flow_leads_every_point_back_to_where_it_was(scene, pair):
    """Against a plain computation from the same triangle: project it at both times."""
    rows = flow_rows(scene, pair[1].shot, pair[0])
    raster = scene.raster(pair[1].shot, 1)
    for row, column in [(30, 47), (50, 48), (60, 45), (75, 44)]:
        face, share = raster.face[row, column], raster.barycentric[row, column].astype(np.float64)
        if face < 0:
            continue
        there, here = (share @ view.shot.dressed[scene.body.faces[face]] for view in pair)
        assert scene.camera.project(here[None])[0][0] == pytest.approx([column + 0.5, row + 0.5], abs=0.01)
        moved = scene.camera.project(there[None])[0][0] - [column + 0.5, row + 0.5]
        assert rows["backward"][row, column] / 16 == pytest.approx(moved, abs=0.04)
    assert raster.covered.sum() > 800
    assert (rows["backward"][~raster.covered] == 0).all()


def test_the_frame_before_warped_by_the_flow_is_the_frame(scene, pair):
    before, now = (scene.picture(view.shot, view.raster).astype(np.float64) for view in pair)
    rows = flow_rows(scene, pair[1].shot, pair[0])
    row, column = np.mgrid[:96, :96]
    x = np.clip(column + rows["backward"][..., 0] / 16, 0, 94.999)
    y = np.clip(row + rows["backward"][..., 1] / 16, 0, 94.999)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    a, b = (x - left)[..., None], (y - top)[..., None]
    warped = (before[top, left] * (1 - a) + before[top, left + 1] * a) * (1 - b)
    warped += (before[top + 1, left] * (1 - a) + before[top + 1, left + 1] * a) * b
    inside = surface_rows(scene, pair[1], chart(scene.body))["matte"] == 255
    kept = inside & (rows["visible"] == 255)
    assert kept.sum() > 0.8 * inside.sum()
    error, still = (np.abs(picture - now)[kept].mean() for picture in (warped, before))
    assert error < 5 and error < 0.4 * still
    assert (rows["visible"][inside] == 0).any() and (rows["visible"][~inside] == 0).any()


def test_performers_of_one_dance_stand_in_the_same_room_before_the_same_camera():
    first, second = Scene(settings()), Scene(settings(build="man", look="dark"))
    assert first.camera == second.camera and (first.room == second.room).all()
    shot, other = first.shot(0.0), second.shot(0.0)
    pictures = [scene.picture(s, scene.raster(s, SAMPLES)) for scene, s in ((first, shot), (second, other))]
    assert (pictures[0][:, :6] == pictures[1][:, :6]).all()
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() > 60


def test_shift_moves_the_person_sideways_only():
    there, here = Scene(settings(shift=0.3)), Scene(settings())
    moved = there.shot(1.0).bare - here.shot(1.0).bare
    assert np.abs(moved - [0.3, 0, 0]).max() < 1e-5


def test_the_drum_beats_at_the_dances_tempo():
    time_s = np.arange(0, 4.8, 1 / 8000)
    loud = np.abs(drum(time_s))
    assert loud.max() < 1
    beats = loud.reshape(8, -1)  # one row per beat of 0.6 s
    assert (beats[:, :800].mean(1) > 5 * beats[:, 2400:3600].mean(1)).all()
    assert (drum(time_s + 1.2)[:100] != 0).any()
