"""A person who stands and faces the camera, for tests: poses with some joints elsewhere, and their postures."""

import numpy as np

from understudy.metrics.posture import Postures
from understudy.semantics.joints import BODY

HEIGHT = 200.0
STANDING = {  # x, y px of a person of 200 px who faces the camera, about the middle of the hips
    "nose": (0, -95), "left_eye": (4, -99), "right_eye": (-4, -99), "left_ear": (9, -97), "right_ear": (-9, -97),
    "left_shoulder": (22, -70), "right_shoulder": (-22, -70), "left_elbow": (30, -35), "right_elbow": (-30, -35),
    "left_wrist": (32, 0), "right_wrist": (-32, 0), "left_hip": (12, 0), "right_hip": (-12, 0),
    "left_knee": (12, 50), "right_knee": (-12, 50), "left_ankle": (12, 96), "right_ankle": (-12, 96),
}  # fmt: skip


def standing(frames: int = 1, **moved: tuple[float, float]) -> np.ndarray:
    """Poses (T, 25, 3) of the standing person, some joints elsewhere."""
    body = np.zeros((frames, 25, 3), np.float32)
    for joint, at in (STANDING | moved).items():
        body[:, BODY[joint]] = (*at, 1)
    body[..., :2] += 150
    return body


def postures(body: np.ndarray, depth: np.ndarray | None = None) -> Postures:
    return Postures.of(body, np.zeros(body.shape[:2]) if depth is None else depth, HEIGHT)


def turned_body(degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The standing person turned to the picture's right: poses and depths."""
    body = standing()
    across = body[..., 0] - 150
    body[..., 0] = 150 + across * np.cos(np.radians(degrees))
    return body, across * np.sin(np.radians(degrees))
