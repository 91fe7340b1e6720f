"""The clip table: one row per clip, read and checked before any job."""

import csv
import re
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path

from understudy.errors import ClipTableError


@dataclass(frozen=True)
class Clip:
    """One row: times in seconds of the source (end_s 0 means to its end).

    `person` says who is followed: `largest`, `central`, the number of a track, or `x,y@seconds`, a point in upright
    source pixels at a time of the source. `crop` is `person`, `none`, or `left,top,width,height` in the same pixels.
    `ignore` names boxes of that form, several separated by `;`, in which nothing is learnt or measured: captions,
    logos, watermarks. `consent` says in the user's own words who agreed to this use of their picture, when, and where
    the paper is; the report shows it.
    """

    clip: str
    video: str
    start_s: float
    end_s: float
    person: str
    crop: str
    ignore: str = ""
    consent: str = ""

    def ignored_boxes(self) -> list[tuple[int, int, int, int]]:
        """List the boxes of `ignore`: left, top, width, height, upright source pixels."""
        return [tuple(map(int, box.split(","))) for box in self.ignore.split(";") if box]


DEFAULTS = {"start_s": "0", "end_s": "0", "person": "largest", "crop": "person", "ignore": "", "consent": ""}
LONGEST_NAME, LONGEST_CELL, LONGEST_LINE = 100, 1000, 10_000  # letters
MOST_S = 1e6  # eleven days; more is a slip of the pen
_LONGEST_PATH, _LONGEST_STEP = 4000, 255  # bytes a file system takes, of a path and between its slashes
_WHOLE, _NUMBER = r"[0-9]{1,6}", r"[0-9]{1,7}(\.[0-9]{1,9})?"
_PERSON = re.compile(rf"largest|central|[1-9][0-9]{{0,5}}|{_NUMBER},{_NUMBER}@(?P<seconds>{_NUMBER})")
_BOX = rf"{_WHOLE},{_WHOLE},[1-9][0-9]{{0,5}},[1-9][0-9]{{0,5}}"
_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST_NAME}}}")
_SIGNS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # that no text has; the tab is none of them
_CROP = re.compile(rf"person|none|{_BOX}")
_IGNORE = re.compile(rf"({_BOX}(;{_BOX})*)?")


def read_clips(path: str | Path) -> dict[str, Clip]:
    """Read and check the clip table (tab-separated, one heading line; `#` starts a comment line).

    Raises:
        ClipTableError: the file is missing or no UTF-8 text, a column is unknown, or a value is out of range; the
            message names the row.
    """
    path = Path(path)
    if not path.is_file():
        raise ClipTableError(f"The clip table {path} does not exist; make it, or correct `clips` in the configuration.")
    lines = [
        (number, line)
        for number, line in enumerate(_read_text(path).split("\n"), 1)
        if line.strip() and not line.startswith("#")
    ]
    for number, line in lines:
        _check_line(f"{path}, line {number}", line)
    if not lines:
        raise ClipTableError(f"The clip table {path} is empty; its first line must name the columns clip and video.")
    names = next(csv.reader([lines[0][1]], delimiter="\t"))
    _check_columns(path, names)
    clips: dict[str, Clip] = {}
    for number, line in lines[1:]:
        values = next(csv.reader([line], delimiter="\t"))
        clip = _read_row(f"{path}, line {number}", names, values)
        if clip.clip in clips:
            raise ClipTableError(
                f"{path}, line {number}: the clip '{clip.clip}' is already there; give it another name."
            )
        clips[clip.clip] = clip
    if not clips:
        raise ClipTableError(f"The clip table {path} names no clip; add a line with its name and its video.")
    return clips


def _read_text(path: Path) -> str:
    """Read a table as spreadsheets save it: with or without the mark that some put before UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise ClipTableError(
            f"The clip table {path} is no UTF-8 text (byte {wrong.start}); save it as UTF-8 text with tabs."
        ) from wrong


def too_long(path: str) -> bool:
    """Whether a path is longer than file systems take, as a whole or between two slashes."""
    whole = path.encode(errors="surrogateescape")
    return len(whole) > _LONGEST_PATH or max(map(len, whole.split(b"/"))) > _LONGEST_STEP


def _check_line(place: str, line: str) -> None:
    """Refuse what only a broken or another file has."""
    if len(line) > LONGEST_LINE:
        raise ClipTableError(f"{place} has {len(line)} letters, expected at most {LONGEST_LINE}; correct it.")
    if found := _SIGNS.search(line):
        raise ClipTableError(
            f"{place} holds the sign {found[0]!r}, expected text with tabs; save the table anew as UTF-8 text."
        )


def _check_columns(path: Path, names: list[str]) -> None:
    known = [field.name for field in fields(Clip)]
    for name in names:
        if name not in known:
            nearest = get_close_matches(name, known, 1, 0)[0]
            raise ClipTableError(
                f"{path} has the column '{name}', which is unknown; did you mean '{nearest}'? "
                f"Columns are separated by tabs: {', '.join(known)}."
            )
    for name in names:
        if names.count(name) > 1:
            raise ClipTableError(f"{path} has the column '{name}' twice; remove one.")
    for name in ("clip", "video"):
        if name not in names:
            raise ClipTableError(f"{path} lacks the column '{name}'; columns are separated by tabs.")


def _read_row(place: str, names: list[str], values: list[str]) -> Clip:
    if len(values) > len(names):
        raise ClipTableError(f"{place}: {len(values)} values for {len(names)} columns; separate columns by one tab.")
    row = DEFAULTS | {name: value.strip() for name, value in zip(names, values) if value.strip()}
    for name, value in row.items():
        if name != "video" and len(value) > LONGEST_CELL:
            raise ClipTableError(
                f"{place}: {name} has {len(value)} letters, expected at most {LONGEST_CELL}; correct it."
            )
    for name in ("clip", "video"):
        if name not in row:
            raise ClipTableError(f"{place}: the column '{name}' is empty; fill it.")
    if not _NAME.fullmatch(row["clip"]):
        raise ClipTableError(
            f"{place}: clip '{row['clip']}' may hold only letters, digits, '_' and '-', at most {LONGEST_NAME} of "
            "them; rename it."
        )
    if "{" in row["video"] or "}" in row["video"]:
        raise ClipTableError(
            f"{place}: the video '{row['video']}' has braces in its name, which Snakemake takes for wildcards; "
            "rename it."
        )
    if too_long(row["video"]):
        raise ClipTableError(
            f"{place}: the path of the video has {len(row['video'])} letters; no file can have such a name: correct it."
        )
    times = {}
    for name in ("start_s", "end_s"):
        try:
            times[name] = float(row[name]) if row[name].isascii() and "_" not in row[name] else -1.0
        except ValueError:
            times[name] = -1.0
        if not 0 <= times[name] < MOST_S:
            raise ClipTableError(
                f"{place}: {name} is '{row[name]}', expected seconds from 0 to {MOST_S:g}; correct it."
            )
    if times["end_s"] and times["end_s"] <= times["start_s"]:
        raise ClipTableError(f"{place}: end_s {row['end_s']} does not come after start_s {row['start_s']}; correct it.")
    _check_person(place, row["person"], times["start_s"], times["end_s"])
    if not _CROP.fullmatch(row["crop"]):
        raise ClipTableError(
            f"{place}: crop is '{row['crop']}', expected 'person', 'none' or 'left,top,width,height' in pixels."
        )
    if not _IGNORE.fullmatch(row["ignore"]):
        raise ClipTableError(
            f"{place}: ignore is '{row['ignore']}', expected boxes 'left,top,width,height' in pixels of the upright "
            "video, several separated by ';'; correct it or leave it out."
        )
    return Clip(**row | times)


def _check_person(place: str, person: str, start_s: float, end_s: float) -> None:
    found = _PERSON.fullmatch(person)
    if not found:
        raise ClipTableError(
            f"{place}: person is '{person}', expected 'largest', 'central', the number of a track (such as 2), or a "
            f"point on the person, 'x,y@seconds' (pixels of the upright video, seconds of the video); correct it or "
            f"leave it out."
        )
    seconds = float(found["seconds"] or start_s)
    if not start_s <= seconds < (end_s or float("inf")):
        span = f"{start_s:g} to {end_s:g} s" if end_s else f"{start_s:g} s on"
        raise ClipTableError(f"{place}: person is '{person}', but the clip shows the video from {span}; correct it.")
