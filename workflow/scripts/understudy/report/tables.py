"""Tables of figures with their yardsticks, each figure in words, the best of each row marked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from understudy.report.terms import Term, figure_term, row_name

ORDER = ("shift_tolerant_psnr", "psnr", "ssim", "ms_ssim", "lpips", "sharpness", "warp_error", "flicker", "drift")
PLACES = ("_person", "_face", "_hands", "")
FIRST = (
    "transfer",
    "film",
    "generator",
    "start",
    "to_maps",
    "to_truth",
    "truth_as_film",
    "without_history",
    "nearest_training_frame",
    "previous_frame",
)
ASIDE = (
    "truth_as_film",
    "previous_frame",
    "performer_footage",
    "to_maps",
    "to_truth",
)  # they do not compete for the first place


@dataclass(frozen=True)
class Cell:
    text: str
    best: bool = False


@dataclass(frozen=True)
class Row:
    """A figure of everything that was measured; `say`: its meaning stands under it, once on the page."""

    term: Term
    cells: Sequence[Cell]
    say: bool = True


@dataclass(frozen=True)
class Table:
    """Figures as rows, what they were measured of as columns; `folded`: shown on demand."""

    title: str
    note: str
    columns: Sequence[Term]
    rows: Sequence[Row]
    folded: bool = False


def figure_table(title: str, figures: Mapping[str, Any], said: set[str], note: str = "") -> Table | None:
    """Make a table; None where there is nothing in it.

    Args:
        title: above it.
        figures: what was measured -> figure -> number or None; anything else in them is passed over.
        said: meanings that already stand on the page; this table's are added.
        note: a sentence under the title.
    """
    columns = sorted((name for name in figures if numbers(figures[name])), key=_column_place)
    keys = dict.fromkeys(key for name in columns for key in numbers(figures[name]))
    rows = []
    for key in sorted(keys, key=row_place):
        if term := figure_term(key):
            values = [numbers(figures[name]).get(key) for name in columns]
            kind = term.meaning.partition("; over ")[0]
            rows.append(Row(term, row_cells(term, values, [name in ASIDE for name in columns]), kind not in said))
            said.add(kind)
    return Table(title, note, [row_name(name) for name in columns], rows) if rows else None


def figure_tables(title: str, figures: Mapping[str, Any], said: set[str], note: str = "") -> list[Table]:
    """Make a table of the person's figures, and a folded one of the face, the hands and the whole picture."""
    split: dict[bool, dict[str, Any]] = {True: {}, False: {}}
    for name, values in figures.items():
        for first, kept in split.items():
            kept[name] = {key: value for key, value in numbers(values).items() if _comes_first(key) == first}
    person = figure_table(title, split[True], said, note)
    rest = figure_table(f"{title}: face, hands, whole picture", split[False], said)
    return [*([person] if person else []), *([replace(rest, folded=True)] if rest else [])]


def row_cells(term: Term, values: Sequence[float | None], aside: Sequence[bool]) -> list[Cell]:
    """Write the values of a row; the best is marked where there are several to compare.

    Args:
        term: says which is better.
        values: numbers, None where not measured.
        aside: which of them do not compete.
    """
    ranks = [
        _badness(term, value) if value is not None and not out else math.inf
        for value, out in zip(values, aside, strict=True)
    ]
    compared = {rank for rank in ranks if rank < math.inf}
    least = min(ranks, default=math.inf)
    return [
        Cell(number_word(value, term.unit), len(compared) > 1 and rank == least)
        for value, rank in zip(values, ranks, strict=True)
    ]


def number_word(value: float | None, unit: str = "") -> str:
    """Write a number as people read it; a dash where there is none."""
    if value is None:
        return "–"
    digits = 2 if unit or abs(value) >= 1 else 3
    text = str(value) if isinstance(value, int) else f"{value:.{digits}f}" if abs(value) >= 0.1 else f"{value:.3g}"
    return f"{text}\u202f{unit}" if unit else text


def numbers(figures: Any) -> dict[str, float | None]:
    """Those values of a mapping that are numbers or missing ones."""
    if not isinstance(figures, Mapping):
        return {}
    kept = {name: value for name, value in figures.items() if value is None or isinstance(value, (int, float))}
    return {name: value for name, value in kept.items() if not isinstance(value, bool) and figure_term(name)}


def _badness(term: Term, value: float) -> float:
    """How far a value is from the best; no row without a better side has a best."""
    ways = {"higher": -value, "lower": value, "near 1": abs(value - 1), "near 0": abs(value)}
    return ways.get(term.better, math.inf)


def _comes_first(key: str) -> bool:
    """Whether a figure is the person's, or of no one place in the picture."""
    return "_person" in key or key in ("frames", "lpips", "fid", "fvd")


def row_place(key: str) -> tuple[int, int, str]:
    """Return the place of a figure among others: likeness first, the person before the whole picture."""
    kind = next((place for place, name in enumerate(ORDER) if key.startswith(name)), len(ORDER))
    return kind, next(place for place, name in enumerate(PLACES) if name in key), key


def _column_place(name: str) -> tuple[int, str]:
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)
