"""Whole-body RTMW or DWPose networks through onnxruntime: a detector finds people, a second network their points."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from understudy.semantics.pose_backends._contract import FramePose
from understudy.semantics.pose_backends._onnx_network import Network
from understudy.semantics.pose_backends._presence import flat_pose
from understudy.semantics.pose_backends._simcc import check_pose_network, find_points
from understudy.semantics.pose_backends._wholebody import map_points
from understudy.semantics.pose_backends._yolox import check_detector, find_boxes
from understudy.settings import PoseSettings
from understudy.video.frames import Frames


class Backend:
    """Finds everyone in a frame; each frame is looked at by itself."""

    name = "rtmw"
    has_depth = False
    has_matte = False
    exact = False
    memory_frames = 0
    block_s = 0.0

    def __init__(self, settings: PoseSettings):
        own, self.min_score = settings.rtmw, settings.min_score
        self._detector = Network(Path(own.detector), "pose.rtmw.detector", own.detector_sha256, own.device)
        self._pose = Network(Path(own.pose), "pose.rtmw.pose", own.pose_sha256, own.device)
        check_detector(self._detector, "pose.rtmw.detector")
        check_pose_network(self._pose, "pose.rtmw.pose")
        digests = " ".join(network.digest[:12] for network in (self._detector, self._pose))
        self.version = f"onnxruntime {onnxruntime.__version__}, {digests}"

    def __call__(self, frames: Frames) -> Iterator[Sequence[FramePose]]:
        for picture in frames:
            yield self.detect(picture)

    def detect(self, picture: np.ndarray) -> Sequence[FramePose]:
        """Find everyone in one (H, W, 3) uint8 RGB picture."""
        people = find_points(self._pose, picture, find_boxes(self._detector, picture))
        poses = [flat_pose(*map_points(points), picture.shape[:2], self.min_score) for points in people]
        return [pose for pose in poses if pose.found]
