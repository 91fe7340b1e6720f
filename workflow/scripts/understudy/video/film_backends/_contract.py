"""What a writer of films must offer; `encode.Film` stands on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class FilmPlan:
    """What a film is to be.

    Attributes:
        rate: frames a second, exact.
        crf: quality, H.264's 0 lossless to 51 worst; what hardware encoders take for it comes near.
        sound: sound of the clip as `decode_clip` wrote it, None for a silent film.
        encoder: H.264 encoder by ffmpeg's name, for backends that can choose.
        tags: metadata of the file, such as `title` and `comment`.
    """

    rate: Fraction
    crf: int
    sound: Path | None
    encoder: str
    tags: Mapping[str, str] = field(default_factory=dict)


class FilmBackend(Protocol):
    """One film, open for writing: `open`, `write` for each frame, `finish`; `close` whatever happened."""

    def __init__(self, path: Path, plan: FilmPlan): ...

    def open(self, height: int, width: int) -> None:
        """Start a film of frames of an even size.

        Raises:
            BackendError: the encoder is not there.
        """

    def write(self, rgb: np.ndarray) -> None:
        """Add one frame, (H, W, 3) uint8 RGB, of that size."""

    def finish(self) -> None:
        """Write what is left, sound and index; the file is whole then."""

    def close(self) -> None:
        """Let go of everything, finished or not."""
