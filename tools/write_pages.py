"""Write the generated pages: docs/settings.md from the schema, docs/files.md from the file layouts."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))

from understudy.inspection import KINDS  # noqa: E402
from understudy.layouts import ATTRIBUTES, BODY_SHAPE, COVERAGE, LAYOUTS, PROGRESS, SCHEMA_VERSION  # noqa: E402
from understudy.validation import load_schema  # noqa: E402

HEAD = """# Settings

Every key of the configuration. This page is written by `make docs` from `config/schemas/config.schema.yaml`; a test
fails when it is out of date. Keys that are left out take their default; an unknown key is refused before any job.

| key | type | range | default | meaning |
|---|---|---|---|---|
"""
SIGNS = {
    "minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<", "multipleOf": "multiple of",
}  # fmt: skip

FILES_HEAD = f"""# Files

Every HDF5 file of the project, schema version {SCHEMA_VERSION}. This page is written by `make docs` from
`workflow/scripts/understudy/layouts.py`; a test fails when it is out of date. One row per frame, always: a frame
without a person is a row with `valid` false. Axes: T frames, H rows, W columns; P and Q are rows and columns of a
surface, `samples` (an attribute) times H and W; N runs of frames. Pixel centres lie at integer + 0.5, x points right,
y down. Every file says in its attributes its layout, schema version, producer and the settings that made it; those
that jobs read besides are listed. Every file is held to this page when it is opened. Plain h5py reads all of it; texts
come as bytes. A checksum stands with every chunk and every table, and a `seal` with the attributes: a wrong byte is an
error that names the file.
"""


BODY_HEAD = """
## A fitted body

JSON in the attribute `body` of surface.h5 (of the clip) and under `shape` in the attribute `statistics` of windows.h5
(of the performer: the mean of the clips, the relief of those that have one).

| key | meaning |
|---|---|
"""

PROGRESS_HEAD = """
## progress.json

`results/performers/{performer}/{stage}/progress.json` says how a stage stands; written anew, whole, at each report.

| key | meaning |
|---|---|
"""

COVERAGE_HEAD = """
## coverage.json

`results/transfers/{performer}/{driving}/coverage.json` says, before any training, how far each driving frame lies from
the performer's footage; coverage.png beside it shows the same.

| key | meaning |
|---|---|
"""


def rows(rule: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every key with its place, parents first."""
    for name, inner in rule.get("properties", {}).items():
        key = f"{place}{name}"
        yield key, inner
        yield from rows(inner, f"{key}.")
        if isinstance(inner.get("items"), dict):
            yield from rows(inner["items"], f"{key}[].")
        if isinstance(inner.get("additionalProperties"), dict):
            yield from rows(inner["additionalProperties"], f"{key}.<name>.")


def limits(rule: dict[str, Any]) -> str:
    """Put a key's range into a few signs."""
    if "enum" in rule:
        return ", ".join(str(value) or '""' for value in rule["enum"])
    words = [f"{sign} {rule[name]}" for name, sign in SIGNS.items() if name in rule]
    return ", ".join(words)


def settings_page() -> str:
    """Return the reference of every setting."""
    lines = []
    for key, rule in rows(load_schema()):
        default = rule.get("default", "required" if rule["type"] in ("string", "integer") else "")
        if isinstance(default, (dict, list)) and (not default or isinstance(next(iter(default)), dict)):
            default = "see below" if default else ""
        meaning = " ".join(str(rule.get("description", "")).split()).replace("|", "\\|")
        shown = f"`{default}`" if default not in ("", "see below", "required") else default
        lines.append(f"| `{key}` | {rule['type']} | {limits(rule)} | {shown} | {meaning} |")
    return HEAD + "\n".join(lines) + "\n"


def files_page() -> str:
    """Return the reference of every HDF5 file, of progress.json and of coverage.json."""
    lines = []
    for name, layout in LAYOUTS.items():
        lines += ["", f"## {name}.h5", "", "| dataset | type | axes | meaning |", "|---|---|---|---|"]
        for dataset, array in layout.items():
            axes = ", ".join(str(axis) for axis in array.axes)
            meaning = f"{array.meaning}{' (optional)' if array.optional else ''}"
            lines.append(f"| `{dataset}` | {array.dtype} | {axes} | {meaning} |")
        if ATTRIBUTES[name]:
            lines += ["", "| attribute | kind | meaning |", "|---|---|---|"]
        for attribute, said in ATTRIBUTES[name].items():
            lines.append(f"| `{attribute}` | {KINDS[said.kind][0]} | {said.meaning} |")
    tables = ((BODY_HEAD, BODY_SHAPE), (PROGRESS_HEAD, PROGRESS), (COVERAGE_HEAD, COVERAGE))
    keyed = [head + "".join(f"| `{key}` | {meaning} |\n" for key, meaning in keys.items()) for head, keys in tables]
    return FILES_HEAD + "\n".join(lines) + "\n" + "".join(keyed)


if __name__ == "__main__":
    (ROOT / "docs" / "settings.md").write_text(settings_page(), encoding="utf-8")
    (ROOT / "docs" / "files.md").write_text(files_page(), encoding="utf-8")
