"""Runs every bad input of tests/hostile and writes how each ended: make corpus.

Usage: python benchmarks/corpus.py [--table FILE.md] [--only PATTERN]
"""

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "workflow" / "scripts")]

from hostile.case import Case, Outcome  # noqa: E402
from hostile.corpus import CASES, run_corpus  # noqa: E402

ENDS = ("right", "refused", "traceback", "crash", "hang", "wrong")
LONGEST = 160  # letters of a message in the table


def main() -> int:
    """Run, write both tables, and return 1 where a case ended badly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=ROOT / "results" / "corpus.md", help="where every case goes")
    parser.add_argument("--only", default="", help="pattern of the titles to run")
    arguments = parser.parse_args()
    cases = [case for case in CASES if re.search(arguments.only, case.title)]
    with tempfile.TemporaryDirectory(prefix="understudy-") as folder:
        outcomes = run_corpus(Path(folder), cases)
    arguments.table.parent.mkdir(parents=True, exist_ok=True)
    arguments.table.write_text(f"{summary(cases, outcomes)}\n{every_case(cases, outcomes)}", encoding="utf-8")
    sys.stdout.write(summary(cases, outcomes))
    bad = [case for case in cases if outcomes[case.title].end not in ("right", "refused") or outcomes[case.title].stray]
    for case in bad:
        sys.stdout.write(f"{case.title}: {outcomes[case.title].end}: {outcomes[case.title].message}\n")
    return int(bool(bad))


def summary(cases: Sequence[Case], outcomes: dict[str, Outcome]) -> str:
    """Count the ends of each kind of input; the last row is all of them."""
    kinds = list(dict.fromkeys(case.kind for case in cases))
    head = f"| input | cases | {' | '.join(ENDS)} | stray files | longest, s | most memory, MiB |"
    lines = [head, "|---" * (len(ENDS) + 5) + "|"]
    for kind in (*kinds, "all"):
        found = [outcomes[case.title] for case in cases if kind in (case.kind, "all")]
        ends = Counter(one.end for one in found)
        counts = " | ".join(str(ends[end]) for end in ENDS)
        strays, longest = sum(len(one.stray) for one in found), max(one.seconds for one in found)
        most = max(one.mebibytes for one in found)
        lines.append(f"| {kind} | {len(found)} | {counts} | {strays} | {longest:.1f} | {most:.0f} |")
    return "\n".join(lines) + "\n"


def every_case(cases: Sequence[Case], outcomes: dict[str, Outcome]) -> str:
    """List every case with its end and its message."""
    lines = ["| input | what is wrong | end | message |", "|---|---|---|---|"]
    for case in cases:
        found = outcomes[case.title]
        message = " ".join(found.message.split()).replace("|", "\\|")
        shown = message if len(message) <= LONGEST else f"{message[: LONGEST - 3]}..."
        name = case.name.encode("unicode_escape").decode().replace("|", "\\|")
        lines.append(f"| {case.kind} | {name} | {found.end} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
