"""The worst frames of a series, one of each bad moment."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

COUNT = 10
APART = 8  # frames: nearer ones are one moment
FIGURE = "shift_tolerant_psnr_person_db"  # by which transfers are ranked; higher is better


def worst_frames(rows: Sequence[Mapping[str, Any]], figure: str = FIGURE, count: int = COUNT) -> list[dict[str, Any]]:
    """List the worst frames.

    Args:
        rows: figures of each measured frame, as `Series.rows` has them.
        figure: higher is better.
        count: most frames listed.

    Returns:
        {`frame`, `figure`, `value`}, with `clip` where rows have one, the worst first; no two are of one moment.
    """
    known = [row for row in rows if not math.isnan(row.get(figure, math.nan))]
    chosen: list[Mapping[str, Any]] = []
    for row in sorted(known, key=lambda each: each[figure]):
        if len(chosen) < count and not any(_one_moment(row, other) for other in chosen):
            chosen.append(row)
    places = ({key: row[key] for key in ("clip", "frame") if key in row} for row in chosen)
    return [
        place | {"figure": figure, "value": round(row[figure], 3)} for place, row in zip(places, chosen, strict=True)
    ]


def _one_moment(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return row.get("clip") == other.get("clip") and abs(row["frame"] - other["frame"]) < APART
