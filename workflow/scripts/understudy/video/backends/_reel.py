"""One run of ffmpeg over a video: the times of its pictures, and the pictures themselves where they are wanted."""

import os
import subprocess
import weakref
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import ffmpeg
import numpy as np

from understudy.video.programs import address, find_programs, last_words

THREADS = 2
_MARK = "understudy"
# without these flags results are truncated, 1 to 2 levels too dark, and chroma is repeated instead of interpolated
_CAREFUL = "+full_chroma_int+accurate_rnd"


class ReelTornError(Exception):
    """ffmpeg ended before the video did; holds its last words."""


@dataclass(frozen=True)
class Track:
    """A video track and how it is decoded.

    Attributes:
        path: its file.
        index: of the stream in the file.
        time_base: seconds of one tick.
        hardware: ffmpeg's name of the decoding hardware, "" for none.
        matrix, full: how colours are coded: swscale's name of the matrix, and whether they use the full range.
        chroma: where samples of colour lie among those of light, as options of ffmpeg's filter scale.
        height, width: as stored.
        table: file of a table of colours that carries HDR to SDR, None for SDR.
    """

    path: Path
    index: int
    time_base: Fraction
    hardware: str
    matrix: str
    full: bool
    chroma: dict[str, int]
    height: int
    width: int
    table: Path | None


class Reel:
    """The pictures of a track from one on, in order; read them by `take`, end it by `close`.

    Args:
        track: what is read.
        from_s: time stamp to seek to, seconds; None starts at the beginning.
        skip: pictures left out at the start.
        size: height and width of the pictures, not turned; None gives times only.
    """

    def __init__(self, track: Track, from_s: Fraction | None, skip: int, size: tuple[int, int] | None):
        self._size = size
        self._words: IO[bytes] = TemporaryFile()  # noqa: SIM115
        ours, theirs = os.pipe()
        try:
            self._process = subprocess.Popen(
                _command(track, from_s, skip, size, theirs),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if size else subprocess.DEVNULL,
                stderr=self._words,
                pass_fds=(theirs,),
            )
        finally:
            os.close(theirs)
        self._times = os.fdopen(ours, "rb")
        self._end = weakref.finalize(self, _end, self._process, self._times, self._words)

    def take(self) -> tuple[int | None, np.ndarray | None] | None:
        """Read on by one picture.

        Returns:
            Its time stamp in ticks, None where it has none, and (H, W, 3) uint8 RGB or None; None after the last one.

        Raises:
            ReelTornError: ffmpeg failed.
        """
        line = self._next_time()
        if not line:
            self._check_end()
            return None
        ticks = line.split(b"pts:")[1].split()[0]
        picture = self._picture() if self._size else None
        return (None if ticks == b"NOPTS" else int(ticks)), picture

    def close(self) -> None:
        """End ffmpeg; a second call does nothing."""
        self._end()

    def _next_time(self) -> bytes:
        line = self._times.readline()
        while line and not line.startswith(b"frame:"):
            line = self._times.readline()
        return line

    def _picture(self) -> np.ndarray:
        height, width = self._size
        planes = np.empty((3, height, width), np.uint8)  # green, blue, red
        room = memoryview(planes).cast("B")
        while room:
            count = self._process.stdout.readinto(room)
            if not count:
                self._check_end()
                raise ReelTornError("it ended in the middle of a picture")
            room = room[count:]
        picture = np.empty((height, width, 3), np.uint8)
        for channel, plane in enumerate((2, 0, 1)):
            picture[..., channel] = planes[plane]
        return picture

    def _check_end(self) -> None:
        status = self._process.wait()
        self._words.seek(0)
        words = self._words.read()
        self.close()
        if status:
            raise ReelTornError(last_words(words))


def _command(track: Track, from_s: Fraction | None, skip: int, size: tuple[int, int] | None, times: int) -> list[str]:
    """Build ffmpeg's command line; the times go to the file descriptor `times`."""
    how: dict[str, object] = {"noautorotate": None, "threads": THREADS}
    if track.hardware:
        how["hwaccel"] = track.hardware
    if from_s is not None:
        how |= {"seek_timestamp": 1, "ss": f"{float(from_s):.6f}", "noaccurate_seek": None}
    node = ffmpeg.input(address(track.path), **how)[str(track.index)]
    node = node.filter("trim", start_frame=skip) if skip else node
    node = node.filter("settb", str(track.time_base)).filter("metadata", mode="add", key=_MARK, value=1)
    node = node.filter("metadata", mode="print", key=_MARK, file=f"pipe:{times}", direct=1)
    if size is None:
        node = node.output("-", format="null", fps_mode="passthrough")
    else:
        node = _painted(node, track, *size)
        node = node.output("pipe:1", format="rawvideo", pix_fmt="gbrp", fps_mode="passthrough")
    return node.global_args("-nostdin", "-v", "error", "-copyts", "-xerror").compile(find_programs().ffmpeg)


def _painted(node: ffmpeg.Stream, track: Track, height: int, width: int) -> ffmpeg.Stream:
    """Scale and convert: smaller pictures are averaged over their area, larger ones bicubic."""
    if (height, width) == (track.height, track.width):
        way = "bilinear"  # for chroma
    else:
        way = "area" if height * width < track.height * track.width else "bicubic"
    options: dict[str, object] = {"w": width, "h": height, "flags": way + _CAREFUL}
    if track.matrix != "rgb":
        options |= {"in_color_matrix": track.matrix, "in_range": "pc" if track.full else "tv", "out_range": "pc"}
        options |= track.chroma
    node = node.filter("scale", **options)
    if track.table is not None:
        # scaled in the curve it is coded in, as SDR is; 16 bits hold what the eye tells apart in it
        node = node.filter("format", "gbrp16le").filter("lut3d", file=str(track.table), interp="tetrahedral")
        node = node.filter("scale", flags="accurate_rnd", sws_dither="none")
    return node.filter("format", "gbrp")


def _end(process: subprocess.Popen, times: IO[bytes], words: IO[bytes]) -> None:
    """Kill ffmpeg where it still runs, and let go of everything."""
    if process.poll() is None:
        process.kill()
    for stream in (process.stdout, times, words):
        if stream is not None:
            stream.close()
    process.wait()
