"""The state folder of a stage: what a killed training goes on from.

A state file's name ends in the start of its own SHA-256, so a half-written or damaged one is known and passed over.
"""

import fcntl
import hashlib
import io
import json
import logging
import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError

from understudy.errors import DamageError, TrainingError
from understudy.job import atomic_path
from understudy.model.build import read_facts, save_generator
from understudy.model.contract import Generator
from understudy.training.step import Team

logger = logging.getLogger(__name__)

STATE_FORMAT = 2  # of the state files; raised when older ones can no longer be read
HELD_SECONDS = 60.0  # how long a training waits for another one in its folder to end
KEPT = 2  # states; the older one is there in case the newest is damaged
BEST = "best.safetensors"  # weights that can be rendered, of the preview with the highest figure so far
MANIFEST = "manifest.json"
STATE_NAME = re.compile(r"state-(\d{8})-([0-9a-f]{12})\.pt")


@dataclass
class Progress:
    """How far a stage has come: `step` steps done, in `seconds` of training."""

    step: int = 0
    seconds: float = 0.0


class StateFolder:
    """Saves and finds the states of one stage; states made under another manifest are dropped, never resumed."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]):
        """Open or make the folder.

        Args:
            folder: where states and previews lie.
            manifest: everything that decides the result; compared as JSON with the folder's own.
        """
        self.folder, self.manifest = folder, dict(manifest)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = json.dumps(manifest, sort_keys=True, indent=1)
        note = folder / MANIFEST
        if note.is_dir():
            raise TrainingError(f"{note} is a folder, expected a file; remove it and run again.")
        if note.is_file() and note.read_bytes() == wanted.encode():
            return
        stale = [path for path, digest in self._states() if not self._is_own(path, digest)]  # a damaged note loses none
        if stale:
            logger.info("%s holds %d states of other settings or data; starting afresh", folder, len(stale))
        for path in (*stale, *([] if any(self._states()) else [folder / BEST])):
            path.unlink(missing_ok=True)
        with atomic_path(note) as beside:
            beside.write_text(wanted, encoding="utf-8")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep a second training out of the folder; a killed holder lets go by itself.

        Waits a while first: the training of a Snakemake that was killed notices it, saves, and lets go.

        Raises:
            TrainingError: another process holds it.
        """
        with (self.folder / "lock").open("w") as file:
            deadline, told = time.monotonic() + HELD_SECONDS, False
            while not _locked(file):
                if time.monotonic() > deadline:
                    raise TrainingError(
                        f"Another process is training in {self.folder}; wait until it ends, or stop it."
                    )
                if not told:
                    logger.info("another process is training in %s; waiting for it to end", self.folder)
                told = True
                time.sleep(0.2)
            yield

    def save(self, team: Team, progress: Progress, random: torch.Generator) -> Path:
        """Write the whole state of a team, then drop all but the last two; atomic."""
        state = {
            "step": progress.step,
            "seconds": progress.seconds,
            "random": random.get_state(),
            "manifest": json.dumps(self.manifest, sort_keys=True),
            "shape": team.generator.shape(),
            **{name: part.state_dict() for name, part in team.parts().items()},
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        data = buffer.getbuffer()  # no copy: states of large models take gigabytes
        path = self.folder / f"state-{progress.step:08d}-{_digest(data)}.pt"
        with atomic_path(path) as beside:
            beside.write_bytes(data)
        for old, _ in list(self._states())[KEPT:]:
            old.unlink()
        return path

    def newest(self) -> dict[str, Any] | None:
        """Read the newest whole state, onto the CPU; None where there is none."""
        for path, digest in self._states():
            data = path.read_bytes()
            state = _read(data) if _digest(data) == digest else None
            if state is not None:
                return state
            logger.warning("%s is damaged; going back to the state before it", path)
        return None

    def keep_best(self, generator: Generator, facts: Mapping[str, Any]) -> None:
        """Write weights and their facts over those kept before, if their `person_psnr` is higher; atomic."""
        if facts["person_psnr"] > self.best().get("person_psnr", -math.inf):
            save_generator(self.folder / BEST, generator, facts)

    def best(self) -> dict[str, Any]:
        """Read the facts of the best weights; nothing where there are none yet, or damaged ones."""
        try:
            return read_facts(self.folder / BEST)
        except (FileNotFoundError, SafetensorError, ValueError, DamageError):
            return {}

    def _is_own(self, path: Path, digest: str) -> bool:
        """Tell whether a state was saved under this folder's manifest, by what it holds itself."""
        data = path.read_bytes()
        state = _read(data) if _digest(data) == digest else None
        return state is not None and state.get("manifest") == json.dumps(self.manifest, sort_keys=True)

    def _states(self) -> Iterator[tuple[Path, str]]:
        """Yield the state files and the digests in their names, newest first."""
        for path in sorted(self.folder.glob("state-*.pt"), reverse=True):
            if found := STATE_NAME.fullmatch(path.name):
                yield path, found[2]


def _locked(file: IO[str]) -> bool:
    """Lock an open file against other processes; False where another one has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def restore(state: Mapping[str, Any], team: Team, random: torch.Generator, folder: Path) -> Progress:
    """Put a state back into a team whose generator has the state's `shape`.

    Raises:
        TrainingError: it is the state of another team, for all its digest says; `folder` is where it lies.
    """
    try:
        for name, part in team.parts().items():
            part.load_state_dict(state[name])
        random.set_state(state["random"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError) as wrong:
        reason = str(wrong).splitlines()[0][:200]
        raise TrainingError(
            f"The newest state in {folder} does not fit this training ({type(wrong).__name__}: {reason}); remove that "
            "file to go back to the one before, or the folder to start afresh."
        ) from wrong
    return Progress(state["step"], state["seconds"])


def _read(data: bytes) -> dict[str, Any] | None:
    """Read a state's bytes; None where they hold none. Nothing that they name is called."""
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        step, seconds = state["step"], state["seconds"]
        right = isinstance(step, int) and step >= 0 and isinstance(state["shape"], dict)
        return state if right and isinstance(state["generator"], dict) and 0 <= seconds < math.inf else None
    except Exception as broken:  # what bytes raise that are no state is anybody's guess
        logger.warning(
            "a state cannot be read (%s)", str(broken).splitlines()[0] if str(broken) else type(broken).__name__
        )
        return None


def _digest(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()[:12]
