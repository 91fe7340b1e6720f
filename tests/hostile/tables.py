"""Clip tables with every mistake and every trick, planned as a run would."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hostile import material
from hostile.case import ROOT, Case, planning, prepared
from understudy.validation import load_project

ROW = "me\tme.mp4"
# What is wrong, the table, and the message; an empty message: it is right.
TABLES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty"),
    "blank lines": ("\n\n \n\t\t\n", "is empty"),
    "only comments": ("# a\n# b\n", "is empty"),
    "no rows": ("clip\tvideo\n", "names no clip"),
    "with a mark of UTF-8": ("\ufeffclip\tvideo\nme\tme.mp4\n", ""),
    "of Windows": ("clip\tvideo\r\nme\tme.mp4\r\n", ""),
    "of old Macs": ("clip\tvideo\rme\tme.mp4\r", ""),
    "of UTF-16": ("clip\tvideo\nme\tme.mp4\n".encode("utf-16"), "no UTF-8"),
    "of Latin-1": ("clip\tvideo\nme\tgrün.mp4\n".encode("latin-1"), "no UTF-8"),
    "with zero bytes": (b"clip\tvideo\nme\tme\0.mp4\n", "line 2.*(sign|character)"),
    "without an end of line": (f"clip\tvideo\n{ROW}", ""),
    "with blanks for tabs": ("clip video\nme me.mp4\n", "separated by tabs"),
    "with commas for tabs": ("clip,video\nme,me.mp4\n", "separated by tabs"),
    "with semicolons for tabs": ("clip;video\nme;me.mp4\n", "separated by tabs"),
    "with a tab missing in a row": ("clip\tvideo\nme me.mp4\n", "column 'video' is empty"),
    "with a tab too many": (f"clip\tvideo\n{ROW}\t\t\t\n", "values for 2 columns"),
    "without the column clip": ("video\nme.mp4\n", "lacks the column 'clip'"),
    "with a column twice": ("clip\tvideo\tvideo\nme\tme.mp4\tother.mp4\n", "column 'video' twice"),
    "with an unknown column": (f"clip\tvideo\tcolour\n{ROW}\tred\n", "column 'colour'"),
    "with a huge column name": ("clip\tvideo\t" + "x" * 200_000 + "\n", "column|line 1"),
    "with a huge cell": ("clip\tvideo\nme\t" + "x" * 200_000 + "\n", "line 2.*letters"),
    "with a quote that never ends": ('clip\tvideo\nme\t"me.mp4\n', ""),
    "with a quoted path": ('clip\tvideo\nme\t"me.mp4"\n', ""),
    "with a line break in quotes": ('clip\tvideo\n"m\ne"\tme.mp4\n', "line 2"),
    "with a million empty lines": ("clip\tvideo\n" + "\n" * 1_000_000 + ROW, ""),
    "with the same clip twice": (f"clip\tvideo\n{ROW}\n{ROW}\n", "already there"),
    "with a video that is not there": ("clip\tvideo\nme\tnowhere.mp4\n", "does not exist: nowhere.mp4"),
    "with a folder as video": ("clip\tvideo\nme\t.\n", "does not exist"),
    "with a path of 5000 letters": ("clip\tvideo\nme\t" + "a/" * 2500 + "\n", "line 2.*letters|does not exist"),
    "with a name of 300 letters": ("clip\tvideo\nme\t" + "a" * 300 + "\n", "line 2.*letters"),
    "with an address as video": ("clip\tvideo\nme\thttps://example.org/me.mp4\n", "does not exist"),
    "with a result as its own video": ("clip\tvideo\nme\tresults/clips/me/frames.h5\n", "does not exist|results"),
}
NAMES = {
    "of nothing": "", "of blanks": "  ", "with a blank": "my clip", "with a quote": "it's", "with quotes inside": 'a"b',
    "that leaves its folder": "../me", "that leaves by a long way": "../../../../etc/me", "that is a root": "/me",
    "that is here": ".", "that is above": "..", "with a dollar": "$HOME", "with a command": "$(touch stray)",
    "with backticks": "`touch stray`", "with a semicolon": "a;b", "with a pipe": "a|b", "with a star": "a*",
    "with a wildcard": "{clip}", "with a percent sign": "%d", "with a colon": "a:b", "with a backslash": "a\\b",
    "with a null": "a\0b",
    "with letters that look alike": "mе", "with an accent": "é", "that runs backwards": "\u202eab",
    "with digits of another script": "٣", "with a slash": "me/whole", "of 300 letters": "a" * 300,
}  # fmt: skip
GOOD_NAMES = {"with a leading dash": "-rf", "with two dashes": "--help", "of a digit": "0", "called whole": "whole"}
CELLS = {
    "start_s": (
        "soon",
        "-1",
        "nan",
        "inf",
        "1e400",
        "1e300",
        "0x10",
        "1,5",
        "９９９９９９９９９９",
        "1_0_0_0_0_0_0_0_0",
    ),
    "end_s": ("later", "-1", "nan", "inf", "1e300"),
    "person": ("left", "0", "-1", "1.5", "10,20", "1,2@", "9" * 5000, "1,2@" + "9" * 400, "٣,٣@0.1.2"),
    "crop": (
        "all",
        "1,2,3",
        "1,2,0,5",
        "1,2,3,4,5",
        "-1,0,50,50",
        "0,0," + "9" * 5000 + ",50",
        "0,0,1e3,50",
        "0,0,50,50,",
    ),
    "ignore": ("all", "1,2,3", "1,2,3,4;", ";", "0,0," + "9" * 5000 + ",5", "1,2,3,4;" * 3),
}


def cases() -> Iterator[Case]:
    """Every table."""
    for name, (text, words) in TABLES.items():
        yield _case(name, text, words)
    for name, clip in NAMES.items():
        yield _case(f"clip's name {name}", f"clip\tvideo\n{clip}\tme.mp4\n", "line 2.*(rename|fill|sign)")
    for name, clip in GOOD_NAMES.items():
        yield _case(f"clip's name {name}", f"clip\tvideo\n{clip}\tme.mp4\n", "", clip)
    for column, values in CELLS.items():
        for value in values:
            shown = value if len(value) < 20 else f"{value[:8]}... of {len(value)} letters"
            yield _case(
                f"{column} {shown!r}", f"clip\tvideo\t{column}\n{ROW}\t{value}\n", f"line 2.*({column}|letters)"
            )
    yield Case("clip table", "missing", partial(_plan, None, "me"), "does not exist")
    yield Case("clip table", "a folder", partial(_folder), "does not exist")


def _case(name: str, text: str | bytes, words: str, clip: str = "me") -> Case:
    return Case("clip table", name, partial(_plan, text, clip), f"ClipTableError: .*({words})" if words else "")


def _plan(text: str | bytes | None, clip: str, folder: Path) -> None:
    """Plan a run with one clip."""
    Path("me.mp4").write_bytes(material.plain_video())
    if text is not None:
        Path("clips.tsv").write_bytes(text if isinstance(text, bytes) else text.encode())
    prepared()
    config = {"clips": "clips.tsv", "performers": {"me": {"clips": [clip]}}}
    with planning():
        project = load_project(config, ROOT)
        assert list(project.clips_in_use()) == [clip]


def _folder(folder: Path) -> None:
    Path("clips.tsv").mkdir()
    _plan(None, "me", folder)
