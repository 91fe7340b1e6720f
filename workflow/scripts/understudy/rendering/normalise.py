"""Everybody Dance Now's normalisation: one similarity per frame carries the driver to the performer's place and height.

How far a person stands from the camera shows in the height of the lower ankle. It is carried from the driver's range
(far to near) to the performer's, and the size with it.
"""

from dataclasses import dataclass, replace

import numpy as np

from understudy.dataset.statistics import LEAST_FRAMES, BodyStatistics, Stance
from understudy.dataset.track import ANKLES, PoseTrack
from understudy.errors import FootageError
from understudy.rendering.gaps import fill_linear


@dataclass(frozen=True)
class Similarity:
    """For each frame: new = scale * old + shift, pixels of the driver's frames to pixels of the performer's.

    Attributes:
        scale: (T,) float64.
        shift: (T, 2) float64, x, y px.
    """

    scale: np.ndarray
    shift: np.ndarray


def normalise(track: PoseTrack, driver: BodyStatistics, performer: BodyStatistics) -> Similarity:
    """Find each frame's similarity.

    With a the lower ankle's y, and far and near of driver (d) and performer (p): the share
    s = (a - far_d) / (near_d - far_d), held to 0..1, sets the scale between the two ratios of heights and the ankle's
    new y between far_p and near_p; what a exceeds the range by is carried by the scale alone (jumps). Where the driver
    moves less to and fro than the performer, the performer's range shrinks about its middle to the driver's, scaled.

    Args:
        track: the driver's poses.
        driver: measured on them.
        performer: measured on the performer's training footage.

    Raises:
        FootageError: the feet are not seen in one of the clips.

    Source: Chan, Ginosar, Zhou, Efros, Everybody Dance Now, ICCV 2019; percentiles for extremes, and scaled about the
        person's usual place instead of the picture's middle.
    """
    if driver.stance is None or performer.stance is None:
        whose = "driving clip" if driver.stance is None else "performer's footage"
        raise FootageError(
            f"The {whose} shows the ankles in fewer than {LEAST_FRAMES} frames, but the normalisation 'global' stands "
            "on them; set rendering.retarget (or the transfer's retarget) to body."
        )
    near = performer.stance.near_height_px / driver.stance.near_height_px
    far = performer.stance.far_height_px / driver.stance.far_height_px
    ours = _range(performer.stance, driver.stance, (near + far) / 2)
    theirs = driver.stance.far_px, driver.stance.near_px
    ankle = track.lowest(ANKLES)
    ankle = fill_linear(ankle[:, None], np.isfinite(ankle))[:, 0]  # (T,)
    span = theirs[1] - theirs[0]
    share = np.clip((ankle - theirs[0]) / span, 0, 1) if span > 0 else np.full(len(ankle), 0.5)
    scale = far + share * (near - far)
    beyond = ankle - (theirs[0] + share * span)
    new = ours[0] + share * (ours[1] - ours[0]) + scale * beyond
    shift = np.stack([performer.x_px - scale * driver.x_px, new - scale * ankle], 1)
    return Similarity(scale, shift)


def _range(performer: Stance, driver: Stance, scale: float) -> tuple[float, float]:
    """Far and near of the performer, px, no wider than the driver's at the performer's scale."""
    middle, half = (performer.far_px + performer.near_px) / 2, (performer.near_px - performer.far_px) / 2
    half = min(half, scale * (driver.near_px - driver.far_px) / 2)
    return middle - half, middle + half


def move_track(track: PoseTrack, similarity: Similarity) -> PoseTrack:
    """Carry all joints along; absent ones stay at 0, depths scale."""
    changed = {}
    for name in ("body", "face", "hands"):
        joints = getattr(track, name)
        axes = [1] * (joints.ndim - 2)
        scale, shift = similarity.scale.reshape(-1, *axes, 1), similarity.shift.reshape(-1, *axes, 2)
        moved = np.concatenate([scale * joints[..., :2] + shift, joints[..., 2:]], -1)
        changed[name] = np.where(joints[..., 2:] > 0, moved, 0).astype(np.float32)
        depth = getattr(track, f"{name}_z")
        if depth is not None:
            changed[f"{name}_z"] = (similarity.scale.reshape(-1, *axes, 1)[..., 0] * depth).astype(np.float32)
    return replace(track, **changed)


def move_surface(
    surface: np.ndarray, scale: float, shift: np.ndarray, height: int, width: int, samples: tuple[int, int]
) -> np.ndarray:
    """Carry a surface along by taking, for each new sample, the nearest old one; nothing is averaged.

    Args:
        surface: (P, Q, ...) part or U, V of the driver.
        scale, shift: of this frame, a number and (2,) x, y px.
        height, width: of the performer's frames, pixels.
        samples: per pixel and axis, of the old surface and of the new one.

    Returns:
        (P', Q', ...), 0 where the driver's picture ends.
    """
    old, new = samples
    picks, inside = [], []
    for size, there, offset in ((height, surface.shape[0], shift[1]), (width, surface.shape[1], shift[0])):
        place = (np.arange(size * new) + 0.5) / new  # px of the performer's frames
        index = np.floor((place - offset) / scale * old).astype(int)
        inside.append((index >= 0) & (index < there))
        picks.append(np.clip(index, 0, there - 1))
    moved = surface[picks[0][:, None], picks[1]]
    moved[~(inside[0][:, None] & inside[1])] = 0
    return moved
