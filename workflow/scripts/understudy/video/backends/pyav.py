"""Reads videos with PyAV, the FFmpeg libraries inside a Python wheel."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.sidedata.sidedata import Type

from understudy.errors import VideoError
from understudy.video.backends._contract import SourceFacts, SourceFrame
from understudy.video.colour import FULL, colour_of, to_rgb
from understudy.video.refusals import (
    check_format,
    no_pictures,
    nothing_decoded,
    other_shape,
    unknown_coding,
    unreadable,
)
from understudy.video.sound import cut_sound
from understudy.video.source import broken_off
from understudy.video.timing import track_length
from understudy.video.upright import square_size, upright_of

logger = logging.getLogger(__name__)

THREADS = 2
SEEK_FROM_S = 5  # spans that begin later are sought, with a margin of one second
MEASURED_PICTURES = 300  # whose stamps tell the rate of files that do not count their pictures
REORDERED = 4  # pictures at the end of those that may lack a neighbour which is stored later
SHAPE_SLACK = 0.02  # relative difference of width over height that is rounding
RATE_SLACK = 0.02  # relative difference of declared and measured rate that is rounding or a dropped picture


class Backend:
    """One video file; see `VideoBackend` for the contract."""

    name = "pyav"
    version = av.__version__

    def __init__(self, path: Path, hardware: str = ""):
        self.path = path
        with self._open() as (container, stream):
            first = self._first_frame(container, stream)
            self._colour = colour_of(first)
            self._upright = upright_of(_display_matrix(first))
            self._size = square_size(first.height, first.width, stream.sample_aspect_ratio)  # height, width as stored
            self._stored = first.height, first.width
            self._origin = _stamp(first, Fraction(0))
            self.facts = self._facts(first, stream, self._rate(stream))

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
        return cut_sound(self.path, target, self._origin + start_s, length_s)

    def _frames_from(self, start_s: Fraction) -> Iterator[SourceFrame]:
        with self._open() as (container, stream):
            if start_s > 0:
                container.seek(int((self._origin + start_s) / stream.time_base), stream=stream)
            time_s = -1 / self.facts.rate
            for frame in self._decode(container, stream):
                self._check_shape(frame)
                # stamps that go back would turn time round; such a picture is never on display
                stamp = _stamp(frame, self._origin + time_s + 1 / self.facts.rate) - self._origin
                time_s = max(stamp, time_s)
                duration = (frame.duration or 0) * frame.time_base
                scaled = partial(self._scaled, frame)
                yield SourceFrame(time_s, duration, scaled, self.facts.height, self.facts.width)

    def _check_shape(self, frame: av.VideoFrame) -> None:
        """Refuse a picture of another shape than the first: it would be squeezed. Another size is scaled."""
        height, width = self._stored
        if abs(frame.width / frame.height / (width / height) - 1) > SHAPE_SLACK:
            raise VideoError(other_shape(self.path, (height, width), (frame.height, frame.width)))

    def _decode(self, container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
        """Decode all frames; damaged data ends it, but for what stands before the first whole picture."""
        last = None
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                decoded = packet.decode() if packet is not None else []
            except (av.FFmpegError, IndexError) as error:  # IndexError: damage that looks like a new track
                logger.info("%s: %s", self.path, error)
                if last is None:
                    continue
                at_s = _stamp(last, self._origin) - self._origin
                raise VideoError(broken_off(self.path, at_s, self.facts.duration_s)) from error
            if packet is None:
                return
            for frame in decoded:
                last = frame
                yield frame

    def _scaled(self, frame: av.VideoFrame, height: int, width: int) -> np.ndarray:
        return self._upright.turn(to_rgb(frame, self._colour, *self._upright.size(height, width)))

    @contextmanager
    def _open(self) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
        """Open the file and choose its video track."""
        try:
            # the prefix keeps names with colons from being read as addresses
            container = av.open(f"file:{self.path}")
        except (av.FFmpegError, UnicodeError) as error:
            raise VideoError(unreadable(self.path, error)) from error
        with container:
            stream = _video_track(self.path, container)
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = THREADS
            yield container, stream

    def _first_frame(self, container: av.container.InputContainer, stream: av.VideoStream) -> av.VideoFrame:
        frame = next(self._decode(container, stream), None)
        if frame is None:
            raise VideoError(nothing_decoded(self.path, stream.codec_context.name))
        return frame

    def _rate(self, stream: av.VideoStream) -> Fraction:
        """Average rate: the declared one, unless the file does not count its pictures and its stamps contradict it.

        Matroska and WebM of varying rate declare what the writer hoped for: browsers declare 1000 frames a second.
        """
        declared = next((rate for rate in (stream.average_rate, stream.guessed_rate) if rate), None)
        if declared and stream.frames:
            return declared
        with self._open() as (container, again):
            stamps = _stamps_at_start(container, again)
        if len(stamps) < 2:
            return declared or Fraction(25)
        measured = (len(stamps) - 1) / (stamps[-1] - stamps[0])
        return declared if declared and abs(declared / measured - 1) < RATE_SLACK else measured

    def _facts(self, first: av.VideoFrame, stream: av.VideoStream, rate: Fraction) -> SourceFacts:
        height, width = self._upright.size(*self._size)
        return SourceFacts(
            height=height,
            width=width,
            rate=rate,
            duration_s=_declared_s(stream.container.format.name, stream, self._origin),
            first_pts_s=self._origin,
            rotation_deg=self._upright.rotation_deg,
            mirrored=self._upright.mirrored,
            colour_matrix=self._colour.matrix,
            colour_range="full" if self._colour.range == FULL else "limited",
            transfer=self._colour.transfer,
            codec=stream.codec_context.name,
            interlaced=bool(first.interlaced_frame),
        )


def _video_track(path: Path, container: av.container.InputContainer) -> av.VideoStream:
    """Choose the video track; cover pictures of music files are none."""
    check_format(path, container.format.name)
    tracks = [track for track in container.streams.video if not track.disposition & track.disposition.attached_pic]
    if not tracks:
        raise VideoError(no_pictures(path, bool(container.streams.audio)))
    for track in tracks:
        if track.codec_context is not None and track.width:
            return track
    raise VideoError(unknown_coding(path))


def _display_matrix(frame: av.VideoFrame) -> list[int] | None:
    """Read how the frame is to be turned; `frame.rotation` holds the angle only and is wrong for mirrored pictures."""
    data = frame.side_data.get(Type.DISPLAYMATRIX)
    return None if data is None else np.frombuffer(bytes(data), "<i4").tolist()


def _stamps_at_start(container: av.container.InputContainer, stream: av.VideoStream) -> list[Fraction]:
    """Time stamps of the first pictures, seconds, in order."""
    stamps = set()
    try:
        for packet in islice(container.demux(stream), MEASURED_PICTURES):
            if packet.pts is not None:
                stamps.add(packet.pts * packet.time_base)
    except (av.FFmpegError, IndexError) as error:  # decoding will come to it and say where
        logger.info("%s: %s", container.name, error)
    return sorted(stamps)[: -REORDERED or None] if len(stamps) > 10 * REORDERED else sorted(stamps)


def _declared_s(container: str, stream: av.VideoStream, first_s: Fraction) -> Fraction | None:
    """Length of the track as its file declares it, from the first picture on.

    Matroska writes the end of the track, counted from 0, as a text such as 00:01:02.345000000.
    """
    if stream.duration:
        counted = stream.frames / stream.average_rate if container == "avi" and stream.average_rate else Fraction(0)
        return max(stream.duration * stream.time_base, counted)  # of a cut AVI only what is there is declared
    text = next((value for name, value in stream.metadata.items() if name.upper().startswith("DURATION")), "")
    end_s = track_length(text)
    return None if end_s is None else end_s - first_s


def _stamp(frame: av.VideoFrame, otherwise_s: Fraction) -> Fraction:
    """Time stamp of a frame in seconds of its file."""
    ticks = frame.pts if frame.pts is not None else frame.dts
    return otherwise_s if ticks is None else ticks * frame.time_base
