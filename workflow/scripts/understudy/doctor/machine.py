"""What the machine itself has: Python, processors, memory, disk, GPUs and programs. Standard library only."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from understudy.doctor.finding import Finding

PYTHONS = ((3, 11), (3, 12))
_SMALL_MEMORY, _SMALL_DISK, _TINY_DISK = 4 * 2**30, 10 * 2**30, 2**30
_ANSWER_S = 30  # a program that says nothing for so long has none to give
_VERSION = re.compile(r"\d+(\.\d+)+[\w.+-]*")


def examine_machine(folder: Path) -> list[Finding]:
    """Look at everything but Python packages.

    Args:
        folder: working folder, whose disk counts.
    """
    return [_python(), _processors(), _memory(), _disk(folder), _gpus(), *_programs()]


def has_program(*names: str) -> bool:
    """Whether one of these programs is on the path."""
    return any(shutil.which(name) for name in names)


def said(*command: str) -> tuple[int, str]:
    """Run a program and return its exit status and what it said; -1 where it cannot be run or does not answer."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S, errors="replace")
    except (OSError, subprocess.TimeoutExpired) as trouble:
        return -1, str(trouble)
    return run.returncode, (run.stdout + run.stderr).strip()


def gpus() -> tuple[list[str], str]:
    """Return the NVIDIA GPUs, one text each, and what nvidia-smi said instead where it failed."""
    if not has_program("nvidia-smi"):
        return [], ""
    query = "--query-gpu=name,memory.total,driver_version"
    status, text = said("nvidia-smi", query, "--format=csv,noheader")
    return (text.splitlines(), "") if status == 0 else ([], text.splitlines()[0] if text else f"status {status}")


def _python() -> Finding:
    found = f"{sys.version.split()[0]} ({sys.executable})"
    if sys.version_info[:2] in PYTHONS:
        return Finding("Python", "ok", found)
    return Finding("Python", "lack", found, "install Python 3.11 or 3.12 and name it: make PYTHON=python3.11 ...")


def _processors() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Finding("processors", "ok", f"{usable} of {os.cpu_count()} threads for this process")


def _memory() -> Finding:
    total = memory_bytes()
    found = f"{total / 2**30:.1f} GiB"
    if total >= _SMALL_MEMORY:
        return Finding("memory", "ok", found)
    return Finding("memory", "note", found, "the demo takes 1.6 GiB, larger pictures more; lower decode.height_px")


def memory_bytes(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """Return the memory of the machine, or of the container where that is less, bytes."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    text = limit.read_text().strip() if limit.is_file() else ""
    return min(total, int(text)) if text.isdigit() else total


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:.1f} GiB free for {folder.resolve()}"
    if free >= _SMALL_DISK:
        return Finding("disk", "ok", found)
    state = "lack" if free < _TINY_DISK else "note"
    return Finding("disk", state, found, "a minute of footage takes about 1 GiB, an environment with PyTorch 6 GiB")


def _gpus() -> Finding:
    found, trouble = gpus()
    if trouble:
        advice = "the driver does not answer; reload it, or ask for a GPU where a cluster lends them"
        return Finding("GPUs", "note", f"nvidia-smi fails: {trouble}", advice)
    if found:
        return Finding("GPUs", "ok", "; ".join(found))
    return Finding("GPUs", "note", "no NVIDIA GPU (no nvidia-smi on the path)", "the defaults need none")


def _programs() -> Iterator[Finding]:
    for names, use in (
        (("conda", "mamba"), "each rule in its own environment (snakemake --cores all); `make demo` needs none"),
        (
            ("ffmpeg",),
            "decode.backend and film.backend ffmpeg, and pictures for other estimators; the defaults bring their own",
        ),
        (("ffprobe",), "decode.backend and film.backend ffmpeg"),
        (("sbatch",), "a cluster (snakemake --profile slurm)"),
        (("git",), "building OpenPose and DensePose"),
    ):
        there = next((name for name in names if shutil.which(name)), "")
        if not there:
            yield Finding("/".join(names), "note", "not on the path", f"needed for {use}")
            continue
        status, text = said(there, "-version" if there.startswith("ff") else "--version")
        version = _VERSION.search(text)
        if status:
            yield Finding(there, "note", f"{shutil.which(there)} fails: {text[:80]}", "repair or remove it")
        else:
            yield Finding(there, "ok", f"{version[0] if version else text[:40]} ({shutil.which(there)})")
