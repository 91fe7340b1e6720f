"""Poses of a clip: the chosen person's raw poses, mended and smoothed over time, one row per frame."""

import logging
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from understudy.errors import FootageError, LayoutError
from understudy.layouts import Writer, create
from understudy.semantics.boxes import person_boxes
from understudy.semantics.choice import Choice, choose_track, rows_at, rows_of_track
from understudy.semantics.matte import keep_own
from understudy.semantics.people import SHAPES, People, open_people
from understudy.semantics.registration import register_clip
from understudy.semantics.smoothing import short_gaps, smooth_joints
from understudy.semantics.switches import find_switches
from understudy.settings import VERSIONS, PoseSettings
from understudy.video.frames import Frames

logger = logging.getLogger(__name__)

JUMP_SHARE = 0.06  # of the person's height: a longer excursion of a single frame is the estimator's mistake
HAND_SEEN_JOINTS = 4  # a palm guessed from the body has no more


def estimate_pose(
    frames: Path, people: Path, pose: Path, choice: Choice, settings: PoseSettings, threads: int = 1
) -> None:
    """Take the chosen person's poses out of everyone's, smooth them and write pose.h5.

    Frames without the person are bridged where the gap is short, and zero rows with `valid` false where it is long.

    Args:
        frames: frames.h5 of the clip.
        people: its people.h5.
        pose: the pose.h5 to write.
        choice: who is followed.
        settings: how poses are smoothed.
        threads: for the registration.

    Raises:
        FootageError: the chosen person is not found.
        LayoutError: people.h5 belongs to other frames.
    """
    started = time.monotonic()
    with ExitStack() as files:
        clip, everyone = files.enter_context(Frames(frames)), files.enter_context(open_people(people))
        if everyone.frames != len(clip):
            raise LayoutError(
                f"{people} has {everyone.frames} frames, but {frames} has {len(clip)}; delete {people} and run again "
                f"so that it is made from these frames."
            )
        row, track = _chosen_rows(everyone, clip, choice)
        producer = f"semantics {VERSIONS['semantics']}, {everyone.backend}"
        writer = files.enter_context(create(pose, "pose", producer, settings))
        rows = _take(everyone, row)
        has_matte = _write_mattes(everyone, row, clip, writer)
        found, valid, shift = row >= 0, row >= 0, 0.0
        if not everyone.exact:
            valid = smooth_clip(rows, settings)
            if has_matte:
                shift = register_clip(rows, writer.file["matte"], settings.smooth_frames, threads)
        kept = {name: values for name, values in rows.items() if name in everyone.file}
        boxes = person_boxes(rows["body"], rows["face"], rows["hands"])
        writer.extend(**kept, valid=valid, person_box=boxes, row=row.astype(np.int32))
        writer.attributes({"person": choice.person, "track": track, "whole": choice.people is not None})
        _report(rows, found, valid, shift, time.monotonic() - started)
        for switch in find_switches(everyone, row):
            logger.warning("frame %d: perhaps not the same person: %s (%.2f)", *switch)


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


def _write_mattes(people: People, row: np.ndarray, frames: Frames, writer: Writer) -> bool:
    """Write the chosen person's mattes, without what is nearer to other people; False where people.h5 has none."""
    if "matte" not in people.file:
        return False
    nothing = np.zeros((frames.height, frames.width), np.uint8)
    body, starts = people.file["body"][:], np.searchsorted(people.frame, np.arange(len(row) + 1))
    for frame, mine in enumerate(row):
        if mine < 0:
            writer.append(matte=nothing)
            continue
        here = np.arange(starts[frame], starts[frame + 1])
        others = here[(people.track[here] > 0) & (here != mine)]
        writer.append(matte=keep_own(people.file["matte"][mine], body[mine], body[others]))
    return True


def _report(rows: dict[str, np.ndarray], found: np.ndarray, valid: np.ndarray, shift: float, seconds: float) -> None:
    seen = [100 * (part[..., 2] > 0).mean() for part in (rows["face"], rows["hands"][:, 0], rows["hands"][:, 1])]
    logger.info(
        "%d frames in %.1f s (%.1f a second): person found in %d, bridged in %d, absent in %d; share of points seen: "
        "face %.0f %%, left hand %.0f %%, right hand %.0f %%; joints registered to the matte by %.1f px",
        *(len(valid), seconds, len(valid) / seconds),
        *(found.sum(), (valid & ~found).sum(), (~valid).sum()),
        *seen,
        shift,
    )


def smooth_clip(raw: dict[str, np.ndarray], settings: PoseSettings) -> np.ndarray:
    """Mend, bridge and smooth all joints of a clip in place.

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
        smooth_joints(joints, depth, settings.gap_frames, settings.smooth_frames, JUMP_SHARE * np.median(heights))
    return valid


def _prefer_bridge(hand: np.ndarray, longest: int) -> None:
    """Drop a palm guessed from the body, in place, where the hand itself is seen shortly before and after."""
    seen = (hand[..., 2] > 0).sum(1) > HAND_SEEN_JOINTS  # (T,)
    for start, end in short_gaps(seen, longest):
        hand[start:end] = 0
