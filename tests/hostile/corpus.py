"""Every bad input of the project, and running them all: a process that dies or hangs is one case's failure."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hostile import configurations, estimates, hdf5, lists, networks, tables, videos
from hostile.case import Case, Outcome

LOOK_S, MOST_LOOKS = 0.1, 900  # looked for a sign of life so often; looks are counted, because shared machines pause
MOST_DEATHS = 5  # after which something else is wrong
CASES: tuple[Case, ...] = tuple(
    case for room in (videos, tables, configurations, hdf5, networks, estimates, lists) for case in room.cases()
)


def run_corpus(folder: Path, cases: Sequence[Case] = CASES) -> dict[str, Outcome]:
    """Judge cases in processes of their own, the next where one ends early.

    Args:
        folder: empty, for their files.
        cases: of the corpus.

    Returns:
        The outcome of each, by title.
    """
    outcomes: dict[str, Outcome] = {}
    died = 0
    while left := [case.title for case in cases if case.title not in outcomes]:
        report = folder / f"outcomes-{len(outcomes)}.jsonl"
        wanted = folder / "wanted.json"
        wanted.write_text(json.dumps(left), encoding="utf-8")
        status, words = _work(folder, report, wanted)
        begun = None
        for line in report.read_text(encoding="utf-8").splitlines() if report.is_file() else []:
            row = json.loads(line)
            begun = row.get("begins")
            if begun is None:
                outcomes[row["title"]] = Outcome(**row)
        if begun is not None:
            outcomes[begun] = Outcome(begun, "hang" if status is None else "crash", f"{status}: {words}", 0, 0, [])
            died += 1
            if died > MOST_DEATHS:
                raise RuntimeError(f"{died} cases took their process down, the last one {begun}: {words}")
        elif status:
            raise RuntimeError(f"the process ended with {status}: {words}")
    return outcomes


def _work(folder: Path, report: Path, wanted: Path) -> tuple[int | None, str]:
    """Run a worker to its end; its exit status, None where it had to be killed, and its last words."""
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join([str(tests), str(tests.parent / "workflow" / "scripts")])
    command = [sys.executable, "-m", "hostile.worker", str(folder), str(report), str(wanted)]
    said = folder / "worker.log"
    with said.open("w") as words:
        process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": paths}, stdout=words, stderr=words)
        looks, size = 0, -1
        while process.poll() is None:
            time.sleep(LOOK_S)
            now = report.stat().st_size if report.is_file() else 0
            looks, size = (looks + 1 if now == size else 0), now
            if looks > MOST_LOOKS:
                process.kill()
                process.wait()
                return None, said.read_text()[-2000:]
    status = process.returncode
    return (None if status == -24 else status), said.read_text()[-2000:]  # 24: SIGXCPU
