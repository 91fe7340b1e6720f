"""Joints over time: short gaps are bridged, single jumps mended, and noise filtered without any delay."""

import numpy as np
from scipy.signal import savgol_filter

ORDER = 2  # of the polynomial of the Savitzky-Golay filter
BRIDGED_SCORE = 0.5  # a bridged joint has this share of the scores at the ends of its gap


def unbroken_runs(present: np.ndarray) -> list[tuple[int, int]]:
    """List the runs of True in (T,) bool as (first, one past the last)."""
    edges = np.diff(np.concatenate([[False], present, [False]]).astype(np.int8))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


def short_gaps(present: np.ndarray, longest: int) -> list[tuple[int, int]]:
    """List the gaps of (T,) bool that have both ends and are at most `longest` frames long."""
    gaps = unbroken_runs(~present)
    return [(start, end) for start, end in gaps if start > 0 and end < len(present) and end - start <= longest]


def bridge_gaps(track: np.ndarray, longest: int) -> np.ndarray:
    """Fill short gaps of one joint on a straight line between their ends, with reduced score.

    Args:
        track: (T, C) float, places in pixels, the score 0..1 last; 0 score where absent.
        longest: frames; longer gaps, and those without two ends, stay as they are.

    Returns:
        (T, C), a copy.
    """
    track = track.copy()
    for start, end in short_gaps(track[:, -1] > 0, longest):
        share = (np.arange(start, end) - start + 1)[:, None] / (end - start + 1)  # (gap, 1)
        filled = (1 - share) * track[start - 1] + share * track[end]
        filled[:, -1] *= BRIDGED_SCORE
        track[start:end] = filled
    return track


def mend_jumps(track: np.ndarray, reach: float) -> np.ndarray:
    """Mark a joint absent where it leaves for a single frame and comes back.

    Args:
        track: (T, C) float, x px, y px, ..., the score last.
        reach: a jump is longer than this beyond what the joint moves in the two frames before and after, pixels.

    Returns:
        (T, C), a copy with zeros at the jumps.
    """
    track = track.copy()
    present = track[:, -1] > 0
    count = max(len(present) - 4, 0)
    whole = np.all([present[shift : shift + count] for shift in range(5)], axis=0)
    middle = np.flatnonzero(whole) + 2
    places = [track[middle + step, :2] for step in range(-2, 3)]
    away = np.linalg.norm(places[2] - (places[1] + places[3]) / 2, axis=1)
    steps = [places[1] - places[0], places[3] - places[1], places[4] - places[3]]
    moved = np.linalg.norm(steps, axis=2).max(0)  # a joint that turns back quickly is quick before and after
    track[middle[away > reach + moved]] = 0
    return track


def smooth_runs(values: np.ndarray, present: np.ndarray, window: int) -> np.ndarray:
    """Filter each unbroken run by a Savitzky-Golay filter of order 2, which is zero-phase.

    Runs shorter than the window get the widest odd window they can hold; under four frames they stay as they are.

    Args:
        values: (T, C) float.
        present: (T,) bool; the other rows stay as they are.
        window: frames, odd; 1 switches the filter off.

    Source: Savitzky and Golay, Analytical Chemistry 1964.
    """
    values = values.copy()
    for start, end in unbroken_runs(present):
        width = min(window, (end - start - 1) // 2 * 2 + 1)
        if width > ORDER + 1:
            values[start:end] = savgol_filter(values[start:end], width, ORDER, axis=0, mode="interp")
    return values


def smooth_joints(
    joints: np.ndarray, depth: np.ndarray, gap_frames: int, smooth_frames: int, reach: float, places: bool = True
) -> None:
    """Mend, bridge and filter every joint of a clip in place.

    Args:
        joints: (T, K, 3) float32, x px, y px, score.
        depth: (T, K) float32, px.
        gap_frames: longest gap that is bridged, frames.
        smooth_frames: window of the filter, frames, odd.
        reach: length of a jump that is mended, pixels.
        places: x and y are filtered too, not depth alone.
    """
    for joint in range(joints.shape[1]):
        track = np.column_stack([joints[:, joint, :2], depth[:, joint], joints[:, joint, 2]]).astype(np.float64)
        if not track[:, -1].any():
            continue
        track = bridge_gaps(mend_jumps(track, reach), gap_frames)
        present = track[:, -1] > 0
        smooth = smooth_runs(track[:, :3], present, smooth_frames)  # (T, 3): x, y, depth
        joints[present, joint, :2] = (smooth if places else track)[present, :2]
        joints[:, joint, 2] = track[:, -1]
        depth[present, joint] = smooth[present, 2]
        joints[~present, joint], depth[~present, joint] = 0, 0
