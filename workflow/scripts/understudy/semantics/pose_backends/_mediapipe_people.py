"""Several people by MediaPipe: its detector on tiles finds them, and each is followed by a graph of their own.

Holistic follows one person. The detector and the landmark networks inside the wheel are the same here; only the graphs
about them differ: the detector's keeps every hit, and the follower's is told where to look.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from mediapipe.framework.formats.rect_pb2 import NormalizedRect
from mediapipe.python.solution_base import SolutionBase

from understudy.semantics.pose_backends._contract import FramePose

FIND_EVERY = 10  # frames between two looks for new people
TILE_SHARES = (1.0, 2 / 3)  # of the picture's shorter side; a person a fifth as high as a tile is found in it
TILE_STEP = 2 / 3  # of a tile's size
ROI_MARGIN = 1.25  # as Holistic cuts people out
SAME_HIT = 0.5  # of the radius: hits nearer to each other show one person
NEAR_HIT = 0.2  # of the radius: a hit nearer to a followed person is that person
SAME_POSE = 0.1  # of a person's size: poses whose joints are nearer on average are one person
SEEN_JOINTS = 8  # of BODY_25, at least; fewer are no person

FINDER = """
input_stream: "IMAGE:image"
output_stream: "detections"
node { calculator: "PoseDetectionCpu" input_stream: "IMAGE:image" output_stream: "DETECTIONS:detections" }
"""
FOLLOWER = """
input_stream: "IMAGE:image"
input_stream: "ROI:roi"
input_side_packet: "MODEL_COMPLEXITY:model_complexity"
input_side_packet: "ENABLE_SEGMENTATION:enable_segmentation"
input_side_packet: "REFINE_LANDMARKS:refine_landmarks"
output_stream: "pose_landmarks"
output_stream: "pose_world_landmarks"
output_stream: "segmentation_mask"
output_stream: "left_hand_landmarks"
output_stream: "right_hand_landmarks"
output_stream: "face_landmarks"
output_stream: "next_roi"
node { calculator: "ImagePropertiesCalculator" input_stream: "IMAGE:image" output_stream: "SIZE:size" }
node {
  calculator: "PoseLandmarkByRoiCpu"
  input_side_packet: "MODEL_COMPLEXITY:model_complexity"
  input_side_packet: "ENABLE_SEGMENTATION:enable_segmentation"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  output_stream: "LANDMARKS:pose_landmarks"
  output_stream: "AUXILIARY_LANDMARKS:auxiliary"
  output_stream: "WORLD_LANDMARKS:pose_world_landmarks"
  output_stream: "SEGMENTATION_MASK:segmentation_mask"
}
node {
  calculator: "PoseLandmarksToRoi"
  input_stream: "LANDMARKS:auxiliary"
  input_stream: "IMAGE_SIZE:size"
  output_stream: "ROI:next_roi"
}
node {
  calculator: "HandLandmarksLeftAndRightCpu"
  input_stream: "IMAGE:image"
  input_stream: "POSE_LANDMARKS:pose_landmarks"
  output_stream: "LEFT_HAND_LANDMARKS:left_hand_landmarks"
  output_stream: "RIGHT_HAND_LANDMARKS:right_hand_landmarks"
}
node {
  calculator: "SplitNormalizedLandmarkListCalculator"
  input_stream: "pose_landmarks"
  output_stream: "head"
  options { [mediapipe.SplitVectorCalculatorOptions.ext] { ranges { begin: 0 end: 11 } } }
}
node {
  calculator: "FaceLandmarksFromPoseCpu"
  input_side_packet: "REFINE_LANDMARKS:refine_landmarks"
  input_stream: "IMAGE:image"
  input_stream: "FACE_LANDMARKS_FROM_POSE:head"
  output_stream: "FACE_LANDMARKS:face_landmarks"
}
"""
_FOLLOWER_SIDE = {"model_complexity": 1, "enable_segmentation": True, "refine_landmarks": True}

ToPose = Callable[[Any, int, int], FramePose | None]  # a graph's result, height and width of the picture


@dataclass(frozen=True)
class Hit:
    """Somebody the detector sees: the middle of the hips and a circle round the whole body, pixels; turn in radians."""

    x: float
    y: float
    radius: float
    turn: float
    score: float

    def near(self, other: "Hit", share: float) -> bool:
        """Whether two circles lie within a share of the larger radius of each other."""
        return float(np.hypot(self.x - other.x, self.y - other.y)) < share * max(self.radius, other.radius)

    def roi(self, height: int, width: int) -> NormalizedRect:
        size = 2 * self.radius * ROI_MARGIN
        return NormalizedRect(
            x_center=self.x / width,
            y_center=self.y / height,
            width=size / width,
            height=size / height,
            rotation=self.turn,
        )


class People:
    """Finds and follows at most `most` people through pictures in order; close it when done."""

    def __init__(self, most: int, to_pose: ToPose):
        self.most, self.to_pose = most, to_pose
        self.closing = ExitStack()
        self.finder = self.closing.enter_context(SolutionBase(graph_config=FINDER))
        self.idle: list[SolutionBase] = []
        self.followed: list[tuple[SolutionBase, NormalizedRect]] = []

    def close(self) -> None:
        self.closing.close()

    def follow(self, pictures: Iterable[np.ndarray], first: int = 0) -> Iterator[tuple[FramePose, ...]]:
        """Yield the poses of each picture (H, W, 3) uint8 RGB; new people are looked for now and then.

        `first` is the number of the first picture in its clip, so that segments of it look in the same frames.
        """
        for number, picture in enumerate(pictures, first):
            yield self._next(picture, look=number % FIND_EVERY == 0)

    def look(self, picture: np.ndarray) -> tuple[FramePose, ...]:
        """Return the poses in one picture, without memory of others."""
        self._let_go(self.followed)
        return self._next(picture, look=True)

    def _next(self, picture: np.ndarray, look: bool) -> tuple[FramePose, ...]:
        picture = np.ascontiguousarray(picture)
        height, width = picture.shape[:2]
        poses: list[FramePose] = []
        before, self.followed = self.followed, []
        for graph, roi in before:
            look |= not self._try(graph, roi, picture, poses)  # somebody is lost: perhaps a look finds them again
        if look and len(self.followed) < self.most:
            known = [circle(roi, height, width) for _, roi in self.followed]
            for hit in find_people(self.finder, picture):
                if len(self.followed) < self.most and not any(hit.near(one, NEAR_HIT) for one in known):
                    self._try(self._graph(), hit.roi(height, width), picture, poses)
        return tuple(poses)

    def _try(self, graph: SolutionBase, roi: NormalizedRect, picture: np.ndarray, poses: list[FramePose]) -> bool:
        """Look at a region; a person there who is not known yet is added to `poses` and followed."""
        result = graph.process({"image": picture, "roi": roi})
        pose = None if result.pose_landmarks is None else self.to_pose(result, *picture.shape[:2])
        if pose is None or (pose.body[:, 2] > 0).sum() < SEEN_JOINTS or any(same_pose(pose, one) for one in poses):
            self.idle.append(graph)
            return False
        poses.append(pose)
        self.followed.append((graph, result.next_roi))
        return True

    def _graph(self) -> SolutionBase:
        if self.idle:
            return self.idle.pop()
        return self.closing.enter_context(SolutionBase(graph_config=FOLLOWER, side_inputs=_FOLLOWER_SIDE))

    def _let_go(self, followed: list[tuple[SolutionBase, NormalizedRect]]) -> None:
        self.idle += [graph for graph, _ in followed]
        self.followed = []


def find_people(finder: SolutionBase, picture: np.ndarray) -> list[Hit]:
    """Run the detector on the whole picture and on tiles; one hit per person, the largest first."""
    hits = []
    for left, top, size in tiles(*picture.shape[:2]):
        part = np.ascontiguousarray(picture[top : top + size, left : left + size])
        height, width = part.shape[:2]
        for found in finder.process({"image": part}).detections or ():
            points = found.location_data.relative_keypoints  # middle of the hips, a point on the circle
            hips, rim = (np.array([point.x * width, point.y * height]) for point in points[:2])
            way = rim - hips
            turn = np.pi / 2 - np.arctan2(-way[1], way[0])
            turn = (turn + np.pi) % (2 * np.pi) - np.pi
            hits.append(Hit(hips[0] + left, hips[1] + top, float(np.hypot(*way)), turn, found.score[0]))
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: -hit.score):
        if not any(hit.near(other, SAME_HIT) for other in kept if 0.5 < hit.radius / other.radius < 2):
            kept.append(hit)
    return sorted(kept, key=lambda hit: -hit.radius)


def tiles(height: int, width: int) -> list[tuple[int, int, int]]:
    """Squares (left, top, size) px that are looked at: the whole picture, then smaller ones that overlap."""
    squares = [(0, 0, max(height, width))]
    for share in TILE_SHARES:
        size = round(share * min(height, width))
        starts = [
            np.unique(np.round(np.linspace(0, length - size, int(np.ceil((length - size) / (TILE_STEP * size))) + 1)))
            for length in (height, width)
        ]
        squares += [(int(left), int(top), size) for top in starts[0] for left in starts[1]]
    return squares if height != width else squares[1:]


def circle(roi: NormalizedRect, height: int, width: int) -> Hit:
    """Return the circle that a region was made from."""
    radius = roi.height * height / 2 / ROI_MARGIN
    return Hit(roi.x_center * width, roi.y_center * height, radius, roi.rotation, 1.0)


def same_pose(one: FramePose, other: FramePose) -> bool:
    """Whether two poses show one person: their joints lie on each other."""
    both = (one.body[:, 2] > 0) & (other.body[:, 2] > 0)
    if both.sum() < SEEN_JOINTS // 2:
        return False
    size = min(np.hypot(*np.ptp(pose.body[pose.body[:, 2] > 0, :2], axis=0)) for pose in (one, other))
    return bool(np.linalg.norm(one.body[both, :2] - other.body[both, :2], axis=1).mean() < SAME_POSE * size)
