"""Reading frames.h5: the frames of one clip, one by one, with their rate and their place in the source."""

import copy
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from understudy import layouts
from understudy.errors import LayoutError


class Frames:
    """The frames of one clip, or a part of them; a context manager that reads one frame at a time.

    Attributes:
        first: place of frame 0 in the file; 0 unless it is a part.
        height, width: size of each frame, pixels.
        rate: frames a second, exact.
        source: the video the frames came from, as it was named when it was decoded.
        attrs: all attributes of the file as plain Python values.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._opened = layouts.open_file(self.path, "frames")
        self._file = self._opened.__enter__()
        self._rgb = self._file["rgb"]
        self.first = 0
        self._length, self.height, self.width, _ = self._rgb.shape
        try:
            self.attrs: dict[str, Any] = layouts.describe(self._file)
            self.rate = Fraction(self.attrs["rate_numerator"], self.attrs["rate_denominator"])
            self.source = Path(self.attrs["source"])
        except LayoutError:
            self.close()
            raise

    def __enter__(self) -> "Frames":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._opened.__exit__(None, None, None)

    def part(self, first: int, last: int) -> "Frames":
        """Return the frames from `first` to the one before `last`, numbered from 0; they close with this one's file."""
        if not 0 <= first <= last <= self._length:
            raise IndexError(f"frames {first} to {last} of {self._length} in {self.path}")
        part = copy.copy(self)
        part.first, part._length = self.first + first, last - first
        return part

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int | slice) -> np.ndarray:
        """Read one frame (H, W, 3), or several (N, H, W, 3) for a slice; uint8 RGB."""
        if isinstance(index, slice):
            start, stop, step = index.indices(self._length)
            return self._rgb[self.first + start : self.first + stop : step]
        if not -self._length <= index < self._length:
            raise IndexError(f"frame {index} of {self._length} in {self.path}")
        return self._rgb[self.first + index % self._length]

    def __iter__(self) -> Iterator[np.ndarray]:
        """Read the frames in order, (H, W, 3) uint8 RGB, one in memory at a time."""
        for index in range(self.first, self.first + self._length):
            yield self._rgb[index]

    def to_frame(self, points: np.ndarray) -> np.ndarray:
        """Carry points from the upright source into the frames.

        Args:
            points: (..., 2) x, y in pixels of the upright source, pixel centres at integer + 0.5.

        Returns:
            (..., 2) float64, x, y in pixels of the frames.
        """
        left, top, _, _ = self.crop
        scale = np.array([self.attrs["scale_x"], self.attrs["scale_y"]])
        return (np.asarray(points, dtype=np.float64) - (left, top)) * scale

    def to_source(self, points: np.ndarray) -> np.ndarray:
        """Carry points (..., 2) x, y from pixels of the frames into pixels of the upright source."""
        left, top, _, _ = self.crop
        scale = np.array([self.attrs["scale_x"], self.attrs["scale_y"]])
        return np.asarray(points, dtype=np.float64) / scale + (left, top)

    @property
    def crop(self) -> tuple[float, float, float, float]:
        """Left, top, width, height of the shown rectangle, pixels of the upright source."""
        left, top, width, height = json.loads(self.attrs["crop"])
        return left, top, width, height
