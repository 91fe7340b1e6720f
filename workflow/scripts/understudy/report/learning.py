"""What the report shows of a performer's training: curves of each stage, figures of held-out frames."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from understudy.report.charts import draw_curve
from understudy.report.quality import held_out_tables
from understudy.training.curves import read_curves
from understudy.training.page import duration

logger = logging.getLogger(__name__)

CURVES = {
    "held_out/person_psnr_db": "Likeness of held-out frames, dB",
    "loss/total": "Loss",
}


def view_learning(folder: Path, stages: Sequence[str], record: Mapping[str, Any], said: set[str]) -> dict[str, Any]:
    """Gather the curves of every stage that left any, the tables of held-out frames, and how they were held out.

    Args:
        folder: of the performer.
        stages: names, in order.
        record: metrics.json of the performer.
        said: meanings of figures that already stand on the page.
    """
    return {
        "stages": [view for name in stages if (view := _stage(folder / name, name))],
        "learning": held_out_tables(record, said),
        "held_out": _split_words(record),
        "learning_protocol": record.get("protocol", []),
    }


def _split_words(record: Mapping[str, Any]) -> str:
    """Say which frames were held out."""
    split = record.get("split")
    if not isinstance(split, Mapping):
        return ""
    return (
        f"Held out is the last {100 * split.get('held_out', 0):.0f} % of each clip, and {split.get('gap_frames', 0)} "
        f"frames before it belong to neither part: {record.get('held_out_frames', '?')} frames to measure on, "
        f"{record.get('training_frames', '?')} to train on."
    )


def _stage(folder: Path, name: str) -> dict[str, Any] | None:
    """Gather a stage's curves; None where it left none."""
    facts = _read(folder / "progress.json")
    state = facts.get("state_folder")
    if not isinstance(state, str) or Path(state).is_absolute() or ".." in Path(state).parts:
        return None
    curves = read_curves(folder / state / "curves.tsv")
    drawn = [
        chart
        for key, title in CURVES.items()
        if (curve := curves.get(key))
        and (
            chart := draw_curve(
                title, curve, (f"step {curve[0][0]:,}", f"{curve[-1][0]:,}"), log=key.startswith("loss")
            )
        )
    ]
    if not drawn:
        return None
    size = (
        f"{facts.get('height_px')} px, {facts.get('clip_frames')} frame{'s' * (facts.get('clip_frames') != 1)} at once"
    )
    return {
        "title": f"{name}: {size}, {facts.get('step', 0):,} steps in {duration(facts.get('seconds'))}",
        "curves": drawn,
    }


def _read(path: Path) -> dict[str, Any]:
    """Read plain values; nothing where there is no such file, or none that can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as broken:
        logger.warning("%s cannot be read (%s); the report goes without it", path, broken)
        return {}
    return values if isinstance(values, dict) else {}
