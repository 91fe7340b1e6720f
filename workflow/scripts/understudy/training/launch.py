"""Starts the ranks of a stage, a process for each GPU, and sees them through: what they say, their signals, their end.

They get the environment torchrun sets, and run under torchrun as well. It is not used here, because it kills what still
saves 30 s after a SIGTERM, hides the exit code that says "run me again", and leaves its processes behind when killed.
"""

import json
import logging
import math
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen
from tempfile import TemporaryDirectory
from threading import Thread
from typing import IO, Any

import torch
import torch.distributed as dist

from understudy.errors import TrainingError
from understudy.training.stop import STOPPED, stop_request

logger = logging.getLogger(__name__)

HERE = "127.0.0.1"
GRACE = 10.0  # seconds that ranks get to end by themselves when one has failed
LOG_FORM = "%(levelname)s %(name)s: %(message)s"
LOG_LINE = re.compile(r"(INFO|WARNING|ERROR) (understudy[\w.]*): (.*)")


def launch_ranks(ranks: int, threads: int, order: Mapping[str, Any]) -> None:
    """Train one stage in several processes, and return when its weights are written.

    Args:
        ranks: processes; each takes a GPU, where there are any.
        threads: CPU threads of all together.
        order: arguments of `rank.train_ordered`, as JSON has them.

    Raises:
        TrainingError: there are fewer GPUs, or a rank failed.
        SystemExit: asked to end, they have saved; the code is `stop.STOPPED`.
    """
    visible = torch.cuda.device_count()
    if 0 < visible < ranks:
        raise TrainingError(
            f"training.gpus is {ranks}, but this process sees {visible} GPUs; lower it, or give the job more "
            "(CUDA_VISIBLE_DEVICES, or the scheduler's request)."
        )
    logger.info("%d ranks on %s", ranks, "a GPU each" if visible else "the CPU")
    with TemporaryDirectory() as folder, stop_request() as asked:
        path = Path(folder) / "order.json"
        path.write_text(json.dumps(order), encoding="utf-8")
        with _started(ranks, threads, path) as processes:
            if _seen_through(processes, asked) == STOPPED:
                raise SystemExit(STOPPED)


@contextmanager
def _started(ranks: int, threads: int, order: Path) -> Iterator[list[Popen]]:
    """Start the ranks and pass on what they say; at the end none is left running."""
    store = dist.TCPStore(HERE, 0, is_master=True, wait_for_workers=False)  # where they find each other
    package = str(Path(__file__).parents[2])
    shared = {
        "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")])),
        "OMP_NUM_THREADS": str(max(1, threads // ranks)),
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        "MASTER_ADDR": HERE,
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # the store is here, not in rank 0
    }
    command = [sys.executable, "-m", "understudy.training.rank", str(order)]
    processes: list[Popen] = []
    listeners: list[Thread] = []
    said: set[str] = set()
    try:
        for number in range(ranks):
            own = {"RANK": str(number), "LOCAL_RANK": str(number)}
            processes.append(
                Popen(command, env=os.environ | shared | own, stdout=PIPE, stderr=STDOUT, text=True, errors="replace")
            )
            listeners.append(Thread(target=_pass_on, args=(number, processes[-1].stdout, said)))
            listeners[-1].start()
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
        for listener in listeners:
            listener.join()  # their last words come before what is said of them


def _pass_on(rank: int, stream: IO[str], said: set[str]) -> None:
    """Log what a rank says; a warning that all give alike is logged once."""
    for line in map(str.rstrip, stream):
        found = LOG_LINE.fullmatch(line)
        if found is None:
            logger.warning("rank %d: %s", rank, line)
        elif found[1] == "INFO" or found[3] not in said:
            said.add(found[3])
            logging.getLogger(found[2]).log(getattr(logging, found[1]), "%s", found[3])


def _seen_through(processes: Sequence[Popen], asked: Callable[[], str]) -> int:
    """Wait until every rank has ended, pass on a signal that asks them to; returns 0 or `STOPPED`.

    Raises:
        TrainingError: one failed.
    """
    failed: int | None = None  # the first
    until, told = math.inf, False
    while any(process.poll() is None for process in processes):
        time.sleep(0.05)
        if asked() and not told:
            told = True
            for process in processes:
                process.send_signal(signal.Signals[asked()])
        if failed is None and (failed := _first_failed(processes)) is not None:
            until = time.monotonic() + GRACE
        if time.monotonic() > until:
            for process in processes:
                process.kill()
    codes = [process.wait() for process in processes]
    if asked() and -signal.Signals[asked()] in codes:  # asked before it trained: there was nothing to save
        return STOPPED
    failed = _first_failed(processes) if failed is None else failed
    if failed is not None:
        raise TrainingError(f"Rank {failed} of {len(processes)} {_end(codes[failed])}")
    return STOPPED if STOPPED in codes else 0


def _first_failed(processes: Sequence[Popen]) -> int | None:
    fine = (None, 0, STOPPED)  # runs, done, saved
    return next((rank for rank, process in enumerate(processes) if process.poll() not in fine), None)


def _end(code: int) -> str:
    """Put a failed process's exit code into words."""
    if code >= 0:
        return f"ended with exit code {code}; what it said stands above in this log. The saved state is kept."
    return (
        f"was killed by {signal.Signals(-code).name}. SIGKILL mostly means that the machine's memory or the job's "
        "limit was too small: give the job more, or lower the stage's batch. The saved state is kept."
    )
