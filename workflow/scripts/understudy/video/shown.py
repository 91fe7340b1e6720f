"""Which picture of its source each frame of a clip shows: for estimates made elsewhere, one for each picture."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import numpy as np

from understudy.errors import VideoError
from understudy.video.frames import Frames
from understudy.video.source import SourceVideo
from understudy.video.timing import at_constant_rate


@dataclass(frozen=True)
class Shown:
    """The source of a clip, counted.

    Attributes:
        numbers: (T,) int64, number of the picture each frame shows, from 0; pictures count from the video's first.
        pictures: how many the video holds.
        height, width: of its upright picture with square pixels.
    """

    numbers: np.ndarray
    pictures: int
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class _Numbered:
    number: int
    time_s: Fraction
    duration_s: Fraction


def shown_pictures(frames: Frames) -> Shown:
    """Read the time stamps of a clip's video and choose as `decode_clip` did.

    Args:
        frames: the clip; its video must still be where it was.

    Raises:
        VideoError: the video is gone, cannot be read, or is another one than the frames came from.
    """
    made_by = frames.attrs["settings"]
    hardware = made_by.get("ffmpeg", {}).get("hardware", "")
    source = SourceVideo(frames.source, made_by.get("backend", "pyav"), hardware)
    start_s = Fraction(frames.attrs["start_s"])
    pictures = 0

    def counted() -> Iterator[_Numbered]:
        nonlocal pictures
        for frame in source:
            yield _Numbered(pictures, frame.time_s, frame.duration_s)
            pictures += 1

    rest = counted()
    every = at_constant_rate(rest, frames.rate, source.rate, start_s, None)
    chosen = islice(every, frames.first, frames.first + len(frames))
    numbers = [one.number for one in chosen]
    for _ in rest:
        pass
    if len(numbers) < len(frames):
        raise VideoError(
            f"{frames.path} holds {frames.first + len(frames)} frames, but its video {frames.source} has pictures for "
            f"only {frames.first + len(numbers)}; it was replaced: delete {frames.path} and run again."
        )
    return Shown(np.array(numbers), pictures, source.height, source.width)
