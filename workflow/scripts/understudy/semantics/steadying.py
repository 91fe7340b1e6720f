"""Joints steadied by the pictures: from frame to frame they move as optical flow sees the person move.

An estimator knows where a joint is better than how it moves: alone with it, joints tremble, and a filter over time that
calms them cuts off quick turns. Flow knows motion to a tenth of a pixel and nothing of place. So each joint follows the
path that stays near the estimated places and whose acceleration is that of the flow round it; acceleration and not
velocity, because the skin before a joint moves steadily faster or slower than the joint inside a body that turns.
Depths, of which a picture shows no motion and an estimator knows least, change as slowly as bodies turn. What was
measured stands in docs/figures.md.

Source: Whittaker, Proceedings of the Edinburgh Mathematical Society 1923 (the smoother; here with known second
differences); Holland and Welsch 1977 (iteratively reweighted least squares).
"""

from collections.abc import Mapping, Sequence
from functools import partial

import cv2
import numpy as np
from scipy.linalg import solveh_banded

from understudy.job import in_threads
from understudy.semantics.boxes import person_boxes
from understudy.semantics.smoothing import unbroken_runs
from understudy.video.dense_search import DenseSearch

JOINED = ("body", "face", "hands")
POINTS = 25 + 70 + 42  # of them
TALL_PX = 200  # a person that stands taller is made smaller before motion is looked for
LEAST_PX = 32  # smaller pictures have no motion to be found
MARGIN = 0.15  # round the person, share of their height
NEAR = 0.025  # half the side of the square over which motion is averaged, share of the person's height
NOISE_PX = 0.15  # of the motion, at `TALL_PX`; spread in the square adds to it
CALM = 0.3  # weight of no acceleration at all, where flow says nothing
JOLT_PX = 0.5  # at `TALL_PX`: from there on an acceleration that flow and places do not share is flow's mistake
DEPTH_S = {"body": 0.13, "face": 0.075, "hands": 0.075}  # depths change no faster than this
ROUNDS = 4  # of reweighting
LEAST_RUN = 4  # frames


def person_height(rows: Mapping[str, np.ndarray]) -> float:
    """Median height, pixels, of the boxes round the joints of a whole clip; 0 where nobody is seen."""
    boxes = person_boxes(rows["body"], rows["face"], rows["hands"])
    heights = boxes[:, 3] - boxes[:, 1]
    return float(np.median(heights[heights > 0])) if (heights > 0).any() else 0.0


def find_motion(
    rows: Mapping[str, np.ndarray],
    frames: Sequence[np.ndarray],
    mattes: Sequence[np.ndarray] | None,
    tall_px: float,
    first: int = 0,
    threads: int = 1,
) -> np.ndarray:
    """Find how the picture moves round every joint, from frame t to frame t - 1, each frame by itself.

    Args:
        rows: `body` (T, 25, 3), `face` (T, 70, 3), `hands` (T, 2, 21, 3) of a clip or a part of it, px.
        frames: (H, W, 3) uint8 of the whole clip.
        mattes: (H, W) uint8 of the same frames as `rows`; None where there are none.
        tall_px: height of the person, of the whole clip.
        first: number of the frame of the first row.
        threads: frames looked at at once; the result does not depend on it.

    Returns:
        (T, 137, 3) float32: x, y px, and how far that can be trusted, 0..1.
    """
    points = _points(rows)  # (T, 137, 3)
    seen = (points[..., 2] > 0).any(1) & (tall_px > 0)
    motion = np.zeros((len(points), POINTS, 3), np.float32)
    wanted = [row for row in np.flatnonzero(seen).tolist() if first + row > 0]
    jobs = (
        (points[row], frames[first + row], frames[first + row - 1], None if mattes is None else mattes[row])
        for row in wanted
    )
    look = partial(_look, tall_px=tall_px)
    for row, found in zip(wanted, in_threads(lambda job: look(*job), jobs, threads), strict=True):
        motion[row] = found
    return motion


def steady_clip(
    rows: Mapping[str, np.ndarray],
    motion: np.ndarray,
    weight: float,
    tall_px: float,
    rate: float,
    size: tuple[int, int],
) -> float:
    """Move the joints of a whole clip in place onto steady paths; absent ones stay absent.

    Args:
        rows: as in `find_motion`, and depths `body_z` (T, 25), `face_z` (T, 70), `hands_z` (T, 2, 21) px.
        motion: (T, 137, 3), its result.
        weight: of an acceleration's error over a place's.
        tall_px: height of the person.
        rate: frames a second.
        size: (height, width) of the frames, px; no joint leaves them.

    Returns:
        The median way that joints were moved, pixels.
    """
    if not tall_px:
        return 0.0
    ways, jolt_px, limits = [], JOLT_PX * max(1.0, tall_px / TALL_PX), (size[1], size[0])
    columns = ((name, joint) for name in JOINED for joint in range(_flat(rows[name], 3).shape[1]))
    for number, (name, joint) in enumerate(columns):
        joints, depths = _flat(rows[name], 3)[:, joint], _flat(rows[f"{name}_z"], 1)[:, joint]  # views
        for start, end in unbroken_runs(joints[:, 2] > 0):
            if end - start >= LEAST_RUN:
                run = slice(start, end)
                path = steady_path(joints[run, :2], motion[run, number], weight, jolt_px)
                path = np.clip(path, 0, limits)
                ways.append(np.linalg.norm(path - joints[run, :2], axis=1).astype(np.float32))
                joints[run, :2] = path
                depths[run] = _calm(depths[run], (rate * DEPTH_S[name]) ** 4)
    return float(np.median(np.concatenate(ways))) if ways else 0.0


def steady_path(places: np.ndarray, motion: np.ndarray, weight: float, jolt_px: float) -> np.ndarray:
    """Find the path x of one joint that minimises

        sum |x_t - places_t|^2 + weight sum w_t |x''_t - a_t|^2 + CALM sum |x''_t|^2

    where x''_t is x_(t+1) - 2 x_t + x_(t-1), a_t the acceleration seen by flow, and w_t its trust, less where the
    path does not follow it.

    Args:
        places: (T, 2) px, every frame known, at least 4.
        motion: (T, 3) from each frame to the one before, x, y px and trust 0..1.
        weight: of an acceleration's error over a place's.
        jolt_px: misfit at which an acceleration counts a quarter.

    Returns:
        (T, 2) float64.
    """
    seen = motion[1:-1, :2].astype(np.float64) - motion[2:, :2]  # (T - 2, 2)
    trust = np.minimum(motion[1:-1, 2], motion[2:, 2]).astype(np.float64)
    path, follows = places, np.ones(len(trust))
    for _ in range(ROUNDS):
        path = _solve(places, seen, weight * trust * follows, CALM)
        misfit = np.linalg.norm(np.diff(path, 2, axis=0) - seen, axis=1)
        follows = 1 / (1 + (misfit / jolt_px) ** 2) ** 2
    return path


def _calm(depths: np.ndarray, calm: float) -> np.ndarray:
    """Calm an unbroken run of depths (N,)."""
    nothing = np.zeros((len(depths) - 2, 1))
    return _solve(depths[:, None], nothing, nothing[:, 0], calm)[:, 0]


def _solve(places: np.ndarray, seen: np.ndarray, weight: np.ndarray, calm: float) -> np.ndarray:
    """Solve the normal equations, a symmetric matrix of five diagonals."""
    stiff, pull = weight + calm, weight[:, None] * seen
    bands = np.zeros((3, len(places)))  # second and first diagonal above the middle one, and that
    right = places.astype(np.float64).copy()
    for shift, share in enumerate((1, -2, 1)):
        part = slice(shift, len(places) - 2 + shift)
        bands[2, part] += share**2 * stiff
        right[part] += share * pull
    bands[2] += 1
    bands[1, 1:-1] += -2 * stiff
    bands[1, 2:] += -2 * stiff
    bands[0, 2:] += stiff
    return solveh_banded(bands, right)


def _look(
    points: np.ndarray, here: np.ndarray, before: np.ndarray, matte: np.ndarray | None, tall_px: float
) -> np.ndarray:
    """Find the motion (137, 3) round the joints (137, 3) of one frame."""
    there = points[:, 2] > 0
    found = np.zeros((POINTS, 3), np.float32)
    scale = min(1.0, TALL_PX / tall_px)
    left, top, right, bottom = _box(points[there, :2], MARGIN * tall_px, *here.shape[:2])
    width, height = round((right - left) * scale), round((bottom - top) * scale)
    if min(width, height) < LEAST_PX:
        return found
    small = [_resized(picture[top:bottom, left:right], width, height) for picture in (here, before)]
    flow = DenseSearch()(*small)
    inside = np.ones((height, width), np.float32)
    if matte is not None:
        person = _resized(matte[top:bottom, left:right], width, height) > 127
        inside = cv2.erode(person.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    at = ((points[:, :2] - (left, top)) * (width / (right - left), height / (bottom - top))).astype(np.float32)
    square = 2 * max(1, round(NEAR * scale * tall_px)) + 1
    share, mean, spread = _averages(flow, inside, square, at)
    known = there & (share > 0.1)
    found[known, :2] = (mean * ((right - left) / width, (bottom - top) / height))[known]
    found[known, 2] = (NOISE_PX**2 / (NOISE_PX**2 + spread))[known]
    return found


def _averages(
    flow: np.ndarray, inside: np.ndarray, square: int, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average the flow (h, w, 2) on the person in squares round places (N, 2): their share, mean and variance."""

    def averaged(values: np.ndarray) -> np.ndarray:
        whole = cv2.blur(values, (square, square), borderType=cv2.BORDER_CONSTANT)
        return cv2.remap(whole, at[None], None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]

    share = averaged(inside)
    known = np.maximum(share, 1e-6)
    mean = averaged(flow * inside[..., None]) / known[:, None]
    squares = averaged((flow**2).sum(2) * inside) / known
    return share, mean, np.maximum(squares - (mean**2).sum(1), 0)


def _box(points: np.ndarray, margin: float, height: int, width: int) -> tuple[int, int, int, int]:
    """Box round points (N, 2), grown and cut by the frame: left, top, right, bottom px."""
    low, high = points.min(0) - margin, points.max(0) + margin
    size = np.array([width, height])
    left, top = np.clip(np.floor(low), 0, size - 1).astype(int).tolist()
    right, bottom = np.clip(np.ceil(high), (left + 1, top + 1), size).astype(int).tolist()
    return left, top, right, bottom


def _resized(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    if picture.shape[:2] == (height, width):
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _points(rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """Join body, face and hands to (T, 137, 3)."""
    return np.concatenate([_flat(rows[name], 3) for name in JOINED], 1)


def _flat(joints: np.ndarray, numbers: int) -> np.ndarray:
    """View joints (T, ..., 3), or depths (T, ...), as (T, K, 3), or (T, K)."""
    return joints.reshape(len(joints), -1, *([numbers] if numbers > 1 else []))
