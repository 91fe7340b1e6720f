"""metrics.json, and the same figures as a small table for the log."""

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from understudy.job import atomic_path

logger = logging.getLogger(__name__)

_NUMBER = r"(?:-?\d[\d.eE+-]*|null)"
_NUMBERS = re.compile(rf"\[\s+{_NUMBER}(?:,\s+{_NUMBER})*\s+\]")


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON, keys sorted, a list of numbers on one line; the file appears whole or not at all."""
    text = json.dumps(record, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    text = _NUMBERS.sub(lambda found: " ".join(found[0].split()), text)
    with atomic_path(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def log_table(title: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Log a Markdown table: a line per row, a column per figure that any row has; without figures nothing."""
    names = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    if not names:
        return
    lines = [f"| {title} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row, figures in rows.items():
        cells = ["-" if figures.get(name) is None else str(figures[name]) for name in names]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    logger.info("%s\n%s", title, "\n".join(lines))
