"""The sound of synthetic clips: a soft drum at the dances' tempo, to show whether they meet."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from understudy.synthetic.choreography import BEAT_S

RATE = 44100  # samples a second
BLOCK = 1024  # samples of one AAC frame
LOUDNESS = 0.35


def write_drum(path: Path, start_s: float, duration_s: float) -> None:
    """Write the drum as AAC in a Matroska file.

    Args:
        path: ends in .mka.
        start_s: seconds within the dance at which the sound starts; beats fall on whole multiples of `BEAT_S`.
        duration_s: seconds.
    """
    with av.open(str(path), "w", format="matroska", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        stream.bit_rate = 96000
        for first, block in _blocks(start_s, duration_s):
            frame = av.AudioFrame.from_ndarray(block[None].astype(np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def drum(time_s: np.ndarray) -> np.ndarray:
    """Sound pressure -1..1 at times (N,) of the dance: a kick on every beat, a louder one of four, a hat."""
    since = np.mod(time_s, BEAT_S)  # seconds since the beat
    strong = np.where(np.mod(np.floor(time_s / BEAT_S), 4) == 0, 1.0, 0.6)
    pitch = 52 * since + 40 * (1 - np.exp(-since / 0.03)) * 0.03  # cycles; falls from 92 to 52 Hz
    kick = strong * np.exp(-since / 0.12) * np.sin(2 * np.pi * pitch)
    off = np.mod(time_s + BEAT_S / 2, BEAT_S)
    number = np.round(time_s * RATE).astype(np.int64)
    hiss = np.mod(number * 1103515245 + 12345, 1 << 16) / (1 << 15) - 1  # the same for every start
    return LOUDNESS * (kick + 0.12 * np.exp(-off / 0.02) * hiss)


def _blocks(start_s: float, duration_s: float) -> Iterator[tuple[int, np.ndarray]]:
    """First sample number and samples (up to BLOCK,) of each block, one after the other."""
    total = round(duration_s * RATE)
    for first in range(0, total, BLOCK):
        number = np.arange(first, min(first + BLOCK, total))
        yield first, drum(start_s + number / RATE)
