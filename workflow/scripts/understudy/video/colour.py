"""Colour between video and RGB: which matrix and range a video has, and the conversion both ways."""

from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation

FULL, LIMITED = ColorRange.JPEG, ColorRange.MPEG

# without these flags results are truncated, 1 to 2 levels too dark, and chroma is repeated instead of interpolated
_CAREFUL = Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND

# number of the matrix in ITU-T H.273 -> our name, number in swscale
_MATRICES = {
    0: ("rgb", Colorspace.ITU709),
    1: ("bt709", Colorspace.ITU709),
    4: ("fcc", Colorspace.FCC),
    5: ("bt601", Colorspace.ITU601),
    6: ("bt601", Colorspace.ITU601),
    7: ("smpte240m", Colorspace.SMPTE240M),
    9: ("bt2020", Colorspace.BT2020),
    10: ("bt2020", Colorspace.BT2020),
}
_HDR = {ColorTrc.SMPTE2084: "PQ", ColorTrc.ARIB_STD_B67: "HLG"}
_DOLBY = {14, 15, 16}  # ICtCp and IPT matrices, only used with HDR


@dataclass(frozen=True)
class Colour:
    """How a video's colours are coded: matrix by name and swscale's number, range, transfer (sdr or a curve of HDR)."""

    matrix: str
    number: int
    range: int
    transfer: str


def colour_of(frame: av.VideoFrame) -> Colour:
    """Read the colour a frame declares; where it declares nothing, guess as players do.

    An undeclared matrix is BT.709 for pictures 1280 or more wide or more than 576 high, else BT.601 (the rule of
    mpv); an undeclared range is limited. Primaries and transfer of SDR video are taken as they are: BT.2020 SDR
    is read with its matrix, its wider primaries are not mapped.
    """
    if frame.format.is_rgb:
        return Colour("rgb", Colorspace.ITU709, FULL, "sdr")
    large = frame.width >= 1280 or frame.height > 576
    name, number = _MATRICES.get(int(frame.colorspace), _MATRICES[1 if large else 5])
    full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
    transfer = _HDR.get(frame.color_trc, "Dolby Vision" if int(frame.colorspace) in _DOLBY else "sdr")
    return Colour(name, number, FULL if full else LIMITED, transfer)


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
