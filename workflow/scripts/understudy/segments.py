"""Segments of a long clip: how many there are is known before any job, which frames each has once they are decoded."""

import re
from dataclasses import dataclass

from understudy.errors import FootageError

SPLIT_FROM = 1.5  # times the wanted length: a clip shorter than this stays whole
MOST = 1000  # segments of a clip
_NAME = re.compile(r"([1-9]\d*)of([1-9]\d*)")


@dataclass(frozen=True)
class Segment:
    """One of `count` segments of nearly equal length; `number` counts from 1. Its name says both: 2of6."""

    number: int
    count: int

    @classmethod
    def of(cls, name: str) -> "Segment":
        """Read a segment's name.

        Raises:
            ValueError: it is no such name; only a mistake in the code can make one.
        """
        found = _NAME.fullmatch(name)
        if not found or int(found[1]) > int(found[2]):
            raise ValueError(f"'{name}' is no segment's name, expected one like 2of6")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.number}of{self.count}"

    def span(self, frames: int) -> tuple[int, int]:
        """Return the first frame of the segment and the one past its last, of a clip with so many frames.

        Raises:
            FootageError: the clip has fewer frames than segments.
        """
        if frames < self.count:
            raise FootageError(
                f"The clip was planned in {self.count} segments, but has only {frames} frames: its end_s in the clip "
                f"table, or the length its video states, is far too long. Correct end_s, or set segments.seconds to 0."
            )
        return frames * (self.number - 1) // self.count, frames * self.number // self.count

    def blocks(self, count: int) -> range:
        """Return the numbers, from 0, of the blocks of the segment, of a clip with so many; perhaps none."""
        return range(count * (self.number - 1) // self.count, count * self.number // self.count)


def segment_names(length_s: float | None, wanted_s: float) -> list[str]:
    """Name the segments of a clip; none where it stays whole.

    Args:
        length_s: of the clip, roughly, seconds; None where it is not known.
        wanted_s: length of a segment, seconds; 0 splits nothing.
    """
    if not wanted_s or not length_s or length_s < SPLIT_FROM * wanted_s:
        return []
    count = min(MOST, round(length_s / wanted_s))
    return [str(Segment(number, count)) for number in range(1, count + 1)]
