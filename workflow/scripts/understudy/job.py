"""What every job shares: its log, and outputs that appear whole or not at all."""

import ctypes
import errno
import hashlib
import logging
import os
import re
import shutil
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from understudy.errors import UnderstudyError
from understudy.running import end_with_parent

logger = logging.getLogger(__name__)

Item, Result = TypeVar("Item"), TypeVar("Result")
_UMASK = os.umask(0o022)
os.umask(_UMASK)  # reading it means setting it
_NUMBER = re.compile(r"(?:errno = |os error |\[Errno )(\d+)")
_TROUBLES = {
    errno.ENOSPC: "The disk is full: make room on it, or move results/ to a larger one",
    errno.EDQUOT: "The disk quota is used up: make room, or ask for more",
    errno.EFBIG: "A file grew beyond what is allowed here: raise that limit (ulimit -f)",
    errno.EROFS: "The disk can only be read: make it writable",
    errno.EACCES: "A file or folder may not be read or written by this user: give the permission",
    errno.EIO: "The disk failed to read or write: look after it, or use another one",
}
_HALF_WRITTEN = re.compile(r"\..+\." + re.escape(socket.gethostname()) + r"-(\d+)\.part(\.[^.]+)?")


@contextmanager
def job_log(path: str | Path) -> Iterator[None]:
    """Log the body of a script to its file and to the terminal, and end it with a readable error.

    A user's mistake (`UnderstudyError`) and a disk's trouble are shown as one sentence; anything else with its
    traceback. All end the process with exit code 1 so that Snakemake sees a failed job. The job ends with the
    Snakemake that started it.
    """
    end_with_parent()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    form = logging.Formatter("%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    handlers = [logging.FileHandler(path, mode="a", encoding="utf-8"), logging.StreamHandler(sys.stderr)]
    root = logging.getLogger()
    for handler in handlers:
        handler.setFormatter(form)
        root.addHandler(handler)
    logging.getLogger("understudy").setLevel(logging.INFO)
    started = time.monotonic()
    try:
        yield
        logger.info("done in %.1f s", time.monotonic() - started)
    except UnderstudyError as mistake:
        logger.error("%s: %s", type(mistake).__name__, mistake)
        raise SystemExit(1) from None
    except Exception as failure:
        if trouble := _disk_trouble(failure):
            logger.error("%s (%s); then run the same command again.", trouble, failure)
        else:
            logger.exception("failed after %.1f s", time.monotonic() - started)
        raise SystemExit(1) from None
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


def in_threads(act: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield act(item) of every item in order; threads work ahead of what is asked for, by a few items only.

    Args:
        act: called in several threads at once; an error in it comes up where its result would.
        items: read in the calling thread, as far as the threads get.
        threads: at least 1.
    """
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque = deque()
        for item in items:
            ahead.append(pool.submit(act, item))
            if len(ahead) > 2 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path`; when the body ends well it is synced and renamed onto `path`.

    When the body fails the half-written file is removed and an older `path` stays as it was. What a killed process of
    this machine left half-written in the folder is removed too.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path.parent)
    beside = path.with_name(f".{path.stem}.{socket.gethostname()}-{os.getpid()}.part{path.suffix}")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.chmod(0o666 & ~_UMASK)  # some libraries write files that only their owner may read
        beside.replace(path)
        _sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; when the body ends well it takes the place of `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path.parent)
    beside = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}.part")
    try:
        beside.mkdir()
        yield beside
        if path.exists():
            shutil.rmtree(path)
        beside.replace(path)
        _sync_folder(path.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, 64 hex digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def return_memory() -> None:
    """Give freed memory back to the system where the C library can (glibc); a long job keeps the size of a short one.

    The library keeps freed blocks between blocks in use, and over thousands of frames these gaps add up.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _disk_trouble(failure: Exception) -> str | None:
    """Say what is wrong with a disk and what to do, where a failure's number means that; libraries put it in words."""
    found = _NUMBER.search(str(failure))
    return _TROUBLES.get(int(found[1]) if found else getattr(failure, "errno", None) or 0)


def _remove_abandoned(folder: Path) -> None:
    """Remove half-written files whose writer no longer runs."""
    for path in folder.glob(".*.part*"):
        found = _HALF_WRITTEN.fullmatch(path.name)
        if found and not _runs(int(found[1])):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 asks only
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
