"""Colour against the formulas of the standards, written out plainly."""

from fractions import Fraction

import av
import numpy as np
import pytest

from understudy.video.colour import FULL, LIMITED, Colour, colour_of, to_rgb, to_video

# luma weights of red and blue: ITU-R BT.601-7, BT.709-6, BT.2020-2
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
NUMBERS = {"bt601": 6, "bt709": 1, "bt2020": 9}
COLOURS = np.random.default_rng(5).integers(0, 256, (4, 6, 3)).astype(float)


def coded(rgb: np.ndarray, matrix: str, full: bool) -> np.ndarray:
    """RGB 0..255 to Y, Cb, Cr in 8 bits, not rounded."""
    red, blue = WEIGHTS[matrix]
    luma = red * rgb[..., 0] + (1 - red - blue) * rgb[..., 1] + blue * rgb[..., 2]
    cb, cr = (rgb[..., 2] - luma) / (2 - 2 * blue), (rgb[..., 0] - luma) / (2 - 2 * red)
    if full:
        return np.stack([luma, 128 + cb, 128 + cr], -1)
    return np.stack([16 + luma * 219 / 255, 128 + cb * 224 / 255, 128 + cr * 224 / 255], -1)


def frame_of(planes: np.ndarray, matrix: int = 2, full: bool = False) -> av.VideoFrame:
    """Make a yuv420p frame of patches of 16 px from (R, C, 3) values."""
    luma = planes[..., 0].repeat(16, 0).repeat(16, 1)
    cb, cr = (planes[..., i].repeat(8, 0).repeat(8, 1).reshape(-1, luma.shape[1]) for i in (1, 2))
    frame = av.VideoFrame.from_ndarray(np.concatenate([luma, cb, cr]).round().clip(0, 255).astype(np.uint8), "yuv420p")
    frame.colorspace, frame.color_range = matrix, FULL if full else LIMITED
    return frame


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", sorted(WEIGHTS))
def test_declared_matrix_and_range_are_applied(matrix, full):
    frame = frame_of(coded(COLOURS, matrix, full), NUMBERS[matrix], full)
    colour = colour_of(frame)
    assert (colour.matrix, colour.range, colour.transfer) == (matrix, FULL if full else LIMITED, "sdr")
    back = to_rgb(frame, colour, frame.height, frame.width)[8::16, 8::16]
    assert np.abs(back - COLOURS).max() <= 2.5
    assert abs((back - COLOURS).mean()) < 0.3


@pytest.mark.parametrize(
    ("height", "width", "matrix"),
    [(480, 640, "bt601"), (576, 720, "bt601"), (720, 1280, "bt709"), (1920, 1080, "bt709"), (640, 360, "bt709")],
)
def test_an_undeclared_matrix_goes_by_size(height, width, matrix):
    assert colour_of(av.VideoFrame(width, height, "yuv420p")).matrix == matrix


def test_old_full_range_formats_are_full():
    assert colour_of(av.VideoFrame(64, 64, "yuvj420p")).range == FULL
    assert colour_of(av.VideoFrame(64, 64, "rgb24")) == Colour("rgb", 1, FULL, "sdr")


@pytest.mark.parametrize(("number", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_named(number, name):
    frame = av.VideoFrame(64, 64, "yuv420p10le")
    frame.color_trc = number
    assert colour_of(frame).transfer == name


def test_films_are_coded_with_bt709_in_limited_range():
    frame = to_video(COLOURS.astype(np.uint8).repeat(16, 0).repeat(16, 1))
    planes = frame.to_ndarray()
    height, width = frame.height, frame.width
    luma = planes[:height][8::16, 8::16]
    cb, cr = (plane.reshape(height // 2, width // 2)[4::8, 4::8] for plane in np.split(planes[height:], 2))
    assert np.abs(np.stack([luma, cb, cr], -1) - coded(COLOURS, "bt709", False)).max() <= 0.75


def test_pixels_that_are_not_square_are_stretched():
    frame = frame_of(coded(COLOURS, "bt709", False), 1)
    wide = to_rgb(frame, colour_of(frame), frame.height, round(frame.width * Fraction(4, 3)))
    assert wide.shape == (64, 128, 3)
    assert np.abs(wide[8, 10] - COLOURS[0, 0]).max() <= 3


def test_smaller_pictures_are_averaged():
    stripes = np.full((1, 64, 3), (126.0, 128, 128))
    stripes[:, ::2, 0] = 226
    luma = stripes[..., 0].repeat(64, 0)
    frame = av.VideoFrame.from_ndarray(
        np.concatenate([luma, np.full((32, 64), 128.0)]).astype(np.uint8), format="yuv420p"
    )
    small = to_rgb(frame, colour_of(frame), 32, 32)
    assert np.abs(small - (176 - 16) * 255 / 219).max() <= 1


def test_a_patch_stays_in_place_when_scaled():
    """Luma and chroma of a scaled picture must not be shifted: points of the source are carried along."""
    planes = np.full((12, 12, 3), (60.0, 128, 128))
    planes[5, 4] = 120, 60, 200
    frame = frame_of(planes, 1)  # a patch of 16 px with its centre at x 72, y 88
    small = to_rgb(frame, colour_of(frame), 72, 72).astype(float)
    for channel in range(3):
        weight = np.abs(small[..., channel] - small[0, 0, channel])
        rows, columns = np.mgrid[:72, :72] + 0.5
        centre = (weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()
        assert centre == pytest.approx((27, 33), abs=0.15)
