"""Frames whose estimates deserve a look before anything is trained on them."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from understudy.job import atomic_path
from understudy.semantics.joints import BODY, BODY_MIRROR

LOW_SCORE = 0.5  # mean over the joints that are usually seen
USUAL_SHARE = 0.5  # a joint is usual when it is present in more than this share of the frames with a person
JUMP_HEIGHTS = 0.06  # least step from frame to frame that can be a jump, body heights
SPREADS = 8.0  # a jump is so many robust standard deviations above the clip's median step
SWAP_FRAMES = 3  # distance over which sides are compared; smoothing spreads a swap over a few frames
SWAP_HEIGHTS = 0.08  # least mean way of the joints of a limb pair that can be a swap, body heights
SIDE_HEIGHTS = 0.07  # least distance of left and right at which their order is certain, body heights
LOW_COVER = 0.5  # least share of the union of body and matte that is both
COVER_DROP = 0.2  # below the clip's median
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution

NOBODY, SCORE, JUMP = "nobody found", "low score", "jump"
OTHER = "perhaps another person"
SWAP, COVER, NO_SURFACE = "left and right swapped", "parts and matte differ", "no surface"

_PAIRS = {  # joints of one side; their partners are in BODY_MIRROR
    "arms": [BODY["left_shoulder"], BODY["left_elbow"], BODY["left_wrist"]],
    "legs": [BODY["left_hip"], BODY["left_knee"], BODY["left_ankle"]],
}


@dataclass(frozen=True, order=True)
class Doubt:
    """One reason to doubt one frame; `value` is what was measured (score, body heights or share)."""

    frame: int
    reason: str
    value: float


def find_doubtful(body: np.ndarray, valid: np.ndarray, cover: np.ndarray | None = None) -> list[Doubt]:
    """Find the frames whose pose or surface is doubtful.

    Args:
        body: (T, 25, 3) float, BODY_25: x px, y px, score 0..1; zeros where absent.
        valid: (T,) bool, a person was found.
        cover: (T,) float 0..1, intersection over union of the drawn body and the matte, nan where there is no
            surface; None leaves the surface out.

    Returns:
        Doubts in order of frames; a frame may have several.
    """
    doubts = [Doubt(int(frame), NOBODY, 0.0) for frame in np.flatnonzero(~valid)]
    if valid.any():
        height = body_height(body, valid)
        doubts += _low_scores(body, valid)
        doubts += _jumps(body, valid, height)
        doubts += _swaps(body, valid, height)
    if cover is not None:
        doubts += _poor_cover(cover, valid)
    return sorted(doubts)


def body_height(body: np.ndarray, valid: np.ndarray) -> float:
    """Height of the standing body in pixels: 90th percentile over the frames of the present joints' extent in y.

    Args:
        body: (T, 25, 3) float, x px, y px, score.
        valid: (T,) bool, at least one True.
    """
    present = body[valid][..., 2] > 0  # (N, 25)
    y = body[valid][..., 1]
    extent = np.where(present, y, -np.inf).max(1) - np.where(present, y, np.inf).min(1)
    extent = extent[np.isfinite(extent)]
    return max(float(np.percentile(extent, 90)), 1.0) if len(extent) else 1.0


def write_doubtful(path: str | Path, doubts: Sequence[Doubt], rate: Fraction) -> None:
    """Write the table: frame, time in seconds of the clip, reason, value; tab-separated, one heading line."""
    with atomic_path(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["frame", "time_s", "reason", "value"])
        for doubt in doubts:
            table.writerow([doubt.frame, f"{float(doubt.frame / rate):.3f}", doubt.reason, f"{doubt.value:.3f}"])


def _low_scores(body: np.ndarray, valid: np.ndarray) -> list[Doubt]:
    """Doubt frames where the joints that are usually seen are missing or weak."""
    usual = (body[valid][..., 2] > 0).mean(0) > USUAL_SHARE  # (25,)
    if not usual.any():
        return []
    score = body[:, usual, 2].mean(1)  # (T,)
    return [Doubt(int(frame), SCORE, float(score[frame])) for frame in np.flatnonzero(valid & (score < LOW_SCORE))]


def _jumps(body: np.ndarray, valid: np.ndarray, height: float) -> list[Doubt]:
    """Doubt frames that lie much further from the frame before than the clip's frames do."""
    steps = _steps(body, valid) / height  # (T, 25), body heights, nan where unknown
    middle = steps[:, BODY["mid_hip"]]
    mean = np.full(len(steps), np.nan)
    known = np.isfinite(steps).any(1)
    mean[known] = np.nanmean(steps[known], 1)
    doubts = {}
    for measure in (middle, mean):
        limit = max(JUMP_HEIGHTS, _robust_limit(measure))
        for frame in np.flatnonzero(np.nan_to_num(measure) > limit):
            doubts[frame] = max(doubts.get(frame, 0.0), float(measure[frame]))
    return [Doubt(int(frame), JUMP, value) for frame, value in doubts.items()]


def _steps(body: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Way of each joint since the frame before, (T, 25) px; nan where it is absent in either."""
    present = (body[..., 2] > 0) & valid[:, None]
    both = present[1:] & present[:-1]
    way = np.linalg.norm(np.diff(body[..., :2], axis=0), axis=-1)
    return np.concatenate([np.full((1, body.shape[1]), np.nan), np.where(both, way, np.nan)])


def _robust_limit(values: np.ndarray) -> float:
    """Median plus `SPREADS` robust standard deviations of the values that are known; infinite where none is."""
    values = values[np.isfinite(values)]
    if not len(values):
        return np.inf
    middle = np.median(values)
    return float(middle + SPREADS * _MAD_TO_DEVIATION * np.median(np.abs(values - middle)))


def _swaps(body: np.ndarray, valid: np.ndarray, height: float) -> list[Doubt]:
    """Doubt frames whose arms or legs fit the frames before better with sides exchanged, or contradict each other.

    A pose must lie far both from the one before and from where its joints were going (somebody who spins round is
    not doubted), but near the one before with sides exchanged; all of it about the middle of the limbs.
    """
    worst = np.zeros(len(body))
    for side in _PAIRS.values():
        joints = np.array([*side, *BODY_MIRROR[side]])
        limbs = body[:, joints, :2] - body[:, joints, :2].mean(1, keepdims=True)  # (T, 6, 2), left then right
        seen = (body[:, joints, 2] > 0).all(1) & valid
        for frame in range(2 * SWAP_FRAMES, len(body)):
            before = frame - SWAP_FRAMES, frame - 2 * SWAP_FRAMES
            if not (seen[frame] and seen[list(before)].all()):
                continue
            then, earlier = limbs[before[0]], limbs[before[1]]
            kept = min(_distance(limbs[frame], then), _distance(limbs[frame], 2 * then - earlier)) / height
            exchanged = _distance(limbs[frame], np.roll(then, len(side), axis=0)) / height
            if kept > SWAP_HEIGHTS and exchanged < kept / 2:
                worst[frame] = max(worst[frame], kept)
    worst = np.maximum(worst, _twist(body, height) * valid)
    return [Doubt(int(frame), SWAP, float(worst[frame])) for frame in np.flatnonzero(worst)]


def _distance(here: np.ndarray, there: np.ndarray) -> float:
    """Mean distance of the points of two (N, 2) arrays."""
    return float(np.linalg.norm(here - there, axis=-1).mean())


def _twist(body: np.ndarray, height: float) -> np.ndarray:
    """Measure where the shoulders say the person faces us and the hips that they turn their back, or the reverse.

    Returns:
        (T,) float, the smaller of both widths in body heights; 0 where they agree or are too narrow to tell.
    """
    widths = []
    for joint in ("shoulder", "hip"):
        left, right = body[:, BODY[f"left_{joint}"]], body[:, BODY[f"right_{joint}"]]
        seen = (left[:, 2] > 0) & (right[:, 2] > 0)
        widths.append(np.where(seen, left[:, 0] - right[:, 0], 0) / height)
    shoulders, hips = widths
    smaller = np.minimum(np.abs(shoulders), np.abs(hips))
    return np.where((shoulders * hips < 0) & (smaller > SIDE_HEIGHTS), smaller, 0)


def _poor_cover(cover: np.ndarray, valid: np.ndarray) -> list[Doubt]:
    """Doubt frames without a surface, and those whose body and matte hardly overlap."""
    missing = valid & ~np.isfinite(cover)
    doubts = [Doubt(int(frame), NO_SURFACE, 0.0) for frame in np.flatnonzero(missing)]
    known = valid & np.isfinite(cover)
    if not known.any():
        return doubts
    limit = max(LOW_COVER, float(np.median(cover[known])) - COVER_DROP)
    poor = np.flatnonzero(known & (np.nan_to_num(cover) < limit))
    return doubts + [Doubt(int(frame), COVER, float(cover[frame])) for frame in poor]
