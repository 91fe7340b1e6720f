"""How often the footage showed each patch of skin and clothes, and how seldom those are that a driving frame shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import h5py
import numpy as np

from understudy.layouts import open_file
from understudy.metrics.training_frames import TrainingFrames

PATCHES = 12  # of a part along U and along V
PARTS = 25  # the background too
ROWS = 128  # of a surface are looked at
MOST_FRAMES = 600  # of the footage, evenly spread


class Skin:
    """Counts in how many of the performer's training frames each patch of the body's surface was shown.

    Attributes:
        frames: that were looked at.
        shown: (25 * 12 * 12,) int, in how many of them each patch was shown.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.shown = np.zeros(PARTS * PATCHES**2, np.int64)

    @classmethod
    def of(cls, training: TrainingFrames) -> Self:
        """Look at the training frames, at the bare body where the footage has it, as a transfer draws it."""
        skin = cls()
        chosen = range(0, len(training.poses), max(1, -(-len(training.poses) // MOST_FRAMES)))
        places = [training.place(number) for number in chosen]
        for clip, files in enumerate(training.index.clips):
            with open_file(files.surface, "surface") as file:
                for part, uv in _surfaces(file, [row for of, row in places if of == clip]):
                    skin.add(part, uv)
        return skin

    def add(self, part: np.ndarray, uv: np.ndarray) -> None:
        """Count a frame: part (P, Q) uint8, U and V (P, Q, 2) uint8."""
        self.frames += 1
        self.shown[np.unique(_patches(part, uv))] += 1

    def seldom(self, part: np.ndarray, uv: np.ndarray) -> float:
        """Say how seldom the footage showed what a frame shows: 0 in every frame, 1 never; 0 where it shows nobody.

        The mean over the body's samples of log((n + 1) / (k + 1)) / log(n + 1), k of the n frames having shown the
        patch: what halves the examples costs the same wherever it happens.
        """
        count = self.shown[_patches(part, uv)]
        if not self.frames or not len(count):
            return 0.0
        return float(1 - np.log1p(count).mean() / np.log1p(self.frames))


def driving_seldom(driving: Path, skin: Skin) -> np.ndarray:
    """Say of each frame of a driving clip how seldom the footage showed what it shows (T,)."""
    with open_file(driving, "driving") as file:
        return rows_seldom(file, range(len(file["valid"])), skin)


def rows_seldom(file: h5py.File, rows: range, skin: Skin) -> np.ndarray:
    """Say the same of some frames of an opened driving.h5 or surface.h5."""
    return np.array([skin.seldom(part, uv) for part, uv in _surfaces(file, rows)])


def _surfaces(file: h5py.File, rows: range | list[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield part and U, V of some frames, thinned out; of the bare body where the file has it."""
    kind = "body_" if "body_part" in file else ""
    part, uv = file[f"{kind}part"], file[f"{kind}uv"]
    step = max(1, part.shape[1] // ROWS)
    for row in rows:
        yield part[row][::step, ::step], uv[row][::step, ::step]


def _patches(part: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Number the patch (N,) of each sample of a surface that lies on the body."""
    there = part > 0
    cell = uv[there].astype(np.int64) * PATCHES // 256  # (N, 2)
    return (np.minimum(part[there], PARTS - 1).astype(np.int64) * PATCHES + cell[:, 0]) * PATCHES + cell[:, 1]
