"""The rectangle of the source that becomes a frame."""

import numpy as np
import pytest

from understudy.clips import Clip
from understudy.errors import VideoError
from understudy.video.crop import View, view_of


def view(left, top, wide, high, height, width, out_height=256, crop="person") -> View:
    area = {"left": left, "top": top, "width": wide, "height": high}
    return view_of(area, height, width, out_height, Clip("a", "a.mp4", 0, 0, "largest", crop))


def test_a_picture_that_fits_is_taken_whole():
    assert view(0, 0, 256, 256, 256, 256) == View(0, 0, 256, 256, 256, 256)


@pytest.mark.parametrize("seed", range(20))
def test_scale_is_the_same_both_ways_and_the_middle_stays(seed):
    noise = np.random.default_rng(seed)
    high, wide = noise.uniform(200, 700), noise.uniform(150, 600)
    left, top = noise.uniform(400, 900), noise.uniform(0, 1080 - high)
    found = view(left, top, wide, high, 1080, 1920)
    assert found.out_width % 32 == 0
    assert found.out_height == 256
    assert abs(found.out_width - wide / high * 256) <= 17
    assert (found.width / found.out_width) / (found.height / 256) == pytest.approx(1, abs=0.6 / found.width)
    assert found.left + found.width / 2 == pytest.approx(left + wide / 2, abs=1)
    assert found.top + found.height / 2 == pytest.approx(top + high / 2, abs=1)


def test_a_widened_rectangle_is_moved_inside():
    found = view(0, 0, 100, 256, 256, 640)  # 100 px become 96, at the left border
    assert (found.left, found.width) == (2, 96)
    found = view(0, 0, 120, 256, 256, 640)  # 120 become 128: 4 px to the left of the picture
    assert (found.left, found.width) == (0, 128)


def test_a_tie_takes_the_side_that_needs_no_padding():
    assert view(0, 0, 1080, 1920, 1920, 1080) == View(60, 0, 960, 1920, 128, 256)


def test_a_picture_too_narrow_is_padded_on_both_sides():
    found = view(0, 0, 150, 256, 256, 150)
    assert (found.left, found.width, found.out_width) == (-5, 160, 160)
    picture = np.arange(150, dtype=np.uint8)[None, :, None].repeat(256, 0).repeat(3, 2)
    cut = found.cut(picture)
    assert cut[0, :6, 0].tolist() == [0, 0, 0, 0, 0, 0]
    assert cut[0, 5:155, 0].tolist() == list(range(150))
    assert cut[0, -5:, 0].tolist() == [149] * 5


def test_a_person_near_the_border_is_moved_inside():
    found = view(-40, -30, 200, 400, 1080, 1920)
    assert (found.left, found.top) == (0, 0)
    assert found.height == 400


def test_a_rectangle_of_the_table_outside_names_the_size():
    with pytest.raises(VideoError, match="1920x1080"):
        view(1800, 0, 200, 400, 1080, 1920, crop="1800,0,200,400")


def test_smaller_pictures_are_averaged():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 200
    cut = view(0, 0, 512, 512, 512, 512).cut(stripes)
    assert cut.shape == (256, 256, 3)
    assert np.abs(cut.astype(int) - 100).max() <= 1


def test_larger_pictures_are_interpolated():
    ramp = np.arange(64, dtype=np.uint8)[None, :, None].repeat(64, 0).repeat(3, 2) * np.uint8(4)
    cut = view(0, 0, 64, 64, 64, 64).cut(ramp)
    assert cut.shape == (256, 256, 3)
    assert np.abs(np.diff(cut[128, 8:-8, 0].astype(int))).max() <= 2
