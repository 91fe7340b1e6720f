"""A clip's sound carried into a film while the film grows, in step with its frames."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from understudy.errors import VideoError
from understudy.video.leads import LEAD_TAG, read_lead
from understudy.video.soundcodecs import AAC_RATES, IN_MP4

logger = logging.getLogger(__name__)

_ROUNDING_S = Fraction(1, 400)  # Matroska rounds stamps to milliseconds; larger steps are real gaps
_GAP_S = Fraction(1, 20)


def open_soundtrack(path: Path, film: av.container.OutputContainer) -> "CopiedSound | RecodedSound":
    """Prepare a clip's sound for a film: packet by packet where mp4 can carry it, else coded anew as AAC.

    Args:
        path: sound of the clip as `cut_sound` wrote it, not empty.
        film: the film, before its first packet.

    Raises:
        VideoError: it is no such file.
    """
    with readable(path):
        source = av.open(f"file:{path}")
        codec = source.streams.audio[0].codec_context.codec.canonical_name
        if codec in IN_MP4:
            return CopiedSound(source, film, path)
        logger.info("%s: mp4 cannot carry %s, so the sound becomes AAC", path, codec)
        return RecodedSound(source, film, path)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Name a clip's sound where it turns out to be none."""
    try:
        yield
    except (av.FFmpegError, ValueError, ArithmeticError, IndexError, AttributeError) as broken:
        raise VideoError(f"The sound {path} cannot be read ({broken}); delete it and run again.") from broken


class CopiedSound:
    """Sound whose packets go into the film as they are."""

    def __init__(self, source: av.container.InputContainer, film: av.container.OutputContainer, path: Path):
        stream = source.streams.audio[0]
        self._source, self._film = source, film
        self._lead = _lead(source)
        self._target = film.add_stream_from_template(stream)
        self._rate = stream.codec_context.sample_rate
        self._packet_s = Fraction(stream.codec_context.frame_size or 0, self._rate)
        self._packets = self._demux(stream, path)
        self._waiting = next(self._packets, None)
        self._expected_s: Fraction | None = None

    def copy_until(self, end_s: Fraction) -> None:
        """Carry over all packets of which more than half lies before `end_s`, seconds of the film."""
        while self._waiting is not None:
            begin_s = self._waiting.pts * self._waiting.time_base - self._lead
            if begin_s + self._packet_s / 2 >= end_s:
                return
            self._carry(self._waiting, begin_s)
            self._waiting = next(self._packets, None)

    def finish(self) -> None:
        """End the sound and close its file."""
        self._source.close()

    def _demux(self, stream: av.AudioStream, path: Path) -> Iterator[av.Packet]:
        with readable(path):
            yield from (packet for packet in self._source.demux(stream) if packet.pts is not None)

    def _carry(self, packet: av.Packet, begin_s: Fraction) -> None:
        # undo the rounding of stamps: packets of one size follow each other without gaps
        if self._expected_s is not None and abs(self._expected_s - begin_s) < _ROUNDING_S:
            begin_s = self._expected_s
        self._expected_s = begin_s + self._packet_s if self._packet_s else None
        duration = round((self._packet_s or (packet.duration or 0) * packet.time_base) * self._rate)
        packet.time_base = Fraction(1, self._rate)
        packet.pts = packet.dts = round(begin_s * self._rate)
        packet.duration = duration
        packet.stream = self._target
        self._film.mux(packet)


class RecodedSound:
    """Sound that is decoded and coded anew as AAC, mono or stereo; cut to the sample at both ends."""

    def __init__(self, source: av.container.InputContainer, film: av.container.OutputContainer, path: Path):
        stream = source.streams.audio[0]
        context = stream.codec_context
        self._source, self._film = source, film
        self._lead = _lead(source)
        self._rate = context.sample_rate if context.sample_rate in AAC_RATES else 48000
        self._layout = "mono" if context.channels == 1 else "stereo"
        self._target = film.add_stream("aac", rate=self._rate, layout=self._layout)
        self._blocks = self._decode(stream, path)
        self._held = np.zeros((1 if self._layout == "mono" else 2, 0), np.float32)  # (channels, samples)
        self._written = 0  # samples

    def copy_until(self, end_s: Fraction) -> None:
        """Carry over the samples before `end_s`, seconds of the film."""
        wanted = round(end_s * self._rate) - self._written
        while self._held.shape[1] < wanted and (block := next(self._blocks, None)) is not None:
            self._held = np.concatenate([self._held, block], axis=1)
        block, self._held = self._held[:, :wanted], self._held[:, max(wanted, 0) :]
        if block.shape[1] == 0:
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=self._layout)
        frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._written
        self._written += block.shape[1]
        self._film.mux(self._target.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds, and close the sound's file."""
        self._film.mux(self._target.encode(None))
        self._source.close()

    def _decode(self, stream: av.AudioStream, path: Path) -> Iterator[np.ndarray]:
        """Yield (channels, samples) float32 from the clip's start on; gaps are filled with silence."""
        with readable(path):
            yield from self._blocks_of(stream)

    def _blocks_of(self, stream: av.AudioStream) -> Iterator[np.ndarray]:
        resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        place = 0  # samples since the clip's start
        for packet in self._source.demux(stream):
            for decoded in packet.decode():
                begin = round((decoded.pts * decoded.time_base - self._lead) * self._rate)
                for frame in resampler.resample(decoded):
                    samples = frame.to_ndarray()
                    if abs(begin - place) > _GAP_S * self._rate or place == 0:
                        samples = np.pad(samples[:, max(place - begin, 0) :], ((0, 0), (max(begin - place, 0), 0)))
                    place += samples.shape[1]
                    begin += frame.samples
                    yield samples


def _lead(source: av.container.InputContainer) -> Fraction:
    """Seconds by which the sound file begins before its clip."""
    return read_lead(source.metadata.get(LEAD_TAG, "0"))
