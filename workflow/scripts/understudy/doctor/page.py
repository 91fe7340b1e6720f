"""An examination as text for people and as JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from understudy.doctor.finding import Finding, Licence

SIGNS = {"ok": "  ok  ", "note": " note ", "lack": " LACK "}
MARKS = {"any": "", "non-commercial": "NON-COMMERCIAL USE ONLY", "unclear": "unclear: see the authors' terms"}


def as_text(findings: Sequence[Finding], licences: Sequence[Licence]) -> str:
    """Return a page of lines: what was found, then licences, then what is lacking."""
    lines = []
    for one in findings:
        lines.append(f"[{SIGNS[one.state]}] {one.topic}: {one.found}")
        lines += [f"         -> {one.advice}"] if one.advice else []
    if licences:
        lines += ["", "Licences of what this configuration uses:"]
        width = max(len(one.what) for one in licences)
        lines += [f"  {one.what.ljust(width)}  {one.licence}  {MARKS[one.use]}".rstrip() for one in licences]
    lacks = [one.topic for one in findings if one.state == "lack"]
    verdict = f"lacking: {', '.join(lacks)}" if lacks else "nothing is lacking"
    return "\n".join([*lines, "", f"In short: {verdict}."]) + "\n"


def as_json(findings: Sequence[Finding], licences: Sequence[Licence]) -> str:
    """Return an object with `sound`, `findings` and `licences`."""
    page = {
        "sound": not any(one.state == "lack" for one in findings),
        "findings": [asdict(one) for one in findings],
        "licences": [asdict(one) for one in licences],
    }
    return json.dumps(page, indent=1) + "\n"
