"""Gestures of the arms: where upper and lower arm point, seen from the trunk."""

from functools import lru_cache

import numpy as np

from understudy.body.model import Body
from understudy.body.rotation import rotation, rotation_between

# Of the left arm, the right one mirrors them; rows: upper arm, lower arm; x left, -y front, z up; any length.
# The hands keep ten centimetres before the trunk of every build and stay below the top of the head.
GESTURES = {
    "down": np.array([[0.36, 0.0, -1.0], [0.22, -0.25, -1.0]]),
    "back": np.array([[0.25, 0.35, -1.0], [0.12, -0.10, -1.0]]),
    "swing": np.array([[0.25, -0.50, -1.0], [0.05, -1.0, 0.10]]),
    "side": np.array([[1.0, -0.15, -0.10], [1.0, -0.45, 0.10]]),
    "front": np.array([[0.35, -1.0, -0.25], [0.10, -1.0, 0.20]]),
    "high": np.array([[1.0, -0.25, -0.05], [0.45, -0.40, 0.75]]),
    "wave": np.array([[0.90, -0.30, -0.35], [0.55, -0.35, 0.90]]),
    "low": np.array([[0.45, -0.55, -0.90], [0.25, -0.80, -0.60]]),
    "chest": np.array([[0.75, -0.50, -0.70], [-0.50, -0.90, 0.40]]),
    "cross": np.array([[0.10, -0.85, -0.75], [-1.0, -0.38, 0.05]]),
    "high_cross": np.array([[0.05, -1.0, -0.22], [-1.0, -0.35, 0.32]]),
}
GESTURES = {name: arm / np.linalg.norm(arm, axis=1, keepdims=True) for name, arm in GESTURES.items()}
DOWN = GESTURES["down"]
DETOUR = np.array([[0.35, -0.30, 0.0], [0.10, -0.90, 0.0]])  # outwards and forwards, round the trunk


def blend(start: np.ndarray, end: np.ndarray, ease: float) -> np.ndarray:
    """Lead a left arm (2, 3) from one gesture to another, round the trunk where it comes from across the body.

    Args:
        start, end: (2, 3), directions of upper and lower arm.
        ease: share of the way, 0..1.
    """
    across = max(0.0, -start[1, 0], -end[1, 0]) * np.linalg.norm(end - start) / 2  # how far the way would cut through
    return start + (end - start) * ease + DETOUR * (across * np.sin(np.pi * ease))


def arm_rotations(side: str, arm: np.ndarray, wrist_deg: float) -> dict[str, np.ndarray]:
    """Rotations of shoulder, elbow and wrist, relative to their parents.

    Args:
        side: "L" or "R".
        arm: (2, 3), directions of upper and lower arm seen from the trunk, any length.
        wrist_deg: bend of the wrist.
    """
    upper_rest, lower_rest = _rest_directions(side)
    upper = rotation_between(upper_rest, arm[0])
    lower = rotation_between(lower_rest, upper.T @ arm[1])
    return {
        f"upperarm01.{side}": upper,
        f"lowerarm01.{side}": lower,
        f"wrist.{side}": rotation((1, 0, 0), wrist_deg),
    }


@lru_cache(maxsize=2)
def _rest_directions(side: str) -> tuple[np.ndarray, np.ndarray]:
    """Where upper and lower arm of the neutral build point at rest: two (3,)."""
    body = Body("neutral")
    shoulder, elbow, wrist = (
        body.heads[body.bones.index(f"{name}.{side}")].astype(np.float64)
        for name in ("upperarm01", "lowerarm01", "wrist")
    )
    return elbow - shoulder, wrist - elbow
