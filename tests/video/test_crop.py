"""The rectangle of the source that becomes a frame."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from understudy.clips import Clip
from understudy.errors import VideoError
from understudy.video.backends._contract import SourceFrame
from understudy.video.crop import View, ignored_boxes, view_of


def view(left, top, wide, high, height, width, out_height=256, crop="person") -> View:
    area = {"left": left, "top": top, "width": wide, "height": high}
    return view_of(area, height, width, out_height, Clip("a", "a.mp4", 0, 0, "largest", crop))


def still(picture: np.ndarray) -> SourceFrame:
    """Make a frame of a source that is scaled by plain averaging."""

    def scaled(height: int, width: int) -> np.ndarray:
        return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)

    return SourceFrame(Fraction(0), Fraction(1), scaled, *picture.shape[:2])


def test_a_picture_that_fits_is_taken_whole():
    found = view(0, 0, 256, 256, 256, 256)
    assert (found.crop, found.scale) == ((0, 0, 256, 256), (1, 1))
    found = view(0, 0, 1280, 960, 960, 1280, out_height=480)
    assert (found.crop, found.scale, found.out_width) == ((0, 0, 1280, 960), (0.5, 0.5), 640)


@pytest.mark.parametrize("out_height", [128, 256, 1024])
@pytest.mark.parametrize("seed", range(20))
def test_scale_is_the_same_both_ways_and_the_middle_stays(seed, out_height):
    noise = np.random.default_rng(seed)
    high, wide = noise.uniform(300, 700), noise.uniform(200, 600)
    left, top = noise.uniform(400, 900), noise.uniform(0, 1080 - high)
    found = view(left, top, wide, high, 1080, 1920, out_height)
    assert found.out_width % 16 == 0
    assert found.out_height == out_height
    assert abs(found.out_width - wide / high * out_height) <= 9
    assert found.scale[0] / found.scale[1] == pytest.approx(1, abs=1.2 / min(found.width, found.scaled_height))
    assert found.scale[1] * round(high) == pytest.approx(out_height, rel=0.002)
    assert found.crop[0] + found.crop[2] / 2 == pytest.approx(left + wide / 2, abs=1 / min(found.scale[0], 1))
    assert found.crop[1] + found.crop[3] / 2 == pytest.approx(top + high / 2, abs=1 / min(found.scale[1], 1))


@pytest.mark.parametrize("high", [200, 250, 256, 300, 700])
def test_a_point_lies_where_crop_and_scale_say(high):
    picture = np.zeros((720, 640, 3), np.uint8)
    picture[96:104, 200:208] = 255  # centre 204, 100
    found = view(60, 10, min(high, 500), high, 720, 640)
    rows, columns = np.mgrid[: found.out_height, : found.out_width] + 0.5
    weight = found.cut(still(picture)).mean(2)
    centre = (weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()
    expected = (204 - found.crop[0]) * found.scale[0], (100 - found.crop[1]) * found.scale[1]
    assert centre == pytest.approx(expected, abs=0.1)


def test_a_widened_rectangle_is_moved_inside():
    found = view(0, 0, 100, 256, 256, 640)  # 100 px become 96, about the same middle
    assert (found.left, found.width) == (2, 96)
    found = view(0, 0, 120, 256, 256, 640)  # 120 become 128, which would begin 4 px left of the picture
    assert (found.left, found.width) == (0, 128)


def test_a_phone_held_upright_fits_as_it_is():
    found = view(0, 0, 1080, 1920, 1920, 1080)
    assert found.crop == (0, 0, 1080, 1920)
    assert found.out_width == 144


def test_a_picture_without_room_for_the_nearest_width_is_narrowed():
    found = view(0, 0, 158, 256, 256, 158)  # 160 is nearer, but 2 px wider than the picture
    assert (found.left, found.width, found.out_width) == (7, 144, 144)


def test_a_picture_narrower_than_one_step_is_padded_on_both_sides():
    found = view(0, 0, 40, 1024, 1024, 40)
    assert (found.scaled_width, found.left, found.width, found.out_width) == (10, -3, 16, 16)
    picture = np.arange(40, dtype=np.uint8)[None, :, None].repeat(1024, 0).repeat(3, 2)
    cut = found.cut(still(picture))
    assert cut[0, :4, 0].tolist() == [cut[0, 3, 0]] * 4
    assert cut[0, -4:, 0].tolist() == [cut[0, -4, 0]] * 4
    assert cut[0, 3, 0] < cut[0, 12, 0]


def test_a_person_near_the_border_is_moved_inside():
    found = view(-40, -30, 200, 400, 1080, 1920)
    assert found.crop[:2] == (0, 0)
    assert found.crop[3] == pytest.approx(400, abs=1)


def test_a_rectangle_of_the_table_outside_names_the_size():
    with pytest.raises(VideoError, match="1920x1080"):
        view(1800, 0, 200, 400, 1080, 1920, crop="1800,0,200,400")


def test_larger_pictures_are_interpolated():
    ramp = np.arange(64, dtype=np.uint8)[None, :, None].repeat(64, 0).repeat(3, 2) * np.uint8(4)
    cut = view(0, 0, 64, 64, 64, 64).cut(still(ramp))
    assert cut.shape == (256, 256, 3)
    assert np.abs(np.diff(cut[128, 8:-8, 0].astype(int))).max() <= 2


def test_ignored_boxes_are_carried_into_the_frame_and_cut_to_it():
    found = view(192, 100, 416, 800, 1000, 1200, out_height=400)
    assert found.crop == (192, 100, 416, 800)
    clip = Clip("a", "a.mp4", 0, 0, "largest", "person", "300,500,100,50;0,850,1200,100;0,0,90,1000")
    assert ignored_boxes(found, clip) == [[54, 200, 104, 225], [0, 375, 208, 400]]  # the third lies beside it


def test_an_ignored_box_outside_the_picture_is_refused():
    clip = Clip("a", "a.mp4", 0, 0, "largest", "none", "300,500,100,501")
    with pytest.raises(VideoError, match=r"ignores 100x501 pixels at 300,500.*correct ignore in the clip table"):
        ignored_boxes(view(0, 0, 1200, 1000, 1000, 1200), clip)
