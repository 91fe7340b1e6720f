"""Time and memory of planning: `snakemake -n` of a thousand performers and two thousand clips.

    .venv/bin/python benchmarks/plan.py [performers] [--profile]

Each performer has a clip and performs another one; every video is an empty file, since planning opens none. The
yardstick of the same run is a workflow of as many jobs whose rules ask none of our functions: what Snakemake itself
takes. `--profile` prints our functions by the time spent in them.
"""

import logging
import pstats
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PERFORMERS = 1000
GROW = {"heights_px": [128, 256], "clip_frames": [1, 3, 6]}  # four stages
# Yardstick: as many jobs, files between them and params, and not a line of ours.
PLAIN = """
performers = range({performers})
rule all:
    input: expand("out/{{performer}}/{last}", performer=performers)
rule first:
    output: "out/{{performer}}/0"
    log: "logs/{{performer}}/0"
    params: version=1
    shell: "true"
for number in range(1, {last} + 1):
    rule:
        name: f"step_{{number}}"
        input: f"out/{{{{performer}}}}/{{number - 1}}"
        output: f"out/{{{{performer}}}}/{{number}}"
        log: f"logs/{{{{performer}}}}/{{number}}"
        params: version=1
        shell: "true"
"""
logger = logging.getLogger("plan")


@dataclass(frozen=True)
class Plan:
    """What a dry run found and took."""

    jobs: int
    seconds: float
    mib: float


def write_project(folder: Path, performers: int, **sections: dict) -> Path:
    """Write a configuration of so many performers, twice as many clips, their table and their empty videos.

    Args:
        folder: for all of it; paths in the configuration are relative to it.
        sections: of the settings, beside clips, performers, transfers and the stages.

    Returns:
        The configuration.
    """
    names = [f"{kind}{number}" for number in range(performers) for kind in ("own", "drive")]
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / "videos" / f"{name}.mp4").touch()
    rows = ["clip\tvideo", *(f"{name}\tvideos/{name}.mp4" for name in names)]
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    numbers = range(performers)
    settings = {
        "clips": "clips.tsv",
        "performers": {f"p{number}": {"clips": [f"own{number}"]} for number in numbers},
        "transfers": [{"performer": f"p{number}", "driving": f"drive{number}"} for number in numbers],
        "training": {"grow": GROW},
    }
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(settings | sections), encoding="utf-8")
    return config


def plan(folder: Path, *words: str, python: tuple[str, ...] = ()) -> Plan:
    """Dry-run a workflow in a folder; `words` name Snakefile and configuration."""
    profile = ("--workflow-profile", str(ROOT / "profiles" / "embedded"))
    command = [sys.executable, *python, "-m", "snakemake", *profile, "--directory", str(folder), "--cores", "2"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    run = subprocess.run([*command, "--dry-run", "--quiet", "reason", *words], capture_output=True, text=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode:
        raise SystemExit((run.stdout + run.stderr)[-3000:])
    jobs = re.search(r"^total\s+(\d+)", run.stdout + run.stderr, re.MULTILINE)
    return Plan(int(jobs[1]), used.ru_utime - before, used.ru_maxrss / 1024)


def report(what: str, planned: Plan, wall_s: float) -> None:
    """Print a line; memory is the largest of all runs so far."""
    per_job = 1000 * planned.seconds / planned.jobs
    logger.info(
        "%-10s %6d jobs: %5.1f s of CPU, %5.1f s on the clock, %4.0f MiB at most so far; %.2f ms and %.0f KiB a job",
        *(what, planned.jobs, planned.seconds, wall_s, planned.mib, per_job, 1024 * planned.mib / planned.jobs),
    )


def main(performers: int, profiled: bool) -> None:
    """Plan the yardstick, then ours."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = write_project(folder / "ours", performers)
        (folder / "plain").mkdir()
        (folder / "plain" / "Snakefile").write_text(PLAIN.format(performers=performers, last=21))
        started = time.monotonic()
        plain = plan(folder / "plain", "--snakefile", str(folder / "plain" / "Snakefile"))
        report("yardstick", plain, time.monotonic() - started)
        started = time.monotonic()
        python = ("-m", "cProfile", "-o", str(folder / "profile")) if profiled else ()
        ours = plan(folder / "ours", "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(config), python=python)
        report("understudy", ours, time.monotonic() - started)
        if profiled:
            pstats.Stats(str(folder / "profile"), stream=sys.stdout).sort_stats("cumtime").print_stats(
                r"understudy|\.smk", 40
            )


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    counts = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main(counts[0] if counts else PERFORMERS, "--profile" in sys.argv)
