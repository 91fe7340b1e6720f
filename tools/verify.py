"""Say what a film's marks are worth: whether it is as it was made, who signed it, and what it states.

Ends with 0 where every film is whole, 1 where one was altered, 2 where one has no content credentials (any more).
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))

from understudy.errors import UnderstudyError  # noqa: E402
from understudy.rendering.credentials import SELF_MADE  # noqa: E402
from understudy.rendering.examination import (  # noqa: E402
    ALTERED,
    STRIPPED,
    UNMARKED,
    WHOLE,
    Findings,
    examine_film,
)
from understudy.rendering.statement import KINDS  # noqa: E402

VERDICTS = {
    WHOLE: "WHOLE: every byte that its content credentials cover is as it was signed.",
    ALTERED: "ALTERED since it was signed:",
    STRIPPED: "STRIPPED: its metadata names Understudy, but its content credentials are gone. It was copied by a "
    "program that drops them, cut, or coded anew; what its metadata says is not proved.",
    UNMARKED: "NO MARKS: no content credentials and no metadata of Understudy. That proves nothing: marks can be "
    "removed.",
}
CODES = {WHOLE: 0, ALTERED: 1, STRIPPED: 2, UNMARKED: 2}
NAMES = {
    "performer": "performer",
    "driving_clip": "driving clip",
    "driving_sha256": "its video, SHA-256",
    "model_sha256": "model, SHA-256",
    "settings_sha256": "settings, SHA-256",
}


def report(path: Path, found: Findings, own: bool) -> list[str]:
    """Put findings into lines."""
    lines = [f"{path}", f"  {VERDICTS[found.verdict]}", *(f"    - {reason}" for reason in found.reasons)]
    rows: list[tuple[str, str]] = []
    if found.source_type:
        rows.append(("kind of media", KINDS.get(found.source_type, found.source_type)))
    if found.statement:
        rows += [(NAMES[name], value) for name, value in asdict(found.statement).items()]
    if found.signer:
        rows.append(("signed by", f"{found.signer} ({_worth(found, own)})"))
    seal = {
        True: "fits the file",
        False: "does not fit the file",
        None: "none; a program that copied the film dropped it",
    }
    rows.append(("Understudy's seal", seal[found.seal]))
    rows += [(f"metadata, {name}", text) for name, text in found.tags.items()]
    wide = max(len(name) for name, _ in rows)
    # Whatever stands in a film is shown as letters, so that none of it can write on the terminal as it likes.
    return [*lines, *(f"  {name:<{wide}}  {_letters(text)}" for name, text in rows)]


def _worth(found: Findings, own: bool) -> str:
    if own:
        return "made in this folder: the film was signed here"
    if found.self_made:
        return "a self-made certificate: the film is unchanged since, but anybody can make one of this name"
    return "trusted" if found.trusted else "not among those you trust; name them: TRUST=anchors.pem"


def _letters(text: str) -> str:
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def main() -> int:
    """Examine the films named on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", nargs="+", type=Path, help="MP4 files")
    parser.add_argument("--trust", type=Path, help="PEM file of certificates you trust")
    arguments = parser.parse_args()
    worst = 0
    for path in arguments.films:
        try:
            trust = arguments.trust.read_text(encoding="utf-8") if arguments.trust else ""
            found = examine_film(path, trust)
            own = SELF_MADE.is_file() and found.self_made and examine_film(path, _certificates(SELF_MADE)).trusted
        except (UnderstudyError, OSError) as wrong:
            sys.stderr.write(f"{wrong}\n")
            return 3
        sys.stdout.write("\n".join(report(path, found, own)) + "\n")
        worst = max(worst, CODES[found.verdict])
    return worst


def _certificates(path: Path) -> str:
    """Return the certificates of a PEM file, without its key."""
    text = path.read_text(encoding="ascii")
    return text[: text.index("-----BEGIN PRIVATE KEY")]


if __name__ == "__main__":
    sys.exit(main())
