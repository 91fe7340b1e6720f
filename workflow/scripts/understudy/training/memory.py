"""Finds before a stage how much memory its steps will take, and which setting to lower where there is too little.

One frame is drawn and judged as a step would, never learnt from; what autograd keeps of it is counted.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from understudy.dataset.batch import ClipBatch
from understudy.dataset.reader import Footage
from understudy.errors import TrainingError
from understudy.model.contract import CONTEXT, Past
from understudy.model.ranks import ranks
from understudy.settings import LossSettings, StageSettings
from understudy.training.judging import Hearing, judge_terms
from understudy.training.step import RolledFrame, Team, frame_terms

logger = logging.getLogger(__name__)

GIB = 2**30
PROBED = 2  # clips: their difference is what one clip more takes
BACKWARD = 1.25  # peak of the backward pass over what the forward pass keeps


@dataclass(frozen=True)
class Amount:
    """Bytes: `once`, and `each` for every clip of a batch."""

    once: int
    each: int

    @classmethod
    def between(cls, one: int, two: int) -> "Amount":
        """Read the amount off what one clip and what two clips take."""
        return cls(max(0, 2 * one - two), max(0, two - one))

    def of(self, batch: int) -> int:
        return self.once + self.each * batch


@dataclass(frozen=True)
class Need:
    """Memory that the steps of a stage take beside what is held before them.

    Attributes:
        still: bytes of gradients and of moments that are not there yet.
        clip: bytes of one clip's data.
        frame: what is kept of a drawn frame until its backward pass.
        judged: what is kept besides where it is judged.
        every_frame: all frames are judged, not the last alone.
    """

    still: int
    clip: int
    frame: Amount
    judged: Amount
    every_frame: bool

    def bytes(self, batch: int, frames: int) -> int:
        """Peak of a step.

        Args:
            batch: clips of which the gradient is taken at once.
            frames: whose graphs hang together.
        """
        kept = frames * self.frame.of(batch) + (frames if self.every_frame else 1) * self.judged.of(batch)
        return int(self.still + self.clip * batch + BACKWARD * kept)


def check_memory(team: Team, footage: Footage, stage: StageSettings, weights: LossSettings) -> None:
    """Probe a stage's memory and log it.

    Raises:
        TrainingError: there is too little; names the settings to lower and to what.
    """
    judged = stage.judges_from < 1
    strides = team.strides if judged else ()
    clips = stage.batch // ranks()
    batch = footage.sample(torch.Generator().manual_seed(0), min(PROBED, clips), stage.clip_frames, strides)
    free = free_bytes(team.device)
    if free is not None and team.device.type == "cpu":
        free //= ranks()
    frames = min(stage.max_frames_backpropagate, stage.clip_frames)
    try:
        need = probe(team, batch.to(team.device), weights, judged)
    except torch.OutOfMemoryError:
        raise TrainingError(
            f"Stage '{stage.name}': the memory of {team.device} does not even hold one frame of {len(batch)} clips; "
            "lower height_px, model.width, or training.judges.levels and width, or set batch to 1."
        ) from None
    wanted = need.bytes(clips, frames)
    if free is None:
        logger.info("%s: steps take about %.2f GiB", stage.name, wanted / GIB)
        return
    logger.info("%s: steps take about %.2f of %.1f GiB that are free", stage.name, wanted / GIB, free / GIB)
    if wanted > free:
        raise TrainingError(
            f"Stage '{stage.name}' takes about {wanted / GIB:.2f} GiB of memory beside what it holds, but "
            f"{free / GIB:.2f} GiB are free. {advice(need, stage, free)}"
        )


def advice(need: Need, stage: StageSettings, free: int) -> str:
    """Say which settings of a stage to lower, and to what, so that it fits `free` bytes."""
    frames, clips = min(stage.max_frames_backpropagate, stage.clip_frames), stage.batch // ranks()
    for fewer in range(frames - 1, 0, -1):
        if need.bytes(clips, fewer) <= free:
            return f"Lower max_frames_backpropagate from {stage.max_frames_backpropagate} to {fewer}."
    cut = f"max_frames_backpropagate from {stage.max_frames_backpropagate} to 1 and " if frames > 1 else ""
    for fewer in range(clips - 1, 0, -1):
        if need.bytes(fewer, 1) <= free:
            smaller, more = fewer * ranks(), -(-clips * stage.accumulate // fewer)
            return f"Lower {cut}batch from {stage.batch} to {smaller}, and set accumulate to {more} to learn the same."
    least, judges = need.bytes(1, 1) / GIB, BACKWARD * need.judged.of(1) / GIB
    return (
        f"One frame of one clip alone takes {least:.2f} GiB, {judges:.2f} of them for its judges; lower height_px, "
        "model.width, or training.judges.levels and width."
    )


def probe(team: Team, batch: ClipBatch, weights: LossSettings, judged: bool) -> Need:
    """Draw and judge the last frame of one clip and of two, and count what is kept; nothing is changed.

    Args:
        team: what will learn.
        batch: one clip, or two; with one alone all it takes counts for each clip of a batch.
        weights: of each term.
        judged: the judges will take part.
    """
    counts = [_kept(team, batch[:clips], weights, judged) for clips in range(1, len(batch) + 1)]
    amounts = [Amount.between(*pair) if len(pair) == 2 else Amount(0, pair[0]) for pair in zip(*counts, strict=True)]
    parameters = [one for part in (team.generator, team.judges) for one in part.parameters()]
    moments = team.optimiser.state.keys() | team.judge_optimiser.state.keys()
    still = sum(one.nbytes * (1 if one in moments else 3) for one in parameters)  # gradient, and two moments
    data = [*batch.maps, *batch.truth]
    clip = sum(tensor.nbytes for one in data for tensor in vars(one).values()) // len(batch)
    return Need(still, clip, *amounts, every_frame=len(team.judges.places(len(batch.maps))) > 1)


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had, bytes: of the GPU, or of machine and control group; None where nothing tells."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    facts = Path("/proc/meminfo")
    if not facts.is_file():
        return None
    lines = dict(line.split(":", 1) for line in facts.read_text().splitlines())
    return min([int(lines["MemAvailable"].split()[0]) * 1024, *_group_limits()])


def _group_limits(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """Yield what each control group round this process (version 2, as schedulers set them) still allows, bytes."""
    if not own.is_file():
        return
    for line in own.read_text().splitlines():
        if not line.startswith("0::"):
            continue
        folder = groups / line.removeprefix("0::").strip().lstrip("/")
        for place in (folder, *folder.parents):
            most, used = place / "memory.max", place / "memory.current"
            if most.is_file() and used.is_file() and most.read_text().strip() != "max":
                yield int(most.read_text()) - int(used.read_text())


def _kept(team: Team, batch: ClipBatch, weights: LossSettings, judged: bool) -> tuple[int, int]:
    """Bytes that autograd keeps of the last frame of a batch: drawn with its terms, and what its judges add."""
    place = len(batch.maps) - 1
    real = [one.picture for one in batch.truth]
    past = Past.of(torch.stack(real[place - CONTEXT : place], dim=1), _ones(batch), team.generator.scales)
    with _counted(team) as total:
        with team.autocast():
            drawn, terms = team.generator.teach(batch.maps[place - CONTEXT :], past, batch.truth[place], None)
        rolled = RolledFrame(place, drawn, real[-2], own=True, cut=True, terms=terms)
        steadiness = team.generator.steadiness(batch.maps[place])
        held = list(frame_terms(rolled, batch, weights, steadiness, team.perceive).values())
        frame = total()
        if judged:
            with team.autocast():
                held.append(judge_terms(team.judges, Hearing(place, drawn, batch, real)))  # keeps its graph
        return frame, total() - frame


def _ones(batch: ClipBatch) -> Tensor:
    return torch.ones(len(batch), CONTEXT, 1, 1, 1, device=batch.past_valid.device)


@contextmanager
def _counted(team: Team) -> Iterator[Callable[[], int]]:
    """Yield a function that returns the bytes autograd has kept so far, weights not counted, each storage once."""
    weights = {one.untyped_storage().data_ptr() for part in (team.generator, team.judges) for one in part.parameters()}
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(count, lambda tensor: tensor):
        yield lambda: sum(kept.values())
