"""Several people by MediaPipe: a rendered pair who stand side by side, and the geometry of tiles and hits."""

import json
from math import pi

import h5py
import numpy as np
import pytest

from contracts import check_pose_backend
from defaults import pose_settings
from understudy.backends import load_backend
from understudy.clips import Clip
from understudy.layouts import create, open_file
from understudy.semantics.choice import Choice
from understudy.semantics.locate import locate_person
from understudy.semantics.people import BACKENDS, find_people
from understudy.semantics.pose_backends._contract import FramePose
from understudy.semantics.pose_backends._mediapipe_people import Hit, circle, same_pose, tiles
from understudy.settings import DecodeSettings, SyntheticSettings
from understudy.synthetic.clip import synthesize_clip
from understudy.video.encode import Film
from understudy.video.frames import Frames
from understudy.video.source import SourceVideo

FRAMES, SIZE = 8, 256


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Frames of a woman and a smaller man side by side, their video, and the truth of each with its left edge."""
    folder = tmp_path_factory.mktemp("pair")
    films = []
    for name, look, share in (("woman", "check", 0.85), ("man", "stripe", 0.6)):
        settings = SyntheticSettings(name, look, "sway", 0, FRAMES / 12, 12, SIZE, SIZE, share, 0.0, 3)
        synthesize_clip(folder / name / "clip.mp4", folder / name / "truth.h5", settings)
        films.append([frame.picture() for frame in SourceVideo(folder / name / "clip.mp4").frames()])
    with create(folder / "frames.h5", "frames", "test") as writer, Film(folder / "pair.mp4", 12, 12) as film:
        for pictures in zip(*films, strict=True):
            both = np.concatenate(pictures, 1)
            film.write(both)
            writer.append(rgb=both)
        place = {"crop": [0, 0, 2 * SIZE, SIZE], "scale_x": 1.0, "scale_y": 1.0, "start_s": 0.0}
        writer.attributes({"rate_numerator": 12, "rate_denominator": 1, "source": str(folder / "pair.mp4"), **place})
    return folder


@pytest.fixture(scope="module")
def people(pair):
    find_people(pair / "frames.h5", pair / "people.h5", pose_settings("mediapipe", people=4))
    return pair / "people.h5"


@pytest.mark.slow
def test_both_are_found_in_every_frame_and_keep_the_contract(pair):
    backend = load_backend(BACKENDS, "mediapipe")(pose_settings("mediapipe", people=4))
    with Frames(pair / "frames.h5") as frames:
        assert [len(poses) for poses in check_pose_backend(backend, frames)] == [2] * FRAMES
        assert len(backend.detect(frames[0])) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("track", "name", "left"), [(1, "woman", 0), (2, "man", SIZE)])
def test_each_is_as_near_the_truth_as_one_alone_would_be(pair, people, track, name, left):
    with h5py.File(people) as file, open_file(pair / name / "truth.h5", "truth") as truth:
        mine = file["track"][:] == track
        assert mine.sum() == FRAMES
        body, exact = file["body"][mine], truth["body"][:]
        matte, person = file["matte"][mine] > 127, truth["matte"][:] > 127
    height = np.ptp(exact[..., 1], axis=1).mean()
    error = np.linalg.norm(body[..., :2] - exact[..., :2] - [left, 0], axis=-1) / height
    error = np.where(body[..., 2] > 0, error, np.inf)[exact[..., 2] > 0]
    assert (error < 0.05).mean() > 0.97
    assert np.median(error) < 0.015
    seen = matte[:, :, left : left + SIZE]
    assert (seen & person).sum() / (seen | person).sum() > 0.93
    assert not np.delete(matte, np.s_[left : left + SIZE], axis=2).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("person", "name", "left"), [("1", "woman", 0), ("2", "man", SIZE), ("380,128@0.5", "man", SIZE)]
)
def test_the_crop_follows_the_chosen_person(pair, people, tmp_path, person, name, left):
    choice = Choice(person, None, pair / "frames.h5", people)
    clip = Clip("pair", str(pair / "pair.mp4"), 0, 0, person, "person")
    decode = DecodeSettings("pyav", SIZE, 0, 0.0)
    locate_person(pair / "pair.mp4", tmp_path / "crop.json", clip, choice, pose_settings("mediapipe"), decode)
    found = json.loads((tmp_path / "crop.json").read_text())
    with open_file(pair / name / "truth.h5", "truth") as truth:
        boxes = truth["person_box"][:] + np.array([left, 0, left, 0])
    assert found["left"] == pytest.approx(boxes[:, 0].min(), abs=6)
    assert found["left"] + found["width"] == pytest.approx(boxes[:, 2].max(), abs=6)
    assert found["top"] == pytest.approx(boxes[:, 1].min(), abs=6)


def test_tiles_cover_the_picture():
    assert tiles(100, 100)[0] == (0, 0, 100)
    for height, width in ((720, 1280), (1920, 1080), (100, 100), (90, 1000)):
        covered = np.zeros((height, width), int)
        for left, top, size in tiles(height, width):
            covered[top : top + size, left : left + size] += 1
        assert covered.min() >= 2, "by the whole and by smaller ones"
        assert max(size for *_, size in tiles(height, width)) == max(height, width)


def test_a_hit_and_its_region_are_one():
    hit = Hit(300, 200, 80, pi / 6, 1.0)
    again = circle(hit.roi(480, 640), 480, 640)
    assert (again.x, again.y, again.radius, again.turn) == pytest.approx((300, 200, 80, pi / 6), rel=1e-5)
    assert hit.near(Hit(330, 200, 40, 0, 1.0), 0.5) and not hit.near(Hit(345, 200, 40, 0, 1.0), 0.5)


def test_poses_on_each_other_are_one():
    points = np.random.default_rng(1).uniform(0, 100, (25, 2))
    here = FramePose.nobody()
    here.body[:] = np.column_stack([points, np.ones(25)])
    for away, same in ((3, True), (40, False)):
        there = FramePose.nobody()
        there.body[:] = here.body + np.array([away, 0, 0])
        assert same_pose(here, there) == same
