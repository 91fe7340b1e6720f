"""Poses of a clip: the chosen person's raw poses, mended, registered and steadied over time, one row per frame."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from understudy.body.fit import BodyShape
from understudy.errors import FootageError, LayoutError
from understudy.joining import open_segments
from understudy.layouts import Writer, create, open_file
from understudy.segments import Segment
from understudy.semantics.boxes import person_boxes
from understudy.semantics.choice import Choice, choose_track, rows_at, rows_of_track
from understudy.semantics.joints import set_middles
from understudy.semantics.matte import keep_own
from understudy.semantics.people import SHAPES, People, open_people
from understudy.semantics.pose_rows import PoseRows
from understudy.semantics.registration import MOVED, apply_shifts, find_shifts, register_clip, registration_shape
from understudy.semantics.smoothing import short_gaps, smooth_joints
from understudy.semantics.steadying import POINTS, find_motion, person_height, steady_clip
from understudy.semantics.switches import find_switches
from understudy.settings import VERSIONS, PoseSettings
from understudy.video.frames import Frames

logger = logging.getLogger(__name__)

SHAPE = "registration"  # attribute of a followed person: sizes of the body, JSON
TALL = "tall_px"  # likewise: the person's height
JUMP_SHARE = 0.06  # of the person's height: a longer excursion of a single frame is the estimator's mistake
HAND_SEEN_JOINTS = 4  # a palm guessed from the body has no more


@dataclass
class _Followed:
    """A person followed through a clip: arrays as in pose.h5, registered or not yet.

    Attributes:
        rows: one array per name of `SHAPES`, (T, ...) float32.
        row: (T,) int32, row of people.h5, -1 where there is none.
        valid: (T,) bool, found or bridged.
        attributes: of pose.h5.
    """

    rows: dict[str, np.ndarray]
    row: np.ndarray
    valid: np.ndarray
    attributes: dict[str, Any]


def estimate_pose(
    frames: Path,
    people: Path,
    pose: Path,
    choice: Choice,
    settings: PoseSettings,
    threads: int = 1,
    followed: Sequence[str] = (),
    segments: Sequence[str] = (),
) -> None:
    """Take the chosen person's poses out of everyone's, register and steady them and write pose.h5.

    Frames without the person are bridged where the gap is short, and zero rows with `valid` false where it is long.

    Args:
        frames: frames.h5 of the clip.
        people: its people.h5.
        pose: the pose.h5 to write.
        choice: who is followed.
        settings: how poses are smoothed.
        threads: for the registration.
        followed: where the clip is split, what `follow_person` wrote.
        segments: and what `register_segment` wrote for each segment.

    Raises:
        FootageError: the chosen person is not found.
        LayoutError: people.h5 belongs to other frames.
    """
    started = time.monotonic()
    with _opened(frames, people) as (clip, everyone), create(pose, "pose", _producer(everyone), settings) as writer:
        if followed:
            person, moved = _joined(Path(followed[0]), segments, clip, settings, writer)
        else:
            person, moved = _follow(everyone, clip, choice, settings, writer), (0.0, 0.0)
            if not everyone.exact:
                moved = _moved(person, clip, writer.file.get("matte"), settings, threads)
        _write(person, everyone, writer)
        _report(person.rows, person.row >= 0, person.valid, moved, time.monotonic() - started)
        for switch in find_switches(everyone, person.row):
            logger.warning("frame %d: perhaps not the same person: %s (%.2f)", *switch)


def _moved(
    person: _Followed, clip: Frames, mattes: Any | None, settings: PoseSettings, threads: int
) -> tuple[float, float]:
    """Register a person to their mattes and steady their paths, in place: by how many px in the median."""
    tall_px = person_height(person.rows)
    if not settings.motion_weight:
        return _registered(person, mattes, settings, threads), 0.0
    motion = find_motion(person.rows, clip, mattes, tall_px, 0, threads)
    shift = _registered(person, mattes, settings, threads)
    return shift, _steadied(person.rows, motion, tall_px, clip, settings, mattes is not None)


def _registered(person: _Followed, mattes: Any | None, settings: PoseSettings, threads: int) -> float:
    return 0.0 if mattes is None else register_clip(person.rows, mattes, settings.smooth_frames, threads)


def _steadied(
    rows: dict[str, np.ndarray],
    motion: np.ndarray,
    tall_px: float,
    clip: Frames,
    settings: PoseSettings,
    registered: bool,
) -> float:
    """Steady a whole clip; the middles of registered joints stay middles."""
    size = clip.height, clip.width
    moved = steady_clip(rows, motion, settings.motion_weight, tall_px, float(clip.rate), size)
    if registered:
        set_middles(rows["body"])
    return moved


def follow_person(frames: Path, people: Path, followed: Path, choice: Choice, settings: PoseSettings) -> None:
    """Do for a whole long clip what `estimate_pose` does before joints are registered; the arguments are its own.

    The sizes of the body, by which segments are registered, are an attribute of the file.
    """
    with _opened(frames, people) as (clip, everyone), create(followed, "pose", _producer(everyone), settings) as writer:
        person = _follow(everyone, clip, choice, settings, writer)
        shape = registration_shape(person.rows, writer.file["matte"])
        person.attributes |= {SHAPE: shape.to_json() if shape else "", TALL: person_height(person.rows)}
        _write(person, everyone, writer)


def register_segment(
    frames: Path, followed: Path, shifts: Path, segment: Segment, settings: PoseSettings, threads: int = 1
) -> None:
    """Find how far the joints of a segment of a long clip should move, by the mattes, and how the picture moves there.

    Args:
        frames: frames.h5 of the clip.
        followed: what `follow_person` wrote.
        shifts: the shifts.h5 to write.
        segment: which part of the clip.
        settings: whether motion is asked for.
        threads: frames looked at at once; the result does not depend on it.
    """
    with open_file(followed, "pose") as file, Frames(frames) as clip:
        first, last = segment.span(len(file["valid"]))
        part = PoseRows(file, first, last)
        rows = {name: part[name][:] for name in SHAPES if name in part}
        motion = np.zeros((last - first, POINTS, 3), np.float32)
        if settings.motion_weight:
            motion = find_motion(rows, clip, part["matte"], file.attrs[TALL], first, threads)
        shift = np.full((len(part["valid"]), len(MOVED), 2), np.nan)
        if file.attrs[SHAPE]:
            shift = find_shifts(rows, part["matte"], BodyShape.from_json(file.attrs[SHAPE]), threads)
        with create(shifts, "shifts", file.attrs["producer"]) as writer:
            known = ~np.isnan(shift[:, 0, 0])
            writer.extend(shift=np.nan_to_num(shift, nan=0.0), known=known, motion=motion)


@contextmanager
def _opened(frames: Path, people: Path) -> Iterator[tuple[Frames, People]]:
    """Open frames.h5 and people.h5 of one clip."""
    with Frames(frames) as clip, open_people(people) as everyone:
        if everyone.frames != len(clip):
            raise LayoutError(
                f"{people} has {everyone.frames} frames, but {frames} has {len(clip)}; delete {people} and run again "
                f"so that it is made from these frames."
            )
        yield clip, everyone


def _producer(people: People) -> str:
    return f"semantics {VERSIONS['semantics']}, {people.backend}"


def _follow(people: People, clip: Frames, choice: Choice, settings: PoseSettings, writer: Writer) -> _Followed:
    """Take and smooth the chosen person's poses; their mattes go to the file."""
    row, track = _chosen_rows(people, clip, choice)
    rows, valid = _take(people, row), row >= 0
    _write_mattes(people, row, clip, writer)
    if not people.exact:
        valid = smooth_clip(rows, settings)
    attributes = {"person": choice.person, "track": track, "whole": choice.people is not None}
    return _Followed(rows, row.astype(np.int32), valid, attributes)


def _joined(
    followed: Path, segments: Sequence[str], clip: Frames, settings: PoseSettings, writer: Writer
) -> tuple[_Followed, tuple[float, float]]:
    """Read a followed person, register and steady them by what all segments found; mattes are copied."""
    with open_file(followed, "pose") as file, open_segments(segments, "shifts", "shift", len(clip)) as files:
        rows = {
            name: file[name][:] if name in file else np.zeros((len(clip), *shape), np.float32)
            for name, shape in SHAPES.items()
        }
        writer.copy(file, ["matte"])
        shifts = np.concatenate([each["shift"][:] for each in files])
        shifts[~np.concatenate([each["known"][:] for each in files])] = np.nan
        moved = apply_shifts(rows, shifts, (clip.height, clip.width), settings.smooth_frames), 0.0
        if settings.motion_weight:
            motion = np.concatenate([each["motion"][:] for each in files])
            moved = moved[0], _steadied(rows, motion, float(file.attrs[TALL]), clip, settings, True)
        attributes = {name: file.attrs[name] for name in ("person", "track", "whole")}
        return _Followed(rows, file["row"][:], file["valid"][:], attributes), moved


def _write(person: _Followed, people: People, writer: Writer) -> None:
    rows = person.rows
    kept = {name: values for name, values in rows.items() if name in people.file}
    boxes = person_boxes(rows["body"], rows["face"], rows["hands"])
    writer.extend(**kept, valid=person.valid, person_box=boxes, row=person.row)
    writer.attributes(person.attributes)


def _chosen_rows(people: People, frames: Frames, choice: Choice) -> tuple[np.ndarray, int]:
    """Return the chosen person's row of people.h5 in every frame, (T,) int, -1 where there is none, and the track."""
    if choice.people is None:
        track = choose_track(people, frames, choice)
        return rows_of_track(people, track), track
    with open_people(choice.people) as whole, Frames(choice.frames) as whole_frames:
        track = choose_track(whole, whole_frames, choice)
        row = rows_at(people, frames, whole, whole_frames, track)
    if (row < 0).all():
        raise FootageError(
            f"The person '{choice.person}' (track {track} of the whole picture) is not found in the frames of "
            f"{frames.path}, which are cropped to them; give crop as left,top,width,height (or none) in the clip table."
        )
    return row, track


def _take(people: People, row: np.ndarray) -> dict[str, np.ndarray]:
    """Read the chosen rows: one array per name of `SHAPES`, (T, ...) float32, zeros where there is no row."""
    rows = {name: np.zeros((len(row), *shape), np.float32) for name, shape in SHAPES.items()}
    for name, values in rows.items():
        if name in people.file:
            values[row >= 0] = people.file[name][:][row[row >= 0]]
    return rows


def _write_mattes(people: People, row: np.ndarray, frames: Frames, writer: Writer) -> None:
    """Write the chosen person's mattes, without what is nearer to other people; nothing where people.h5 has none."""
    if "matte" not in people.file:
        return
    nothing = np.zeros((frames.height, frames.width), np.uint8)
    body, starts = people.file["body"][:], np.searchsorted(people.frame, np.arange(len(row) + 1))
    for frame, mine in enumerate(row):
        if mine < 0:
            writer.append(matte=nothing)
            continue
        here = np.arange(starts[frame], starts[frame + 1])
        others = here[(people.track[here] > 0) & (here != mine)]
        writer.append(matte=keep_own(people.file["matte"][mine], body[mine], body[others]))


def _report(
    rows: dict[str, np.ndarray], found: np.ndarray, valid: np.ndarray, moved: tuple[float, float], seconds: float
) -> None:
    seen = [100 * (part[..., 2] > 0).mean() for part in (rows["face"], rows["hands"][:, 0], rows["hands"][:, 1])]
    logger.info(
        "%d frames in %.1f s (%.1f a second): person found in %d, bridged in %d, absent in %d; share of points seen: "
        "face %.0f %%, left hand %.0f %%, right hand %.0f %%; joints registered to the matte by %.1f px, "
        "steadied by the motion of the picture by %.1f px",
        *(len(valid), seconds, len(valid) / seconds),
        *(found.sum(), (valid & ~found).sum(), (~valid).sum()),
        *seen,
        *moved,
    )


def smooth_clip(raw: dict[str, np.ndarray], settings: PoseSettings) -> np.ndarray:
    """Mend, bridge and smooth all joints of a clip in place; depths alone are smoothed where motion steadies the rest.

    Args:
        raw: `body` (T, 25, 3), `face` (T, 70, 3), `hands` (T, 2, 21, 3) float32, and their depths `body_z`, `face_z`,
            `hands_z` without the last axis; pixels.
        settings: windows and gaps.

    Returns:
        (T,) bool, a person is there, found or bridged.
    """
    valid = (raw["body"][..., 2] > 0).any(1)
    heights = np.diff(person_boxes(raw["body"], raw["face"], raw["hands"])[valid][:, [1, 3]])
    for start, end in short_gaps(valid, settings.gap_frames):
        valid[start:end] = True
    for side in range(2):
        _prefer_bridge(raw["hands"][:, side], settings.gap_frames)
    for name in ("body", "face", "hands"):
        joints = raw[name].reshape(len(valid), -1, 3)  # views: what changes in them changes in `raw`
        depth = raw[f"{name}_z"].reshape(len(valid), -1)
        reach = JUMP_SHARE * np.median(heights)
        by_filter = not settings.motion_weight
        smooth_joints(joints, depth, settings.gap_frames, settings.smooth_frames, reach, by_filter)
    return valid


def _prefer_bridge(hand: np.ndarray, longest: int) -> None:
    """Drop a palm guessed from the body, in place, where the hand itself is seen shortly before and after."""
    seen = (hand[..., 2] > 0).sum(1) > HAND_SEEN_JOINTS  # (T,)
    for start, end in short_gaps(seen, longest):
        hand[start:end] = 0
