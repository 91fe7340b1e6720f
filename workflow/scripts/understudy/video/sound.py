"""The sound of a clip: copied packet by packet from the video, and from there into a film."""

import logging
from fractions import Fraction
from pathlib import Path

import av

logger = logging.getLogger(__name__)

IN_MP4 = {"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus"}  # what players accept in mp4; the rest becomes AAC
LEAD_TAG = "UNDERSTUDY_LEAD"  # seconds by which the sound file starts before the clip, as a fraction "n/d"


class SoundTrack:
    """Carries a clip's sound into a film while the film grows; a context manager.

    Args:
        path: sound of the clip as `decode_clip` wrote it, not empty.
        film: the film, before its first packet.
    """

    def __init__(self, path: Path, film: av.container.OutputContainer):
        self._source = av.open(str(path))
        self._film = film
        stream = self._source.streams.audio[0]
        self._lead = Fraction(self._source.metadata.get(LEAD_TAG, "0"))
        self._copied = stream.codec_context.name in IN_MP4
        if self._copied:
            self._target = film.add_stream_from_template(stream)
        else:
            rate = stream.codec_context.sample_rate
            self._target = film.add_stream("aac", rate=rate, layout=stream.codec_context.layout.name)
            logger.info("%s: mp4 cannot carry %s, the sound becomes AAC", path, stream.codec_context.name)
        self._packets = self._source.demux(stream)
        self._waiting = next(self._packets, None)

    def __enter__(self) -> "SoundTrack":
        return self

    def __exit__(self, *error: object) -> None:
        self._source.close()

    def copy_until(self, end_s: Fraction) -> None:
        """Carry over all packets that begin before `end_s`, seconds of the film."""
        while self._waiting is not None and self._waiting.pts is not None and self._begin(self._waiting) < end_s:
            self._carry(self._waiting)
            self._waiting = next(self._packets, None)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if not self._copied:
            self._film.mux(self._target.encode(None))

    def _begin(self, packet: av.Packet) -> Fraction:
        return packet.pts * packet.time_base - self._lead

    def _carry(self, packet: av.Packet) -> None:
        shift = round(self._lead / packet.time_base)
        if self._copied:
            packet.pts -= shift
            packet.dts = packet.pts  # sound has no reordered packets
            packet.stream = self._target
            self._film.mux(packet)
            return
        for frame in packet.decode():
            frame.pts -= round(self._lead / frame.time_base)
            self._film.mux(self._target.encode(frame))
