"""Being asked to end: a training saves after its step, within seconds, and ends with a code that says "run me again".

SIGTERM comes from `kill`, and from Slurm before a time limit, a preemption or a cancellation kills; SIGUSR1 is what a
batch script asks for to be told earlier (`sbatch --signal`).
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
STOPPED = os.EX_TEMPFAIL  # 75, sysexits.h: a passing failure; a scheduler is free to queue the job again


def signal_number(name: str) -> int:
    """Return a signal's number, 0 for none: a number that ranks can agree on."""
    return signal.Signals[name].value if name else 0


def signal_name(number: int) -> str:
    return signal.Signals(number).name


@contextmanager
def ends_at_once() -> Iterator[None]:
    """Let a request to end, where nobody waits for it by `stop_request`, end the process with `STOPPED`.

    Before the first step and after the last there is nothing to save: files appear whole or not at all.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.signal(one, _end) for one in SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _end(number: int, _: object) -> None:
    logger.info("asked to end (%s); nothing is left to save", signal.Signals(number).name)
    raise SystemExit(STOPPED)


@contextmanager
def stop_request() -> Iterator[Callable[[], str]]:
    """Yield a function that names the signal that asked to end, or gives ""; outside the main thread it always does."""
    asked: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: ""
        return
    before = {one: signal.signal(one, lambda number, _: asked.append(signal.Signals(number).name)) for one in SIGNALS}
    try:
        yield lambda: asked[0] if asked else ""
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
