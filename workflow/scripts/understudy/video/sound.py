"""The sound of a clip, copied packet by packet from the video."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from understudy.errors import VideoError
from understudy.video.leads import LEAD_TAG


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

    Raises:
        VideoError: the sound is damaged, or of a kind that cannot be copied.
    """
    try:
        return _cut(video, target, start_s, length_s)
    except (av.FFmpegError, ValueError, IndexError, OverflowError) as broken:
        raise VideoError(
            f"The sound of {video} cannot be copied ({broken}); convert it first, for example: ffmpeg -i {video.name} "
            "-c:v copy -c:a aac converted.mp4."
        ) from broken


def _cut(video: Path, target: Path, start_s: Fraction, length_s: Fraction) -> bool:
    """Copy the packets; see `cut_sound`."""
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
        plain = {"fflags": "+bitexact"}  # no random number: the same sound is the same file
        with av.open(str(target), "w", format="matroska", options=plain) as film:
            film.metadata[LEAD_TAG] = str(lead)
            copy = film.add_stream_from_template(stream)
            for packet in _with(first, packets):
                _mux(film, copy, packet, lead - start_s)
    return True


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
