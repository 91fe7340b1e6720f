"""COCO-WholeBody's 133 points to BODY_25, FACE_70 and HAND_21.

Source: Jin et al., Whole-body human pose estimation in the wild, ECCV 2020 (order of the points).
"""

import numpy as np

from understudy.semantics.joints import BODY_25

# Rows of the 133 points.
COCO = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
FACE_ROWS, HAND_ROWS = slice(23, 91), (slice(91, 112), slice(112, 133))  # left hand first
MIDDLES = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}
LIDS = ((37, 38, 40, 41), (43, 44, 46, 47))  # points of the face whose mean is the right, left pupil
_SOURCES = [[COCO.index(name) for name in MIDDLES.get(joint, (joint,))] for joint in BODY_25]


def map_points(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Map one person's points.

    Args:
        points: (133, 3) float, x px, y px, score.

    Returns:
        (25, 3), (70, 3) and (2, 21, 3) float64, left hand first; a point made of several has the lowest of their
        scores.
    """
    body = np.stack([_middle(points[source]) for source in _SOURCES])
    face = points[FACE_ROWS]
    face = np.concatenate([face, [_middle(face[list(lids)]) for lids in LIDS]])
    return body, face, np.stack([points[rows] for rows in HAND_ROWS])


def _middle(points: np.ndarray) -> np.ndarray:
    return np.array([*points[:, :2].mean(0), points[:, 2].min()])
