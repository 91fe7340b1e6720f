"""Runs of a transfer that the report's folder keeps: its films and figures, so that a later run is compared with them.

A run is what one state of settings and weights gave. Its folder is named by a digest of both, so the same run is kept
once, and rendering anew with other settings keeps the one before. No other job touches them.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from understudy.job import atomic_path

RECORD = "run.json"
FILMS = ("video.mp4", "side_by_side.mp4")
DIGITS = 12


@dataclass(frozen=True)
class Run:
    """A run that is kept: its folder, and what `run.json` says of it."""

    folder: Path
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the user called it, or else the beginning of its digest."""
        return str(self.facts.get("name") or self.folder.name)

    @property
    def made(self) -> str:
        return str(self.facts.get("made", ""))


def run_name(*digests: str) -> str:
    """Name the folder of a run by the digests that make it what it is."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:DIGITS]


def keep_run(folder: Path, films: Path, facts: Mapping[str, Any]) -> Run:
    """Take the films of a finished run into its folder, by a link where the disk allows it, and write what it was.

    Args:
        folder: of the run.
        films: folder that holds `FILMS`.
        facts: plain values for `run.json`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILMS:
        take(films / name, folder / name)
    with atomic_path(folder / RECORD) as beside:
        beside.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return Run(folder, facts)


def earlier_runs(folder: Path, now: Run, most: int) -> list[Run]:
    """List the kept runs of a transfer, the latest first, without the present one; more than `most` are removed.

    A folder that is no run of ours, or not whole, is left alone and not listed.
    """
    runs = []
    for path in sorted(folder.iterdir()):
        if path != now.folder and (facts := _read(path / RECORD)) and all((path / film).is_file() for film in FILMS):
            runs.append(Run(path, facts))
    runs.sort(key=lambda run: (run.made, run.folder.name), reverse=True)
    for run in runs[most:]:
        shutil.rmtree(run.folder)
    return runs[:most]


def take(source: Path, place: Path) -> None:
    """Put a file into the report's folder: a second name of the same bytes where the disk can, else a copy."""
    with atomic_path(place) as beside:
        try:
            os.link(source, beside)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, beside)


def changed_settings(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """List what differs between two configurations: (key, value before, value now); values as JSON."""
    ours, theirs = flattened(now), flattened(before)
    keys = sorted({*ours, *theirs})
    return [(key, theirs.get(key, "–"), ours.get(key, "–")) for key in keys if ours.get(key) != theirs.get(key)]


def flattened(values: Any, place: str = "") -> dict[str, str]:
    """Write nested settings as one level: dotted key to JSON."""
    if isinstance(values, Mapping) and values:
        items = [(f"{place}.{key}".strip("."), value) for key, value in values.items()]
    elif isinstance(values, list) and values and isinstance(values[0], Mapping):
        items = [(f"{place}.{_row(value, number)}", value) for number, value in enumerate(values, 1)]
    else:
        return {place: json.dumps(values, ensure_ascii=False)}
    found: dict[str, str] = {}
    for key, value in items:
        found |= flattened(value, key)
    return found


def _row(value: Any, number: int) -> str:
    """Name a row of a table by its own name where it has one."""
    return str(value.get("name", number)) if isinstance(value, Mapping) else str(number)


def _read(path: Path) -> dict[str, Any] | None:
    """Read what a run was; None where that is not to be read."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) else None
