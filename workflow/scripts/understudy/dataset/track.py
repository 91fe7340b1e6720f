"""The pose of a whole clip in memory, and the named points of a body that bones are measured between."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

import numpy as np

from understudy.flow.camera import CameraMotion
from understudy.flow.homography import carried, local_scale
from understudy.layouts import open_file
from understudy.semantics.joints import BODY, HAND_21

FEET = tuple(BODY[f"{side}_{part}"] for side in ("left", "right") for part in ("heel", "big_toe", "small_toe"))
ANKLES = (BODY["left_ankle"], BODY["right_ankle"])
EARS = (BODY["left_ear"], BODY["right_ear"])
SIDES = ("left", "right")  # row 0 and 1 of `hands`


@dataclass(frozen=True)
class PoseTrack:
    """Poses of T frames, as in pose.h5; depths are None where the backend gives none.

    Attributes:
        body: (T, 25, 3) float32, x px, y px, score.
        face: (T, 70, 3) float32, likewise.
        hands: (T, 2, 21, 3) float32, likewise; left hand first.
        valid: (T,) bool, a person was found.
        body_z, face_z, hands_z: depth px away from the camera, the middle of the hips is 0.
    """

    body: np.ndarray
    face: np.ndarray
    hands: np.ndarray
    valid: np.ndarray
    body_z: np.ndarray | None = None
    face_z: np.ndarray | None = None
    hands_z: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.body)

    @property
    def has_depth(self) -> bool:
        return self.body_z is not None

    def rows(self, chosen: np.ndarray | slice) -> Self:
        """Choose frames by number, mask or slice."""
        values = (getattr(self, one.name) for one in fields(self))
        return type(self)(*(None if value is None else value[chosen] for value in values))

    @classmethod
    def join(cls, tracks: Sequence[Self]) -> Self:
        """Put tracks one behind the other; a depth that one of them lacks is dropped."""
        joined = []
        for one in fields(cls):
            values = [getattr(track, one.name) for track in tracks]
            joined.append(None if any(value is None for value in values) else np.concatenate(values))
        return cls(*joined)

    def place(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Find a named point of the body in every frame.

        Args:
            name: a BODY_25 name, `middle_hip`, `middle_shoulder`, `middle_ear`, or a joint of a hand such as
                `left_hand_index_1`.

        Returns:
            point: (T, 3) float64, x, y and depth px; depth 0 where the track has none.
            seen: (T,) bool, all joints it is made of were found.
        """
        side, _, rest = name.partition("_")
        if side == "middle":
            points, seen = zip(*(self.place(f"{each}_{rest}") for each in SIDES))
            return (points[0] + points[1]) / 2, seen[0] & seen[1]
        if rest.startswith("hand_"):
            joint = SIDES.index(side), HAND_21.index(rest.removeprefix("hand_"))
            return _point(self.hands[:, *joint], None if self.hands_z is None else self.hands_z[:, *joint])
        joint = BODY[name]
        return _point(self.body[:, joint], None if self.body_z is None else self.body_z[:, joint])

    def lowest(self, joints: Sequence[int]) -> np.ndarray:
        """Height (T,) px of the lowest of some BODY_25 joints (largest y), NaN where none is found."""
        chosen = self.body[:, list(joints)]  # (T, K, 3)
        height = np.where(chosen[..., 2] > 0, chosen[..., 1], -np.inf).max(1)
        return np.where(np.isfinite(height), height, np.nan).astype(np.float64)


def read_track(path: Path) -> PoseTrack:
    """Read a pose.h5."""
    with open_file(path, "pose") as file:
        return PoseTrack(
            **{one.name: file[one.name][:] if one.name in file else None for one in fields(PoseTrack)},
        )


def stabilised(track: PoseTrack, motion: CameraMotion) -> PoseTrack:
    """Carry each frame's joints to where the reference frame would show them; depths scale with the body."""
    if not motion.moving:
        return track
    return carried_track(track, motion.to_reference)


def carried_track(track: PoseTrack, homographies: np.ndarray) -> PoseTrack:
    """Carry each frame's joints by a homography (T, 3, 3); absent joints stay at 0, depths scale with the body."""
    changed = {}
    middles, _ = track.place("middle_hip")
    scale = local_scale(middles[:, :2], homographies).astype(np.float32)  # (T,)
    for name in ("body", "face", "hands"):
        joints = getattr(track, name)
        axes = [1] * (joints.ndim - 3)  # hands have an axis of sides
        moved = carried(joints[..., :2].astype(np.float64), homographies.reshape(-1, *axes, 3, 3))
        whole = np.concatenate([moved, joints[..., 2:]], axis=-1)
        changed[name] = np.where(joints[..., 2:] > 0, whole, 0).astype(np.float32)
        depth = getattr(track, f"{name}_z")
        if depth is not None:
            changed[f"{name}_z"] = depth * scale.reshape(-1, *[1] * (depth.ndim - 1))
    return replace(track, **changed)


def _point(joint: np.ndarray, depth: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Split joints (T, 3) into points with depth (T, 3) and whether they were seen (T,)."""
    depth = np.zeros(len(joint)) if depth is None else depth
    return np.column_stack([joint[:, :2], depth]).astype(np.float64), joint[:, 2] > 0
