"""metrics.json and coverage.json, and the same figures as a small table for the log."""

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from understudy.job import atomic_path
from understudy.seals import SEAL, digest_of, read_json

logger = logging.getLogger(__name__)

_NUMBER = r"(?:-?\d[\d.eE+-]*|null)"
_NUMBERS = re.compile(rf"\[\s+{_NUMBER}(?:,\s+{_NUMBER})*\s+\]")


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as sealed JSON, keys sorted, a list of numbers on one line; it appears whole or not at all."""
    plain = json.loads(json.dumps(record, allow_nan=False))  # as it will be read: keys are texts
    text = json.dumps(plain | {SEAL: digest_of(plain)}, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    text = _NUMBERS.sub(lambda found: " ".join(found[0].split()), text)
    with atomic_path(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a record; None where there is no such file.

    Raises:
        DamageError: it is not what was written.
    """
    return read_json(path) if path.is_file() else None


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
