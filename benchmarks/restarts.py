"""What stopping and starting a stage again costs: one run undisturbed, one stopped ten times, equal weights of both.

    .venv/bin/python benchmarks/restarts.py results/performers/ada/windows.h5 128 400

The words after the file are height, px, and steps. Each run is a process of its own that trains a first stage of clips
of one frame with the default settings; the stopped one gets SIGTERM at random moments of its training time and is
started again at once. Everything counts: starting Python, packages, frames, the saves. The yardstick is the undisturbed
run; the processor's time tells how far other work on the machine disturbed the clock.
"""

import json
import logging
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))

from understudy.validation import load_project  # noqa: E402

THREADS = 2
STOPS = 10
STOPPED = 75  # a training that was asked to end and may be started again
BEGINS = re.compile(r"goes on from step|the start, texture on plate")
logger = logging.getLogger("restarts")


def stage_order(windows: str, folder: Path, height: int, steps: int) -> dict[str, Any]:
    """Everything that decides the stage, as `train_ordered` takes it: default settings, one row."""
    row = {"name": "s0t0", "height_px": height, "clip_frames": 1, "batch": 4, "steps": steps}
    demo = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text(encoding="utf-8"))
    project = load_project(demo | {"training": {"stages": [row]}}, ROOT)
    files = {"windows": windows, "previous": None, "warm": None}
    files |= {"weights": str(folder / "generator.safetensors"), "state_folder": str(folder / "state")}
    sections = {"model": project.section("model"), "dataset": project.section("dataset")}
    return {**files, **sections, "training": project.stage_training("s0t0"), "threads": THREADS}


def train(order: Path) -> None:
    """Train a stage in this process, as the rule's script does; nothing else is loaded."""
    from understudy.training.rank import train_ordered

    train_ordered(json.loads(order.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Run:
    """One process: seconds to its first step, in all, and of the processor; its exit code."""

    start: float
    seconds: float
    busy: float
    code: int


def run(order: Path, stop_after: float | None = None) -> Run:
    """Start the stage and, where asked, stop it so many seconds after its first step began."""
    started, busy = time.monotonic(), _busy()
    words = [sys.executable, __file__, "--train", str(order)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    begun = next((time.monotonic() for line in process.stderr if BEGINS.search(line)), started)
    if stop_after is not None:
        time.sleep(stop_after)
        process.send_signal(signal.SIGTERM)
    rest = process.stderr.read()
    code = process.wait()
    if code not in (0, STOPPED):
        logger.error(rest)
    return Run(begun - started, time.monotonic() - started, _busy() - busy, code)


def _busy() -> float:
    """Processor time of all processes that ended, s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def pauses(seconds: float, chance: Random) -> Iterator[float]:
    """Yield the training time between stops at random moments of a stage of so many seconds."""
    moments = sorted(chance.uniform(0, 0.95 * seconds) for _ in range(STOPS))
    yield from (moment - before for before, moment in zip([0.0, *moments], moments))


def main(windows: str, height: str, steps: str) -> None:
    """Run both, compare time and weights."""
    with tempfile.TemporaryDirectory() as name:
        orders = {}
        for kind in ("calm", "stopped"):
            folder = Path(name) / kind
            folder.mkdir()
            orders[kind] = folder / "order.json"
            orders[kind].write_text(json.dumps(stage_order(windows, folder, int(height), int(steps))), encoding="utf-8")
        calm = run(orders["calm"])
        logger.info("undisturbed: %s", calm)
        runs = [run(orders["stopped"], pause) for pause in pauses(calm.seconds - calm.start, Random(0))]
        runs.append(run(orders["stopped"]))
        for one in runs:
            logger.info("stopped: %s", one)
        same = _weights(orders["calm"].parent) == _weights(orders["stopped"].parent)
        for what, ours, whole in (
            ("on the clock", sum(one.seconds for one in runs), calm.seconds),
            ("of the processor", sum(one.busy for one in runs), calm.busy),
        ):
            cost = (ours - whole) / STOPS
            logger.info("%s: %.1f s, %.3f times, %.2f s for each stop and start", what, ours, ours / whole, cost)
        logger.info("weights are %s", "equal" if same else "DIFFERENT")


def _weights(folder: Path) -> bytes:
    """The weights of a run without the facts beside them, which hold times."""
    data = (folder / "generator.safetensors").read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s.%(msecs)03d %(message)s", datefmt="%H:%M:%S")
    if sys.argv[1] == "--train":
        train(Path(sys.argv[2]))
    else:
        main(*sys.argv[1:])
