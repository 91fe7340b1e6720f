"""Snakemake and the job it runs, as processes: started, found, watched and ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

LONGEST = 1200.0  # seconds; a command that takes longer hangs


@dataclass
class Run:
    """One `snakemake` that was started; `words` is the file of what it says."""

    process: subprocess.Popen
    words: Path
    rule: str
    started: float

    def text(self) -> str:
        return self.words.read_text(encoding="utf-8", errors="replace")

    def job(self) -> psutil.Process | None:
        """The job's own process, where it runs."""
        with suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    words = child.cmdline()  # not the shell around it, whose words hold those of the job
                    if words and "python" in Path(words[0]).name and words[-1].endswith(f".{self.rule}.py"):
                        return child
        return None

    def wait_for_job(self) -> psutil.Process | None:
        """Wait until the job's process runs; None where the run ended before."""
        while self.process.poll() is None and time.monotonic() - self.started < LONGEST:
            if job := self.job():
                return job
            time.sleep(0.02)
        return None

    def end(self) -> int | None:
        """Wait for its end; the exit code, None where it hangs and had to be killed."""
        try:
            return self.process.wait(max(1.0, LONGEST - (time.monotonic() - self.started)))
        except subprocess.TimeoutExpired:
            self.signal_all(signal.SIGKILL)
            self.process.wait()
            return None

    def signal_all(self, number: int) -> None:
        """Send a signal to Snakemake and all it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


def start(words: list[str], log: Path, rule: str, before: Callable[[], None] | None = None) -> Run:
    """Start a command in a process group of its own.

    Args:
        words: the command.
        log: gets what it says.
        rule: whose job is waited for.
        before: called in the new process before the command; for limits.
    """
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "GOMP_SPINCOUNT": "0",  # cases run side by side, so threads that wait give way at once
    }
    with log.open("w") as file:
        process = subprocess.Popen(
            words, stdout=file, stderr=file, env=environment, start_new_session=True, preexec_fn=before
        )
    return Run(process, log, rule, time.monotonic())
