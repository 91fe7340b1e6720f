"""The sound of a clip: copied packet by packet from the video, and from there into a film."""

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

logger = logging.getLogger(__name__)

IN_MP4 = {"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"}  # what players accept in mp4; the rest becomes AAC
LEAD_TAG = "UNDERSTUDY_LEAD"  # seconds the sound file begins before the clip, as a fraction such as 1/48
_ROUNDING_S = Fraction(1, 400)  # Matroska rounds stamps to milliseconds; larger steps are real gaps


def cut_sound(video: Path, target: Path, start_s: Fraction, length_s: Fraction) -> bool:
    """Copy the packets of sound that are heard in a span of a video.

    Matroska holds no time below 0, but the first packet usually begins a little before the span. The file then
    begins with that packet, and a tag says by how much the clip starts later.

    Args:
        video: the source.
        target: Matroska file to write.
        start_s: start of the span, in time stamps of the source.
        length_s: its length.

    Returns:
        False, and no file, where the span has no sound.
    """
    with av.open(f"file:{video}") as source:
        stream = source.streams.best("audio")
        if stream is None:
            return False
        if start_s > 1:
            source.seek(int((start_s - 1) / stream.time_base), stream=stream)
        packets = _packets_between(source, stream, start_s, start_s + length_s)
        first = next(packets, None)
        if first is None:
            return False
        lead = max(start_s - first.pts * first.time_base, Fraction(0))
        with av.open(str(target), "w", format="matroska") as film:
            film.metadata[LEAD_TAG] = str(lead)
            copy = film.add_stream_from_template(stream)
            for packet in _with(first, packets):
                _mux(film, copy, packet, lead - start_s)
    return True


class SoundTrack:
    """Carries a clip's sound into a film while the film grows; a context manager.

    Args:
        path: sound of the clip as `cut_sound` wrote it, not empty.
        film: the film, before its first packet.
    """

    def __init__(self, path: Path, film: av.container.OutputContainer):
        self._source = av.open(f"file:{path}")
        self._film = film
        stream = self._source.streams.audio[0]
        context = stream.codec_context
        self._lead = Fraction(self._source.metadata.get(LEAD_TAG, "0"))
        self._copied = context.name in IN_MP4
        if self._copied:
            self._target = film.add_stream_from_template(stream)
        else:
            self._target = film.add_stream("aac", rate=context.sample_rate, layout=context.layout.name)
            logger.info("%s: mp4 cannot carry %s, so the sound becomes AAC", path, context.name)
        self._packet_s = Fraction(context.frame_size or 0, context.sample_rate)
        self._packets = self._source.demux(stream)
        self._waiting = next(self._packets, None)
        self._expected_s: Fraction | None = None

    def __enter__(self) -> "SoundTrack":
        return self

    def __exit__(self, *error: object) -> None:
        self._source.close()

    def copy_until(self, end_s: Fraction) -> None:
        """Carry over all packets of which more than half lies before `end_s`, seconds of the film."""
        while self._waiting is not None and self._waiting.pts is not None:
            begin_s = self._waiting.pts * self._waiting.time_base - self._lead
            if begin_s + self._packet_s / 2 >= end_s:
                return
            self._carry(self._waiting, begin_s)
            self._waiting = next(self._packets, None)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if not self._copied:
            self._film.mux(self._target.encode(None))

    def _carry(self, packet: av.Packet, begin_s: Fraction) -> None:
        if not self._copied:
            for frame in packet.decode():
                frame.pts -= round(self._lead / frame.time_base)
                self._film.mux(self._target.encode(frame))
            return
        # undo the rounding of stamps: packets of one size follow each other without gaps
        if self._expected_s is not None and abs(self._expected_s - begin_s) < _ROUNDING_S:
            begin_s = self._expected_s
        self._expected_s = begin_s + self._packet_s if self._packet_s else None
        rate = self._target.codec_context.sample_rate
        packet.time_base = Fraction(1, rate)
        packet.pts = packet.dts = round(begin_s * rate)
        packet.duration = round(self._packet_s * rate)
        packet.stream = self._target
        self._film.mux(packet)


def _packets_between(
    source: av.container.InputContainer, stream: av.AudioStream, start_s: Fraction, end_s: Fraction
) -> Iterator[av.Packet]:
    """Yield the packets that sound between two time stamps; one that ends right at the start primes the decoder."""
    for packet in source.demux(stream):
        if packet.pts is None or packet.size == 0:
            continue
        begin_s = packet.pts * packet.time_base
        if begin_s >= end_s:
            return
        if begin_s + (packet.duration or 0) * packet.time_base >= start_s:
            yield packet


def _mux(film: av.container.OutputContainer, target: av.AudioStream, packet: av.Packet, shift_s: Fraction) -> None:
    packet.pts += round(shift_s / packet.time_base)
    packet.dts = packet.pts  # sound has no reordered packets
    packet.stream = target
    film.mux(packet)


def _with(first: av.Packet, rest: Iterator[av.Packet]) -> Iterator[av.Packet]:
    yield first
    yield from rest
