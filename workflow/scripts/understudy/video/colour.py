"""Colour between video and RGB: which matrix and range a video has, and the conversion both ways."""

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation

# chroma is interpolated and averaged instead of repeated and dropped
_CAREFUL = (
    Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND
)


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
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        dst_color_trc=ColorTrc.BT709,
        dst_color_primaries=ColorPrimaries.BT709,
        interpolation=_CAREFUL,
        threads=1,
    )


def tag_bt709(context: av.VideoCodecContext) -> None:
    """Write matrix, primaries, transfer and range into the encoder, as `to_video` makes them."""
    context.colorspace = 1  # the matrix's number in ITU-T H.273; swscale counts ITU709 as 1 too
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.color_range = ColorRange.MPEG
