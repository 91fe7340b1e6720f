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

from understudy.errors import VideoError
from understudy.video.backends._contract import SourceFacts, SourceFrame
from understudy.video.colour import FULL, colour_of, to_rgb
from understudy.video.sound import cut_sound
from understudy.video.source import broken_off
from understudy.video.upright import upright_of

logger = logging.getLogger(__name__)

THREADS = 2
SEEK_FROM_S = 5  # spans that begin later are sought, with a margin of one second
MEASURED_PICTURES = 300  # whose stamps tell the rate of files that do not count their pictures
REORDERED = 4  # pictures at the end of those that may lack a neighbour which is stored later
RATE_SLACK = 0.02  # relative difference of declared and measured rate that is rounding or a dropped picture
NO_VIDEOS = {"tty", "image2", "ass", "srt", "webvtt", "subviewer", "lrc"}  # formats of FFmpeg for text and pictures


class Backend:
    """One video file; see `VideoBackend` for the contract."""

    name = "pyav"
    version = av.__version__

    def __init__(self, path: Path):
        self.path = path
        with self._open() as (container, stream):
            first = self._first_frame(container, stream)
            self._colour = colour_of(first)
            self._upright = upright_of(first)
            self._size = _square_size(first, stream)  # height, width as stored
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
                # stamps that go back would turn time round; such a picture is never on display
                stamp = _stamp(frame, self._origin + time_s + 1 / self.facts.rate) - self._origin
                time_s = max(stamp, time_s)
                duration = (frame.duration or 0) * frame.time_base
                scaled = partial(self._scaled, frame)
                yield SourceFrame(time_s, duration, scaled, self.facts.height, self.facts.width)

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
            raise VideoError(_unreadable(self.path, error)) from error
        with container:
            stream = _video_track(self.path, container)
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = THREADS
            yield container, stream

    def _first_frame(self, container: av.container.InputContainer, stream: av.VideoStream) -> av.VideoFrame:
        frame = next(self._decode(container, stream), None)
        if frame is None:
            raise VideoError(
                f"The video {self.path} holds no picture that can be decoded ({stream.codec_context.name}); "
                f"it is damaged or broke off at its start: copy it again from its origin."
            )
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
            duration_s=_declared_s(stream, self._origin),
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
    format_name = container.format.name
    if format_name.endswith("_pipe") or format_name in NO_VIDEOS:
        raise VideoError(f"{path} is no video but a picture or a text ({format_name}); name a video in the clip table.")
    tracks = [track for track in container.streams.video if not track.disposition & track.disposition.attached_pic]
    if not tracks:
        has = "sound only" if container.streams.audio else "neither pictures nor sound"
        raise VideoError(f"The file {path} holds {has}, expected a video track; name a video in the clip table.")
    for track in tracks:
        if track.codec_context is not None and track.width:
            return track
    raise VideoError(
        f"The pictures of {path} are coded in a way this reader does not know, or their track is damaged; "
        f"convert it first, for example: ffmpeg -i {path.name} -c:v libx264 -crf 12 -c:a copy converted.mp4."
    )


def _unreadable(path: Path, error: Exception) -> str:
    """Say why a file cannot be opened, from its first bytes."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
        return (
            f"The video {path} has no index (moov): its recording or copying broke off; copy it again from its "
            f"origin, or mend it with a tool such as untrunc."
        )
    if not head.strip(b"\0"):
        return f"The file {path} begins with nothing but zeros: a copy failed; copy it again from its origin."
    if _is_text(head):
        return f"{path} is a text file, expected a video; name a video in the clip table."
    return f"{path} is no video that can be read ({error}); play it to see that it is whole, or convert it to mp4."


def _is_text(head: bytes) -> bool:
    try:
        text = head[:-3].decode() if len(head) == 4096 else head.decode()
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\t\r\n\f" for letter in text)


def _square_size(frame: av.VideoFrame, stream: av.VideoStream) -> tuple[int, int]:
    """Height and width with square pixels; the short side of a pixel is stretched, none is squeezed."""
    shape = stream.sample_aspect_ratio or Fraction(1)
    if not Fraction(1, 8) <= shape <= 8:
        shape = Fraction(1)
    return round(frame.height * max(1 / shape, 1)), round(frame.width * max(shape, 1))


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


def _declared_s(stream: av.VideoStream, first_s: Fraction) -> Fraction | None:
    """Length of the track as its file declares it, from the first picture on.

    Matroska writes the end of the track, counted from 0, as a text such as 00:01:02.345000000.
    """
    if stream.duration:
        return stream.duration * stream.time_base
    text = next((value for name, value in stream.metadata.items() if name.upper().startswith("DURATION")), "")
    parts = text.split(":")
    if len(parts) != 3:
        return None
    return int(parts[0]) * 3600 + int(parts[1]) * 60 + Fraction(parts[2]) - first_s


def _stamp(frame: av.VideoFrame, otherwise_s: Fraction) -> Fraction:
    """Time stamp of a frame in seconds of its file."""
    ticks = frame.pts if frame.pts is not None else frame.dts
    return otherwise_s if ticks is None else ticks * frame.time_base
