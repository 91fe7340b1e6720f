"""GPUs of this machine: every job that asks for some keeps them to itself while it runs."""

import errno
import logging
import os
import random
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
SCHEDULERS = (
    "SLURM_JOB_ID",
    "PBS_JOBID",
    "LSB_JOBID",
)  # what their jobs are called; GPUs of two jobs are never the same
REPORT_SECONDS = 600.0  # between two lines of a job that waits

_LISTED = re.compile(r"(?P<kind>GPU|MIG) .*\(UUID: (?P<uuid>[^)\s]+)\)")  # a line of nvidia-smi -L
_AGAIN_SECONDS = (0.5, 1.5)  # drawn between tries, so that two jobs that need several do not meet for ever


@contextmanager
def own_gpus(count: int) -> Iterator[None]:
    """Keep GPUs of this machine to this process while the body runs, and show CUDA no others.

    Two jobs never get the same GPU: where too few are free, a job waits. A claim is a name that the kernel drops with
    the process, however it ends, so nothing is left behind by a crash. GPUs that a scheduler or a person gives by
    CUDA_VISIBLE_DEVICES are the only ones it chooses from; numbers there count as nvidia-smi lists them. It has to be
    entered before anything starts CUDA, which reads the variable once.

    Args:
        count: GPUs the job asked for; a job that asked for none sees none. Where the machine has fewer, it gets those.
    """
    offered = _offered(os.environ)
    if count and not offered:
        yield
        return
    with ExitStack() as stack:
        own = _claimed(offered, min(count, len(offered)), stack) if count else []
        if own:
            logger.info("keeps %s to itself", ", ".join(own))
        with _shown(own):
            yield


def has_gpus() -> bool:
    """Whether this machine has the driver of a GPU, NVIDIA's or AMD's; asks no program."""
    return shutil.which("nvidia-smi") is not None or Path("/dev/kfd").exists()


def listed_gpus() -> list[str]:
    """Return the UUIDs of the GPUs that the driver shows, in its order; of one cut into parts (MIG) its parts'."""
    if shutil.which("nvidia-smi") is None:
        return []
    said = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    found: list[list[str]] = []  # for each GPU itself, then its parts
    for line in map(_LISTED.search, said.stdout.splitlines() if said.returncode == 0 else ()):
        if line and line["kind"] == "GPU":
            found.append([line["uuid"]])
        elif line and found:
            found[-1].append(line["uuid"])
    return [uuid for one in found for uuid in (one[1:] or one)]


def _offered(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the GPUs to choose from, as CUDA knows them, each with the name that claims it on this machine."""
    given = environment.get(VISIBLE)
    if given is None:
        return {uuid: uuid for uuid in listed_gpus()}
    names = [name.strip() for name in given.split(",") if name.strip()]
    job = next((environment[name] for name in SCHEDULERS if name in environment), None)
    if job is not None:  # the numbers may count the job's own GPUs; other jobs have others
        return {name: f"{job} {name}" for name in names}
    listed = listed_gpus()
    known = [listed[int(name)] if name.isdigit() and int(name) < len(listed) else name for name in names]
    return {name: name for name in known}


def _claimed(offered: Mapping[str, str], count: int, stack: ExitStack) -> list[str]:
    """Wait until `count` of the GPUs are free and claim them all at once; the stack gives them back."""
    reported = -REPORT_SECONDS
    while True:
        own = []
        with ExitStack() as tried:
            for gpu, name in offered.items():
                if len(own) < count and (claim := _claim(name)):
                    tried.enter_context(claim)
                    own.append(gpu)
            if len(own) == count:
                stack.push(tried.pop_all())
                return own
        if time.monotonic() - reported >= REPORT_SECONDS:
            reported = time.monotonic()
            logger.info("waits for %d of %d GPUs: other jobs keep all but %d", count, len(offered), len(own))
        time.sleep(random.uniform(*_AGAIN_SECONDS))


def _claim(name: str) -> socket.socket | None:
    """Bind a name that only one process of the machine can bind, in no file system; None where another has."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0understudy gpu {name}")
    except OSError as refused:
        claim.close()
        if refused.errno != errno.EADDRINUSE:
            raise
        return None
    return claim


@contextmanager
def _shown(names: Sequence[str]) -> Iterator[None]:
    """Let CUDA see these GPUs only."""
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = ",".join(names)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VISIBLE]
        else:
            os.environ[VISIBLE] = before
