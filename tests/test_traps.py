"""docs/traps.md names tests; each of them exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_trap_is_held_by_a_test_that_exists():
    rows = [row for row in (ROOT / "docs" / "traps.md").read_text().splitlines() if row.startswith("| ")][1:]
    known = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert set(named) <= known, row
