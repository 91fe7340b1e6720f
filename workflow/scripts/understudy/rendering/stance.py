"""Feet that stand: where a foot of the driver rests in the picture, the performer's rests too.

Another body's legs swing its feet by a little while the driver's stand, and estimated joints shake. While the driver's
foot rests, the performer's goes its way only: none where it stands still, the driver's own, scaled, where it slides.
"""

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from understudy.dataset.track import PoseTrack
from understudy.rendering.gaps import fill_linear
from understudy.semantics.joints import BODY

RESTS = 0.004  # of the body's height: around a moment of rest a foot stays in a box as wide and high
WINDOW_FRAMES = 5  # for so many frames
SLIDES = 0.020, 0.030  # of the height: in such boxes a whole rest begins to be a slow slide, and is the driver's own
MOST = 0.03  # of the body's height: more than that a leg is not stretched
TORSOS = 3.0  # a person's height over that of the torso

_SIDES = ("left", "right")


def stand(moved: PoseTrack, driver: PoseTrack, scale: float) -> PoseTrack:
    """Hold the feet of retargeted poses still while the driver's rest.

    Args:
        moved: the poses, pixels of the performer's frames.
        driver: the same frames of the driver, pixels of theirs.
        scale: of the performer's way over the driver's.

    Returns:
        Poses whose feet moved by `MOST` of the height at most, knees half as far; the hips stay where they are.
    """
    shifts, known = zip(*(_foot_shifts(moved, driver, side, scale) for side in _SIDES))
    if not any(each.any() for each in known):
        return moved
    feet = np.stack([fill_linear(shift, still) for shift, still in zip(shifts, known, strict=True)], 1)  # (T, 2, 2)
    size = np.linalg.norm(feet, axis=-1, keepdims=True)
    return _shift_legs(moved, feet * np.minimum(1, MOST * _height(moved) / np.maximum(size, 1e-9)))


def rests(place: np.ndarray, seen: np.ndarray, still_px: float) -> list[tuple[int, int]]:
    """Find first frame and end of the spans in which a point rests.

    Args:
        place: (T, 2) px.
        seen: (T,) bool.
        still_px: side of the box that it does not leave in any `WINDOW_FRAMES` frames on end.
    """
    frames = len(place) - WINDOW_FRAMES + 1
    if frames < 1:
        return []
    windows = sliding_window_view(np.where(seen[:, None], place, np.nan), WINDOW_FRAMES, axis=0)  # (N, 2, W)
    still = (np.ptp(windows, axis=-1) <= still_px).all(1)  # a comparison with what is not seen is false
    resting = np.convolve(still, np.ones(WINDOW_FRAMES)) > 0  # (T,)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], resting, [0]])))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def foot_place(track: PoseTrack, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Middle (T, 2) px of heel and big toe, or the ankle where they are never seen, and where it is seen (T,)."""
    ends = [track.place(f"{side}_{joint}") for joint in ("heel", "big_toe")]
    seen = ends[0][1] & ends[1][1]
    if not seen.any():
        place, seen = track.place(f"{side}_ankle")
        return place[:, :2], seen
    return (ends[0][0] + ends[1][0])[:, :2] / 2, seen


def shifted(track: PoseTrack, by: np.ndarray) -> PoseTrack:
    """Move each frame's joints by (T, 2) px; absent joints stay at 0."""
    changed = {}
    for name in ("body", "face", "hands"):
        joints = getattr(track, name).copy()
        offset = by.reshape(len(by), *[1] * (joints.ndim - 2), 2)
        joints[..., :2] += np.where(joints[..., 2:] > 0, offset, 0)
        changed[name] = joints
    return replace(track, **changed)


def _foot_shifts(moved: PoseTrack, driver: PoseTrack, side: str, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Way (T, 2) px of a foot to its resting place, and where it rests (T,)."""
    place, seen = foot_place(driver, side)
    walked, walked_seen = foot_place(moved, side)
    height = _height(driver)
    spans = rests(place, seen & walked_seen, RESTS * height)
    shift, known = np.zeros((len(moved), 2)), np.zeros(len(moved), bool)
    for first, end in spans:
        own = place[first:end] - np.median(place[first:end], 0)
        free = np.interp(np.ptp(own, axis=0).max() / height, SLIDES, (0, 1))
        target = np.median(walked[first:end], 0) + free * scale * own
        shift[first:end], known[first:end] = target - walked[first:end], True
    return shift, known


def _shift_legs(track: PoseTrack, by: np.ndarray) -> PoseTrack:
    """Move feet by (T, 2, 2) px, left first, and knees half as far; hips stay."""
    body = track.body.copy()
    for row, side in enumerate(_SIDES):
        for joint, share in (("knee", 0.5), ("ankle", 1), ("heel", 1), ("big_toe", 1), ("small_toe", 1)):
            number = BODY[f"{side}_{joint}"]
            body[:, number, :2] += share * by[:, row] * (body[:, number, 2:] > 0)
    return replace(track, body=body)


def _height(track: PoseTrack) -> float:
    """Usual length of the torso times a person's proportion, px."""
    (hips, hips_seen), (shoulders, shoulders_seen) = track.place("middle_hip"), track.place("middle_shoulder")
    both = hips_seen & shoulders_seen
    return TORSOS * float(np.median(np.linalg.norm((shoulders - hips)[both], axis=1))) if both.any() else 0.0
