"""Folders of OpenPose's files matched to the clip's frames by number, refused where they do not fit; the way back."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts import check_pose_backend
from defaults import pose_settings
from filming import Take, barcode, write_video
from posing import make_pose
from understudy.backends import load_backend
from understudy.clips import Clip
from understudy.errors import BackendError
from understudy.layouts import open_file
from understudy.semantics.choice import Choice
from understudy.semantics.locate import locate_person
from understudy.semantics.openpose_export import export_openpose_json
from understudy.semantics.openpose_files import file_name, numbered_files, people_text, read_people
from understudy.semantics.openpose_layout import OpenPosePerson
from understudy.semantics.people import BACKENDS, find_people
from understudy.settings import DecodeSettings, PoseSettings
from understudy.video.decode import decode_clip
from understudy.video.frames import Frames

PICTURES, HEIGHT, WIDTH = 30, 96, 160
AREA = {"left": 40, "top": 16, "width": 64, "height": 64}


def settings(folder: Path, first_number: int = -1, **changes) -> PoseSettings:
    section = replace(pose_settings("openpose_json").openpose_json, path=str(folder), first_number=first_number)
    return replace(pose_settings("openpose_json", **changes), openpose_json=section)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    pictures = [np.resize(barcode(number, HEIGHT), (HEIGHT, WIDTH, 3)) for number in range(PICTURES)]
    return write_video(tmp_path_factory.mktemp("source") / "dance.mkv", pictures, Take())


@pytest.fixture
def decoded(video, tmp_path) -> Callable[..., Path]:
    """Decode the video, or a part of it at another rate, cropped and scaled."""

    def decode(start_s: float = 0, end_s: float = 0, rate_fps: float = 0, area: dict | None = None) -> Path:
        (tmp_path / "crop.json").write_text(json.dumps(area or AREA))
        clip = Clip("dance", str(video), start_s, end_s, "largest", "none")
        paths = tmp_path / "frames.h5", tmp_path / "sound.mka"
        decode_clip(video, tmp_path / "crop.json", *paths, clip, DecodeSettings("pyav", 96, rate_fps, 0))
        return paths[0]

    return decode


def somebody(number: int, aside: float = 0) -> OpenPosePerson:
    """A person whose places tell the picture: in the source's pixels, inside of AREA."""
    place = np.array([45 + number + aside, 20 + number / 2])

    def points(count: int, score: float) -> np.ndarray:
        return np.column_stack([place + np.column_stack([np.arange(count) % 5, np.arange(count) / 8]), [score] * count])

    return OpenPosePerson(points(25, 0.9), points(70, 0.8), np.stack([points(21, 0.7), points(21, 0.6)]))


def write_folder(folder: Path, numbers, first: int = 0, name: str = "dance", people: int = 1) -> Path:
    """Files as OpenPose writes them; `numbers` of the pictures that have one."""
    folder.mkdir()
    for number in numbers:
        text = people_text([somebody(number, 4 * other) for other in range(people)])
        (folder / file_name(name, number + first)).write_text(text)
    return folder


def numbers_found(frames: Path, folder: Path, **options) -> list[float]:
    """The picture that each frame's pose tells; -1 where nobody is."""
    backend = load_backend(BACKENDS, "openpose_json")(settings(folder, **options))
    with Frames(frames) as opened:
        people = check_pose_backend(backend, opened)
        return [float(opened.to_source(poses[0].body[0, :2])[0]) - 45 if poses else -1.0 for poses in people]


def test_frames_get_the_poses_of_their_pictures(decoded, tmp_path):
    folder = write_folder(tmp_path / "files", range(PICTURES))
    np.testing.assert_allclose(numbers_found(decoded(), folder), np.arange(PICTURES), atol=0.01)


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        ({"start_s": 0.2, "end_s": 0.6}, range(5, 15)),
        ({"rate_fps": 12.5}, range(0, 30, 2)),
        ({"rate_fps": 50, "end_s": 0.12}, [0, 0, 1, 1, 2, 2]),
    ],
)
@pytest.mark.parametrize("first", [0, 1])
def test_a_clip_that_is_cut_or_of_another_rate(span, shown, first, decoded, tmp_path):
    """Files of the whole video, counted from 0 as OpenPose does or from 1 as images are."""
    folder = write_folder(tmp_path / "files", range(PICTURES), first)
    np.testing.assert_allclose(numbers_found(decoded(**span), folder), list(shown), atol=0.01)


def test_gaps_are_pictures_without_a_person(decoded, tmp_path):
    folder = write_folder(tmp_path / "files", [number for number in range(PICTURES) if number not in (3, 4, 20)])
    (folder / file_name("dance", 7)).write_text(people_text([]))
    found = numbers_found(decoded(), folder)
    assert [number for number, place in enumerate(found) if place == -1] == [3, 4, 7, 20]
    pose = tmp_path / "pose.h5"
    make_pose(tmp_path / "frames.h5", pose, settings(folder))
    with open_file(pose, "pose") as file:
        assert file["valid"][:].all(), "short gaps are bridged"


def test_places_are_those_of_the_source(decoded, tmp_path):
    """Everyone is given, each point where it lies, face and hands half a pixel further."""
    folder = write_folder(tmp_path / "files", range(PICTURES), people=3)
    with Frames(decoded()) as frames:
        people = list(load_backend(BACKENDS, "openpose_json")(settings(folder))(frames))
        assert [len(poses) for poses in people] == [3] * PICTURES
        exact = somebody(10, 4)
        pose = people[10][1]
        assert (frames.attrs["scale_x"], frames.height) == (1.5, 96)
        np.testing.assert_allclose(pose.body[:, :2], frames.to_frame(exact.body[:, :2]), atol=1e-3)
        np.testing.assert_allclose(pose.face[:, :2], frames.to_frame(exact.face[:, :2] + 0.5), atol=1e-3)
        np.testing.assert_allclose(pose.hands[..., :2], frames.to_frame(exact.hands[..., :2] + 0.5), atol=1e-3)
        np.testing.assert_allclose(pose.hands[..., 2], exact.hands[..., 2], atol=1e-6)


def test_who_is_not_in_the_crop_is_not_there(decoded, tmp_path):
    folder = write_folder(tmp_path / "files", range(PICTURES))
    frames = decoded(area={"left": 110, "top": 0, "width": 48, "height": 96})
    assert numbers_found(frames, folder) == [-1] * PICTURES


def test_a_single_picture_has_no_file(tmp_path):
    with pytest.raises(BackendError, match="finds nobody in a single picture; give crop"):
        load_backend(BACKENDS, "openpose_json")(settings(tmp_path)).detect(np.zeros((8, 8, 3), np.uint8))


def test_a_clip_is_cropped_to_who_is_in_the_files(decoded, video, tmp_path):
    """The whole picture is a clip of its own, whose people are those of the files; nothing else looks at pictures."""
    folder = write_folder(tmp_path / "files", range(PICTURES))
    frames = decoded(area={"left": 0, "top": 0, "width": WIDTH, "height": HEIGHT})
    find_people(frames, tmp_path / "people.h5", settings(folder))
    choice = Choice("largest", None, frames, tmp_path / "people.h5")
    clip = Clip("dance", str(video), 0, 0, "largest", "person")
    emptied = pose_settings("", min_score=0.0)
    locate_person(video, tmp_path / "found.json", clip, choice, emptied, DecodeSettings("pyav", 96, 0, 0))
    found = json.loads((tmp_path / "found.json").read_text())
    people = [np.concatenate([somebody(number).in_our_pixels().body, somebody(number).face]) for number in (0, 29)]
    low, high = people[0][:, :2].min(0), people[1][:, :2].max(0)
    np.testing.assert_allclose([found["left"], found["top"]], low, atol=1)
    np.testing.assert_allclose([found["left"] + found["width"], found["top"] + found["height"]], high, atol=1)


def test_low_scores_are_absent(decoded, tmp_path):
    folder = write_folder(tmp_path / "files", range(PICTURES))
    with Frames(decoded()) as frames:
        ((pose,), *_) = load_backend(BACKENDS, "openpose_json")(settings(folder, min_score=0.65))(frames)
    assert pose.hands[0].any() and not pose.hands[1].any()


@pytest.mark.parametrize(
    ("numbers", "first", "span", "says"),
    [
        (range(40), 0, {}, r"holds 40 files with the numbers 0 to 39, but .*dance\.mkv has 30 pictures, expected the "
         r"numbers 0 to 29 .*of another video.*ffmpeg -i dance\.mkv -fps_mode passthrough"),
        (range(40), 1, {}, r"numbers 1 to 40"),
        (range(20), 0, {}, r"the clip shows the pictures with the numbers 0 to 29 .*no --frame_last"),
        (range(10, 30), 0, {}, r"numbers 10 to 29, but the clip shows the pictures with the numbers 0 to 29"),
        (range(20), 1, {"end_s": 0.4}, r"numbers 1 to 20, .*cannot be told .*pose\.openpose_json\.first_number"),
        (range(5, 9), 0, {"start_s": 0.2, "end_s": 0.6}, r"numbers 5 to 14"),
    ],
)  # fmt: skip
def test_counts_that_differ_are_refused(numbers, first, span, says, decoded, tmp_path):
    folder = write_folder(tmp_path / "files", numbers, first)
    with pytest.raises(BackendError, match=says):
        numbers_found(decoded(**span), folder)


def test_files_of_the_span_are_enough(decoded, tmp_path):
    folder = write_folder(tmp_path / "files", range(5, 15))
    np.testing.assert_allclose(numbers_found(decoded(start_s=0.2, end_s=0.6), folder), np.arange(5, 15), atol=0.01)


def test_the_first_number_can_be_said(decoded, tmp_path):
    frames = decoded(end_s=0.4)
    for first in (1, 100):
        folder = write_folder(tmp_path / str(first), range(20), first)
        np.testing.assert_allclose(numbers_found(frames, folder, first_number=first), np.arange(10), atol=0.01)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda points: points / [WIDTH, HEIGHT, 1], r"joints between -1 and 1.*--keypoint_scale 0"),
        (lambda points: points * [4, 4, 1], r"joints up to x \d+, y \d+, but the upright picture is only 160x96"),
    ],
)
def test_other_pixels_are_refused(change, says, decoded, tmp_path):
    folder = write_folder(tmp_path / "files", range(PICTURES))
    person = somebody(29)
    (folder / file_name("dance", 29)).write_text(people_text([replace(person, body=change(person.body))]))
    with pytest.raises(BackendError, match=says):
        numbers_found(decoded(), folder)


@pytest.mark.parametrize("span", [{}, {"start_s": 0.2, "end_s": 0.8}, {"rate_fps": 12.5}])
def test_poses_go_out_and_come_back(span, decoded, tmp_path):
    """Six digits of a place under a thousand pixels are a hundredth of a pixel at most."""
    folder = write_folder(tmp_path / "files", range(PICTURES), people=1)
    raw = {"smooth_frames": 1, "gap_frames": 0, "min_score": 0.0}
    frames = decoded(**span)
    make_pose(frames, tmp_path / "pose.h5", settings(folder, **raw))
    export_openpose_json(frames, tmp_path / "pose.h5", tmp_path / "exported", "dance")
    make_pose(frames, tmp_path / "again.h5", settings(tmp_path / "exported", **raw))
    with open_file(tmp_path / "pose.h5", "pose") as one, open_file(tmp_path / "again.h5", "pose") as other:
        for name in ("body", "face", "hands", "valid"):
            np.testing.assert_allclose(other[name][:], one[name][:], atol=0.01, err_msg=name)
    if not span:
        first = tmp_path / "exported" / "dance_000000000000_keypoints.json"
        assert first.read_text() == people_text([somebody(0)]), "and they are OpenPose's own numbers again"


def test_exported_files_are_those_of_the_source(decoded, tmp_path):
    """Numbers and pixels of the source, nobody where nobody is; an older folder gives way."""
    folder = write_folder(tmp_path / "files", [number for number in range(PICTURES) if number not in range(8, 12)])
    frames = decoded(start_s=0.2, end_s=0.6)
    make_pose(frames, tmp_path / "pose.h5", settings(folder, smooth_frames=1, gap_frames=2))
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "older.json").touch()
    export_openpose_json(frames, tmp_path / "pose.h5", tmp_path / "exported", "ada")
    files = numbered_files(tmp_path / "exported")
    assert [path.name for path in files.values()] == [f"ada_{number:012d}_keypoints.json" for number in range(5, 15)]
    assert [len(read_people(path)) for path in files.values()] == [1, 1, 1, 0, 0, 0, 0, 1, 1, 1]
    assert not (tmp_path / "exported" / "older.json").exists()
    assert files[8].read_text() == '{"version":1.3,"people":[]}'
    np.testing.assert_allclose(read_people(files[6])[0].body, somebody(6).body, atol=1e-3)
