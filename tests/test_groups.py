"""Many small jobs in few submissions: the groups that docs/scale.md gives, on a cluster that does nothing."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "scale.md"

pytestmark = pytest.mark.slow


def benchmark():
    spec = importlib.util.spec_from_file_location("plan", ROOT / "benchmarks" / "plan.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["plan"] = module  # its dataclass looks there
    spec.loader.exec_module(module)
    return module


def profile_of_page(folder):
    """Write the lines of a profile that the page gives, beside those of the tests' own."""
    lines = yaml.safe_load(re.search(r"```yaml\n(groups:\n.*?)```", PAGE.read_text(), re.DOTALL)[1])
    embedded = yaml.safe_load((ROOT / "profiles" / "embedded" / "config.yaml").read_text())
    (folder / "profile").mkdir()
    (folder / "profile" / "config.yaml").write_text(yaml.safe_dump(embedded | lines))
    return folder / "profile", lines


def submissions(folder, profile, *targets):
    """Run a workflow on the cluster that does nothing; returns the rules of each submission, counted."""
    path = os.pathsep.join([str(ROOT / "tests" / "dummy_cluster"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--workflow-profile", str(profile), "--executor", "dummy", "--jobs", "100", "--latency-wait", "1"]
    command += ["--seconds-between-status-checks", "1", *targets, "--configfile", str(folder / "config.yaml")]
    run = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, cwd=folder)
    assert run.returncode == 0, (run.stdout + run.stderr)[-3000:]
    return [json.loads(line) for line in (folder / "submitted.jsonl").read_text().splitlines()]


def test_all_jobs_of_several_clips_are_one_submission(tmp_path):
    """A long clip's segments too: without them Snakemake refuses the group."""
    plan = benchmark()
    plan.write_project(tmp_path, 1)
    table = (tmp_path / "clips.tsv").read_text().replace("clip\tvideo", "clip\tvideo\tend_s")
    (tmp_path / "clips.tsv").write_text(table.replace("own0.mp4", "own0.mp4\t1200"))
    profile, lines = profile_of_page(tmp_path)
    targets = [f"results/clips/{clip}/{name}.h5" for clip in ("own0", "drive0") for name in ("flow", "camera")]
    (one,) = submissions(tmp_path, profile, *targets)
    assert set(one["rules"]) == set(lines["groups"]), "every rule of the page's groups has a job here"
    counted = Counter(one["rules"])
    assert (counted["decode_clip"], counted["find_people"], counted["find_people_segment"]) == (2, 2, 2)
    assert one["gpu"] == 0
    assert one["runtime"] <= 7 * 24 * 60, "a week, what the profile's partitions allow"
