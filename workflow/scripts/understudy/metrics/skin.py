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
MOST_NAMED, LEAST_SHARE, LEAST_SELDOM = 2, 0.02, 0.25  # parts named of a frame: most, least share of it, how seldom
_LIMBS = {"upper leg": (7, 9, 8, 10), "lower leg": (11, 13, 12, 14)}  # right back, right front, left back, left front
_ARMS = {"upper arm": (15, 17, 16, 18), "forearm": (19, 21, 20, 22)}  # left inside, left outside, right likewise
PART_NAMES = {
    1: "the back",
    2: "the front of the torso",
    3: "the right hand",
    4: "the left hand",
    5: "the left foot",
    6: "the right foot",
    23: "the right side of the head",
    24: "the left side of the head",
    **{
        part: f"the {face} of the {side} {limb}"
        for limb, parts in _LIMBS.items()
        for part, side, face in zip(parts, ("right",) * 2 + ("left",) * 2, ("back", "front") * 2, strict=True)
    },
    **{
        part: f"the {face} of the {side} {limb}"
        for limb, parts in _ARMS.items()
        for part, side, face in zip(parts, ("left",) * 2 + ("right",) * 2, ("inside", "outside") * 2, strict=True)
    },
}  # of the 24 parts, as body/parts.py numbers them


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
        each = self._seldom(part, uv)
        return float(each.mean()) if len(each) else 0.0

    def rare_parts(self, part: np.ndarray, uv: np.ndarray) -> list[str]:
        """Name the parts, at most two, that a frame shows and the footage hardly did, the most of it first."""
        each, numbers = self._seldom(part, uv), part[part > 0]
        sums = np.bincount(numbers, each, PARTS) if len(each) else np.zeros(PARTS)
        count = np.bincount(numbers, minlength=PARTS)
        rare = (count >= max(1, LEAST_SHARE * len(each))) & (sums >= LEAST_SELDOM * count)
        chosen = [number for number in np.argsort(-sums).tolist() if rare[number]]
        return [PART_NAMES[number] for number in chosen[:MOST_NAMED]]

    def _seldom(self, part: np.ndarray, uv: np.ndarray) -> np.ndarray:
        """How seldom the footage showed the patch of each sample (N,) on the body; nothing without footage."""
        if not self.frames:
            return np.zeros(0)
        return 1 - np.log1p(self.shown[_patches(part, uv)]) / np.log1p(self.frames)


def driving_seldom(driving: Path, skin: Skin) -> np.ndarray:
    """Say of each frame of a driving clip how seldom the footage showed what it shows (T,)."""
    with open_file(driving, "driving") as file:
        return rows_seldom(file, range(len(file["valid"])), skin)


def driving_rare_parts(driving: Path, row: int, skin: Skin) -> list[str]:
    """Name the parts that a frame of a driving clip shows and the footage hardly did."""
    with open_file(driving, "driving") as file:
        ((part, uv),) = _surfaces(file, [row])
        return skin.rare_parts(part, uv)


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
