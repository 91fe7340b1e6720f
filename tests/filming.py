"""Tiny videos of every kind for tests, made with the encoder's own tools and not with the room under test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

BITS = 8
SOUND_HZ = 48000


def barcode(number: int, height: int = 64, width: int = 64) -> np.ndarray:
    """Draw a number as eight upright bars, black for 0 and white for 1, lowest bit first; (H, W, 3) uint8."""
    bars = np.array([255 * (number >> bit & 1) for bit in range(BITS)], np.uint8)
    row = np.repeat(bars, width // BITS)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def read_barcode(picture: np.ndarray) -> int:
    """Read the number that `barcode` drew, from a picture of any size that shows it whole."""
    columns = picture[picture.shape[0] // 4 : -picture.shape[0] // 4].mean((0, 2))
    bars = np.array_split(columns, BITS)
    return sum(int(bar[len(bar) // 3 : -len(bar) // 3 or None].mean() > 127) << bit for bit, bar in enumerate(bars))


@dataclass(frozen=True)
class Take:
    """How a test video is made: `ticks` are time stamps in milliseconds, None for a constant rate."""

    rate: Fraction = Fraction(25)
    ticks: Sequence[int] | None = None
    codec: str = "libx264"
    pixels: str = "yuv420p"
    matrix: int = Colorspace.ITU709
    tagged: bool = True
    full_range: bool = False
    transfer: int = 1
    rotation_deg: float = 0
    mirrored: bool = False
    aspect: Fraction = Fraction(1)
    sound: np.ndarray | None = None  # (S,) float32 -1..1 at 48 kHz
    sound_codec: str = "aac"
    muxer: dict[str, str] = field(default_factory=dict)


def write_video(path: Path, pictures: Sequence[np.ndarray], take: Take = Take()) -> Path:
    """Encode (H, W, 3) uint8 pictures, nearly without loss."""
    with av.open(str(path), "w", options=take.muxer) as film:
        stream = film.add_stream(take.codec, rate=take.rate)
        stream.height, stream.width, _ = pictures[0].shape
        stream.pix_fmt = take.pixels
        context = stream.codec_context
        context.time_base = Fraction(1, 1000) if take.ticks is not None else 1 / take.rate
        context.sample_aspect_ratio = take.aspect
        context.options = {"crf": "4", "g": "5", "bf": "2"} if "26" in take.codec else {"qscale": "2", "b": "2M"}
        if take.tagged:
            context.colorspace, context.color_primaries, context.color_trc = take.matrix, 1, take.transfer
            context.color_range = ColorRange.JPEG if take.full_range else ColorRange.MPEG
        if take.rotation_deg or take.mirrored:
            stream.set_display_rotation(take.rotation_deg, hflip=take.mirrored)
        if take.sound is not None:
            _write_sound(film, take)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture).reformat(
                format=take.pixels,
                src_colorspace=take.matrix,
                dst_colorspace=take.matrix,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.JPEG if take.full_range else ColorRange.MPEG,
                interpolation="BICUBIC",
            )
            frame.pts = take.ticks[number] if take.ticks is not None else number
            frame.time_base = context.time_base
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
    return path


def _write_sound(film: av.container.OutputContainer, take: Take) -> None:
    stream = film.add_stream(take.sound_codec, rate=SOUND_HZ, layout="mono")
    for first in range(0, len(take.sound), 1024):
        block = (take.sound[None, first : first + 1024] * 32000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SOUND_HZ, first, Fraction(1, SOUND_HZ)
        film.mux(stream.encode(frame))
    film.mux(stream.encode())


def hide_start(video: Path, target: Path, seconds: float) -> Path:
    """Copy a video with an edit list that hides its first seconds, as phones write it when a clip is trimmed."""
    with av.open(str(video)) as source, av.open(str(target), "w") as film:
        copies = {stream.index: film.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            shift = round(seconds / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = copies[packet.stream_index]
            film.mux(packet)
    return target


def clicks(at_s: Sequence[float], length_s: float) -> np.ndarray:
    """Make silence with short bursts of noise, (S,) float32 at 48 kHz."""
    sound = np.zeros(int(length_s * SOUND_HZ), np.float32)
    for time_s in at_s:
        first = int(time_s * SOUND_HZ)
        burst = np.random.default_rng(0).uniform(-0.9, 0.9, 240).astype(np.float32)
        sound[first : first + 240] = burst[: len(sound) - first]
    return sound


def hear_clicks(path: Path, lead_s: float = 0.0) -> list[float]:
    """Find the bursts in a file's sound: their times in seconds, as a player plays it."""
    times: list[float] = []
    with av.open(str(path)) as film:
        for frame in film.decode(audio=0):
            samples = frame.to_ndarray().astype(float)
            samples = samples / (32768 if "s16" in frame.format.name else 1)
            loud = np.flatnonzero(np.abs(samples).reshape(-1) > 0.25)
            if len(loud):
                time_s = frame.pts * float(frame.time_base) + loud[0] / frame.sample_rate - lead_s
                if not times or time_s - times[-1] > 0.1:
                    times.append(time_s)
    return times
