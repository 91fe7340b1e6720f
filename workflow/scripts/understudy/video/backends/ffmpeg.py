"""Reads videos with the programs ffmpeg and ffprobe, through ffmpeg-python; HDR too, and on decoding hardware."""

import logging
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from weakref import WeakValueDictionary

import numpy as np

from understudy.errors import BackendError, VideoError
from understudy.video.backends._contract import SourceFacts, SourceFrame
from understudy.video.backends._copy import copy_packets
from understudy.video.backends._probe import (
    MATRICES,
    RGB,
    TRANSFERS,
    aspect_of,
    chroma_place,
    declared_s,
    display_matrix,
    first_picture,
    packet_length,
    rate_of,
    read_tracks,
    sound_track,
    stamp,
    video_track,
)
from understudy.video.backends._reel import Reel, ReelTornError, Track
from understudy.video.coding import DOLBY_NAME, matrix_name, transfer_name
from understudy.video.hdr import PEAK, write_table
from understudy.video.programs import find_programs
from understudy.video.source import broken_off
from understudy.video.upright import square_size, upright_of

logger = logging.getLogger(__name__)

SEEK_FROM_S = 5  # spans that begin later are sought, with a margin of one second


class Backend:
    """One video file; see `VideoBackend` for the contract."""

    name = "ffmpeg"

    def __init__(self, path: Path, hardware: str = ""):
        self.path = path
        self.version = find_programs().version
        self._told = read_tracks(path)
        self._stream = stream = video_track(path, self._told)
        first = first_picture(path, stream)
        time_base = Fraction(stream["time_base"])
        self._origin = stamp(first, time_base) or Fraction(0)
        self._upright = upright_of(display_matrix(stream, first))
        self.facts = self._facts(first, rate_of(path, stream))
        self._track = Track(
            path=path,
            index=stream["index"],
            time_base=time_base,
            hardware="" if hardware == "none" else hardware,
            matrix=self.facts.colour_matrix,
            full=self.facts.colour_range == "full",
            chroma=chroma_place(first),
            height=first["height"],
            width=first["width"],
            table=self._table(_transfer(first)),
        )

    def frames(self, start_s: Fraction) -> Iterator[SourceFrame]:
        """Read on from the last picture at or before `start_s`."""
        if start_s >= SEEK_FROM_S:
            frames = self._frames_from(start_s - 1)
            first = next(frames, None)
            if first is not None and first.time_s <= start_s:
                yield first
                yield from frames
                return
            logger.info("%s: its index does not lead to second %.2f, so it is read from its start", self.path, start_s)
        yield from self._frames_from(Fraction(0))

    def copy_sound(self, target: Path, start_s: Fraction, length_s: Fraction) -> bool:
        """Copy the sound of a span into a Matroska file; False, and no file, where there is none."""
        track = sound_track(self._told)
        return track is not None and copy_packets(self.path, track, target, self._origin + start_s, length_s)

    def _frames_from(self, start_s: Fraction) -> Iterator[SourceFrame]:
        reading = _Reading(self._track, self._origin + start_s if start_s > 0 else None)
        try:
            coming = self._timed(reading)
            shot, time_s = next(coming, (None, Fraction(0)))
            while shot is not None:
                torn = None
                try:
                    after, after_s = next(coming, (None, Fraction(0)))
                except ReelTornError as error:
                    torn, after = error, None
                duration = after_s - time_s if after is not None else self._last_length(shot)
                scaled = partial(self._scaled, reading, shot)
                yield SourceFrame(time_s, duration, scaled, self.facts.height, self.facts.width)
                if torn is not None:
                    logger.info("%s: %s", self.path, torn)
                    raise VideoError(broken_off(self.path, time_s, self.facts.duration_s)) from torn
                shot, time_s = after, after_s
        except ReelTornError as error:
            raise self._refusal(error) from error
        except GeneratorExit:
            reading.close()
            raise

    def _timed(self, reading: "_Reading") -> Iterator[tuple["_Shot", Fraction]]:
        """Read the pictures and their times; stamps that go back would turn time round and are raised."""
        time_s = -1 / self.facts.rate
        while (shot := reading.take()) is not None:
            guessed = time_s + 1 / self.facts.rate
            stamped = guessed if shot.ticks is None else shot.ticks * self._track.time_base - self._origin
            time_s = max(stamped, time_s)
            yield shot, time_s

    def _last_length(self, shot: "_Shot") -> Fraction:
        """Length of a picture that none follows, seconds."""
        if shot.ticks is None:
            return Fraction(0)
        return packet_length(self.path, self._stream, shot.ticks) * self._track.time_base

    def _scaled(self, reading: "_Reading", shot: "_Shot", height: int, width: int) -> np.ndarray:
        size = self._upright.size(height, width)
        try:
            return self._upright.turn(reading.picture(shot, size))
        except ReelTornError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: ReelTornError) -> Exception:
        """Say why ffmpeg gave no picture: the hardware asked for is the likeliest reason, else the file."""
        if self._track.hardware:
            return BackendError(
                f"ffmpeg cannot decode {self.path} with decode.ffmpeg.hardware '{self._track.hardware}' ({error}); set "
                "it to 'auto', which goes on without where there is none, or to 'none'."
            )
        logger.info("%s: %s", self.path, error)
        return VideoError(broken_off(self.path, Fraction(0), self.facts.duration_s))

    def _table(self, transfer: str) -> Path | None:
        """Write the table that carries HDR to SDR, where the video is HDR."""
        if transfer == "sdr":
            return None
        self._folder = TemporaryDirectory(prefix="understudy-")  # goes with this object
        table = Path(self._folder.name) / f"{transfer}.cube"
        write_table(table, transfer)
        logger.info(
            "%s: HDR (%s) is carried to SDR; what is brighter than %g cd/m2 is white", self.path, transfer, PEAK
        )
        return table

    def _facts(self, first: dict, rate: Fraction) -> SourceFacts:
        height, width = self._upright.size(*square_size(first["height"], first["width"], aspect_of(self._stream)))
        pixels = first.get("pix_fmt", "")
        rgb = pixels.startswith(RGB)
        number = MATRICES.get(first.get("color_space", ""), 2)
        full = rgb or first.get("color_range") == "pc" or pixels.startswith("yuvj")
        return SourceFacts(
            height=height,
            width=width,
            rate=rate,
            duration_s=declared_s(self._told["format"]["format_name"], self._stream, self._origin),
            first_pts_s=self._origin,
            rotation_deg=self._upright.rotation_deg,
            mirrored=self._upright.mirrored,
            colour_matrix="rgb" if rgb else matrix_name(number, first["height"], first["width"]),
            colour_range="full" if full else "limited",
            transfer=DOLBY_NAME if _transfer(first) == DOLBY_NAME else "sdr",
            codec=self._stream["codec_name"],
            interlaced=bool(first.get("interlaced_frame")),
        )


class _Shot:
    """One picture of a reading: its place, its stamp, and its pixels once they were asked for."""

    def __init__(self, number: int, ticks: int | None, rgb: np.ndarray | None):
        self.number, self.ticks, self.rgb = number, ticks, rgb


class _Reading:
    """A run through the video that gives times only, until a picture is asked for, and from then on pictures too.

    Only the shots that somebody still holds are kept. Asking for another size starts ffmpeg anew at that picture.
    """

    def __init__(self, track: Track, from_s: Fraction | None):
        self._track, self._from_s = track, from_s
        self._size: tuple[int, int] | None = None
        self._reel = Reel(track, from_s, 0, None)
        self._taken = 0
        self._held: WeakValueDictionary[int, _Shot] = WeakValueDictionary()

    def take(self) -> _Shot | None:
        """Read on by one picture; None after the last one."""
        found = self._reel.take()
        if found is None:
            return None
        shot = self._held[self._taken] = _Shot(self._taken, *found)
        self._taken += 1
        return shot

    def picture(self, shot: _Shot, size: tuple[int, int]) -> np.ndarray:
        """Return the pixels of a shot, (H, W, 3) uint8 RGB, not turned, at a size of height and width."""
        if shot.rgb is None or shot.rgb.shape[:2] != size:
            self._film_from(shot.number, size)
        return shot.rgb

    def close(self) -> None:
        """End ffmpeg; a picture asked for later starts it again."""
        self._reel.close()

    def _film_from(self, number: int, size: tuple[int, int]) -> None:
        """Start ffmpeg at a shot, with pictures, and catch up with what was taken."""
        self._reel.close()
        self._reel = Reel(self._track, self._from_s, number, size)
        for place in range(number, self._taken):
            found = self._reel.take()
            if found is None:
                raise ReelTornError("it decoded fewer pictures than before")
            if (shot := self._held.get(place)) is not None:
                shot.rgb = found[1]


def _transfer(first: dict) -> str:
    """Name the transfer a picture declares: sdr, PQ, HLG or Dolby Vision."""
    number = MATRICES.get(first.get("color_space", ""), 2)
    return transfer_name(TRANSFERS.get(first.get("color_transfer", ""), 1), number)
