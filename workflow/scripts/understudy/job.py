"""What every job shares: its log, and outputs that appear whole or not at all."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from understudy.errors import UnderstudyError

logger = logging.getLogger(__name__)

_UMASK = os.umask(0o022)
os.umask(_UMASK)  # reading it means setting it


@contextmanager
def job_log(path: str | Path) -> Iterator[None]:
    """Log the body of a script to its file and to the terminal, and end it with a readable error.

    A user's mistake (`UnderstudyError`) is shown as one sentence; anything else with its traceback.
    Both end the process with exit code 1 so that Snakemake sees a failed job.
    """
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
    except Exception:
        logger.exception("failed after %.1f s", time.monotonic() - started)
        raise SystemExit(1) from None
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path`; when the body ends well it is synced and renamed onto `path`.

    When the body fails the half-written file is removed and an older `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.chmod(0o666 & ~_UMASK)  # some libraries write files that only their owner may read
        beside.replace(path)
        _sync_folder(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
