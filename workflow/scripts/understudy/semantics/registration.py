"""Joints registered to the matte: shoulders to ankles move until the body drawn from them fills the silhouette.

An estimator's joints stray sideways by one or two hundredths of the body's height; the outline of the person tells
where the middle of a limb is much better. Measured against synthetic truth (median error, share of the body's height):
all joints 0.84 % to 0.75 %, hips 1.3 % to 0.8 %, knees 1.0 % to 0.7 %; part accuracy of the bare body 0.82 to 0.84.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np

from understudy.body.figure import BODY, BODY_HEIGHT_M, Figure
from understudy.body.fit import GROUPS, BodyShape, FittedBody, fit_body, template
from understudy.body.outline import gradient, sampled, signed_distance
from understudy.body.shape import fit_shape
from understudy.body.silhouette import body_edges, silhouette
from understudy.job import in_threads
from understudy.semantics.joints import set_middles
from understudy.semantics.smoothing import smooth_runs

MOVED = tuple(
    f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("right", "left")
)
_COLUMN = {name: column for column, name in enumerate(MOVED)}
# What hangs on a moved joint and moves with it.
FOLLOWERS = {"ankle": ("big_toe", "small_toe", "heel")}

WORK_PX = 256  # silhouettes are compared at this height at most
SILHOUETTES = 5  # frames that tell the thickness of the body well enough here
STEPS = 2  # of Gauss and Newton
STIFFNESS = 0.3  # pull back to the estimated place, as a share of the pull of a twelfth of the outline
SHOULDER_STIFFNESS = 0.9  # clothes hang from the shoulders: their outline is less the body's
RANGE = 0.04  # of the body's height: outlines further apart are not the same outline (an object, another person)
SOFT = 0.012  # of the body's height: distances beyond this count less and less
FACING = 0.6  # cosine between the outlines' directions; less is another edge
LIMIT = 0.03  # of the body's height: no joint moves further


def register_clip(
    rows: Mapping[str, np.ndarray], mattes: Sequence[np.ndarray], smooth_frames: int, threads: int = 1
) -> float:
    """Move the joints of a clip in place.

    Args:
        rows: `body` (T, 25, 3), `hands` (T, 2, 21, 3), `face` and their depths, as in pose.h5.
        mattes: (H, W) uint8 of each frame; all zero where there is none.
        smooth_frames: window of the filter that calms the shifts over time, frames, odd.
        threads: frames looked at at once; the shifts do not depend on it.

    Returns:
        The median length of the shifts, pixels.
    """
    shape = registration_shape(rows, mattes)
    if shape is None:
        return 0.0
    shifts = find_shifts(rows, mattes, shape, threads)
    return apply_shifts(rows, shifts, mattes[0].shape, smooth_frames)


def registration_shape(rows: Mapping[str, np.ndarray], mattes: Sequence[np.ndarray]) -> BodyShape | None:
    """Fit the sizes of a whole clip's body; None where too little of the person is seen to know them."""
    seen = _seen(rows)
    try:
        return fit_shape(Figures(rows, seen), _Picked(mattes, seen), SILHOUETTES)
    except ValueError:
        return None


def find_shifts(
    rows: Mapping[str, np.ndarray], mattes: Sequence[np.ndarray], shape: BodyShape, threads: int = 1
) -> np.ndarray:
    """Find how far each joint should move in each frame of a clip, or of a part of it, each by itself.

    Returns:
        (T, 12, 2) float64 px, the joints `MOVED`; not a number where nobody is seen.
    """
    seen = _seen(rows)
    shifts = np.full((len(rows["body"]), len(MOVED), 2), np.nan)
    jobs = ((figure_at(rows, frame), shape, mattes[frame]) for frame in seen)
    for frame, found in zip(seen, in_threads(lambda job: joint_shifts(*job), jobs, threads), strict=True):
        shifts[frame] = found
    return shifts


def apply_shifts(
    rows: Mapping[str, np.ndarray], shifts: np.ndarray, size: tuple[int, int], smooth_frames: int
) -> float:
    """Calm the shifts (T, 12, 2) px of a whole clip over time and move its joints by them, in place.

    Args:
        size: (height, width) of the frames, px.

    Returns:
        The median length of the shifts, pixels.
    """
    seen, known = _seen(rows), ~np.isnan(shifts[:, 0, 0])
    if not known.any():
        return 0.0
    flat = shifts.reshape(len(shifts), -1)
    for column in flat.T:
        column[~known] = np.interp(np.flatnonzero(~known), np.flatnonzero(known), column[known])
    shifts = smooth_runs(flat, np.isin(np.arange(len(flat)), seen), smooth_frames).reshape(shifts.shape)
    for frame in seen:
        move_joints(rows["body"][frame], rows["hands"][frame], shifts[frame], *size)
    return float(np.median(np.linalg.norm(shifts[known], axis=2)))


def _seen(rows: Mapping[str, np.ndarray]) -> list[int]:
    return np.flatnonzero((rows["body"][..., 2] > 0).any(1)).tolist()


def figure_at(rows: Mapping[str, np.ndarray], frame: int) -> Figure:
    """The figure of one frame from the arrays of pose.h5; depths may lack."""
    depths = [rows[name][frame] if name in rows else None for name in ("body_z", "face_z", "hands_z")]
    return Figure.from_rows(*(rows[name][frame] for name in ("body", "face", "hands")), *depths)


def joint_shifts(figure: Figure, shape: BodyShape, matte: np.ndarray) -> np.ndarray:
    """Find the shifts (12, 2) px of the joints `MOVED` of one frame, zeros for what the outline does not tell.

    Not a number without a person in the matte.
    """
    if not (matte > 127).any():
        return np.full((len(MOVED), 2), np.nan)
    scale = min(1.0, WORK_PX / len(matte))
    person = cv2.resize(matte, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else matte
    outside = signed_distance(person > 127)
    shifts = np.zeros((len(MOVED), 2))
    limit = LIMIT * BODY_HEIGHT_M * shape.px_per_m
    for _ in range(STEPS):
        body = figure.body.copy()
        for name, shift in zip(MOVED, shifts, strict=True):
            body[BODY[name], :2] += shift
        step = outline_step(
            fit_body(replace(figure, body=body), shape), outside, scale, BODY_HEIGHT_M * shape.px_per_m * scale
        )
        shifts = np.clip(shifts + step, -limit, limit)
    return shifts


def outline_step(fitted: FittedBody, outside: np.ndarray, scale: float, tall: float) -> np.ndarray:
    """One step that brings the outline of a fitted body onto the outline of the person.

    Args:
        fitted: the body, pixels of the frame.
        outside: (h, w) float32, signed distance to the person, pixels at `scale`.
        scale: of `outside` over the frame.
        tall: height of the body, pixels at `scale`.

    Returns:
        (12, 2) shifts, pixels of the frame: least squares over the outline's vertices of
        (distance + slope . shift)^2 plus the stiffness, robustly weighted.
    """
    rest, (numbers, influence) = template(), joint_influence()
    points = fitted.vertices[:, :2] * scale
    present = fitted.present[rest.face_group]
    drawn = signed_distance(silhouette(points, rest.faces, body_edges(), *outside.shape, present))
    near = np.abs(sampled(drawn, points[numbers])) < 1  # vertices on the drawn outline
    points, influence = points[numbers[near]], influence[near]  # (N, 2), (N, 12)
    distance, slope, facing = sampled(outside, points), gradient(outside, points), gradient(drawn, points)
    same = ((slope * facing).sum(1) > FACING) & (np.abs(distance) < RANGE * tall)
    distance, slope, influence = distance[same], slope[same], influence[same]
    weight = 1 / (1 + (distance / (SOFT * tall)) ** 2)
    change = np.concatenate([influence * slope[:, :1], influence * slope[:, 1:]], 1)  # (N, 24): by x, by y
    stiff = np.array([SHOULDER_STIFFNESS if "shoulder" in name else STIFFNESS for name in MOVED])
    square = (change * weight[:, None]).T @ change + np.diag(np.tile(stiff, 2)) * max(len(distance), 1) / len(MOVED)
    solved = np.linalg.solve(square, -(change * weight[:, None]).T @ distance)
    return solved.reshape(2, len(MOVED)).T / scale


def move_joints(body: np.ndarray, hands: np.ndarray, shifts: np.ndarray, height: int, width: int) -> None:
    """Move the joints (25, 3) and hands (2, 21, 3) of one frame in place by shifts (12, 2); absent ones stay absent."""
    size = [width, height]
    for name, shift in zip(MOVED, shifts, strict=True):
        side, joint = name.split("_")
        rows = [BODY[name], *(BODY[f"{side}_{follower}"] for follower in FOLLOWERS.get(joint, ()))]
        for row in rows:
            body[row, :2] = np.clip(body[row, :2] + shift, 0, size) * (body[row, 2] > 0)
        if joint == "wrist":
            hand = hands[("left", "right").index(side)]
            hand[:, :2] = np.clip(hand[:, :2] + shift, 0, size) * (hand[:, 2:] > 0)
    set_middles(body)


@lru_cache(maxsize=1)
def joint_influence() -> tuple[np.ndarray, np.ndarray]:
    """Vertices (N,) of torso and limbs, and how far each moves with each of the joints `MOVED`: (N, 12), rows sum to 1.

    Along a limb the share passes linearly from its first to its last joint; on the torso also from side to side.
    """
    rest = template()
    total = np.zeros((len(rest.vertices), len(MOVED)))
    ends = {"upperarm": ("shoulder", "elbow"), "lowerarm": ("elbow", "wrist")}
    ends |= {"upperleg": ("hip", "knee"), "lowerleg": ("knee", "ankle")}
    for group, share in zip(GROUPS, rest.shares.T, strict=True):
        limb, _, side = group.partition(".")
        if limb in ends:
            first, last = (f"{'left' if side == 'L' else 'right'}_{joint}" for joint in ends[limb])
            along = _way(rest.vertices, rest.joints[BODY[first]], rest.joints[BODY[last]])
            total[:, _COLUMN[first]] += share * (1 - along)
            total[:, _COLUMN[last]] += share * along
        elif limb in ("upper", "lower"):
            down = _way(rest.vertices, rest.joints[BODY["neck"]], rest.joints[BODY["mid_hip"]])
            for joint, part in (("shoulder", 1 - down), ("hip", down)):
                right, left = f"right_{joint}", f"left_{joint}"
                across = _way(rest.vertices, rest.joints[BODY[right]], rest.joints[BODY[left]])
                total[:, _COLUMN[right]] += share * part * (1 - across)
                total[:, _COLUMN[left]] += share * part * across
    numbers = np.intersect1d(np.flatnonzero(total.sum(1) > 0.9), rest.faces)
    return numbers, total[numbers] / total[numbers].sum(1, keepdims=True)


class Figures(Sequence):
    """The figures of chosen frames, made when asked for: a long clip's would fill the memory."""

    def __init__(self, rows: Mapping[str, np.ndarray], chosen: Sequence[int]):
        self.rows, self.chosen = rows, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> Figure:
        return figure_at(self.rows, int(self.chosen[index]))


class _Picked:
    """Mattes of chosen frames only, numbered from 0."""

    def __init__(self, mattes: Sequence[np.ndarray], chosen: Sequence[int]):
        self.mattes, self.chosen = mattes, chosen

    def __getitem__(self, index: int) -> np.ndarray:
        return self.mattes[int(self.chosen[index])]


def _way(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """How far points (N, 3) lie along the way from one point to another: (N,) 0..1."""
    return np.clip((points - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
