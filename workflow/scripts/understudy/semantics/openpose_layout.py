"""OpenPose's numbers and ours: where a pixel's centre lies, which joints count, and its older body layout.

Source: OpenPose's own code at v1.5.0 to 2024-08: a body joint is found at the peak of a heat map and moved by half a
pixel, so that a pixel's centre lies at integer + 0.5 as everywhere here; face and hand points come without that half.
"""

from dataclasses import dataclass

import numpy as np

from understudy.semantics.joints import BODY
from understudy.semantics.pose_backends._contract import FramePose

FACE_AND_HANDS_SHIFT_PX = 0.5  # from OpenPose's pixels, centres at integers, to ours
# Joints of OpenPose's COCO model, in its order; mid-hip and feet are not among them.
COCO_18 = (
    *("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("right_eye", "left_eye", "right_ear", "left_ear"),
)


@dataclass(frozen=True)
class OpenPosePerson:
    """One person as OpenPose writes them: x px, y px, score; 0, 0, 0 where a point is not found."""

    body: np.ndarray  # (25, 3)
    face: np.ndarray  # (70, 3)
    hands: np.ndarray  # (2, 21, 3) left, right hand of the person

    def in_our_pixels(self) -> "OpenPosePerson":
        """Return the same points with pixel centres at integer + 0.5."""
        return OpenPosePerson(self.body, *(_shifted(part, FACE_AND_HANDS_SHIFT_PX) for part in (self.face, self.hands)))

    def in_openpose_pixels(self) -> "OpenPosePerson":
        """Return our points as OpenPose counts pixels."""
        return OpenPosePerson(
            self.body, *(_shifted(part, -FACE_AND_HANDS_SHIFT_PX) for part in (self.face, self.hands))
        )

    def pose(self, height: int, width: int, min_score: float) -> FramePose | None:
        """Keep what counts of a person in our pixels of a frame; None where no joint of the body is left.

        Args:
            height, width: of the frame, pixels; points outside are absent.
            min_score: points with a lower score are absent, 0..1.
        """
        parts = [_kept(part, height, width, min_score) for part in (self.body, self.face, self.hands)]
        depths = [np.zeros(part.shape[:-1], np.float32) for part in parts]
        pose = FramePose(*parts, *depths)
        return pose if pose.found else None


def body_25_of_coco(joints: np.ndarray) -> np.ndarray:
    """Put the joints of OpenPose's COCO model (18, 3) into BODY_25 (25, 3); the mid-hip is the middle of both hips."""
    body = np.zeros((25, 3), joints.dtype)
    body[[BODY[name] for name in COCO_18]] = joints
    hips = body[[BODY["right_hip"], BODY["left_hip"]]]
    if (hips[:, 2] > 0).all():
        body[BODY["mid_hip"]] = (*hips[:, :2].mean(0), hips[:, 2].min())
    return body


def _shifted(points: np.ndarray, shift: float) -> np.ndarray:
    """Move the present points (..., 3) along x and y."""
    moved = points.copy()
    moved[..., :2] += shift * (points[..., 2:] > 0)
    return moved


def _kept(points: np.ndarray, height: int, width: int, min_score: float) -> np.ndarray:
    """Copy points (..., 3) as float32 with 0, 0, 0 for those outside the frame or under the score."""
    x, y, score = points[..., 0], points[..., 1], points[..., 2]
    absent = (score <= 0) | (score < min_score) | (x < 0) | (y < 0) | (x > width) | (y > height)
    kept = np.where(absent[..., None], 0, points).astype(np.float32)
    kept[..., 2] = np.minimum(kept[..., 2], 1)  # peaks of heat maps reach a little above 1
    return kept
