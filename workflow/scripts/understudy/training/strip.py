"""A strip through time: the fixed held-out frames as they were drawn at a few moments, the footage on top.

Axes: H rows, W columns of one frame; N frames stand side by side.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from understudy.job import atomic_path
from understudy.seals import damaged
from understudy.training.preview import ROWS

MOST_MOMENTS = 8
MOST_WIDTH, MOST_HEIGHT = 1600, 4096  # px of the whole strip
STRIP = "strip.png"
PREVIEW = re.compile(r"preview-(\d{8,})\.png")


@dataclass(frozen=True)
class StripShape:
    """What a strip shows: the steps of its rows below the footage, and its size in px."""

    steps: list[int]
    height: int
    width: int


class Strip:
    """Writes `strip.png` of the previews in a folder; rows are kept in memory, so that each preview is read once."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.footage: np.ndarray | None = None  # (H, N * W, 3) uint8 BGR, scaled; the same at every step
        self._rows: dict[int, np.ndarray] = {}  # drawn rows like it, by step

    def write(self, previews: Mapping[int, Path]) -> StripShape | None:
        """Draw the strip anew, after a preview was written; None where there is no preview."""
        steps = choose_moments(list(previews))
        if not steps:
            return None
        if self.footage is None:
            self.footage = cut_row(previews[steps[0]], "footage")
        known = self._rows
        self._rows = {step: known[step] if step in known else cut_row(previews[step], "final") for step in steps}
        rows = [("footage", self.footage), *((f"step {step}", self._rows[step]) for step in steps)]
        strip = np.concatenate([_labelled(row, label) for label, row in rows])  # ((1 + moments) * H, N * W, 3)
        with atomic_path(self.folder / STRIP) as beside:
            beside.write_bytes(cv2.imencode(".png", strip)[1])  # imwrite keeps a full disk to itself
        return StripShape(steps, *strip.shape[:2])

    def newest(self) -> np.ndarray:
        """The newest drawn row (H, N * W, 3) uint8 BGR."""
        return self._rows[max(self._rows)]


def preview_files(folder: Path) -> dict[int, Path]:
    """Every preview of a folder by its step, oldest first."""
    found = ((PREVIEW.fullmatch(path.name), path) for path in folder.glob("preview-*.png"))
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def choose_moments(steps: Sequence[int]) -> list[int]:
    """Choose at most 8 of rising steps: every one, every second, every fourth ... from the first, and the last.

    What was not chosen once is never chosen later, except the last: a strip needs no preview again that it let go.
    """
    stride = 1
    while (len(steps) + stride - 1) // stride > MOST_MOMENTS - 1:
        stride *= 2
    chosen = list(steps[::stride])
    return chosen if not steps or chosen[-1] == steps[-1] else [*chosen, steps[-1]]


def cut_row(path: Path, name: str) -> np.ndarray:
    """Cut one row out of a preview, (H, N * W, 3) uint8 BGR, made smaller where a strip of such rows would be too big.

    Args:
        path: a preview.
        name: one of `preview.ROWS`.
    """
    picture = cv2.imread(str(path))
    if picture is None:
        raise damaged(path, "no readable picture")
    height, width = picture.shape[0] // len(ROWS), picture.shape[1]
    row = picture[ROWS.index(name) * height :][:height]
    scale = min(1.0, MOST_WIDTH / width, MOST_HEIGHT / ((MOST_MOMENTS + 1) * height))
    if scale == 1:
        return row
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(row, size, interpolation=cv2.INTER_AREA)


def _labelled(row: np.ndarray, label: str) -> np.ndarray:
    """Write a label into a row's upper left corner, where the row is high enough to be read beside it."""
    if row.shape[0] < 48:
        return row
    row = row.copy()
    (width, height), below = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
    cv2.rectangle(row, (0, 0), (width + 5, height + below + 3), (0, 0, 0), cv2.FILLED)
    cv2.putText(row, label, (3, height + 3), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return row
