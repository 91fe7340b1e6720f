"""Which frames of a performer's clips train, which are held out, and what the training footage says about the body."""

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from understudy.body.fit import BodyShape
from understudy.dataset.statistics import BodyStatistics, measure_body
from understudy.dataset.track import PoseTrack, read_track, stabilised
from understudy.errors import FootageError, LayoutError
from understudy.flow.camera import CameraMotion, read_camera
from understudy.layouts import check_same_frames, create, describe, open_file
from understudy.settings import VERSIONS, DatasetSettings

logger = logging.getLogger(__name__)

TRAINING, HELD_OUT = 0, 1
SPLITS = {"training": TRAINING, "held_out": HELD_OUT}
LEAST_FRAMES = 16  # training frames, below which nothing can be learnt


@dataclass(frozen=True)
class Run:
    """An unbroken run of valid frames of one clip."""

    clip: int
    first: int
    length: int
    split: int


@dataclass(frozen=True)
class ClipFiles:
    """The files of one clip; without camera.h5 its camera counts as still."""

    frames: Path
    pose: Path
    surface: Path
    flow: Path
    camera: Path | None = None


@dataclass(frozen=True)
class Windows:
    """What windows.h5 holds.

    Attributes:
        clips: the files of each clip, in the order that `Run.clip` counts.
        runs: all runs, training and held out, in the order of the clips.
        height, width: of the frames, pixels.
        statistics: of the training frames.
        shape: the performer's body as the surface estimator fitted it; None where it fits none.
        surface: the setting `dataset.surface` they were made with.
        chart: name of the atlas that U and V of the surfaces belong to.
        held_out: share of each clip, at its end, that is held out.
        gap_frames: between what trains and what is held out.
    """

    clips: tuple[ClipFiles, ...]
    runs: tuple[Run, ...]
    height: int
    width: int
    statistics: BodyStatistics
    shape: Mapping[str, Any] | None
    surface: str
    chart: str
    held_out: float
    gap_frames: int


def index_windows(
    frames: Sequence[Path],
    pose: Sequence[Path],
    surface: Sequence[Path],
    flow: Sequence[Path],
    windows: Path,
    settings: DatasetSettings,
    camera: Sequence[Path] = (),
) -> None:
    """Split a performer's clips into training and held-out runs and measure the body on the training frames.

    Args:
        frames, pose, surface, flow: the files of each clip, in the same order.
        windows: windows.h5 to write; it stores the paths as given and copies no pixels.
        settings: split, gap and surface.
        camera: camera.h5 of each clip; none takes all cameras for still. Where one moves, the body's place is measured
            as the reference frame would show it, and frames whose place is not known are left out.

    Raises:
        FootageError: the clips differ in frame size or in the atlas of their surfaces, or hold too few frames with a
            person.
    """
    cameras = camera or [None] * len(frames)
    clips = [ClipFiles(*files) for files in zip(frames, pose, surface, flow, cameras, strict=True)]
    height, width = _frame_size(clips)
    motions = [clip_motion(clip) for clip in clips]
    tracks = [read_track(clip.pose) for clip in clips]
    for clip, track, motion in zip(clips, tracks, motions, strict=True):
        _check_same_clip(clip, track, motion)
    valid = [
        track.valid & _valid_surface(clip.surface) & (motion.valid | (not motion.moving))
        for track, clip, motion in zip(tracks, clips, motions, strict=True)
    ]
    tracks = [stabilised(track, motion) for track, motion in zip(tracks, motions, strict=True)]
    runs = [run for clip, frames_valid in enumerate(valid) for run in split_runs(clip, frames_valid, settings)]
    _check_enough(runs, valid, settings)
    for clip, files in enumerate(clips):
        logger.info("%s: %s", files.frames, _describe(runs, clip, len(valid[clip])))
    training = PoseTrack.join(
        [tracks[run.clip].rows(slice(run.first, run.first + run.length)) for run in runs if run.split == TRAINING]
    )
    with create(windows, "windows", f"dataset {VERSIONS['dataset']}", settings) as file:
        file.extend(
            clip=np.array([run.clip for run in runs], np.int16),
            first=np.array([run.first for run in runs], np.int32),
            length=np.array([run.length for run in runs], np.int32),
            split=np.array([run.split for run in runs], np.uint8),
        )
        file.attributes(
            {
                "clips": [{name: str(path) for name, path in vars(clip).items() if path} for clip in clips],
                "sources": [_source(clip) for clip in clips],
                "chart": _chart(clips),
                "height": height,
                "width": width,
                "statistics": {"body": measure_body(training).as_json(), "shape": _mean_shape(clips)},
            }
        )


def clip_motion(clip: ClipFiles) -> CameraMotion:
    """Read how a clip's camera moved; at rest where there is no camera.h5."""
    if clip.camera is not None:
        return read_camera(clip.camera)
    with open_file(clip.pose, "pose") as file:
        return CameraMotion.still(len(file["valid"]))


def read_windows(path: Path) -> Windows:
    """Read a windows.h5.

    Raises:
        LayoutError: it is no such file, or what it says of clips, runs or the body cannot be.
    """
    with open_file(path, "windows") as file:
        columns = [file[name][:].tolist() for name in ("clip", "first", "length", "split")]
        facts = describe(file)
    with _told(path, "clips"):
        clips = tuple(
            ClipFiles(**{name: Path(value) for name, value in clip.items()}) for clip in json.loads(facts["clips"])
        )
    with _told(path, "statistics"):
        statistics = json.loads(facts["statistics"])
        body, shape = BodyStatistics.from_json(statistics["body"]), statistics["shape"]
        if shape is not None:
            BodyShape.from_values(shape)
    with _told(path, "settings"):
        made = DatasetSettings(**facts["settings"])
        surface = made.surface
        if surface not in ("body", "clipped", "both"):
            raise ValueError(f"surface is {surface!r}")
    runs = tuple(Run(*row) for row in zip(*columns, strict=True))
    if not runs:
        raise LayoutError(f"{path} holds no rows, so it names no frames; delete it and run again.")
    for number, run in enumerate(runs):
        if run.clip not in range(len(clips)) or run.first < 0 or run.length < 1 or run.split not in SPLITS.values():
            raise LayoutError(
                f"{path}: row {number} is a run of clip {run.clip} with first {run.first}, length {run.length}, split "
                f"{run.split}, expected one of its {len(clips)} clips, frames from 0 on and a split of 0 or 1; delete "
                "it and run again."
            )
    height, width = facts["height"], facts["width"]
    return Windows(
        clips, runs, height, width, body, shape, surface, facts.get("chart", ""), made.held_out, made.gap_frames
    )


@contextmanager
def _told(path: Path, name: str) -> Iterator[None]:
    """Name the attribute that does not hold what it should."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise LayoutError(
            f"{path}: the attribute '{name}' does not hold what the job that makes it writes "
            f"({type(wrong).__name__}: {wrong}); delete it and run again."
        ) from wrong


def split_runs(clip: int, valid: np.ndarray, settings: DatasetSettings) -> list[Run]:
    """Cut a clip into runs of valid frames: training, then a gap of neither, then the held-out tail.

    Args:
        clip: number of the clip.
        valid: (T,) bool.
        settings: the tail's share and the gap.
    """
    tail = len(valid) - math.ceil(settings.held_out * len(valid))
    train_end = max(tail - settings.gap_frames, 0)
    training = [Run(clip, first, length, TRAINING) for first, length in unbroken(valid[:train_end])]
    held_out = [Run(clip, tail + first, length, HELD_OUT) for first, length in unbroken(valid[tail:])]
    return training + held_out


def unbroken(valid: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield first frame and length of each unbroken run of True in (T,) bool."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], valid, [False]]).astype(np.int8)))
    for first, end in edges.reshape(-1, 2).tolist():
        yield first, end - first


def _frame_size(clips: Sequence[ClipFiles]) -> tuple[int, int]:
    """Height and width of the frames of all clips, pixels."""
    sizes = {}
    for clip in clips:
        with open_file(clip.frames, "frames") as file:
            sizes[clip.frames] = file["rgb"].shape[1:3]
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{path} {height} x {width}" for path, (height, width) in sizes.items())
        raise FootageError(
            f"The clips of one performer must have frames of one size, found (height x width) {found}; "
            "give these clips crops of the same proportions in the clip table (left,top,width,height)."
        )
    return next(iter(sizes.values()))


def _source(clip: ClipFiles) -> dict[str, str]:
    """What pixels, surface and camera of a clip are: others give another windows.h5 even where all poses agree."""
    with open_file(clip.frames, "frames") as frames, open_file(clip.surface, "surface") as surface:
        named = {name: str(frames.attrs.get(name, "")) for name in ("source_sha256", "crop", "ignore")}
        named |= {"surface_sha256": str(surface.attrs.get("sha256", ""))}
    motion = clip_motion(clip)
    return named | ({"camera": hashlib.sha256(motion.to_reference.tobytes()).hexdigest()} if motion.moving else {})


def _chart(clips: Sequence[ClipFiles]) -> str:
    """Name of the atlas of all clips' surfaces."""
    charts = {}
    for clip in clips:
        with open_file(clip.surface, "surface") as file:
            charts[clip.surface] = describe(file).get("chart", "")
    if len(set(charts.values())) > 1:
        found = ", ".join(f"{path} '{chart}'" for path, chart in charts.items())
        raise FootageError(
            f"U and V of one performer's clips must belong to one atlas, found {found}; delete these files and run "
            "again, so that one surface.backend makes them all."
        )
    return next(iter(charts.values()))


def _check_same_clip(clip: ClipFiles, track: PoseTrack, motion: CameraMotion) -> None:
    """Ask whether the files of a clip are as long as its frames."""
    with open_file(clip.frames, "frames") as frames, open_file(clip.flow, "flow") as flow:
        lengths = {clip.frames: len(frames["rgb"]), clip.flow: len(next(iter(flow.values()))["backward"])}
    lengths |= {clip.pose: len(track), clip.surface: len(_valid_surface(clip.surface))}
    check_same_frames(lengths | ({clip.camera: len(motion.valid)} if clip.camera else {}))


def _valid_surface(path: Path) -> np.ndarray:
    with open_file(path, "surface") as file:
        return file["valid"][:]


def _check_enough(runs: Sequence[Run], valid: Sequence[np.ndarray], settings: DatasetSettings) -> None:
    training, held_out = (sum(run.length for run in runs if run.split == split) for split in (TRAINING, HELD_OUT))
    if training >= LEAST_FRAMES and held_out:
        return
    needed = math.ceil((LEAST_FRAMES + settings.gap_frames) / (1 - settings.held_out)) + 1
    raise FootageError(
        f"The performer's clips hold {sum(map(len, valid))} frames, {sum(int(one.sum()) for one in valid)} of them "
        f"with a person: {training} to train on and {held_out} held out. At least {LEAST_FRAMES} and 1 are needed, "
        f"which a clip of {needed} frames with a person in each gives (some hundreds make a good performer). Give "
        "more footage, or lower dataset.gap_frames or dataset.held_out."
    )


def _describe(runs: Sequence[Run], clip: int, length: int) -> str:
    parts = []
    for name, split in SPLITS.items():
        lengths = [run.length for run in runs if (run.clip, run.split) == (clip, split)]
        parts.append(f"{sum(lengths)} {name.replace('_', ' ')} in {len(lengths)} runs")
    return f"{length} frames, {', '.join(parts)}"


def _mean_shape(clips: Sequence[ClipFiles]) -> dict[str, Any] | None:
    """Average the fitted bodies of the clips; None where one of them has none."""
    shapes = []
    for clip in clips:
        with open_file(clip.surface, "surface") as file:
            shapes.append(_shape(file))
    return None if any(shape is None for shape in shapes) else _mean(shapes)


def _shape(file: h5py.File) -> dict[str, Any] | None:
    facts = describe(file)
    if "body" not in facts:
        return None
    with _told(file.filename, "body"):
        shape = json.loads(facts["body"])
        BodyShape.from_values(shape)
    return shape


def _mean(values: Sequence[Any]) -> Any:
    """Average numbers, and numbers within mappings and lists; take anything else from the first."""
    first = values[0]
    if isinstance(first, dict):
        return {name: _mean([value[name] for value in values]) for name in first}
    if isinstance(first, list):
        return [_mean(items) for items in zip(*filter(None, values), strict=True)]  # an empty list is no value
    if isinstance(first, float):
        return sum(values) / len(values)
    return first
