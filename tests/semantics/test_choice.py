"""Who the clip table means: known answers in a planted crowd, and errors that say who is there."""

import re
from pathlib import Path

import numpy as np
import pytest

from crowd import walk, write_crowd
from defaults import pose_settings
from understudy.errors import FootageError
from understudy.layouts import change_file, open_file
from understudy.semantics.choice import Choice, choose_track, list_tracks
from understudy.semantics.people import open_people
from understudy.semantics.pose import estimate_pose
from understudy.video.frames import Frames

# Three people in frames of 400 x 240 px: a tall one far left, one in the middle, one who comes late on the right.
PATHS = [
    walk(60, 60, 50, height=160.0, y=130.0),
    walk(200, 200, 50, height=100.0),
    [None] * 20 + walk(330, 330, 30, height=90.0),
]
SETTINGS = pose_settings("mediapipe", smooth_frames=1)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("crowd")
    write_crowd(folder, PATHS)
    return folder


def chosen(folder: Path, person: str) -> int:
    with open_people(folder / "people.h5") as people, Frames(folder / "frames.h5") as frames:
        return choose_track(people, frames, Choice(person, folder / "people.png"))


@pytest.mark.parametrize(
    ("person", "track"),
    [
        ("largest", 1),
        ("central", 2),
        ("3", 3),
        ("670,240@3.5", 3),  # source px: twice the frame's and 10 from the left; 3.5 s is frame 37
        ("130,260@2", 1),
        ("470,240@2.0", 2),  # beside the person in the middle, not far
    ],
)
def test_known_answers(crowd, person, track):
    assert chosen(crowd, person) == track


@pytest.mark.parametrize(
    ("person", "words"),
    [
        ("7", r"person is '7', but there is no track 7 in crowd.mp4"),
        ("670,240@2.1", r"nobody is followed near 670,240 at 2.1 s"),
        ("670,240@20", r"nobody is followed at 20 s"),
    ],
)
def test_errors_list_who_is_there_and_name_the_sheet(crowd, person, words):
    with pytest.raises(FootageError, match=words) as mistake:
        chosen(crowd, person)
    text = str(mistake.value)
    assert f"({crowd / 'people.png'} shows them)" in text
    assert re.search(r" 1 \(2\.00 to 3\.96 s, 3\d\d px high, about x 130, y 26\d\);", text)
    assert "3 (2.80 to 3.96 s" in text
    assert "at most 4 people were looked for" in text and "largest or central" in text


def test_spans_are_seconds_and_pixels_of_the_source(crowd):
    with open_people(crowd / "people.h5") as people, Frames(crowd / "frames.h5") as frames:
        late = list_tracks(people, frames)[2]
    assert (late.number, late.first_s, late.last_s) == (3, pytest.approx(2.8), pytest.approx(3.96))
    assert (late.x, late.y) == (pytest.approx(670, abs=3), pytest.approx(240, abs=10))


@pytest.mark.parametrize("person", ["1", "2", "3"])
def test_the_pose_is_the_chosen_persons_and_nobody_elses(crowd, tmp_path, person):
    """The late one has no row before they come, and a point on them says the same as their number."""
    pose = tmp_path / "pose.h5"
    estimate_pose(crowd / "frames.h5", crowd / "people.h5", pose, Choice(person), SETTINGS)
    path = PATHS[int(person) - 1]
    with open_file(pose, "pose") as file:
        assert file["valid"][:].tolist() == [place is not None for place in path]
        assert file["row"][0] == (-1 if person == "3" else file["row"][0])
        middle = file["body"][:, 8, 0][file["valid"][:]]
        assert file.attrs["track"] == int(person)
    np.testing.assert_allclose(middle, path[-1][0], atol=1.5)


def test_a_person_of_the_whole_picture_is_found_in_the_cropped_one(tmp_path):
    """The crop is moved by 60 px and shows the people twice as large, in other rows, under other numbers."""
    whole, crop = tmp_path / "whole", tmp_path / "crop"
    write_crowd(whole, PATHS)
    cut = [path and [place and (2 * (place[0] - 60), place[1], place[2] * 1.6) for place in path] for path in PATHS[1:]]
    owner = write_crowd(crop, cut, seed=5, size=(240, 600))
    with change_file(crop / "frames.h5") as file:  # frame px = (source px - 130) * 1, rows from -100 on
        file.attrs["crop"], file.attrs["scale_x"], file.attrs["scale_y"] = "[130, 120, 600, 240]", 1.0, 1.0
    choice = Choice("3", None, whole / "frames.h5", whole / "people.h5")
    estimate_pose(crop / "frames.h5", crop / "people.h5", crop / "pose.h5", choice, SETTINGS)
    with open_file(crop / "pose.h5", "pose") as file:
        rows = file["row"][:]
        assert file.attrs["track"] == 3 and file.attrs["whole"]
    assert (rows[20:] >= 0).all() and (rows[:20] < 0).all()
    assert set(owner[rows[20:]]) == {1}


def test_who_left_the_crop_is_missed_in_plain_words(tmp_path):
    whole, crop = tmp_path / "whole", tmp_path / "crop"
    write_crowd(whole, PATHS)
    write_crowd(crop, PATHS[:1])
    choice = Choice("3", None, whole / "frames.h5", whole / "people.h5")
    with pytest.raises(FootageError, match=r"'3' \(track 3 of the whole picture\) is not found in the frames of"):
        estimate_pose(crop / "frames.h5", crop / "people.h5", crop / "pose.h5", choice, SETTINGS)
    assert not (crop / "pose.h5").exists()
