"""Trains one stage: one height, one clip length; ends by steps or by time, and goes on where it was killed."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from understudy.dataset.batch import ClipBatch
from understudy.dataset.reader import Footage
from understudy.dataset.windows import read_windows
from understudy.errors import TrainingError
from understudy.layouts import content_digest, open_file
from understudy.model.build import (
    add_face,
    blank_generator,
    check_weights,
    grow_generator,
    load_generator,
    save_generator,
    start_generator,
    warm_up,
    weights_digest,
)
from understudy.model.contract import Generator
from understudy.model.ranks import own_rows, rank
from understudy.settings import VERSIONS, DatasetSettings, ModelSettings, StageSettings, TrainingSettings
from understudy.training.checkpoint import BEST, STATE_FORMAT, Progress, StateFolder, restore
from understudy.training.journal import Journal
from understudy.training.judging import judged_crops
from understudy.training.launch import launch_ranks
from understudy.training.memory import check_memory
from understudy.training.perceptual import load_perceptual, perceptual_digest
from understudy.training.preview import PreviewFrame, choose_frames, draw_preview, save_preview
from understudy.training.schedule import Schedule, learning_rate, rollout_frames
from understudy.training.step import Moment, Team, train_step
from understudy.training.stop import STOPPED, ends_at_once, signal_name, signal_number, stop_request
from understudy.training.together import agreed, leader_first, start_alike

logger = logging.getLogger(__name__)

REPORT_SECONDS = 5.0  # between two progress lines
START_FRAMES = 120  # most frames from which atlas and plate start


@dataclass(frozen=True)
class Job:
    """One stage as it is asked for: its settings, and the files that go in."""

    windows: Path
    previous: Path | None
    warm: Path | None
    model: ModelSettings
    training: TrainingSettings
    dataset: DatasetSettings

    @property
    def stage(self) -> StageSettings:
        return self.training.stages[0]

    @property
    def perceptual(self) -> Path | None:
        """Weights of the perceptual loss, where it has a weight."""
        return Path(self.training.perceptual.weights) if self.training.losses.perceptual > 0 else None

    def order(self, weights: Path, state_folder: Path, threads: int) -> dict[str, Any]:
        """Return the stage and what else `train_stage` was given as JSON has it, for `rank.train_ordered`."""
        files = {"windows": self.windows, "previous": self.previous, "warm": self.warm}
        files |= {"weights": weights, "state_folder": state_folder}
        sections = {"model": asdict(self.model), "training": asdict(self.training), "dataset": asdict(self.dataset)}
        return {name: str(path) if path else None for name, path in files.items()} | sections | {"threads": threads}

    def manifest(self) -> dict[str, Any]:
        """Everything that decides the weights: not how often is saved and shown, nor how many GPUs share a batch."""
        training, sha256 = asdict(self.training), self.training.perceptual.sha256
        for name in ("gpus", "compile", "save_seconds", "preview_frames", "perceptual"):
            training.pop(name)
        return {
            "versions": {room: VERSIONS[room] for room in ("model", "training")},
            "state": STATE_FORMAT,
            "torch": torch.__version__,
            "data": content_digest(self.windows, "windows"),
            "previous": weights_digest(self.previous) if self.previous else None,
            "warm": weights_digest(self.warm) if self.warm else None,
            "perceptual": perceptual_digest(self.perceptual, sha256) if self.perceptual else None,
            "model": asdict(self.model),
            "training": training,
            "dataset": asdict(self.dataset),
        }


def train_stage(
    windows: Path,
    previous: Path | None,
    weights: Path,
    state_folder: Path,
    model: ModelSettings,
    training: TrainingSettings,
    dataset: DatasetSettings,
    threads: int,
    warm: Path | None = None,
    gpus: int = 1,
) -> None:
    """Train one stage and write its weights, in this process or in one for each of several GPUs.

    Args:
        windows: windows.h5 of the performer.
        previous: weights of the stage before; None starts from the footage.
        weights: generator.safetensors to write: the running average, float32.
        state_folder: holds states and previews; the same call goes on from the newest state.
        model: the generator's settings; a later stage must have those of the first.
        training: losses, seed, precision, and the row of this stage alone.
        dataset: which maps train.
        threads: CPU threads.
        warm: another performer's weights, whose networks a first stage starts from.
        gpus: that were given to the job, at most as many as `training.gpus` asks for; without any it trains on the CPU.

    Raises:
        TrainingError: the stage cannot start, its memory is too little, or a loss is not finite.
        SystemExit: the process was asked to end (SIGTERM, SIGUSR1); the state is saved, the code is `stop.STOPPED`.
    """
    job = Job(windows, previous, warm, model, training, dataset)
    gpus = max(1, gpus)
    if gpus < training.gpus:
        logger.info("training.gpus is %d, the job was given %d", training.gpus, gpus)
    if job.stage.batch % gpus:
        raise TrainingError(
            f"Stage '{job.stage.name}': its batch is {job.stage.batch}, and the job was given {gpus} GPUs, each of "
            f"which takes as many clips; set batch to a multiple of {gpus}, or give the job another number (snakemake "
            "--resources gpu=N)."
        )
    if gpus == 1:
        with ends_at_once():
            train_rank(job, weights, state_folder, threads)
    else:
        launch_ranks(gpus, threads, job.order(weights, state_folder, threads))


def train_rank(job: Job, weights: Path, state_folder: Path, threads: int) -> None:
    """Train one stage in this process, alone or as one of several ranks; see `train_stage`.

    All ranks draw the same clips by the same chance and learn from their own rows of them, so one random state is the
    state of all. Rank 0 alone writes: weights, states, previews, journal.
    """
    torch.set_num_threads(threads)
    stage, training, surface = job.stage, job.training, job.dataset.surface
    random = torch.Generator().manual_seed(training.seed)
    with leader_first():
        folder = StateFolder(state_folder, job.manifest())
    with (
        nullcontext() if rank() else folder.held(),
        Footage(job.windows, stage.height_px, "training", surface) as footage,
        Footage(job.windows, stage.height_px, "held_out", surface) as held_out,
    ):
        with leader_first():
            footage.prepare(state_folder, threads)
        state = folder.newest()
        team = _make_team(job, footage, state, state_folder)
        progress = restore(state, team, random, state_folder) if state else Progress()
        del state  # what it holds is the team's now, or doubled
        start_alike([team.generator, team.average, team.judges])
        if not progress.step:  # it fitted when the stage began
            check_memory(team, footage, stage, training.losses)
        if training.compile:
            _compile(team.generator)
        schedule = Schedule.of(stage, len(footage))
        run = _Run(job, schedule, team, footage, held_out, random, progress, folder)
        if progress.step:
            logger.info("%s: goes on from step %d, %.0f s of training", stage.name, progress.step, progress.seconds)
        if rank():
            run.train()
            return
        with Journal(weights.parent, state_folder, stage, schedule, progress) as run.journal:
            if not progress.step:
                run.show()
            run.train()
            psnr = run.show()
            save_generator(weights, team.average, run.facts(psnr))
        footage.forget()
    logger.info("%s: %d steps in %.0f s, wrote %s", stage.name, progress.step, progress.seconds, weights)
    best = folder.best()
    if best.get("person_psnr", psnr) > psnr:
        better = f"{best['person_psnr']:.2f} dB at step {best['step']}"
        logger.info("%s: a preview on the way was better, %s; its weights are in %s", stage.name, better, BEST)


@dataclass
class _Run:
    """A running stage; rank 0 alone has a journal and shows held-out frames."""

    job: Job
    schedule: Schedule
    team: Team
    footage: Footage
    held_out: Footage
    random: torch.Generator
    progress: Progress
    folder: StateFolder
    journal: Journal | None = None

    @cached_property
    def shown(self) -> list[PreviewFrame]:
        return choose_frames(self.held_out, self.job.training.preview_frames)

    def train(self) -> None:
        """Step until the schedule ends; save, show and report on the way. All ranks end at the same step."""
        saved = reported = time.monotonic()
        first, begun = self.progress.step, self.progress.seconds
        with stop_request() as asked:
            while self.share < 1:
                figures = self._step()
                now = time.monotonic()
                due = now - saved >= self.job.training.save_seconds
                stop, due = agreed(signal_number(asked()), due and rank() == 0)
                if self.journal and (now - reported >= REPORT_SECONDS or self.share >= 1):
                    reported = now
                    done = self.progress.step - first
                    self._report(figures, done / max(self.progress.seconds - begun, 1e-9))
                if stop or due or self.share >= 1:
                    self._save(stop > 0)
                    saved = time.monotonic()
                    (stop,) = agreed(signal_number(asked()) or stop)  # before the save, or since; and it is done
                    if stop:
                        name, step = signal_name(int(stop)), self.progress.step
                        logger.info("asked to end (%s) at step %d; saved %s", name, step, self.folder.folder)
                        raise SystemExit(STOPPED)

    def _save(self, ending: bool) -> None:
        """Write the state, and show it where the stage goes on; rank 0 does it."""
        if rank() == 0:
            self.folder.save(self.team, self.progress, self.random)
            if not ending and self.share < 1:
                self.show()

    @property
    def share(self) -> float:
        return self.schedule.progress(self.progress.step, self.progress.seconds)

    def show(self) -> float:
        """Write a preview and log its figure; returns the person's PSNR, dB."""
        preview, frames = draw_preview(self.team.average, self.shown), len(self.shown)
        step = self.progress.step
        save_preview(self.folder.folder / f"preview-{step:08d}.png", preview)
        what = "the start, texture on plate" if step == 0 and self.job.previous is None else f"step {step}"
        logger.info("%s: %s, person %.2f dB on %d held-out frames", self.job.stage.name, what, preview.psnr, frames)
        self.journal.show(preview)
        self.folder.keep_best(self.team.average, self.facts(preview.psnr))
        return preview.psnr

    def facts(self, psnr: float) -> dict[str, Any]:
        """What stands beside weights: all that decided them, how far they are, and their held-out figure, dB."""
        so_far = {"step": self.progress.step, "seconds": self.progress.seconds, "person_psnr": psnr}
        return {**self.folder.manifest, "stage": self.job.stage.name, **so_far}

    def _step(self) -> dict[str, float]:
        """Draw the batches of one update and train on them; only this counts as training time."""
        started = time.monotonic()
        stage, share = self.job.stage, self.share
        moment = Moment(
            self.progress.step,
            rate=learning_rate(stage, share),
            judged=share >= stage.judges_from,
            frozen=share < stage.freeze,
            backpropagate=stage.max_frames_backpropagate,
        )
        batches = self._batches(share, moment.judged)
        figures = train_step(self.team, next(batches), self.job.training.losses, moment, self.random, batches)
        self.progress.step += 1
        seconds = self.progress.seconds + time.monotonic() - started
        (self.progress.seconds,) = agreed(0.0 if rank() else seconds)  # rank 0's clock is everybody's
        if self.journal:
            self.journal.learn(figures)
        return figures

    def _batches(self, share: float, judged: bool) -> Iterator[ClipBatch]:
        """Draw the batches of one update, each when it is asked for."""
        stage, strides = self.job.stage, self.team.strides if judged else ()
        rows = own_rows(stage.batch)
        for _ in range(stage.accumulate):
            lead = rollout_frames(stage.rollout, share, self.random)
            batch = self.footage.sample(self.random, stage.batch, stage.clip_frames, strides, lead, rows)
            yield batch.to(self.team.device)

    def _report(self, figures: dict[str, float], rate: float) -> None:
        self.journal.report(rate, learning_rate(self.job.stage, self.share))
        listed = " ".join(f"{name} {value:.4f}" for name, value in figures.items())
        logger.info(
            "%s: step %d, %.2f steps/s, %.0f s left, %s",
            self.job.stage.name,
            self.progress.step,
            rate,
            self.schedule.seconds_left(self.progress.step, self.progress.seconds),
            listed,
        )


def _make_team(job: Job, footage: Footage, state: Mapping[str, Any] | None, folder: Path) -> Team:
    """Start or grow the generator, or make one for the weights of a state, and put judges beside it."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    perceptual = load_perceptual(job.perceptual) if job.perceptual else None
    if state:
        check_weights(state["generator"], job.model, state["shape"], folder)
    generator = blank_generator(job.model, state["shape"]) if state else _make_generator(job, footage)
    generator = generator.placed(device)
    precision = number_type(job.training.precision, device)
    return Team(
        generator,
        _judged_strides(job),
        precision,
        job.training.seed,
        job.training.momentum,
        perceptual,
        judging=job.training.judges,
        crops=judged_crops(job.training.losses),
    )


def _compile(generator: Generator) -> None:
    """Compile a generator's networks where they stand; the names of their weights stay, its average is not compiled."""
    from torch._functorch import config  # here, because it takes a second

    config.donated_buffer = False  # judges walk back over the generator's graph after its own pass
    for network in generator.networks():
        network.compile()


def _judged_strides(job: Job) -> tuple[int, ...]:
    """Strides of the temporal judges: those in every clip's flow.h5 of which a clip of the stage holds three frames."""
    if job.training.losses.temporal_gan == job.training.losses.temporal_features == 0:
        return ()
    strides = set(range(1, job.stage.clip_frames // 2 + 1)) | {1}
    for clip in read_windows(job.windows).clips:
        with open_file(clip.flow, "flow") as file:
            strides &= {int(group.removeprefix("stride_")) for group in file}
    return tuple(sorted(strides))


def _make_generator(job: Job, footage: Footage) -> Generator:
    """Build the generator a stage starts from, with a face network where the stage asks for one."""
    generator = _make_body(job, footage)
    return add_face(generator, job.stage.face, job.training.seed) if job.stage.face else generator


def _make_body(job: Job, footage: Footage) -> Generator:
    """Take the generator of the stage before, grown where this stage is higher; a first stage starts from the footage.

    Raises:
        TrainingError: the stage before has other model settings or does not fit the height.
    """
    if job.previous is None:
        frames = list(footage.spread(START_FRAMES))
        generator = start_generator(frames, job.model, job.training.seed, footage.chart)
        if job.warm is not None:
            warm_up(generator, job.warm)
        return generator
    generator = load_generator(job.previous).requires_grad_(True).train()
    if generator.settings != job.model:
        raise TrainingError(
            f"{job.previous} was trained with {generator.settings}, but this stage asks for {job.model}; "
            "model settings hold for all stages of a performer."
        )
    size, wanted = (generator.height_px, generator.width_px), (footage.height_px, footage.width_px)
    if size == wanted:
        return generator
    try:
        # of the maps the cameras alone are kept: they would fill the memory
        frames = [(semantic.camera, truth) for semantic, truth in footage.spread(START_FRAMES)]
        cameras, truths = zip(*frames, strict=True)
        return grow_generator(generator, truths, job.training.seed, torch.cat(cameras))
    except ValueError as mismatch:
        raise TrainingError(
            f"Stage '{job.stage.name}' is {wanted[0]} x {wanted[1]} px, the stage before {size[0]} x {size[1]}; "
            "each stage's height_px must be that of the stage before times 1, 2, 4 or 8."
        ) from mismatch


def number_type(precision: str, device: torch.device) -> torch.dtype:
    """Choose the number type of the networks; `auto` takes bfloat16 where the machine computes in it."""
    if precision == "float32":
        return torch.float32
    if precision == "bfloat16":
        return torch.bfloat16
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return torch.bfloat16 if _cpu_has_bfloat16() else torch.float32


def _cpu_has_bfloat16() -> bool:
    facts = Path("/proc/cpuinfo")
    return facts.is_file() and any(name in facts.read_text() for name in ("avx512_bf16", "amx_bf16"))
