"""The journal of a stage: everything a person watches while it trains, and the one writer of it.

Beside the weights: `progress.json` and `index.html`, a page that refreshes itself. In the state folder, so that other
settings start other curves: `curves.tsv`, `strip.png`, and `board/`, which TensorBoard reads.
"""

import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from os.path import relpath
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from understudy.job import atomic_path
from understudy.settings import StageSettings
from understudy.training.checkpoint import Progress
from understudy.training.curves import Curves
from understudy.training.page import Pictures, training_page
from understudy.training.preview import Preview
from understudy.training.schedule import Schedule
from understudy.training.strip import STRIP, Strip, preview_files

BOARD = "board"
PSNR = "held_out/person_psnr_db"
RATE, SPEED, TIME = "rate/learning_rate", "rate/steps_per_second", "rate/training_seconds"
LOSS = "loss/"
EVENTS = "events.out.tfevents.*"


logger = logging.getLogger(__name__)


class Journal:
    """Writes the figures and pictures of a running stage; an older run's are kept up to the step this one goes on from.

    A context: at its end the stage is `done`, or `stopped` where an error or a signal ended it.
    """

    def __init__(self, folder: Path, state_folder: Path, stage: StageSettings, schedule: Schedule, progress: Progress):
        """Open the journal of a stage.

        Args:
            folder: results/performers/{performer}/{stage}; gets `progress.json` and `index.html`.
            state_folder: holds the previews; gets the rest.
            stage: the stage.
            schedule: when it ends.
            progress: where it stands; read at each report.
        """
        self.folder, self.state_folder = folder, state_folder
        self.stage, self.schedule, self.progress = stage, schedule, progress
        self.started = self._first_start() or _now()
        _forget_later(state_folder, progress.step)
        self.curves = Curves(state_folder / "curves.tsv", progress.step)
        self.strip = Strip(state_folder)
        self._look()
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        self._board = _open_board(state_folder / BOARD, progress.step)
        self._write("running")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._write("stopped" if kind else "done")
        self._board.close()

    def learn(self, figures: Mapping[str, float]) -> None:
        """Take the terms of one step; nothing is written."""
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def report(self, steps_per_second: float, learning_rate: float) -> None:
        """Write the means of all terms since the last report, and the rates."""
        means = {LOSS + name: total / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        rates = {SPEED: steps_per_second, RATE: learning_rate, TIME: self.progress.seconds}
        self._add({**means, **rates})
        self._write("running")

    def show(self, preview: Preview) -> None:
        """Take a preview that was just written: its figure, and its row of the strip."""
        self._look()
        if self._add({PSNR: preview.psnr}):
            self._add_pictures()
        self._write("running")

    def _look(self) -> None:
        """See which previews there are, and draw their strip."""
        self.previews = preview_files(self.state_folder)
        self.shape = self.strip.write(self.previews)

    def _add(self, figures: Mapping[str, float]) -> dict[str, float]:
        new = self.curves.add(self.progress.step, figures)
        for name, value in new.items():
            self._board.add_scalar(name, value, self.progress.step)
        self._board.flush()
        return new

    def _add_pictures(self) -> None:
        """Give the board the newest preview; ever more seldom, so that a long training does not fill the disk."""
        number = len(self.previews) - 1
        if number % 2 ** max(0, number.bit_length() - 4) == 0 or self._share == 1:
            rows = {"final": self.strip.newest()}
            if number == 0:
                rows["footage"] = self.strip.footage
            for name, row in rows.items():
                self._board.add_image(f"held_out/{name}", row[..., ::-1], self.progress.step, dataformats="HWC")
            self._board.flush()

    @property
    def _share(self) -> float:
        return self.schedule.progress(self.progress.step, self.progress.seconds)

    def _write(self, state: str) -> None:
        """Write progress.json and the page."""
        facts = self._facts(state)
        with atomic_path(self.folder / "progress.json") as beside:
            beside.write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        folder = relpath(self.state_folder, self.folder)
        pictures = Pictures(folder, self.previews, self.shape, STRIP)
        with atomic_path(self.folder / "index.html") as beside:
            beside.write_text(training_page(facts, self.curves.curves, pictures), encoding="utf-8")

    def _facts(self, state: str) -> dict[str, Any]:
        """The content of progress.json; `layouts.PROGRESS` has the meaning of each key."""
        progress, last = self.progress, self.curves.last
        losses = {name.removeprefix(LOSS): last(name) for name in self.curves.curves if name.startswith(LOSS)}
        return {
            "performer": self.folder.resolve().parent.name,
            "stage": self.stage.name,
            "state": state,
            "step": progress.step,
            "steps": self.schedule.steps or None,
            "seconds": round(progress.seconds, 3),
            "of_seconds": self.schedule.seconds or None,
            "share": round(self._share, 5),
            "seconds_left": _number(self.schedule.seconds_left(progress.step, progress.seconds)),
            "steps_per_second": _number(last(SPEED)),
            "learning_rate": _number(last(RATE)),
            "losses": {name: _number(value) for name, value in losses.items()},
            "person_psnr_db": _number(last(PSNR)),
            "height_px": self.stage.height_px,
            "clip_frames": self.stage.clip_frames,
            "state_folder": relpath(self.state_folder, self.folder),
            "started": self.started,
            "updated": _now(),
        }

    def _first_start(self) -> str | None:
        """When the run began that this one goes on from; None for a fresh one."""
        path = self.folder / "progress.json"
        if self.progress.step == 0 or not path.is_file():
            return None
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            same = before["state_folder"] == relpath(self.state_folder, self.folder)
            return str(before["started"]) if same else None
        except (ValueError, KeyError, TypeError, RecursionError) as broken:  # it is written anew, and decides nothing
            logger.warning("%s cannot be read (%s); the stage's start is taken for now", path, broken)
            return None


def _forget_later(folder: Path, step: int) -> None:
    """Remove the previews of steps that will be done once more, and all of a run that starts from nothing."""
    for when, path in preview_files(folder).items():
        if when > step or step == 0:
            path.unlink()
    if step == 0:
        for path in [folder / "curves.tsv", folder / STRIP, *(folder / BOARD).glob(EVENTS)]:
            path.unlink(missing_ok=True)


def _open_board(folder: Path, step: int):
    """Open TensorBoard's event files; what an earlier run wrote after `step` is marked as void."""
    from torch.utils.tensorboard import SummaryWriter  # here, because only training needs it

    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)


def _number(value: float | None) -> float | None:
    """A number that JSON can hold, with six digits."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
