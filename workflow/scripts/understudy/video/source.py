"""Reading videos of any kind: upright, square-pixel RGB pictures with exact time stamps."""

import hashlib
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from understudy.backends import load_backend
from understudy.errors import VideoError
from understudy.seals import check_film
from understudy.video.backends._contract import SourceFacts, SourceFrame
from understudy.video.refusals import check_head

logger = logging.getLogger(__name__)

SMALLEST_PX = 32
LONG_GAP_S = 1
STILL_S = 60  # without a new picture: time stamps that lie, or nothing that moves
RATES = (Fraction(1, 10), 1000)  # frames a second that a video can have on average
LARGEST_PX = 16384  # of a side
MISSING_FRAMES = 5  # a file may lack so many of the frames it declares: containers round


class SourceVideo:
    """One video, read as a stream as often as wanted; nothing is kept in memory.

    Use: `for frame in SourceVideo(path): frame.time_s; frame.picture()`.

    Args:
        path: the file.
        backend: reader; a file name in video/backends.
        hardware: what decodes, for backends that can choose; empty is the processor.

    Attributes:
        height, width: size of the upright picture with square pixels.
        rate: average frames a second.
        duration_s: declared length, None where the file declares none.
        facts: rotation, colour and the rest.

    Raises:
        VideoError: the file is missing, empty, no video, or of a kind that cannot be used.
        DamageError: it is a film of ours, and not what was written.
    """

    def __init__(self, path: str | Path, backend: str = "pyav", hardware: str = ""):
        self.path = Path(path)
        _check_file(self.path)
        check_film(self.path)
        self.backend = load_backend("understudy.video.backends", backend)(self.path, hardware)
        self.facts: SourceFacts = self.backend.facts
        self.height, self.width = self.facts.height, self.facts.width
        self.rate, self.duration_s = self.facts.rate, self.facts.duration_s
        _check_facts(self.path, self.facts)

    def __iter__(self) -> Iterator[SourceFrame]:
        return self.frames()

    def frames(self, start_s: Fraction = Fraction(0)) -> Iterator[SourceFrame]:
        """Read the pictures from the one on display at `start_s` (seconds after the first picture) to the end.

        Raises:
            VideoError: the file breaks off before the end it declares, holds damaged data, or stands still for long.
        """
        end_s = None
        for frame in self.backend.frames(Fraction(start_s)):
            since_s = Fraction(start_s) if end_s is None else end_s
            if frame.time_s - since_s > STILL_S or frame.duration_s > STILL_S:
                raise VideoError(_stands_still(self.path, frame, since_s))
            if end_s is not None and frame.time_s - end_s > LONG_GAP_S:
                logger.info(
                    "%s: no new picture for %.1f s from second %.2f on; the last one is held (a damaged file?)",
                    self.path,
                    frame.time_s - end_s,
                    end_s,
                )
            end_s = frame.time_s + (frame.duration_s or 1 / self.rate)
            yield frame
        end_s = end_s or Fraction(0)
        if self.duration_s is not None and end_s < self.duration_s - MISSING_FRAMES / self.rate:
            raise VideoError(broken_off(self.path, end_s, self.duration_s))
        check_film(self.path)  # once more: what was read since

    def sha256(self) -> str:
        """Digest of the whole file, hexadecimal."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def broken_off(path: Path, at_s: Fraction, declared_s: Fraction | None) -> str:
    """Say where a video ends too early or is damaged, and how to go on."""
    declared = f" of the {float(declared_s):.2f} s it declares" if declared_s else ""
    return (
        f"The video {path} breaks off or is damaged at second {float(at_s):.2f}{declared}; "
        f"copy it again from its origin, or set end_s in the clip table to less than {float(at_s):.2f}."
    )


def _stands_still(path: Path, frame: SourceFrame, since_s: Fraction) -> str:
    """Say where a video shows one picture for longer than anything that moves does."""
    begin_s, end_s = (since_s, frame.time_s) if frame.time_s - since_s > STILL_S else (frame.time_s, None)
    until = f"{float(end_s):.2f}" if end_s is not None else f"{float(begin_s + frame.duration_s):.2f}"
    return (
        f"The video {path} stands still from second {float(begin_s):.2f} to {until}, expected a new picture at least "
        f"every {STILL_S} s; if that is meant, name a span beside it by start_s and end_s in the clip table, if not, "
        "its time stamps are damaged: convert it, for example with ffmpeg -i IN -vf setpts=N/25/TB -r 25 OUT.mp4."
    )


def _check_file(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise VideoError(f"The video {path} is a link that leads nowhere, so it does not exist; correct it.")
    if path.is_dir():
        raise VideoError(f"{path} is a folder, expected a video file; name the file in the clip table.")
    if path.exists() and not path.is_file():
        raise VideoError(f"{path} is no file but a device, a pipe or the like; name a video file in the clip table.")
    if not path.is_file():
        raise VideoError(f"The video {path} does not exist; correct its path in the clip table.")
    if path.stat().st_size == 0:
        raise VideoError(f"The video {path} is empty (0 bytes); copy it again from its origin.")
    check_head(path)


def _check_facts(path: Path, facts: SourceFacts) -> None:
    if facts.transfer != "sdr":
        raise VideoError(
            f"The video {path} is HDR ({facts.transfer}), expected standard dynamic range; set decode.backend: ffmpeg, "
            f"which carries PQ and HLG to it, or switch HDR off in the camera; Dolby Vision without HLG must be "
            f"converted first."
        )
    if not RATES[0] <= facts.rate <= RATES[1]:
        raise VideoError(
            f"The video {path} has {float(facts.rate):.6g} frames a second on average, expected {float(RATES[0]):g} to "
            f"{RATES[1]}; its time stamps are damaged: convert it, for example with ffmpeg -i IN -vf setpts=N/25/TB -r "
            "25 OUT.mp4."
        )
    if max(facts.height, facts.width) > LARGEST_PX:
        raise VideoError(
            f"The video {path} is {facts.width}x{facts.height} pixels, expected at most {LARGEST_PX} each way; make it "
            "smaller first."
        )
    if min(facts.height, facts.width) < SMALLEST_PX:
        raise VideoError(
            f"The video {path} is {facts.width}x{facts.height} pixels, expected at least {SMALLEST_PX} each way; "
            f"take a larger version of it."
        )
