"""The rectangle of the source that a clip shows, and cutting it out."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from understudy.clips import Clip
from understudy.errors import VideoError

logger = logging.getLogger(__name__)

STEP_PX = 32  # widths of frames are multiples of it, for the networks
SMALLEST_PX = 32


@dataclass(frozen=True)
class View:
    """A rectangle of the upright source (whole pixels; it may reach over the picture's sides) and its frame size."""

    left: int
    top: int
    width: int
    height: int
    out_width: int
    out_height: int

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """Cut the rectangle out of a picture and scale it: averaged when smaller, bicubic when larger.

        Args:
            picture: (H, W, 3) uint8, the upright source.

        Returns:
            (out_height, out_width, 3) uint8; outside of the picture its border pixels are repeated.
        """
        width = picture.shape[1]
        left, right = max(-self.left, 0), max(self.left + self.width - width, 0)
        inside = picture[self.top : self.top + self.height, max(self.left, 0) : self.left + self.width]
        if left or right:
            inside = cv2.copyMakeBorder(inside, 0, 0, left, right, cv2.BORDER_REPLICATE)
        if inside.shape[:2] == (self.out_height, self.out_width):
            return np.ascontiguousarray(inside)
        way = cv2.INTER_AREA if self.height >= self.out_height else cv2.INTER_CUBIC
        return cv2.resize(inside, (self.out_width, self.out_height), interpolation=way)


def view_of(crop: Mapping[str, float], height: int, width: int, out_height: int, clip: Clip) -> View:
    """Fit a wanted rectangle to the frame: width of the frame a multiple of 32, scale the same both ways.

    The frame's width is the multiple nearest to the rectangle's shape; the rectangle is widened or narrowed
    about its centre to match, and moved inside the picture. Only where the picture is too narrow for it does
    it reach over both sides.

    Args:
        crop: left, top, width, height in pixels of the upright source.
        height, width: size of the upright source.
        out_height: height of the frames, pixels.
        clip: the row that asked for it.

    Raises:
        VideoError: a rectangle written in the clip table does not lie in the picture, or is tiny.
    """
    left, top, wide, high = (float(crop[name]) for name in ("left", "top", "width", "height"))
    own = clip.crop not in ("person", "none")
    outside = left < -0.5 or top < -0.5 or left + wide > width + 0.5 or top + high > height + 0.5
    if own and outside:
        raise VideoError(
            f"The clip '{clip.clip}' is cropped to {clip.crop} (left,top,width,height), which does not lie inside the "
            f"picture of {width}x{height} pixels; correct crop in the clip table."
        )
    if min(wide, high) < SMALLEST_PX:
        raise VideoError(
            f"The clip '{clip.clip}' is cropped to {wide:.0f}x{high:.0f} pixels of {width}x{height}, expected at least "
            f"{SMALLEST_PX} each way; correct crop in the clip table."
        )
    middle_x, middle_y = left + wide / 2, top + high / 2
    wide, high = min(wide, width), min(round(high), height)
    out_width = _frame_width(wide / high * out_height, width / high * out_height)
    wide = round(high * out_width / out_height)
    view = View(_place(middle_x, wide, width), _place(middle_y, high, height), wide, high, out_width, out_height)
    if wide > width:
        logger.info(
            "%s: the picture is %d px wide, its frame needs %d; border pixels are repeated at both sides",
            clip.clip,
            width,
            wide,
        )
    return view


def _frame_width(wanted: float, room: float) -> int:
    """Nearest multiple of 32; at a tie the wider one, unless the picture has no room for it. All in frame pixels."""
    steps = wanted / STEP_PX
    nearest = int(steps + 0.5)
    if steps % 1 == 0.5 and nearest * STEP_PX > room:
        nearest -= 1
    return STEP_PX * max(nearest, 1)


def _place(middle: float, size: int, room: int) -> int:
    """First pixel of a span about `middle`, moved inside 0..room; centred there where it is larger."""
    if size >= room:
        return -((size - room) // 2)
    return min(max(round(middle - size / 2), 0), room - size)
