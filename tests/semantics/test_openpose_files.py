"""OpenPose's JSON files of every version: read, refused with advice, written as OpenPose does."""

import json
from pathlib import Path

import numpy as np
import pytest

from understudy.errors import BackendError
from understudy.semantics.joints import BODY
from understudy.semantics.openpose_files import file_name, numbered_files, people_text, read_people
from understudy.semantics.openpose_layout import COCO_18, OpenPosePerson, body_25_of_coco

COUNTS = {"pose": 25, "face": 70, "hand_left": 21, "hand_right": 21}
# As OpenPose 1.7.0 writes it: one line, no blanks, six digits.
OF_1_7 = (
    '{{"version":1.3,"people":[{{"person_id":[-1],"pose_keypoints_2d":[{pose}],"face_keypoints_2d":[{face}],'
    '"hand_left_keypoints_2d":[{hand_left}],"hand_right_keypoints_2d":[{hand_right}],"pose_keypoints_3d":[],'
    '"face_keypoints_3d":[],"hand_left_keypoints_3d":[],"hand_right_keypoints_3d":[]}}]}}'
)


def values(part: str, count: int | None = None) -> np.ndarray:
    """Points (K, 3) that tell part and number: x, y, score."""
    number = np.arange(count or COUNTS[part])
    start = 100 * list(COUNTS).index(part)
    return np.column_stack([start + number + 0.25, 500 - number, 0.5 + number / 1000])


def person_of(version: float, count: int = 25) -> dict:
    """One person as a version of the format has them."""
    suffix = "_2d" if version > 1.1 else ""
    person = {f"{part}_keypoints{suffix}": values(part).ravel().tolist() for part in COUNTS}
    person[f"pose_keypoints{suffix}"] = values("pose", count).ravel().tolist()
    if version >= 1.2:
        person |= {f"{part}_keypoints_3d": [9.0] * 4 * number for part, number in COUNTS.items()}
    return person | ({"person_id": [-1]} if version >= 1.3 else {})


def write(folder: Path, people: list, version: float = 1.3, name: str = "a_000000000000_keypoints.json") -> Path:
    text = {"version": version, "people": people} | ({"part_candidates": [{"0": [1, 2, 0.5]}]} if version > 1 else {})
    (folder / name).write_text(json.dumps(text))
    return folder / name


@pytest.mark.parametrize("version", [1.0, 1.1, 1.2, 1.3])
def test_every_version_is_read(version, tmp_path):
    path = write(tmp_path, [person_of(version), person_of(version)], version)
    people = read_people(path)
    assert len(people) == 2
    np.testing.assert_allclose(people[1].body, values("pose"))
    np.testing.assert_allclose(people[1].face, values("face"))
    np.testing.assert_allclose(people[1].hands, [values("hand_left"), values("hand_right")])


def test_a_file_as_openpose_writes_it(tmp_path):
    texts = {part: ",".join(f"{value:.6g}" for value in values(part).ravel()) for part in COUNTS}
    path = tmp_path / "dance_000000000012_keypoints.json"
    path.write_text(OF_1_7.format(**texts))
    (person,) = read_people(path)
    np.testing.assert_allclose(person.body, values("pose"), rtol=1e-5)
    assert people_text([person]) == path.read_text(), "and ours is the same to the byte"


def test_nobody():
    assert people_text([]) == '{"version":1.3,"people":[]}'


def test_parts_that_were_off_and_points_that_were_not_found(tmp_path):
    person = person_of(1.3) | {"face_keypoints_2d": [], "hand_left_keypoints_2d": []}
    person["pose_keypoints_2d"][3:6] = [0.5, 0.5, 0]  # with scaled keypoints what is not found is no zero
    (read,) = read_people(write(tmp_path, [person]))
    assert not read.face.any() and not read.hands[0].any() and read.hands[1].any()
    assert not read.body[1].any()


@pytest.mark.parametrize("version", [1.0, 1.3])
def test_the_older_body_of_18_joints_is_mapped(version, tmp_path):
    (person,) = read_people(write(tmp_path, [person_of(version, count=18)], version))
    known = values("pose", 18)
    for number, name in enumerate(COCO_18):
        np.testing.assert_allclose(person.body[BODY[name]], known[number], err_msg=name)
    hips = known[[8, 11]]
    np.testing.assert_allclose(person.body[BODY["mid_hip"]], [*hips[:, :2].mean(0), hips[:, 2].min()])
    assert not person.body[[index for name, index in BODY.items() if "toe" in name or "heel" in name]].any()


def test_no_mid_hip_without_both_hips():
    joints = values("pose", 18)
    joints[8] = 0
    assert not body_25_of_coco(joints)[BODY["mid_hip"]].any()


@pytest.mark.parametrize(
    ("person", "says"),
    [
        (person_of(1.3, count=15), r"15 joints a person \(OpenPose's MPI model\).*--model_pose BODY_25"),
        (person_of(1.3, count=135), "405 values for pose, expected 75 or 54 or 45"),
        (person_of(1.3) | {"face_keypoints_2d": [1, 2]}, "2 values for face, expected 210"),
        (person_of(1.3) | {"pose_keypoints_2d": [None] * 75}, "75 values for pose"),
        ({"body_parts": [1] * 54}, "keys body_parts, expected pose_keypoints_2d"),
        ({}, "keys none"),
        ("Ada", "holds str for a person"),
    ],
)
def test_other_layouts_are_refused_with_advice(person, says, tmp_path):
    with pytest.raises(BackendError, match=says):
        read_people(write(tmp_path, [person]))


@pytest.mark.parametrize(
    "text", ["", '{"version":1.3,"peop', "[]", '{"version":1.3}', '{"people":3}', '{"people":null}']
)
def test_damaged_files_are_named(text, tmp_path):
    path = tmp_path / "a_000000000007_keypoints.json"
    path.write_text(text)
    with pytest.raises(BackendError, match=r"a_000000000007_keypoints\.json is no file of OpenPose's --write_json"):
        read_people(path)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text("{}")
    return folder


@pytest.mark.parametrize(
    "names",
    [
        ["dance_000000000009_keypoints.json", "dance_000000000010_keypoints.json"],
        ["000009_keypoints.json", "000010_keypoints.json"],
        ["9_keypoints.json", "10_keypoints.json"],
        ["2024-05-01 dance.take2-0009_keypoints.json", "2024-05-01 dance.take2-0010_keypoints.json"],
        ["frame9_keypoints.json", "frame10_keypoints.json"],
    ],
)
def test_numbers_in_names_of_any_kind(names, tmp_path):
    files = numbered_files(touch(tmp_path, *names, "notes.json", "dance.avi"))
    assert {number: path.name for number, path in files.items()} == dict(zip((9, 10), names, strict=True))
    assert list(files) == [9, 10], "in order of number, not of letters"


def test_names_are_openposes():
    assert file_name("dance", 12) == "dance_000000000012_keypoints.json"


def test_folders_that_are_refused(tmp_path):
    with pytest.raises(BackendError, match=r"does not exist; run OpenPose with --write_json"):
        numbered_files(tmp_path / "none")
    with pytest.raises(BackendError, match=r"holds no file whose name ends .* \(of 2 files\)"):
        numbered_files(touch(tmp_path, "a.json", "b_keypoints.json"))
    with pytest.raises(BackendError, match=r"holds 2 files of 2 videos \('a_', 'b_'\)"):
        numbered_files(touch(tmp_path, "a_01_keypoints.json", "b_02_keypoints.json"))
    (tmp_path / "twice").mkdir()
    with pytest.raises(BackendError, match="numbers that stand there twice"):
        numbered_files(touch(tmp_path / "twice", "1_keypoints.json", "01_keypoints.json"))


def test_half_a_pixel_and_back():
    person = OpenPosePerson(values("pose"), values("face"), np.stack([values("hand_left"), values("hand_right")]))
    person.face[3] = 0
    ours = person.in_our_pixels()
    np.testing.assert_array_equal(ours.body, person.body)
    np.testing.assert_allclose(ours.hands[..., :2], person.hands[..., :2] + 0.5)
    assert not ours.face[3].any(), "a point that is not found stays 0, 0, 0"
    np.testing.assert_allclose(ours.in_openpose_pixels().face, person.face)
