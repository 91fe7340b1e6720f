"""Half a body: performer or driver seen to the waist only, and what is assumed of the rest."""

import logging
from dataclasses import replace

import numpy as np

from understudy.body.figure import BODY_HEIGHT_M
from understudy.body.fit import template
from understudy.dataset.statistics import BodyStatistics
from understudy.dataset.track import SIDES, PoseTrack
from understudy.rendering.gaps import fill_linear
from understudy.rendering.reach import reach
from understudy.semantics.joints import BODY

logger = logging.getLogger(__name__)

USUAL = 0.5  # share of the frames that must show a joint for a place to be measured by it
NEVER = 0.2  # shown in fewer, a joint is not part of the footage
HIPS_OVER_SHOULDERS = 0.575  # distance of the hip joints over that of the shoulders
FOOT_STRETCH = 1.0, 4.0  # ankles of people stand at different heights
FEET = ("heel", "big_toe", "small_toe")
Point = tuple[float, float]


def shows(body: BodyStatistics, joint: str, share: float = USUAL) -> bool:
    """Say whether footage shows hip, knee or ankle in such a share of its frames; files that do not say so do."""
    return body.shown is None or body.shown[joint] >= share


def anchors(driver: BodyStatistics, performer: BodyStatistics) -> tuple[str, Point, Point]:
    """Choose what places are measured by: the hips, or the shoulders where one of the clips hardly shows hips.

    Returns:
        "hips" or "shoulders", and their usual places, px, in the driver's frames and the performer's.
    """
    known = driver.shoulders_px is not None and performer.shoulders_px is not None
    if known and not (shows(driver, "hip") and shows(performer, "hip")):
        return "shoulders", driver.shoulders_px, performer.shoulders_px
    return "hips", (driver.x_px, driver.root_y_px), (performer.x_px, performer.root_y_px)


def completed_hips(track: PoseTrack, middle: np.ndarray) -> PoseTrack:
    """Put hips that are not seen beside their middle (T, 3) px, along the shoulders, with the shoulders' scores."""
    body = track.body.copy()
    body_z = None if track.body_z is None else track.body_z.copy()
    left, right = BODY["left_shoulder"], BODY["right_shoulder"]
    half = HIPS_OVER_SHOULDERS / 2 * (body[:, left] - body[:, right])
    unseen = (body[:, [BODY["left_hip"], BODY["right_hip"]], 2] <= 0).any(1) & (body[:, [left, right], 2] > 0).all(1)
    for side, sign in (("left", 1), ("right", -1)):
        joint = BODY[f"{side}_hip"]
        body[unseen, joint, :2] = (middle[:, :2] + sign * half[:, :2])[unseen]
        body[unseen, joint, 2] = body[unseen, left, 2]
        if body_z is not None:
            across = HIPS_OVER_SHOULDERS / 2 * (body_z[:, left] - body_z[:, right])
            body_z[unseen, joint] = (middle[:, 2] + sign * across)[unseen]
    return replace(track, body=body, body_z=body_z)


def only_seen(moved: PoseTrack, performer: BodyStatistics) -> PoseTrack:
    """Leave out the legs that the performer's footage never shows: nobody can learn to draw them."""
    hidden = [joint for joint in ("knee", "ankle") if not shows(performer, joint, NEVER)]
    if not hidden:
        return moved
    logger.warning(
        "the performer's footage shows no %s: the figure is drawn without what lies below; film the whole body for it",
        " and no ".join(f"{joint}s" for joint in hidden),
    )
    body = moved.body.copy()
    for side in SIDES:
        for joint in (*hidden, *FEET):
            body[:, BODY[f"{side}_{joint}"]] = 0
    return replace(moved, body=body)


def lacks_legs(driver: BodyStatistics, performer: BodyStatistics) -> bool:
    """Say whether the performer has legs to draw and the driver shows none to follow."""
    return not shows(driver, "ankle", NEVER) and shows(performer, "ankle") and performer.ground_px is not None


def standing_legs(moved: PoseTrack, performer: BodyStatistics) -> PoseTrack:
    """Let a driver who is seen to the waist stand: feet at rest under the usual place of the hips, knees as they bend.

    Args:
        moved: the poses, pixels of the performer's frames, legs absent.
        performer: lengths of thigh, shin and foot, and the ground.
    """
    logger.warning(
        "the driving clip shows no feet: the performer stands on the spot, legs under the hips; give a driving clip of "
        "the whole body for steps"
    )
    rest, lengths = template().joints, performer.solid if moved.has_depth and performer.solid else performer.flat
    scale = {
        "thigh": _size(lengths, "thigh", rest, "left_hip", "left_knee", performer),
        "shin": _size(lengths, "shin", rest, "left_knee", "left_ankle", performer),
        "foot": _size(lengths, "foot", rest, "left_heel", "left_big_toe", performer),
    }
    body = moved.body.astype(np.float64)
    body_z = np.zeros(body.shape[:2]) if moved.body_z is None else moved.body_z.astype(np.float64)
    hips = {side: _held(np.dstack([body[..., :2], body_z]), body[..., 2] > 0, f"{side}_hip") for side in SIDES}
    front = _front(body, body_z)
    score = np.median(body[..., 2][body[..., 2] > 0])
    for side in SIDES:
        bones = {name: rest[BODY[f"{side}_{name}"]] for name in ("hip", "knee", "ankle", *FEET)}
        thigh, shin = (
            scale[n] * (bones[b] - bones[a]) for n, a, b in (("thigh", "hip", "knee"), ("shin", "knee", "ankle"))
        )
        feet = {name: scale["foot"] * (bones[name] - bones["ankle"]) for name in FEET}
        usual = np.median(hips[side], 0) + thigh + shin  # (3,)
        high = max(way[1] for way in feet.values())  # of the ankle over the ground
        usual[1] = min(usual[1], performer.ground_px - high)
        stretch = np.clip((performer.ground_px - usual[1]) / high, *FOOT_STRETCH)
        feet = {name: way * [1, stretch, 1] for name, way in feet.items()}
        knee, ankle = reach(
            hips[side], hips[side] + thigh, hips[side] + thigh + shin, np.broadcast_to(usual, hips[side].shape), front
        )
        for name, place in (("knee", knee), ("ankle", ankle), *((name, ankle + way) for name, way in feet.items())):
            number = BODY[f"{side}_{name}"]
            body[:, number] = np.column_stack([place[:, :2], np.full(len(place), score)])
            body_z[:, number] = place[:, 2]
        body[:, BODY[f"{side}_hip"]] = np.column_stack([hips[side][:, :2], np.full(len(knee), score)])
        body_z[:, BODY[f"{side}_hip"]] = hips[side][:, 2]
    return replace(
        moved, body=body.astype(np.float32), body_z=None if moved.body_z is None else body_z.astype(np.float32)
    )


def _size(lengths, bone: str, rest: np.ndarray, start: str, end: str, performer: BodyStatistics) -> float:
    """Pixels per metre of the rest body at a bone; by the whole height where the bone was not measured."""
    metres = float(np.linalg.norm(rest[BODY[end]] - rest[BODY[start]]))
    if bone in lengths:
        return lengths[bone] / metres
    return (performer.height_px or 0.9 * BODY_HEIGHT_M) / (0.9 * BODY_HEIGHT_M)


def _held(points: np.ndarray, seen: np.ndarray, name: str) -> np.ndarray:
    """Places (T, 3) of a joint, filled where it is not seen."""
    joint = BODY[name]
    return fill_linear(points[:, joint], seen[:, joint])


def _front(body: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Direction (T, 3) that the trunk faces: to the camera where the shoulders do not tell."""
    left, right = BODY["left_shoulder"], BODY["right_shoulder"]
    across = np.column_stack([body[:, left, :2] - body[:, right, :2], depth[:, left] - depth[:, right]])
    front = np.cross(across, [0.0, -1.0, 0.0])
    blank = np.linalg.norm(front, axis=1) < 1e-6
    front[blank] = [0, 0, -1]
    return front
