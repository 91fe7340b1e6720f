"""A handful of the fault bench's injections (`make faults` runs them all): killed, starved, damaged, twice at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "benchmarks" / "faults"
CASES = {
    "synthesize_clip": ["kill -9 of snakemake (stale lock)", "disk full", "two at once"],
    "locate_person": ["byte flipped before"],
}


@pytest.mark.slow
def test_the_same_command_recovers(tmp_path):
    faults = [word for names in CASES.values() for name in names for word in ("--fault", name)]
    targets = [word for name in CASES for word in ("--only", name)]
    words = ["--small", "--folder", str(tmp_path), "--table", str(tmp_path / "faults.md"), *faults, *targets]
    made = subprocess.run([sys.executable, str(BENCH), *words], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    cases = json.loads((tmp_path / "faults.json").read_text())["cases"]
    assert {(case["target"], case["fault"]) for case in cases} >= {
        (target, fault) for target, names in CASES.items() for fault in names
    }
    assert all(case["survived"] for case in cases)
    assert any(case["told"] == "clear" for case in cases if case["fault"] == "byte flipped before")
    assert "injections" in (tmp_path / "faults.md").read_text()
