"""Time: from pictures with stamps of any spacing to a constant rate that keeps speed and length."""

import logging
import re
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Protocol, TypeVar

logger = logging.getLogger(__name__)

REPORT_SECONDS = 5.0
_LENGTH = re.compile(r"([0-9]{1,6}):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]{1,12})?)")


class Timed(Protocol):
    """Anything shown from `time_s` on, for `duration_s` where that is known (0 where not); exact seconds."""

    time_s: Fraction
    duration_s: Fraction


Shown = TypeVar("Shown", bound=Timed)


def constant_rate(source_rate: Fraction, wanted_fps: float) -> Fraction:
    """Choose the rate of the stored frames: the wanted one, or the source's own where 0 is wanted.

    Returns:
        Frames a second. The denominator stays below 1002 (30000/1001 is kept to the bit), so that every
        container can hold the rate; over an hour that moves the last frame by less than a hundredth of a frame.
    """
    rate = Fraction(wanted_fps) if wanted_fps else source_rate
    return rate.limit_denominator(1001)


def at_constant_rate(
    frames: Iterable[Shown], rate: Fraction, source_rate: Fraction, start_s: Fraction, end_s: Fraction | None
) -> Iterator[Shown]:
    """Choose the picture that is on display at each tick of a constant rate, one after the other.

    A tick looks half a frame (of the faster of both rates) behind its time, so that stamps rounded to
    milliseconds neither double nor skip a picture: a source of constant rate comes through untouched, and one
    halved in rate gives every second picture. Pictures are repeated or left out, never mixed.

    Args:
        frames: in order of time; none is asked for once `end_s` is reached.
        rate: ticks a second.
        source_rate: average frames a second of the source.
        start_s, end_s: span in seconds of the source; None means to its end.

    Yields:
        One of `frames` for each tick, the same object again where a picture stays on display.
    """
    offset = 1 / (2 * max(rate, source_rate))
    ticks = 0
    shown = None
    for frame in frames:
        stop = frame.time_s if end_s is None else min(frame.time_s, end_s)
        while shown is not None and start_s + ticks / rate + offset < stop:
            yield shown
            ticks += 1
        if end_s is not None and frame.time_s >= end_s:
            return
        shown = frame
    if shown is None:
        return
    stop = shown.time_s + (shown.duration_s or 1 / source_rate)
    stop = stop if end_s is None else min(stop, end_s)
    while start_s + ticks / rate + offset < stop:
        yield shown
        ticks += 1


def track_length(tag: str) -> Fraction | None:
    """Read the end of a track as Matroska writes it, 00:01:02.345000000, in seconds; None where it is no such text."""
    found = _LENGTH.fullmatch(tag.strip())
    return None if found is None else int(found[1]) * 3600 + int(found[2]) * 60 + Fraction(found[3])


class Progress:
    """Logs how far a job over frames is, every few seconds.

    Args:
        what: what is being done, to whom; begins the line.
        expected: frames to come, 0 where unknown.
    """

    def __init__(self, what: str, expected: int):
        self.what = what
        self.expected = expected
        self.frames = 0
        self._started = self._reported = time.monotonic()

    def step(self) -> None:
        """Count one frame."""
        self.frames += 1
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        rate = self.frames / (now - self._started)
        left = max(self.expected - self.frames, 0) / rate
        logger.info(
            "%s: %d of about %d frames, %.1f frames/s, %.0f s left", self.what, self.frames, self.expected, rate, left
        )

    @property
    def frames_per_second(self) -> float:
        """Frames a second since the start."""
        return self.frames / max(time.monotonic() - self._started, 1e-9)
