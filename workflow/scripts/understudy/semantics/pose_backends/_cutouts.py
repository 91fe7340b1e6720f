"""Square cut-outs of faces and hands as OpenPose makes them from the body's joints, and the points found in them.

Source: Simon et al., Hand keypoint detection in single images, CVPR 2017, section 4 (hand from wrist and elbow);
Cao et al., OpenPose, TPAMI 2021; the factors are those of OpenPose 1.7.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.semantics.joints import BODY
from understudy.semantics.pose_backends._heatmaps import normalised, upsample

FACE_JOINT_SCORE, HAND_JOINT_SCORE = 0.25, 0.03  # joints with lower scores do not place a cut-out
SMALLEST_FACE_PX, SMALLEST_HAND_PX = 40, 3.2  # smaller ones show nothing
HAND_FORWARD = 0.33  # the hand's middle lies this share of the forearm beyond the wrist
HAND_SIDE, UPPER_ARM = 1.5, 0.9  # side over the forearm, or over this share of the upper arm where that is longer


@dataclass(frozen=True)
class Square:
    """Part of a picture that a network sees; a left hand is mirrored, since the network knows right ones."""

    left: float  # px
    top: float
    side: float
    mirrored: bool = False

    def affine(self, net_px: int) -> np.ndarray:
        """Return the (2, 3) matrix from pixel indices of the network's input to pixel indices of the picture."""
        scale = self.side / net_px
        if self.mirrored:
            return np.float64([[-scale, 0, self.left + self.side], [0, scale, self.top]])
        return np.float64([[scale, 0, self.left], [0, scale, self.top]])


def face_square(body: np.ndarray) -> Square | None:
    """Place a face by the mean of what its joints say: nose and neck, both eyes, both ears.

    Args:
        body: (25, 3) float, x px, y px, score.

    Returns:
        The square, or None where too few joints are seen or the face is too small.
    """
    at = {name: body[BODY[name], :2] for name in ("nose", "neck", "left_eye", "right_eye", "left_ear", "right_ear")}
    seen = {name: body[BODY[name], 2] > FACE_JOINT_SCORE for name in at}
    says = []  # (middle, side) of each witness
    if seen["nose"] and seen["neck"]:
        profile = [side for side in ("left", "right") if seen[f"{side}_eye"] and seen[f"{side}_ear"]]
        other = [side for side in ("left", "right") if not seen[f"{side}_eye"] and not seen[f"{side}_ear"]]
        throat = _distance(at["nose"], at["neck"])
        if len(profile) == 1 and len(other) == 1:
            eye, ear = at[f"{profile[0]}_eye"], at[f"{profile[0]}_ear"]
            reach = _distance(at["nose"], eye) + _distance(at["nose"], ear) + throat
            says.append(((eye + ear + at["nose"]) / 3, 0.85 * reach))
        else:
            says.append(((at["neck"] + at["nose"]) / 2, 2 * throat))
    for pair, factor in (("eye", 3), ("ear", 2)):
        if seen[f"left_{pair}"] and seen[f"right_{pair}"]:
            left, right = at[f"left_{pair}"], at[f"right_{pair}"]
            says.append(((left + right) / 2, factor * _distance(left, right)))
    if not says:
        return None
    middle, side = np.mean([where for where, _ in says], 0), float(np.mean([size for _, size in says]))
    return Square(*(middle - side / 2), side) if side > SMALLEST_FACE_PX else None


def hand_square(body: np.ndarray, side: str) -> Square | None:
    """Place the hand of one side ("left", "right") beyond the wrist, away from the elbow.

    Args:
        body: (25, 3) float, x px, y px, score.
        side: of the person.

    Returns:
        The square, mirrored for a left hand, or None where wrist, elbow or shoulder is not seen.
    """
    wrist, elbow, shoulder = (body[BODY[f"{side}_{joint}"]] for joint in ("wrist", "elbow", "shoulder"))
    if min(wrist[2], elbow[2], shoulder[2]) <= HAND_JOINT_SCORE:
        return None
    wrist, elbow, shoulder = wrist[:2], elbow[:2], shoulder[:2]
    middle = wrist + HAND_FORWARD * (wrist - elbow)
    size = HAND_SIDE * max(_distance(wrist, elbow), UPPER_ARM * _distance(elbow, shoulder))
    return Square(*(middle - size / 2), size, side == "left") if size > SMALLEST_HAND_PX else None


def cut(picture: np.ndarray, square: Square, net_px: int) -> np.ndarray:
    """Cut a square out of a picture (H, W, 3) uint8 RGB: (1, 3, net_px, net_px) float32 BGR, -0.5..0.5."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return normalised(cv2.warpAffine(picture, square.affine(net_px), (net_px, net_px), flags=flags))


def find_points(maps: np.ndarray, square: Square, net_px: int) -> np.ndarray:
    """Find the highest place of each map of a cut-out.

    Args:
        maps: (K, h, w) float32, heat maps as the network gives them.
        square: where they were cut out.
        net_px: side of the network's input.

    Returns:
        (K, 3) float64, x px, y px of the picture (pixel centres at +0.5), score.
    """
    large = upsample(maps, (net_px, net_px)).reshape(len(maps), -1)
    best = large.argmax(1)
    row, column = np.divmod(best, net_px)
    place = np.stack([column, row, np.ones(len(maps))])  # (3, K)
    x, y = square.affine(net_px) @ place + 0.5  # its indices start at 0, our coordinates at a pixel's edge
    return np.column_stack([x, y, large[np.arange(len(maps)), best]])


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other))
