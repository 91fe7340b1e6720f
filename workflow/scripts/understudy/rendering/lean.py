"""Cameras that lean: the driver is turned upright as the performer's camera shows people upright.

Whoever stands, stands upright most of the time; so the usual way from feet to shoulders tells how a camera is rolled
and pitched, and the difference of the two clips is what is to be turned back.
"""

import logging
from dataclasses import replace

import numpy as np

from understudy.body.rotation import rotation
from understudy.dataset.statistics import BodyStatistics
from understudy.dataset.track import PoseTrack
from understudy.rendering.gaps import fill_linear

logger = logging.getLogger(__name__)

LEAST_ROLL_DEG = 4.0  # less is a person's own way of standing
LEAST_PITCH_DEG = 8.0  # depths are rougher than places
MOST_DEG = 45.0  # more is no camera: somebody lies


def lean(driver: BodyStatistics, performer: BodyStatistics) -> tuple[float, float]:
    """Roll and pitch, degrees, by which the driver is to be turned; 0 where nothing is to be done."""
    if driver.up is None or performer.up is None:
        return 0.0, 0.0
    roll = _held(performer.up[0] - driver.up[0], LEAST_ROLL_DEG)
    known = driver.up[1] is not None and performer.up[1] is not None
    pitch = _held(performer.up[1] - driver.up[1], LEAST_PITCH_DEG) if known else 0.0
    if roll or pitch:
        logger.info(
            "the cameras lean differently: the driver is rolled by %.0f and pitched by %.0f degrees", roll, pitch
        )
    return roll, pitch


def turned_upright(track: PoseTrack, roll_deg: float, pitch_deg: float) -> tuple[PoseTrack, np.ndarray]:
    """Turn poses in the picture by the roll, then each figure in space by the pitch, about the middle of its hips.

    Args:
        track: the poses.
        roll_deg: clockwise as seen in the picture.
        pitch_deg: shoulders away from the camera; needs depth.

    Returns:
        The turned poses, and the (3, 3) map of the picture that rolls likewise, pixels to pixels.
    """
    middle, seen = track.place("middle_hip")
    if not seen.any():
        middle, seen = track.place("middle_shoulder")
    if not seen.any() or not (roll_deg or pitch_deg):
        return track, np.eye(3)
    pivot = np.median(middle[seen, :2], 0)
    angle = np.radians(roll_deg)
    roll = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (fill_linear(middle[:, :2], seen) - pivot) @ roll.T + pivot  # (T, 2)
    pitch = rotation((1, 0, 0), -pitch_deg)[1:, 1:]  # of y, z: up (-y) turns away (+z)
    changed = {}
    for name in ("body", "face", "hands"):
        joints, depth = getattr(track, name).astype(np.float64), getattr(track, f"{name}_z")
        places = (joints[..., :2] - pivot) @ roll.T + pivot
        if pitch_deg and depth is not None:
            about = middle.reshape(len(middle), *[1] * (joints.ndim - 2), 2)
            both = np.stack([places[..., 1] - about[..., 1], depth], -1) @ pitch.T
            places[..., 1] = both[..., 0] + about[..., 1]
            changed[f"{name}_z"] = (both[..., 1] * (joints[..., 2] > 0)).astype(np.float32)
        whole = np.concatenate([places, joints[..., 2:]], -1)
        changed[name] = np.where(joints[..., 2:] > 0, whole, 0).astype(np.float32)
    moved = np.eye(3)
    moved[:2, :2], moved[:2, 2] = roll, pivot - roll @ pivot
    return replace(track, **changed), moved


def _held(angle: float, least: float) -> float:
    """An angle brought to -180..180; 0 where it is too small to matter or too large for a camera."""
    angle = (angle + 180) % 360 - 180
    return angle if least <= abs(angle) <= MOST_DEG else 0.0
