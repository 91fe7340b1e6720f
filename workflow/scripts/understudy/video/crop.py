"""The rectangle of the source that a clip shows, and cutting it out."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from understudy.clips import Clip
from understudy.errors import LayoutError, VideoError
from understudy.seals import read_json
from understudy.video.backends._contract import SourceFrame

logger = logging.getLogger(__name__)

STEP_PX = 16  # widths of frames are multiples of it, for the networks; 9:16 fits at 256 px without a rest
SMALLEST_PX = 32
MOST_PX = 1e5  # of a place in any picture
LEAST_WIDTH_PX = 8  # of the whole picture at the frames' height


@dataclass(frozen=True)
class View:
    """A rectangle of the source and the size of its frames.

    The source is scaled as a whole first, where that makes it smaller: the cheapest way, by the video's own planes.
    The rectangle counts in whole pixels of the scaled source and may reach over its left and right side.

    Attributes:
        source_height, source_width: of the upright source.
        scaled_height, scaled_width: of the scaled source.
        left, top, width, height: the rectangle in it.
        out_height, out_width: size of the frames; larger than the rectangle where a small one is enlarged.
    """

    source_height: int
    source_width: int
    scaled_height: int
    scaled_width: int
    left: int
    top: int
    width: int
    height: int
    out_height: int
    out_width: int

    @property
    def scale(self) -> tuple[float, float]:
        """Frame pixels per pixel of the upright source, along x and y."""
        across = self.out_width / self.width * self.scaled_width / self.source_width
        down = self.out_height / self.height * self.scaled_height / self.source_height
        return across, down

    @property
    def crop(self) -> tuple[float, float, float, float]:
        """Left, top, width, height of the rectangle in pixels of the upright source."""
        across, down = self.source_width / self.scaled_width, self.source_height / self.scaled_height
        return self.left * across, self.top * down, self.width * across, self.height * down

    def cut(self, frame: SourceFrame) -> np.ndarray:
        """Make the frame of a clip, (out_height, out_width, 3) uint8, from a picture of the source.

        Outside of the picture its border pixels are repeated.
        """
        picture = frame.scaled(self.scaled_height, self.scaled_width)
        left, right = max(-self.left, 0), max(self.left + self.width - self.scaled_width, 0)
        inside = picture[self.top : self.top + self.height, max(self.left, 0) : self.left + self.width]
        if left or right:
            inside = cv2.copyMakeBorder(inside, 0, 0, left, right, cv2.BORDER_REPLICATE)
        if inside.shape[:2] == (self.out_height, self.out_width):
            return np.ascontiguousarray(inside)
        return cv2.resize(inside, (self.out_width, self.out_height), interpolation=cv2.INTER_CUBIC)


RECTANGLE = ("left", "top", "width", "height")  # of crop.json


def read_crop(path: Path) -> dict[str, float]:
    """Read the rectangle that `locate_person` wrote: left, top, width, height in pixels of the upright source.

    Raises:
        LayoutError: the file holds something else.
        DamageError: it holds other values than were written.
    """
    try:
        found = read_json(path, RECTANGLE)
        crop = {name: found[name] for name in RECTANGLE}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise LayoutError(
            f"{path} holds no rectangle ({type(wrong).__name__}: {wrong}), expected left, top, width and height as "
            "JSON; delete it and run again."
        ) from wrong
    numbers = [value for value in crop.values() if isinstance(value, (int, float)) and abs(value) <= MOST_PX]
    if len(numbers) < len(crop) or min(crop["width"], crop["height"]) <= 0:
        raise LayoutError(
            f"{path} holds the rectangle {crop}, expected pixels of the upright source; delete it and run again."
        )
    return crop


def view_of(crop: Mapping[str, float], height: int, width: int, out_height: int, clip: Clip) -> View:
    """Fit a wanted rectangle to the frame: width of the frame a multiple of 16, scale the same both ways.

    The frame's width is the multiple nearest to the rectangle's shape; the rectangle is widened or narrowed
    about its centre to match, and moved inside the picture. Only where the picture is too narrow for it does
    it reach over both sides. Both scales agree to half a pixel over the whole picture.

    Args:
        crop: left, top, width, height in pixels of the upright source.
        height, width: size of the upright source.
        out_height: height of the frames, pixels.
        clip: the row that asked for it.

    Raises:
        VideoError: a rectangle written in the clip table does not lie in the picture, or is tiny.
    """
    left, top, wide, high = (float(crop[name]) for name in ("left", "top", "width", "height"))
    _check(left, top, wide, high, height, width, clip)
    middle_x, middle_y = left + wide / 2, top + high / 2
    wide, high = min(wide, width), min(round(high), height)
    if width / high * out_height < LEAST_WIDTH_PX:
        raise VideoError(
            f"The clip '{clip.clip}' shows {wide:.0f}x{high} pixels, which would be {wide / high * out_height:.1f} px "
            f"wide at decode.height_px {out_height}, too narrow to show anybody; name a crop in the clip table."
        )
    out_width = _frame_width(wide / high * out_height, width / high * out_height)
    scale = min(out_height / high, 1)
    scaled_height, scaled_width = round(height * scale), round(width * scale)
    if scale < 1:
        wide, high = out_width, out_height
    else:
        wide = round(high * out_width / out_height)
    if wide > scaled_width:
        logger.info(
            "%s: the picture is too narrow for a frame of %d px by %d px; its border pixels are repeated at both sides",
            clip.clip,
            out_width,
            (wide - scaled_width) * out_width / wide,
        )
    left = _place(middle_x * scaled_width / width, wide, scaled_width)
    top = _place(middle_y * scaled_height / height, high, scaled_height)
    return View(height, width, scaled_height, scaled_width, left, top, wide, high, out_height, out_width)


def ignored_boxes(view: View, clip: Clip) -> list[list[float]]:
    """Carry the boxes that a clip's row leaves out into its frames.

    Returns:
        left, top, right, bottom of each in frame pixels, cut to the frame; those beside it are dropped.

    Raises:
        VideoError: a box does not lie in the picture.
    """
    boxes = []
    across, down = view.scale
    for left, top, width, height in clip.ignored_boxes():
        if left + width > view.source_width or top + height > view.source_height:
            raise VideoError(
                f"The clip '{clip.clip}' ignores {width}x{height} pixels at {left},{top}, which do not lie in its "
                f"picture of {view.source_width}x{view.source_height} pixels; correct ignore in the clip table."
            )
        corners = (np.array([[left, top], [left + width, top + height]]) - view.crop[:2]) * (across, down)
        corners = corners.clip(0, (view.out_width, view.out_height))  # left top, right bottom
        if (corners[1] > corners[0]).all():
            boxes.append(corners.ravel().tolist())
        else:
            logger.info("%s: the ignored box %d,%d,%d,%d lies beside the frame", clip.clip, left, top, width, height)
    return boxes


def _check(left: float, top: float, wide: float, high: float, height: int, width: int, clip: Clip) -> None:
    given = clip.crop not in ("person", "none")
    outside = left < -0.5 or top < -0.5 or left + wide > width + 0.5 or top + high > height + 0.5
    if given and outside:
        raise VideoError(
            f"The clip '{clip.clip}' is cropped to {clip.crop} (left,top,width,height), which does not lie inside the "
            f"picture of {width}x{height} pixels; correct crop in the clip table."
        )
    if min(wide, high) < SMALLEST_PX:
        raise VideoError(
            f"The clip '{clip.clip}' is cropped to {wide:.0f}x{high:.0f} pixels of {width}x{height}, expected at least "
            f"{SMALLEST_PX} each way; correct crop in the clip table."
        )


def _frame_width(wanted: float, room: float) -> int:
    """Nearest multiple of 16 for which the picture has room, at least one step. All in frame pixels."""
    nearest = int(wanted / STEP_PX + 0.5)
    widest = int(room / STEP_PX + 1e-6)
    return STEP_PX * max(min(nearest, widest), 1)


def _place(middle: float, size: int, room: int) -> int:
    """First pixel of a span about `middle`, moved inside 0..room; centred there where it is larger."""
    if size >= room:
        return -((size - room) // 2)
    return min(max(round(middle - size / 2), 0), room - size)
