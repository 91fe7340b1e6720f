"""What a reader of videos must offer; `source.SourceVideo` stands on it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class SourceFacts:
    """What is known of a video before its frames are read; sizes are those of the upright, square-pixel picture.

    Attributes:
        rate: average frames a second.
        duration_s: length of the video track the file declares, None where it declares none.
        first_pts_s: time stamp of the first picture; all other times count from it.
        rotation_deg: turn to the left that was applied, degrees: 0, 90, 180 or 270.
        mirrored: sides were swapped too, as the file asks for.
        colour_matrix: bt601, bt709, bt2020 or rgb; colour_range: limited or full.
        transfer: sdr, or the name of a transfer curve that needs tone mapping.
    """

    height: int
    width: int
    rate: Fraction
    duration_s: Fraction | None
    first_pts_s: Fraction
    rotation_deg: int
    mirrored: bool
    colour_matrix: str
    colour_range: str
    transfer: str
    codec: str
    interlaced: bool


@dataclass(frozen=True, eq=False)
class SourceFrame:
    """One picture of a video: when it is shown, and how to get it.

    Attributes:
        time_s: since the first picture, exact seconds.
        duration_s: exact seconds, 0 where the file does not say.
        scaled: makes the picture of a height and width, (H, W, 3) uint8 RGB, upright; averaged when smaller, bicubic
            when larger. Far cheaper than making the whole picture first.
        height, width: of the whole picture with square pixels.
    """

    time_s: Fraction
    duration_s: Fraction
    scaled: Callable[[int, int], np.ndarray]
    height: int
    width: int

    def picture(self) -> np.ndarray:
        """Make the whole picture, (H, W, 3) uint8 RGB, upright, square pixels; costs time at each call."""
        return self.scaled(self.height, self.width)


class VideoBackend(Protocol):
    """One video file, open for reading."""

    name: str
    version: str
    facts: SourceFacts

    def __init__(self, path: Path, hardware: str = ""):
        """Raise VideoError, in words a user understands, where the file holds no readable video.

        Args:
            path: the file.
            hardware: `decode.ffmpeg.hardware`, empty for all other backends.
        """

    def frames(self, start_s: Fraction) -> Iterator[SourceFrame]:
        """Read on from the last picture at or before `start_s`; each call starts anew; times never fall."""

    def copy_sound(self, target: Path, start_s: Fraction, length_s: Fraction) -> bool:
        """Copy the sound of a span into a Matroska file; False, and no file, where there is none."""
