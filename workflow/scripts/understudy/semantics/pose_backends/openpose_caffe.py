"""OpenPose without OpenPose: its BODY_25, face and hand networks run by OpenCV, its decoder in NumPy."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from understudy.job import file_digest
from understudy.semantics.pose_backends._affinity_fields import find_people
from understudy.semantics.pose_backends._caffe_network import BODY, FACE, HAND, Network, Part, check_files
from understudy.semantics.pose_backends._contract import FramePose
from understudy.semantics.pose_backends._cutouts import Square, cut, face_square, find_points, hand_square
from understudy.semantics.pose_backends._heatmaps import find_peaks, fit_scale, net_input, net_size, upsample
from understudy.semantics.pose_backends._presence import flat_pose
from understudy.settings import PoseSettings
from understudy.video.frames import Frames

CUTOUT_PX = 368  # side of what the face and hand networks see


class Backend:
    """Finds everyone in a frame; each frame is looked at by itself."""

    name = "openpose_caffe"
    has_depth = False
    has_matte = False
    exact = False
    memory_frames = 0
    block_s = 0.0

    def __init__(self, settings: PoseSettings):
        self.settings, self.min_score = settings.openpose_caffe, settings.min_score
        folder, device = Path(self.settings.model_folder), self.settings.device
        switched = [(FACE, self.settings.face), (HAND, self.settings.hands)]
        parts = [BODY, *(part for part, on in switched if on)]
        net_size(self.settings.net_resolution, 1, 1)  # a wrong one is refused before the first frame
        check_files(folder, parts)
        self._networks = {part: Network(folder, part, device) for part in parts}
        self.version = f"opencv {cv2.__version__}, {BODY.title} {file_digest(folder / BODY.weights)[:12]}"

    def __call__(self, frames: Frames) -> Iterator[Sequence[FramePose]]:
        for picture in frames:
            yield self.detect(picture)

    def detect(self, picture: np.ndarray) -> Sequence[FramePose]:
        """Find everyone in one (H, W, 3) uint8 RGB picture."""
        poses = [
            flat_pose(body, self._face(picture, body), self._hands(picture, body), picture.shape[:2], self.min_score)
            for body in self.bodies(picture)
        ]
        return [pose for pose in poses if pose.found]

    def bodies(self, picture: np.ndarray) -> np.ndarray:
        """Find the bodies (P, 25, 3) in a picture: x px, y px, score, zero where absent."""
        size = net_size(self.settings.net_resolution, *picture.shape[:2])
        maps = self._networks[BODY](net_input(picture, size))  # (78, h, w): joints, background, fields
        scale = fit_scale(size, *picture.shape[:2])
        peaks = find_peaks(upsample(maps[:25], size), 0.5 * scale)  # half a pixel of the picture
        body, _ = find_people(peaks, maps[26:], size)
        return body / [scale, scale, 1]

    def _face(self, picture: np.ndarray, body: np.ndarray) -> np.ndarray:
        square = face_square(body) if FACE in self._networks else None
        return np.zeros((70, 3)) if square is None else self._points(picture, square, FACE)

    def _hands(self, picture: np.ndarray, body: np.ndarray) -> np.ndarray:
        hands = np.zeros((2, 21, 3))
        for row, side in enumerate(("left", "right")):
            square = hand_square(body, side) if HAND in self._networks else None
            if square is not None:
                hands[row] = self._points(picture, square, HAND)
        return hands

    def _points(self, picture: np.ndarray, square: Square, part: Part) -> np.ndarray:
        maps = self._networks[part](cut(picture, square, CUTOUT_PX))
        return find_points(maps[:-1], square, CUTOUT_PX)  # the last map is the background
