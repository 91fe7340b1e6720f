"""Reads a performer's footage for training and measuring: pictures, mattes, maps and flows at a stage's resolution."""

import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch

from understudy.dataset.batch import ClipBatch, FrameTruth, Lead, SemanticMap
from understudy.dataset.maps import (
    Figure,
    NetworkSize,
    check_parts,
    check_samples,
    join_maps,
    network_figure,
    network_size,
)
from understudy.dataset.prepared import (
    KeptFrames,
    PreparedFrame,
    StoredFrame,
    prepared_frame,
    record_type,
    write_frames,
)
from understudy.dataset.truth import StoredTruth, join_flow, join_truth
from understudy.dataset.windows import SPLITS, ClipFiles, Run, Windows, clip_motion, read_windows
from understudy.errors import DamageError, LayoutError, TrainingError
from understudy.job import in_threads
from understudy.layouts import check_same_frames, describe, open_file
from understudy.settings import VERSIONS

logger = logging.getLogger(__name__)

CACHE_BYTES = 2 * 1024**3
KEPT = "frames-"  # first word of the names of files of prepared frames
SURFACES = {"body": ("body",), "clipped": ("clipped",), "both": ("body", "clipped")}


def first_frames(runs: Sequence[Run], most: int | None) -> Iterator[Run]:
    """Yield runs, the last one shortened, that hold at most so many frames together."""
    left = sum(run.length for run in runs) if most is None else most
    for run in runs:
        if left > 0:
            yield replace(run, length=min(run.length, left))
        left -= run.length


class Footage:
    """The frames of one split of a performer's footage at a stage's resolution.

    A frame is prepared when it is first asked for and kept in memory up to `cache_bytes`; beyond them the frames
    used longest ago are prepared again when they are needed. Those that `prepare` keeps in a file are read from there.
    Frames are numbered over all runs of the split, in order.

    Attributes:
        height_px, width_px: of the network's picture.
        runs: the split's runs, in order.
        surfaces: kinds of map: `body` (bare, as a transfer draws it), `clipped` (cut and filled by the matte).
        chart: name of the atlas that U and V belong to.
    """

    def __init__(
        self,
        windows: Path,
        height_px: int,
        split: str = "training",
        surface: str | None = None,
        cache_bytes: int = CACHE_BYTES,
        most: int | None = None,
    ):
        """Open the footage.

        Args:
            windows: windows.h5.
            height_px: of the network's picture; the frames' height over 1, 2, 4 or 8.
            split: "training" or "held_out".
            surface: "body", "clipped" or "both"; None takes the setting that windows.h5 was made with.
            cache_bytes: most memory for prepared frames.
            most: take only so many frames, the first ones; None takes all.

        Raises:
            TrainingError: the height does not fit the frames, or the surfaces hold no bare body.
        """
        index = read_windows(windows)
        self._size = network_size(height_px, index.height, index.width)
        self.height_px, self.width_px = self._size.height, self._size.width
        self.runs: tuple[Run, ...] = tuple(
            first_frames([run for run in index.runs if run.split == SPLITS[split]], most)
        )
        self._starts = np.concatenate([[0], np.cumsum([run.length for run in self.runs])])  # (N + 1,), frame numbers
        self._clips = _OpenClips(index.clips)
        self._check_runs(index, windows)
        self.surfaces = self._clips.surfaces(surface or index.surface)
        self.chart = index.chart
        self._sources = [windows, *(path for clip in index.clips for path in astuple(clip) if path)]
        self._split = split
        self._kept: KeptFrames | None = None
        self._cache_bytes = cache_bytes
        self._cache: OrderedDict[int, PreparedFrame] = OrderedDict()
        self._cached = 0

    def __len__(self) -> int:
        """Frames of the split."""
        return int(self._starts[-1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clips.leave(kind, error, trace)

    def close(self) -> None:
        """Close the files; prepared frames stay usable."""
        self._clips.close()

    def prepare(self, folder: Path, threads: int = 1) -> None:
        """Prepare as many frames as the memory takes, so that no training step waits for one.

        They are kept in a file, and the next call finds them there; it is a stale one's end.

        Args:
            folder: where the file lies; one for each footage.
            threads: that prepare.
        """
        started = time.monotonic()
        path = folder / f"{KEPT}{self._digest()}.npy"
        for stale in set(folder.glob(f"{KEPT}*.npy")) - {path}:
            stale.unlink()
        if not _is_whole(path):
            first = self._frame(0)
            count = min(len(self), self._cache_bytes // first.nbytes)
            if count == 0:
                return
            prepare = partial(prepared_frame, size=self._size)
            frames = in_threads(prepare, map(self._stored, range(count)), threads)
            write_frames(path, frames, count, record_type(first))
        self._kept = KeptFrames(path)
        self._cache.clear()
        self._cached = self._kept.nbytes
        logger.info(
            "%d of %d frames at hand at %d x %d px after %.1f s, %.0f MiB",
            len(self._kept), len(self), self.height_px, self.width_px, time.monotonic() - started,
            self._kept.nbytes / 2**20,
        )  # fmt: skip

    def forget(self) -> None:
        """Remove the file that `prepare` made; its frames stay usable."""
        if self._kept is not None:
            self._kept.path.unlink(missing_ok=True)

    def sample(
        self,
        generator: torch.Generator,
        batch: int,
        clip_frames: int,
        strides: Sequence[int] = (),
        lead: int = 0,
        rows: slice = slice(None),
    ) -> ClipBatch:
        """Draw clips by chance: every clip of T frames within a run is as likely as any other.

        Where a clip starts at a run's first or second frame, that first frame is repeated as its context, with
        `past_valid` 0. Surface `both` takes one kind per clip of the batch, not per frame.

        Args:
            generator: on the CPU; it alone decides what is drawn.
            batch: B.
            clip_frames: T.
            strides: longer strides whose optical flows are wanted, beside 1.
            lead: most frames before each clip that are to be drawn first; they stay within the clip's run.
            rows: of the batch that are read; chance is used up for all.

        Raises:
            TrainingError: no run has T frames, or a stride is not in flow.h5.
        """
        places = np.array([max(run.length - clip_frames + 1, 0) for run in self.runs])  # (N,)
        if places.sum() == 0:
            raise TrainingError(
                f"A stage asks for clips of {clip_frames} frames, but the longest unbroken run of the footage has "
                f"{max((run.length for run in self.runs), default=0)}; lower clip_frames or give longer clips."
            )
        drawn = torch.randint(int(places.sum()), (batch,), generator=generator).numpy()
        kinds = torch.randint(len(self.surfaces), (batch,), generator=generator).tolist()
        ends = np.cumsum(places)
        runs = np.searchsorted(ends, drawn, side="right")  # (B,)
        offsets = drawn - (ends - places)[runs]  # (B,), first drawn frame within its run
        within = np.maximum(offsets[:, None] + np.arange(-2, clip_frames), 0)  # (B, T + 2)
        past_valid = np.stack([offsets >= 2, offsets >= 1], 1)  # (B, 2)
        numbers = self._starts[runs][:, None] + within
        clips = self._clip_batch(numbers[rows], past_valid[rows], kinds[rows], strides)
        led = self._lead_in(self._starts[runs], offsets, kinds, lead)
        return replace(clips, lead=led[rows] if led else None)

    def play(self, run: Run, surface: str | None = None) -> Iterator[tuple[SemanticMap, FrameTruth]]:
        """Yield map and truth of each frame of a run in order, B = 1.

        Args:
            run: one of `runs`.
            surface: kind of map; None takes the first of `surfaces`, the bare body where there is one.
        """
        start = int(self._starts[self.runs.index(run)])
        for number in range(start, start + run.length):
            frame = self._frame(number)
            yield join_maps([frame.maps[surface or self.surfaces[0]]]), join_truth([frame.truth])

    def spread(self, most: int) -> Iterator[tuple[SemanticMap, FrameTruth]]:
        """Yield map and truth, B = 1, of at most so many frames spread evenly over the split; no others are read."""
        for number in range(0, len(self), max(1, -(-len(self) // most))):
            frame = self._frame(number)
            yield join_maps([frame.maps[self.surfaces[0]]]), join_truth([frame.truth])

    def lead_up(self, number: int, lead: int) -> tuple[list[SemanticMap], FrameTruth]:
        """Read the maps, B = 1, of a frame and of up to `lead` frames before it in its run, and the frame's truth."""
        first = int(self._starts[np.searchsorted(self._starts, number, side="right") - 1])
        frames = [self._frame(each) for each in range(max(first, number - lead), number + 1)]
        return [join_maps([frame.maps[self.surfaces[0]]]) for frame in frames], join_truth([frames[-1].truth])

    def _check_runs(self, index: Windows, path: Path) -> None:
        """Ask whether windows.h5 speaks of the clips as they are now."""
        for run in index.runs:
            clip = self._clips[run.clip]
            height, width = clip.frames["rgb"].shape[1:3]
            if (height, width) != (index.height, index.width) or run.first + run.length > len(clip.to_reference):
                raise LayoutError(
                    f"{path} speaks of frames {run.first} to {run.first + run.length - 1} of {index.width} x "
                    f"{index.height} px, but {clip.path} holds {len(clip.to_reference)} frames of {width} x {height} "
                    f"(width x height); delete {path} and run again."
                )

    def _clip_batch(
        self, numbers: np.ndarray, past_valid: np.ndarray, kinds: list[int], strides: Sequence[int]
    ) -> ClipBatch:
        """Join the frames (B, T + 2) of clips into one batch."""
        clips = [[self._frame(number) for number in row] for row in numbers.tolist()]  # B lists of T + 2
        names = [self.surfaces[kind] for kind in kinds]
        moments = list(zip(*clips, strict=True))  # T + 2 tuples of B
        missing = [stride for stride in strides if stride not in clips[0][0].truth.flows]
        if missing:
            raise TrainingError(f"flow.h5 holds no flow over {missing} frames; add them to flow.strides.")
        return ClipBatch(
            maps=[join_maps([frame.maps[name] for frame, name in zip(row, names, strict=True)]) for row in moments],
            truth=[join_truth([frame.truth for frame in row]) for row in moments],
            past_valid=torch.from_numpy(past_valid).float(),
            frames=torch.from_numpy(numbers),
            far={
                stride: [join_flow([frame.truth.flows[stride] for frame in row]) for row in moments]
                for stride in strides
                if stride != 1
            },
        )

    def _lead_in(self, starts: np.ndarray, offsets: np.ndarray, kinds: list[int], frames: int) -> Lead | None:
        """Name the frames before clips that begin `offsets` (B,) behind their runs' `starts` (B,); None without any."""
        frames = min(frames, int(offsets.max()))
        if frames == 0:
            return None
        within = offsets[:, None] + np.arange(-frames - 2, 0)  # (B, L + 2)
        numbers = torch.from_numpy(starts[:, None] + np.maximum(within, 0))
        names = tuple(self.surfaces[kind] for kind in kinds)
        return Lead(numbers, torch.from_numpy(within >= 0), names, self._maps)

    def _maps(self, numbers: Sequence[int], kinds: Sequence[str]) -> SemanticMap:
        """Join the maps of frames, each of its kind."""
        return join_maps([self._frame(number).maps[kind] for number, kind in zip(numbers, kinds, strict=True)])

    def _frame(self, number: int) -> PreparedFrame:
        """Take a frame from the file or from memory, or prepare it."""
        if self._kept is not None and number < len(self._kept):
            return self._kept[number]
        if number in self._cache:
            self._cache.move_to_end(number)
            return self._cache[number]
        frame = prepared_frame(self._stored(number), self._size)
        self._cache[number] = frame
        self._cached += frame.nbytes
        while self._cached > self._cache_bytes and len(self._cache) > 1:
            self._cached -= self._cache.popitem(last=False)[1].nbytes
        return frame

    def _stored(self, number: int) -> StoredFrame:
        """Read a frame."""
        index = int(np.searchsorted(self._starts, number, side="right")) - 1
        run, within = self.runs[index], number - int(self._starts[index])
        files, row = self._clips[run.clip], run.first + within

        def figure(row: int, kind: str) -> Figure:
            return files.figure(row, kind, self._size)

        figures = {kind: (figure(row, kind), figure(row - 1, kind) if within else None) for kind in self.surfaces}
        return StoredFrame(files.truth(row), within, figures, files.to_reference[row])

    def _digest(self) -> str:
        """Stand for everything that decides the prepared frames, the code too; a file that was written again is new."""
        facts = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in self._sources]
        rooms = {room: VERSIONS[room] for room in ("semantics", "flow", "dataset")}
        what = [self._split, self.surfaces, self.height_px, self.width_px, len(self), rooms, facts]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:12]


def _is_whole(path: Path) -> bool:
    """Tell whether prepared frames are there; damaged ones are removed, for they can be prepared again."""
    if not path.is_file():
        return False
    try:
        KeptFrames(path).check()
    except DamageError as damage:
        logger.warning("%s Preparing anew.", damage)
        path.unlink()
        return False
    return True


class _Files:
    """The open files of one clip; remembers the figures read last, because each is the next one's past."""

    def __init__(self, clip: ClipFiles, stack: ExitStack):
        self.frames, self.pose, self.surface, self.flow = (
            stack.enter_context(open_file(getattr(clip, name), name)) for name in ("frames", "pose", "surface", "flow")
        )
        self._clip = clip
        self.to_reference = clip_motion(clip).to_reference  # (T, 3, 3)
        lengths = {clip.frames: len(self.frames["rgb"]), clip.pose: len(self.pose["valid"])}
        lengths |= {
            clip.surface: len(self.surface["valid"]),
            clip.flow: len(next(iter(self.flow.values()))["backward"]),
        }
        check_same_frames(lengths | ({clip.camera: len(self.to_reference)} if clip.camera else {}))
        check_samples(self.surface["part"].shape[1:], self.frames["rgb"].shape[1:3], clip.surface)
        self._ignored = json.loads(describe(self.frames).get("ignore", "[]"))
        self._figures: OrderedDict[tuple[int, str], Figure] = OrderedDict()

    @property
    def path(self) -> Path:
        """Of the frames."""
        return self._clip.frames

    def truth(self, row: int) -> StoredTruth:
        """Read picture, matte and flows of one frame."""
        flows = {
            int(group.removeprefix("stride_")): (self.flow[group]["backward"][row], self.flow[group]["confidence"][row])
            for group in self.flow
        }
        return StoredTruth(self.frames["rgb"][row], self.surface["matte"][row], flows, self._ignored)

    def figure(self, row: int, kind: str, size: NetworkSize) -> Figure:
        """Read pose and surface of one frame and bring them to the network's picture."""
        if (row, kind) not in self._figures:
            names = ("body_part", "body_uv") if kind == "body" else ("part", "uv")
            part, uv = (self.surface[name][row] for name in names)
            check_parts(part, self._clip.surface, row)
            pose = (self.pose[name][row] for name in ("body", "face", "hands"))
            self._figures[row, kind] = network_figure(Figure(*pose, part, uv), size)
            while len(self._figures) > 4:
                self._figures.popitem(last=False)
        return self._figures[row, kind]


class _OpenClips:
    """Opens a clip's files when they are first asked for."""

    def __init__(self, clips: Sequence[ClipFiles]):
        self._clips = clips
        self._stack = ExitStack()
        self._open: dict[int, _Files] = {}

    def __getitem__(self, clip: int) -> _Files:
        if clip not in self._open:
            self._open[clip] = _Files(self._clips[clip], self._stack)
        return self._open[clip]

    def surfaces(self, wanted: str) -> tuple[str, ...]:
        """Kinds of surface to use; bare bodies must be there for all clips or they are left out."""
        kinds = SURFACES[wanted]
        bare = all("body_part" in self[clip].surface for clip in range(len(self._clips)))
        if bare or "body" not in kinds:
            return kinds
        if kinds == ("body",):
            raise TrainingError(
                f"{self._clips[0].surface} holds no bare body, because its backend fits none; "
                "set dataset.surface to clipped."
            )
        logger.info("the surfaces hold no bare body; all maps are clipped")
        return ("clipped",)

    def close(self) -> None:
        """Close all files; a clip that is asked for again opens anew."""
        self.leave(None, None, None)

    def leave(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close all files because of an error, which a damaged one of them then explains."""
        self._open.clear()
        self._stack.__exit__(kind, error, trace)
