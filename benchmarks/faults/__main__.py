"""Breaks things while the pipeline runs, runs the same command again, and counts what is lost.

    .venv/bin/python benchmarks/faults --each 1 --seed 1 --table benchmarks/faults.md

For every rule and every fault: a copy of a small project in which all has run but one job; a fault at a moment drawn
from the seed; the same command again; and that job's outputs against the undisturbed ones, bit for bit. A file that the
pipeline made and a fault damaged must be noticed: the error names it, it is deleted as the error says, and nothing else
is done. One case again: --seed, --only and --fault as its line in the JSON file has them.
"""

import argparse
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

from cluster import CLUSTER_FAULTS, ON_CLUSTER, ClusterCase
from equal import difference
from injections import FAULTS, NEED_INPUT, Case, MissedError
from project import CONTENT, SAVE_SECONDS, Base, make_base, make_case
from table import read_cases, write_tables
from targets import TARGETS, Target

from slurm_cluster import Cluster, NoSlurmError

logger = logging.getLogger("faults")
LOSE_TRAINING = {name for name in FAULTS if name.startswith(("kill", "SIGTERM"))} | set(CLUSTER_FAULTS)
Todo = tuple[str, Target, int]  # fault, job under fire, number of the try
TRIES = 5  # moments drawn for a case whose job had ended before


@dataclass(frozen=True)
class Result:
    """What came of one injection; `told` says how a failed run put it, `lost_s` is work done once more."""

    fault: str
    target: str
    seed: str
    survived: bool
    lost_s: float
    told: str
    notes: list[str]
    seconds: float


class Server(BaseHTTPRequestHandler):
    """Gives the file of weights slowly, from where it is asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        for place in range(0, len(CONTENT), 20_000):
            try:
                self.wfile.write(CONTENT[place : place + 20_000])
            except OSError:
                return
            time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def case_name(seed: int, fault: str, target: Target, number: int) -> str:
    """Name a case; the name is the seed of all its chance."""
    return f"{seed}/{fault}/{target.name}/{number}"


def inject(base: Base, folder: Path, mounts: bool, seed: int, cluster: Cluster | None, one: Todo) -> Result:
    """Run one case: fault, the same command again, comparison."""
    fault, target, number = one
    started, name = time.monotonic(), case_name(seed, fault, target, number)
    chance = Random(name)
    for _ in range(TRIES):
        place = Path(tempfile.mkdtemp(dir=folder))
        linked = not (fault == "disk full" and mounts)
        project = make_case(base, place, target, linked)
        if fault in CLUSTER_FAULTS:
            case = ClusterCase(base, target, project, chance, mounts, cluster=cluster)
        else:
            case = Case(base, target, project, chance, mounts)
        try:
            error = _run(case, fault)
        except MissedError:
            _remove(case)
            continue
        if error:
            case.notes += [error, f"kept in {case.folder}"]
        else:
            _remove(case)
        end = "LOST" if error else "survived"
        logger.info("%s: %s, %.1f s lost, %s %s", name, end, case.lost_s, case.told, case.notes)
        took = round(time.monotonic() - started, 1)
        return Result(fault, target.name, name, not error, round(case.lost_s, 2), case.told, case.notes, took)
    logger.error("%s: never hit", name)
    return Result(fault, target.name, name, False, 0.0, "", ["never hit"], round(time.monotonic() - started, 1))


def _run(case: Case, fault: str) -> str:
    """Inject and recover; says what went wrong, nothing where all is well."""
    try:
        ({**FAULTS, **CLUSTER_FAULTS})[fault](case)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as failure:
        return f"{type(failure).__name__}: {failure}"
    run = case.start()
    code = run.end()
    if code != 0:
        return f"the same command again ends with {code}: {run.text()[-2500:]}"
    for name in case.target.outputs:
        if not case.place(name).exists():
            return f"{name} is missing"
        try:
            if differs := difference(case.base.results / name, case.place(name)):
                return differs
        except Exception as broken:  # any library, any way
            return f"{name} cannot be read: {broken}"
        if left := list(case.place(name).parent.glob(".*.part*")):
            return f"left behind: {left}"
    if case.target.state and fault in LOSE_TRAINING and case.lost_s > SAVE_SECONDS + case.slack():
        return f"{case.lost_s:.1f} s of training lost, more than the save interval"
    return ""


def _remove(case: Case) -> None:
    if os.path.ismount(case.folder):
        os.system(f"umount '{case.folder}'")
    shutil.rmtree(case.folder, ignore_errors=True)
    for log in case.folder.parent.glob(f"{case.folder.name}-*.log"):
        log.unlink()


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    words.add_argument("--each", type=int, default=1, help="tries of each fault on each rule")
    words.add_argument("--seed", type=int, default=1, help="decides every moment and every byte")
    words.add_argument("--only", action="append", help="targets by name")
    words.add_argument("--fault", action="append", help="faults by name")
    words.add_argument("--number", type=int, help="this try alone")
    words.add_argument("--folder", type=Path, help="where to work; a base there is used again")
    words.add_argument("--workers", type=int, default=2, help="cases side by side")
    words.add_argument("--table", type=Path, help="Markdown file to write; JSON goes beside it")
    words.add_argument("--small", action="store_true", help="run only what the targets asked for need")
    words.add_argument("--add", action="store_true", help="keep the cases that the JSON file has from earlier runs")
    asked = words.parse_args()
    mounts = _own_mounts()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="understudy-faults-"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    began = time.monotonic()
    wanted = [target for target in TARGETS if not asked.small or target.name in (asked.only or [target.name])]
    base = make_base(folder / "base", f"http://127.0.0.1:{server.server_port}", wanted)
    cases = folder / "cases"
    cases.mkdir(exist_ok=True)
    todo = [
        (fault, target, number)
        for number in ([asked.number] if asked.number is not None else range(asked.each))
        for target in TARGETS
        for fault in (*FAULTS, *(CLUSTER_FAULTS if target.name in ON_CLUSTER else ()))
        if (target.inputs or fault not in NEED_INPUT)
        and target.name in (asked.only or [target.name])
        and fault in (asked.fault or [fault])
    ]
    logger.info("%d cases, seed %d, in %s, mounts %s", len(todo), asked.seed, folder, mounts)
    Random(asked.seed).shuffle(todo)  # a run that is broken off has seen some of everything
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "seed": asked.seed,
        "each": asked.each,
        "workers": asked.workers,
        "mounts": mounts,
        "save_seconds": SAVE_SECONDS,
    }
    before = read_cases(asked.table) if asked.table and asked.add else []
    done = {one["seed"] for one in before if one["survived"]}
    todo = [one for one in todo if case_name(asked.seed, *one) not in done]
    cluster = _cluster(folder / "slurm") if any(one[0] in CLUSTER_FAULTS for one in todo) else None
    facts["slurm"] = cluster is not None or any(one["fault"] in CLUSTER_FAULTS for one in before)
    todo = [one for one in todo if cluster or one[0] not in CLUSTER_FAULTS]
    results: list[Result] = []
    try:
        act = partial(inject, base, cases, mounts, asked.seed, cluster)
        for result in _ended(act, todo, asked.workers):
            results.append(result)
            facts["seconds"] = round(time.monotonic() - began)
            if asked.table:
                write_tables(asked.table, facts, [asdict(one) for one in results], before)
    finally:
        if cluster:
            cluster.stop()
    lost = [result for result in results if not result.survived]
    logger.info("%d of %d survived", len(results) - len(lost), len(results))
    if not asked.folder and not lost:
        shutil.rmtree(folder)
    return 1 if lost else 0


def _ended(act: Callable[[Todo], Result], todo: Sequence[Todo], workers: int) -> Iterator[Result]:
    """Yield results as cases end; those of the cluster run one at a time: what strikes a node strikes all on it."""
    with ThreadPoolExecutor(workers) as pool, ThreadPoolExecutor(1) as alone:
        waiting = [(alone if one[0] in CLUSTER_FAULTS else pool).submit(act, one) for one in todo]
        for future in as_completed(waiting):
            yield future.result()


def _cluster(folder: Path) -> Cluster | None:
    """Start the tests' Slurm; where none can be had its faults are left out, and the log and the table say so."""
    cluster = Cluster(folder)
    try:
        cluster.start()
    except NoSlurmError as reason:
        logger.warning("faults of a cluster are left out: %s", reason)
        return None
    return cluster


def _own_mounts() -> bool:
    """Go on in a mount namespace of our own where the system allows one, so that every mount ends with us."""
    if os.environ.get("FAULTS_MOUNTS"):
        return os.environ["FAULTS_MOUNTS"] == "yes"
    for words in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        if shutil.which("unshare") and os.system(f"{' '.join(words)} mount -t tmpfs none /mnt >/dev/null 2>&1") == 0:
            os.environ["FAULTS_MOUNTS"] = "yes"
            os.execvp("unshare", [*words, sys.executable, *sys.argv])
    os.environ["FAULTS_MOUNTS"] = "no"
    return False


if __name__ == "__main__":
    sys.exit(main())
