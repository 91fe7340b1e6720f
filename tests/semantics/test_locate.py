"""Finding the person: the rectangle holds it, keeps to the picture, and follows the clip table."""

import numpy as np
import pytest

from defaults import pose_settings
from filming import write_video
from understudy.clips import Clip
from understudy.errors import FootageError
from understudy.layouts import open_file
from understudy.seals import read_json
from understudy.semantics.choice import Choice
from understudy.semantics.locate import boxes_of_one, locate_person, rectangle_round
from understudy.settings import DecodeSettings, SyntheticSettings
from understudy.synthetic.clip import synthesize_clip
from understudy.video.crop import RECTANGLE

POSE = pose_settings("mediapipe")
DECODE = DecodeSettings("pyav", 256, 0, 0.08)


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A small performer who stands far to the right in a wide picture."""
    folder = tmp_path_factory.mktemp("wide")
    settings = SyntheticSettings("man", "stripe", "sway", 0, 1, 12, 240, 480, 0.6, 0.9, 3)
    synthesize_clip(folder / "synthetic.mp4", folder / "truth.h5", settings)
    return folder


def located(video, tmp_path, crop: str) -> dict[str, float]:
    clip = Clip("clip", str(video), 0, 0, "largest", crop)
    locate_person(video, tmp_path / "crop.json", clip, Choice("largest"), POSE, DECODE)
    return read_json(tmp_path / "crop.json", RECTANGLE)


@pytest.mark.slow
def test_the_person_is_inside_and_the_rest_outside(wide, tmp_path):
    found = located(wide / "synthetic.mp4", tmp_path, "person")
    with open_file(wide / "truth.h5", "truth") as truth:
        boxes = truth["person_box"][:]
    left, top, right, bottom = *boxes[:, :2].min(0), *boxes[:, 2:].max(0)
    margin = 0.08 * (bottom - top)
    assert found["left"] == pytest.approx(left - margin, abs=5)
    assert found["top"] == pytest.approx(top - margin, abs=5)
    assert found["left"] + found["width"] == pytest.approx(right + margin, abs=5)
    assert found["top"] + found["height"] == pytest.approx(bottom + margin, abs=5)


def test_none_is_the_whole_picture_and_numbers_are_taken(wide, tmp_path):
    video = wide / "synthetic.mp4"
    assert located(video, tmp_path, "none") == {"left": 0, "top": 0, "width": 480, "height": 240}
    assert located(video, tmp_path, "200,10,120,230") == {"left": 200, "top": 10, "width": 120, "height": 230}


def test_a_rectangle_beyond_the_picture_is_refused(wide, tmp_path):
    with pytest.raises(FootageError, match="only 480x240 pixels"):
        located(wide / "synthetic.mp4", tmp_path, "400,0,100,240")
    assert not (tmp_path / "crop.json").exists()


def test_nobody_is_refused_with_advice(tmp_path):
    wall = write_video(tmp_path / "wall.mp4", [np.full((64, 64, 3), 90, np.uint8)] * 5)
    with pytest.raises(FootageError, match=r"Nobody is found in 5 pictures .* left,top,width,height"):
        located(wall, tmp_path, "person")


def test_boxes_are_joined_with_a_margin_inside_the_picture():
    boxes = np.array([[10, 20, 30, 60], [15, 22, 50, 60.0]])
    left, top, width, height = rectangle_round(boxes, 0.1, height=62, width=200)
    assert (left, top) == (6, 16)
    assert (left + width, top + height) == (54, 62)


def test_a_leap_and_a_smaller_person_are_left_out_and_a_walker_is_kept_whole():
    walk = np.array([[10, 20, 30, 60]]) + np.outer(np.arange(24), [9, 0, 9, 0.0])
    disturbed = walk.copy()
    disturbed[7] = (0, 0, 300, 200)
    disturbed[15] = (200, 40, 208, 56)
    kept = boxes_of_one(disturbed)
    np.testing.assert_array_equal(kept, np.delete(walk, (7, 15), axis=0))
    np.testing.assert_array_equal(boxes_of_one(walk), walk)
