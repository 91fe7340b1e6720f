"""Which Snakemake runs where: stale locks go by themselves, and no job outlives the Snakemake that started it.

Snakemake's own locks are files that a killed run leaves behind. Beside them lies a file for each machine that the
kernel locks as long as a Snakemake of that machine runs in the folder, so a run knows whether the others are alive.
"""

import atexit
import fcntl
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

logger = logging.getLogger(__name__)

VARIABLE = "UNDERSTUDY_SNAKEMAKE"  # environment: process number of the nearest Snakemake above a job
LOOK_SECONDS = 0.5
FURTHEST = 8  # processes between a job and its Snakemake: shells, launchers


def claim_folder(folder: Path) -> IO[str] | None:
    """Note that a Snakemake runs here, until this process ends, and remove the locks of killed runs.

    They are removed only where no Snakemake runs here: none of this machine, which its file's lock tells for sure, and
    none of another one that began and did not end here, since not every shared file system carries locks over.

    Args:
        folder: `.snakemake` of the working directory.

    Returns:
        The open file that stands for this run, to be kept; None where the folder cannot be written.
    """
    try:
        folder.mkdir(exist_ok=True)
        own = (folder / f"running-{socket.gethostname()}.lock").open("a+", encoding="utf-8")
        if _locked(own):
            elsewhere = [path for path in folder.glob("running-*.lock") if path.name != Path(own.name).name]
            if all(path.stat().st_size == 0 for path in elsewhere):
                for path in (folder / "locks").glob("*.lock"):
                    path.unlink(missing_ok=True)
        own.write("a run began here\n")
        own.flush()
        fcntl.flock(own, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as trouble:  # a disk that is full or read-only, or without locks: Snakemake's own say what to do
        logger.debug("no lock in %s: %s", folder, trouble)
        return None
    atexit.register(_release, own)
    return own


def name_parent() -> None:
    """Tell the jobs that this process starts who it is."""
    os.environ[VARIABLE] = str(os.getpid())


def unwritable(outputs: Iterable[str]) -> str:
    """Say which of the folders that a run is about to write into cannot be written; nothing where all can.

    Args:
        outputs: files and folders that will be made; their folders need not be there yet.
    """
    asked = {_nearest_folder(folder) for folder in {Path(output).parent for output in outputs}}
    refused = sorted(str(folder) for folder in asked if not os.access(folder, os.W_OK | os.X_OK))
    if not refused:
        return ""
    more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
    return (
        f"{refused[0]}{more} cannot be written by this user, on this disk, but jobs of this run write there: give the "
        f"permission or make the disk writable; then run the same command again."
    )


def _nearest_folder(folder: Path) -> Path:
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def end_with_parent() -> None:
    """End this process, by SIGTERM, soon after the Snakemake that started it is gone; on Linux.

    A Snakemake that is killed leaves its jobs running, and the same command again would start them a second time
    beside the first. A training saves before it ends.
    """
    parent = os.environ.get(VARIABLE, "")
    if parent.isdigit() and int(parent) in _ancestors():
        threading.Thread(target=_watch, args=(int(parent), _birth(int(parent))), daemon=True).start()


def _watch(parent: int, birth: str | None) -> None:
    while birth is not None and _birth(parent) == birth:
        time.sleep(LOOK_SECONDS)
    logger.warning("the Snakemake that started this job is gone; ending")
    os.kill(os.getpid(), signal.SIGTERM)


def _ancestors() -> list[int]:
    """Process numbers of the parent, its parent and so on; nothing where the system has no /proc."""
    found = [os.getpid()]
    while len(found) <= FURTHEST and (facts := _facts(found[-1])):
        found.append(int(facts[1]))
    return found[1:]


def _birth(process: int) -> str | None:
    """When a process began, in ticks; None where it is gone, or dead and only not buried."""
    facts = _facts(process)
    return facts[19] if facts and facts[0] not in "ZX" else None


def _facts(process: int) -> list[str]:
    """The columns of /proc/N/stat from the state (0) on: 1 is the parent, 19 the start; nothing where it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _release(file: IO[str]) -> None:
    """Note that no run of this machine is left, where none is."""
    try:
        if _locked(file):
            file.truncate(0)
    except OSError as trouble:
        logger.debug("%s stays as it is: %s", file.name, trouble)
