"""Names, limbs and left-right partners of the joints: OpenPose's BODY_25, FACE_70 and HAND_21 layouts.

Left and right are the person's own. Row 0 of two hands is the left one.
Source: Cao et al., OpenPose, TPAMI 2021, and its documentation of the output formats.
"""

import numpy as np

from understudy.body.figure import BODY, BODY_25

__all__ = ["BODY", "BODY_25"]  # named in the body room, which cannot import this one

# The 24 limbs that are drawn, as pairs of BODY_25 indices.
BODY_LIMBS = tuple(
    (BODY[start], BODY[end])
    for start, end in (
        ("neck", "mid_hip"),
        ("neck", "right_shoulder"),
        ("neck", "left_shoulder"),
        ("right_shoulder", "right_elbow"),
        ("right_elbow", "right_wrist"),
        ("left_shoulder", "left_elbow"),
        ("left_elbow", "left_wrist"),
        ("mid_hip", "right_hip"),
        ("right_hip", "right_knee"),
        ("right_knee", "right_ankle"),
        ("mid_hip", "left_hip"),
        ("left_hip", "left_knee"),
        ("left_knee", "left_ankle"),
        ("neck", "nose"),
        ("nose", "right_eye"),
        ("right_eye", "right_ear"),
        ("nose", "left_eye"),
        ("left_eye", "left_ear"),
        ("left_ankle", "left_big_toe"),
        ("left_big_toe", "left_small_toe"),
        ("left_ankle", "left_heel"),
        ("right_ankle", "right_big_toe"),
        ("right_big_toe", "right_small_toe"),
        ("right_ankle", "right_heel"),
    )
)


def _chain(first: int, last: int, closed: bool = False) -> tuple[tuple[int, int], ...]:
    """Return the lines from point to point, and back to the first where the curve is closed."""
    lines = tuple((point, point + 1) for point in range(first, last))
    return (*lines, (last, first)) if closed else lines


# FACE_70: name of each curve to (first point, last point, closed).
FACE_CURVES = {
    "jaw": (0, 16, False),  # from the person's right ear over the chin to the left ear
    "right_brow": (17, 21, False),
    "left_brow": (22, 26, False),
    "bridge": (27, 30, False),
    "nostrils": (31, 35, False),
    "right_eye": (36, 41, True),
    "left_eye": (42, 47, True),
    "outer_lips": (48, 59, True),
    "inner_lips": (60, 67, True),
}
FACE_LINES = tuple(line for curve in FACE_CURVES.values() for line in _chain(*curve))
RIGHT_PUPIL, LEFT_PUPIL = 68, 69


def _face_names() -> tuple[str, ...]:
    names = [
        f"{curve}_{point - first}"
        for curve, (first, last, _) in FACE_CURVES.items()
        for point in range(first, last + 1)
    ]
    return (*names, "right_pupil", "left_pupil")


FACE_70 = _face_names()

FINGERS = ("thumb", "index", "middle", "ring", "little")
HAND_21 = ("wrist", *(f"{finger}_{joint}" for finger in FINGERS for joint in range(1, 5)))
# Each finger starts at the wrist: five chains of four bones.
HAND_LIMBS = tuple(
    (0 if joint == 0 else 4 * finger + joint, 4 * finger + joint + 1) for finger in range(5) for joint in range(4)
)


def _partner(name: str) -> str:
    """Swap the words left and right in a name."""
    swapped = {"left": "right", "right": "left"}
    return "_".join(swapped.get(word, word) for word in name.split("_"))


BODY_MIRROR = np.array([BODY[_partner(name)] for name in BODY_25])
# Point k of each curve is point FACE_MIRROR[k] of the mirrored face.
FACE_MIRROR = np.array(
    [
        *range(16, -1, -1),  # jaw
        *range(26, 16, -1),  # brows
        *range(27, 31),  # bridge
        *range(35, 30, -1),  # nostrils
        *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
        *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),  # outer lips
        *(64, 63, 62, 61, 60, 67, 66, 65),  # inner lips
        *(69, 68),  # pupils
    ]
)


def mirror_pose(
    body: np.ndarray, face: np.ndarray, hands: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mirror a pose left to right, as a mirrored picture shows it.

    Args:
        body: (..., 25, 3) float, x px, y px, score.
        face: (..., 70, 3) float, likewise.
        hands: (..., 2, 21, 3) float, likewise; left hand first.
        width: of the picture, pixels.

    Returns:
        The three, mirrored; absent joints (score 0) stay 0, 0, 0.
    """
    mirrored = (body[..., BODY_MIRROR, :].copy(), face[..., FACE_MIRROR, :].copy(), hands[..., ::-1, :, :].copy())
    for joints in mirrored:
        joints[..., 0] = np.where(joints[..., 2] > 0, width - joints[..., 0], 0)
    return mirrored


def set_middles(body: np.ndarray) -> None:
    """Put neck and middle of the hips of (..., 25, 3) half-way between their sides, in place, where all are seen."""
    for middle, joint in (("neck", "shoulder"), ("mid_hip", "hip")):
        pair = body[..., [BODY[f"left_{joint}"], BODY[f"right_{joint}"]], :]
        seen = (body[..., BODY[middle], 2] > 0) & (pair[..., 2] > 0).all(-1)
        body[..., BODY[middle], :2] = np.where(seen[..., None], pair[..., :2].mean(-2), body[..., BODY[middle], :2])
