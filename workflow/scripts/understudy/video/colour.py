"""Colour between video and RGB: which matrix and range a video has, and the conversion both ways."""

from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation

from understudy.video.coding import matrix_name, transfer_name

FULL, LIMITED = ColorRange.JPEG, ColorRange.MPEG

# without these flags results are truncated, 1 to 2 levels too dark, and chroma is repeated instead of interpolated
_CAREFUL = Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND

_NUMBERS = {  # of swscale
    "rgb": Colorspace.ITU709,
    "bt709": Colorspace.ITU709,
    "fcc": Colorspace.FCC,
    "bt601": Colorspace.ITU601,
    "smpte240m": Colorspace.SMPTE240M,
    "bt2020": Colorspace.BT2020,
}


@dataclass(frozen=True)
class Colour:
    """How a video's colours are coded: matrix by name and swscale's number, range, transfer (sdr or a curve of HDR)."""

    matrix: str
    number: int
    range: int
    transfer: str


def colour_of(frame: av.VideoFrame) -> Colour:
    """Read the colour a frame declares; where it declares nothing, guess as players do.

    For an undeclared matrix see `matrix_name`; an undeclared range is limited. Primaries and transfer of SDR video
    are taken as they are: BT.2020 SDR is read with its matrix, its wider primaries are not mapped.
    """
    if frame.format.is_rgb:
        return Colour("rgb", Colorspace.ITU709, FULL, "sdr")
    matrix = int(frame.colorspace)
    name = matrix_name(matrix, frame.height, frame.width)
    full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
    return Colour(name, _NUMBERS[name], FULL if full else LIMITED, transfer_name(int(frame.color_trc), matrix))


def to_rgb(frame: av.VideoFrame, colour: Colour, height: int, width: int) -> np.ndarray:
    """Turn a decoded frame into RGB with the matrix and range it was coded with.

    Args:
        frame: as decoded, in any pixel format.
        colour: from `colour_of` of the video's first frame.
        height, width: size of the result; smaller pictures are averaged over their area, larger ones bicubic.

    Returns:
        (H, W, 3) uint8.
    """
    if (height, width) == (frame.height, frame.width):
        way = Interpolation.BILINEAR  # for chroma
    else:
        way = Interpolation.AREA if height * width < frame.height * frame.width else Interpolation.BICUBIC
    planes = frame.reformat(
        width=width,
        height=height,
        format="gbrp",  # planar: over twice as fast as rgb24 with these flags
        src_colorspace=colour.number,
        dst_colorspace=colour.number,
        src_color_range=colour.range,
        dst_color_range=FULL,
        interpolation=way | _CAREFUL,
        threads=1,
    )
    return planes.to_ndarray()


def to_video(rgb: np.ndarray) -> av.VideoFrame:
    """Turn a picture into a frame for the encoder: 4:2:0, BT.709 matrix, limited range.

    Args:
        rgb: (H, W, 3) uint8, H and W even.
    """
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    return frame.reformat(
        format="yuv420p",
        src_colorspace=Colorspace.ITU709,
        dst_colorspace=Colorspace.ITU709,
        src_color_range=FULL,
        dst_color_range=LIMITED,
        dst_color_trc=ColorTrc.BT709,
        dst_color_primaries=ColorPrimaries.BT709,
        interpolation=Interpolation.BILINEAR | _CAREFUL | Interpolation.FULL_CHR_H_INP,
        threads=1,
    )


def tag_bt709(context: av.VideoCodecContext) -> None:
    """Write matrix, primaries, transfer and range into the encoder, as `to_video` makes them."""
    context.colorspace = Colorspace.ITU709  # 1 in ITU-T H.273 and in swscale alike
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.color_range = LIMITED
