"""The profiles: what `snakemake` alone does on a workstation, and that no profile holds what would win over another."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONDA = """#!/bin/sh
case "$1" in
  info) echo '{"conda_prefix": "/conda", "root_prefix": "/conda", "platform": "linux-64", "conda_version": "24.7.1"}' ;;
  config) echo '{"get": {"channel_priority": "strict"}}' ;;
  *) echo conda 24.7.1 ;;
esac
"""


def dry_run(folder, *words, conda=False):
    """Run `snakemake -n` in a folder of its own, with a conda that only answers questions, or without any."""
    tools = folder / "tools"
    tools.mkdir()
    if conda:
        (tools / "conda").write_text(CONDA)
        (tools / "conda").chmod(0o755)
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "2", "--directory", str(folder), *words],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "HOME": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("words", [[], ["overlays"]])
def test_workstation_plans_with_the_shipped_configuration(tmp_path, words):
    made = dry_run(tmp_path, *words, conda=True)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "draw_overlay" in made.stdout if words else "render_transfer" in made.stdout


def test_without_conda_the_workstation_is_told_so(tmp_path):
    made = dry_run(tmp_path)
    assert made.returncode == 1
    assert "Is conda installed" in made.stdout + made.stderr


def test_slurm_is_found_by_its_name_alone():
    """`--profile slurm` looks where it is started, not under profiles/; what it does then: slurm_runs.py."""
    assert (ROOT / "slurm" / "config.yaml").samefile(ROOT / "profiles" / "slurm" / "config.yaml")
    profile = yaml.safe_load((ROOT / "slurm" / "config.yaml").read_text())
    assert profile["executor"] == "slurm" and profile["software-deployment-method"] == ["conda"]
    assert profile["slurm-status-command"] == "squeue", "through sacct, a cancelled job is waited for, for ever"
    assert "slurm-array-jobs" not in profile
    partitions = yaml.safe_load((ROOT / profile["slurm-partition-config"]).read_text())["partitions"]
    assert any(limits.get("max_gpu") for limits in partitions.values())


@pytest.mark.parametrize("name", ["default", "embedded"])
def test_profiles_leave_the_executor_to_others(name):
    profile = yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())
    assert not {"default-resources", "executor", "jobs", "cores"} & set(profile)
    assert "code" not in profile["rerun-triggers"], "a checkout must not retrain"
    assert profile["resources"] == ["gpu=1"]
