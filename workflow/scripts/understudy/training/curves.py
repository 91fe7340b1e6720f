"""Curves of a training: each figure over the steps, in few points, in a file that a killed training leaves readable."""

import csv
import logging
import math
from collections.abc import Mapping
from pathlib import Path

from understudy.job import atomic_path

logger = logging.getLogger(__name__)

MOST_POINTS = 500  # of one curve; thinned to half of it when it gets there
COLUMNS = ("step", "figure", "value")

Curve = list[tuple[int, float]]  # (step, value), rising steps


class Curves:
    """Every figure's curve, in memory and in `curves.tsv`, which is appended to and only written anew to thin it."""

    def __init__(self, path: Path, step: int):
        """Read what an earlier run wrote, without what it did after `step`: that is done, and written, once more."""
        self.path = path
        self.curves = {name: kept for name, curve in read_curves(path).items() if (kept := _up_to(curve, step))}
        self._write()

    def add(self, step: int, figures: Mapping[str, float]) -> dict[str, float]:
        """Put one point on the curve of each figure; returns those that are new, not written at this step before."""
        new = {name: float(value) for name, value in figures.items() if not self._has(name, step)}
        for name, value in new.items():
            self.curves.setdefault(name, []).append((step, value))
        crowded = [name for name in new if len(self.curves[name]) > MOST_POINTS]
        for name in crowded:
            self.curves[name] = thin(self.curves[name], MOST_POINTS // 2)
        if crowded:
            self._write()
        elif new:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                _table(file).writerows((step, name, f"{value:.6g}") for name, value in new.items())
        return new

    def last(self, name: str) -> float | None:
        """Newest value of a figure; None before the first."""
        curve = self.curves.get(name)
        return curve[-1][1] if curve else None

    def _has(self, name: str, step: int) -> bool:
        return name in self.curves and self.curves[name][-1][0] >= step

    def _write(self) -> None:
        with atomic_path(self.path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
            table = _table(file)
            table.writerow(COLUMNS)
            for name, curve in self.curves.items():
                table.writerows((step, name, f"{value:.6g}") for step, value in curve)


def thin(curve: Curve, most: int) -> Curve:
    """Keep at most `most` points and the newest, evenly spread over the steps: the first of each stretch.

    Stretches are 1, 2, 4 ... steps long, so that thinning what was thinned before stays even.
    """
    if len(curve) <= most:
        return curve
    stretch = 2 ** math.ceil(math.log2((curve[-1][0] - curve[0][0] + 1) / most))  # steps
    kept: dict[int, tuple[int, float]] = {}
    for step, value in curve:
        kept.setdefault((step - curve[0][0]) // stretch, (step, value))
    return sorted({*kept.values(), curve[-1]})


def _table(file):
    return csv.writer(file, delimiter="\t", lineterminator="\n")


def _up_to(curve: Curve, step: int) -> Curve:
    return [(when, value) for when, value in curve if when <= step]


def read_curves(path: Path) -> dict[str, Curve]:
    """Read the curves in a file; the last line of a killed writer may be torn, and is passed over."""
    curves: dict[str, Curve] = {}
    if not path.is_file():
        return curves
    try:
        whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
        for step, name, value in list(csv.reader(whole.splitlines(), delimiter="\t"))[1:]:
            curves.setdefault(name, []).append((int(step), float(value)))
    except (ValueError, csv.Error) as broken:  # they decide nothing
        logger.warning("%s is damaged (%s); the curves begin anew", path, broken)
        return {}
    return curves
