"""Writing films: H.264 that every player shows, at an exact rate, with the clip's sound in sync."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from understudy.backends import load_backend
from understudy.errors import VideoError
from understudy.job import atomic_path
from understudy.seals import seal_film
from understudy.settings import FilmSettings
from understudy.video.film_backends._contract import FilmBackend, FilmPlan

USUAL = FilmSettings(backend="pyav", encoder="libx264")


@dataclass(frozen=True)
class Marks:
    """What a film says of itself: `tags`, metadata of its file; `sign`, called on the finished file before its seal."""

    tags: Mapping[str, str] = field(default_factory=dict)
    sign: Callable[[Path], None] | None = None


class Film:
    """Writes one film frame by frame; a context manager.

    H.264, 4:2:0, BT.709 and tagged so, index in front of the pictures (faststart). Odd sizes are padded to even
    ones by repeating the last row or column. Sound is cut to the film's length. At its end stands a seal, by which a
    wrong byte in it is known (`seals.py`). The file appears under its name when the body ends well; when it fails an
    older file stays as it was. No frame is kept in memory.

    Args:
        path: the film, ending in .mp4.
        rate: frames a second, exact.
        crf: H.264 quality, 0 lossless to 51 worst.
        sound: sound of the clip as `decode_clip` wrote it; an empty file or None makes a silent film.
        settings: which backend writes it, with which encoder.
        marks: what it says of itself.
    """

    def __init__(
        self,
        path: str | Path,
        rate: Fraction,
        crf: int,
        sound: str | Path | None = None,
        settings: FilmSettings = USUAL,
        *,
        marks: Marks | None = None,
    ):
        self.path = Path(path)
        self.rate = Fraction(rate)
        self.frames = 0
        if sound is not None and not Path(sound).is_file():
            raise VideoError(f"The sound {sound} does not exist; run again so that the clip is decoded anew.")
        heard = Path(sound) if sound is not None and Path(sound).stat().st_size else None
        self._marks = marks or Marks()
        self._plan = FilmPlan(self.rate, crf, heard, settings.encoder, self._marks.tags)
        self._make = load_backend("understudy.video.film_backends", settings.backend)
        self._exits = ExitStack()
        self._writer: FilmBackend | None = None
        self._size: tuple[int, int] = (0, 0)
        self._beside = self.path

    def __enter__(self) -> "Film":
        self._beside = self._exits.enter_context(atomic_path(self.path))
        self._writer = self._make(self._beside, self._plan)
        self._exits.callback(self._writer.close)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool | None:
        try:
            if kind is None:
                self._finish()
        except BaseException as failure:
            self._exits.__exit__(type(failure), failure, failure.__traceback__)
            raise
        return self._exits.__exit__(kind, error, trace)

    def write(self, rgb: np.ndarray) -> None:
        """Add one frame, (H, W, 3) uint8 RGB; all frames of a film have one size."""
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise ValueError(f"a film takes (H, W, 3) uint8 frames, got {rgb.shape} {rgb.dtype}")
        height, width, _ = rgb.shape
        if self.frames == 0:
            self._size = height, width
            self._writer.open(height + height % 2, width + width % 2)
        if rgb.shape[:2] != self._size:
            raise ValueError(f"{self.path}: frame {self.frames} is {rgb.shape[:2]}, the frames before it {self._size}")
        self._writer.write(pad_to_even(rgb))
        self.frames += 1

    def _finish(self) -> None:
        if self.frames == 0:
            raise ValueError(f"the film {self.path} got no frame")
        self._writer.finish()
        if self._marks.sign is not None:
            self._marks.sign(self._beside)
        seal_film(self._beside)


def pad_to_even(rgb: np.ndarray) -> np.ndarray:
    """Repeat the last row and column of (H, W, 3) where a side is odd; H.264 with 4:2:0 takes even sizes only."""
    height, width, _ = rgb.shape
    if height % 2 == 0 and width % 2 == 0:
        return rgb
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
