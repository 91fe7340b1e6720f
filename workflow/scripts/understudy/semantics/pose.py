"""Poses of a clip: a backend's raw poses, mended and smoothed over time, one row per frame."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from understudy.backends import load_backend
from understudy.errors import BackendError, FootageError
from understudy.layouts import Writer, create
from understudy.semantics.pose_backends._contract import FramePose, PoseBackend
from understudy.semantics.registration import register_clip
from understudy.semantics.smoothing import short_gaps, smooth_joints
from understudy.settings import VERSIONS, PoseSettings
from understudy.video.frames import Frames
from understudy.video.timing import Progress

logger = logging.getLogger(__name__)

BACKENDS = "understudy.semantics.pose_backends"
JUMP_SHARE = 0.06  # of the person's height: a longer excursion of a single frame is the estimator's mistake
HAND_SEEN_JOINTS = 4  # a palm guessed from the body has no more
_SHAPES = {
    "body": (25, 3),
    "body_z": (25,),
    "face": (70, 3),
    "face_z": (70,),
    "hands": (2, 21, 3),
    "hands_z": (2, 21),
}


def estimate_pose(frames: Path, pose: Path, settings: PoseSettings, threads: int = 1) -> None:
    """Estimate the pose in every frame of a clip and write pose.h5.

    Of several people the largest is taken in each frame. Frames without a person are bridged where the gap is short,
    and zero rows with `valid` false where it is long.

    Args:
        frames: frames.h5 of the clip.
        pose: the pose.h5 to write.
        settings: which backend, and how its poses are smoothed.
        threads: for the registration; the estimator's own threads are its matter.

    Raises:
        FootageError: nobody is found in any frame.
        BackendError: the backend gave something else than its contract says.
    """
    backend: PoseBackend = load_backend(BACKENDS, settings.backend)(settings)
    producer = f"semantics {VERSIONS['semantics']}, {backend.name} {backend.version}"
    started = time.monotonic()
    with Frames(frames) as clip, create(pose, "pose", producer, settings) as writer:
        rows = _read_backend(backend, clip, writer)
        found = (rows["body"][..., 2] > 0).any(1)  # (T,)
        if not found.any():
            raise FootageError(
                f"Nobody is found in any of the {len(clip)} frames of {frames}; look whether a person is seen there, "
                f"at least a third of the picture high, and correct start_s, end_s or crop in the clip table."
            )
        valid, shift = found, 0.0
        if not backend.exact:
            valid = smooth_clip(rows, settings)
        if backend.has_matte and not backend.exact:
            shift = register_clip(rows, writer.file["matte"], settings.smooth_frames, threads)
        kept = {name: values for name, values in rows.items() if backend.has_depth or not name.endswith("_z")}
        boxes = person_boxes(rows["body"], rows["face"], rows["hands"])
        writer.extend(**kept, valid=valid, person_box=boxes)
    _report(rows, found, valid, shift, time.monotonic() - started)


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


def person_boxes(body: np.ndarray, face: np.ndarray, hands: np.ndarray) -> np.ndarray:
    """Return the smallest boxes round all present joints.

    Args:
        body: (T, 25, 3) float, x px, y px, score.
        face: (T, 70, 3) float.
        hands: (T, 2, 21, 3) float.

    Returns:
        (T, 4) float32, left, top, right, bottom px; zeros where no joint is present.
    """
    joints = np.concatenate([body, face, hands.reshape(len(hands), -1, 3)], 1)  # (T, 137, 3)
    present = joints[..., 2:] > 0  # (T, 137, 1)
    low = np.where(present, joints[..., :2], np.inf).min(1)  # (T, 2)
    high = np.where(present, joints[..., :2], -np.inf).max(1)
    return np.where(present.any(1), np.concatenate([low, high], 1), 0).astype(np.float32)


def _prefer_bridge(hand: np.ndarray, longest: int) -> None:
    """Drop a palm guessed from the body, in place, where the hand itself is seen shortly before and after."""
    seen = (hand[..., 2] > 0).sum(1) > HAND_SEEN_JOINTS  # (T,)
    for start, end in short_gaps(seen, longest):
        hand[start:end] = 0


def largest_pose(poses: Sequence[FramePose]) -> FramePose | None:
    """Return the pose whose joints' box has the longest diagonal; None where there is no pose."""
    boxes = [person_boxes(pose.body[None], pose.face[None], pose.hands[None])[0] for pose in poses]
    sizes = [np.hypot(right - left, bottom - top) for left, top, right, bottom in boxes]
    return poses[int(np.argmax(sizes))] if sizes else None


def _read_backend(backend: PoseBackend, frames: Frames, writer: Writer) -> dict[str, np.ndarray]:
    """Run a backend over a clip; mattes go to the file one by one, joints come back as one array per name."""
    rows: dict[str, list[np.ndarray]] = {name: [] for name in _SHAPES}
    progress = Progress(f"pose of {frames.path}", len(frames))
    nobody = FramePose.nobody(np.zeros((frames.height, frames.width), np.uint8))
    for number, poses in enumerate(backend(frames)):
        pose = largest_pose(poses) or nobody
        for name, shape in _SHAPES.items():
            row = np.asarray(getattr(pose, name), np.float32)
            if row.shape != shape or not np.isfinite(row).all():
                raise BackendError(
                    f"The pose backend '{backend.name}' gave {name} of shape {row.shape} in frame {number}, expected "
                    f"finite numbers of shape {shape}; mend the backend."
                )
            rows[name].append(row)
        if backend.has_matte:
            writer.append(matte=pose.matte)
        progress.step()
    if len(rows["body"]) != len(frames):
        raise BackendError(
            f"The pose backend '{backend.name}' gave poses of {len(rows['body'])} frames for {len(frames)}; mend it: a "
            f"frame without a person is an empty sequence."
        )
    return {name: np.stack(values) for name, values in rows.items()}
