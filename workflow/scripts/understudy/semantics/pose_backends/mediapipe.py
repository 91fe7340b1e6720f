"""MediaPipe Holistic mapped to the OpenPose layouts: the embedded estimator, CPU only, weights inside its wheel."""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import mediapipe
import numpy as np

from understudy.job import in_threads
from understudy.semantics.joints import BODY
from understudy.semantics.pose_backends._contract import FramePose
from understudy.semantics.pose_backends._landmark_bias import correct_bias
from understudy.semantics.pose_backends._mediapipe_people import People
from understudy.settings import PoseSettings
from understudy.video.frames import Frames

# BODY_25 joint to the pose landmarks whose mean it is; the small toes are made from the others.
BODY_SOURCES = {
    "nose": (0,),
    "neck": (11, 12),
    "right_shoulder": (12,),
    "right_elbow": (14,),
    "right_wrist": (16,),
    "left_shoulder": (11,),
    "left_elbow": (13,),
    "left_wrist": (15,),
    "mid_hip": (23, 24),
    "right_hip": (24,),
    "right_knee": (26,),
    "right_ankle": (28,),
    "left_hip": (23,),
    "left_knee": (25,),
    "left_ankle": (27,),
    "right_eye": (5,),
    "left_eye": (2,),
    "right_ear": (8,),
    "left_ear": (7,),
    "left_big_toe": (31,),
    "left_small_toe": (31,),
    "left_heel": (29,),
    "right_big_toe": (32,),
    "right_small_toe": (32,),
    "right_heel": (30,),
}
# FACE_70 point to the face landmarks whose mean it is.
FACE_SOURCES = (
    *((127,), (234,), (93,), (132, 58), (58, 172), (136,), (149,), (148,), (152,)),  # jaw: right ear to chin
    *((377,), (378,), (365,), (288, 397), (361, 288), (323,), (454,), (356,)),  # jaw: chin to left ear
    *((70,), (63,), (105,), (66,), (107,)),  # right brow
    *((336,), (296,), (334,), (293,), (300,)),  # left brow
    *((168,), (197,), (5,), (4,)),  # bridge of the nose
    *((98,), (97,), (2,), (326,), (327,)),  # nostrils
    *((33,), (160,), (158,), (133,), (153,), (144,)),  # right eye
    *((362,), (385,), (387,), (263,), (373,), (380,)),  # left eye
    *((61,), (40,), (37,), (0,), (267,), (270,), (291,), (321,), (314,), (17,), (84,), (91,)),  # outer lips
    *((78,), (81,), (13,), (311,), (308,), (402,), (14,), (178,)),  # inner lips
    *((468,), (473,)),  # right, left pupil
)
# Hand joints the body landmarks know too: wrist, thumb, index knuckle, little knuckle; left and right.
PALM_JOINTS = (0, 2, 5, 17)
PALM_SOURCES = ((15, 21, 19, 17), (16, 22, 20, 18))
WRISTS = (BODY["left_wrist"], BODY["right_wrist"])
# MediaPipe's picture depth is about five times too deep for a whole body; its metric depth, with this gain, is close.
DEPTH_GAIN = 0.65
# The small toe from heel and big toe: shares of the foot's length backwards and of the hips' width outwards.
SMALL_TOE_BACK, SMALL_TOE_OUT = 0.22, 0.13


class Backend:
    """One Holistic graph per clip, or one graph per person where several are looked for; nothing is smoothed."""

    name = "mediapipe"
    version = mediapipe.__version__
    has_depth = True
    has_matte = True
    exact = False
    memory_frames = 250  # after so many it hardly matters where the graph began (docs/scale.md)
    block_s = 600.0

    def __init__(self, settings: PoseSettings):
        self.min_score, self.people = settings.min_score, settings.people
        self._static = None  # the graph that sees single pictures, opened when it is asked for

    def __call__(self, frames: Frames) -> Iterator[Sequence[FramePose]]:
        if self.people > 1:
            with closing(self._open_people()) as people:
                yield from people.follow(frames, frames.first)
            return
        with _open_holistic(static=False) as holistic:
            # One thread, so that reading and writing frames goes on while the graph runs.
            yield from in_threads(lambda picture: self._poses(holistic, picture), frames, 1)

    def detect(self, picture: np.ndarray) -> Sequence[FramePose]:
        if self._static is None:
            self._static = self._open_people() if self.people > 1 else _open_holistic(static=True)
        return self._static.look(picture) if self.people > 1 else self._poses(self._static, picture)

    def _open_people(self) -> People:
        with _quiet():
            people = People(
                self.people, lambda result, height, width: map_result(result, height, width, self.min_score)
            )
            people.look(np.zeros((64, 64, 3), np.uint8))  # start-up notes come with the first picture
        return people

    def _poses(self, holistic, picture: np.ndarray) -> Sequence[FramePose]:
        pose = map_result(holistic.process(np.ascontiguousarray(picture)), *picture.shape[:2], self.min_score)
        return () if pose is None else (pose,)


def map_result(result, height: int, width: int, min_score: float) -> FramePose | None:
    """Map the landmarks of one person to the OpenPose layouts; None where the graph found nobody."""
    if result.pose_landmarks is None:
        return None
    landmarks = _array(result.pose_landmarks, height, width, visible=True)  # (33, 4)
    landmarks[:, 2] = body_depth(landmarks, _array(result.pose_world_landmarks, 1, 1))
    body, body_z = map_body(landmarks)
    face, face_z = map_face(_array(result.face_landmarks, height, width), body_z)
    found = (result.left_hand_landmarks, result.right_hand_landmarks)
    hands, hands_z = map_hands([_array(hand, height, width) for hand in found], landmarks, body, body_z)
    for joints, depth in ((body, body_z), (face, face_z), (hands, hands_z)):
        drop_absent(joints, depth, height, width, min_score)
    matte = np.round(255 * np.clip(result.segmentation_mask, 0, 1)).astype(np.uint8)
    pose = FramePose(body, face, hands, body_z, face_z, hands_z, matte)
    return pose if pose.found else None


def body_depth(landmarks: np.ndarray, world: np.ndarray) -> np.ndarray:
    """Turn the metric depth of the landmarks into pixels by the scale that fits the picture.

    Args:
        landmarks: (33, 4) float, x px, y px, ignored, visibility 0..1.
        world: (33, 3) float, x, y, z metres, origin at the mid-hip.

    Returns:
        (33,) float32, pixels, away from the camera.
    """
    seen = landmarks[:, 3] > 0.5
    seen = seen if seen.sum() >= 6 else np.ones(len(seen), bool)
    picture = landmarks[seen, :2] - landmarks[seen, :2].mean(0)
    metric = world[seen, :2] - world[seen, :2].mean(0)
    px_per_m = (picture * metric).sum() / max((metric**2).sum(), 1e-9)
    return (DEPTH_GAIN * px_per_m * world[:, 2]).astype(np.float32)


def map_body(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Map the 33 pose landmarks to BODY_25.

    Args:
        landmarks: (33, 4) float, x px, y px, depth px, visibility 0..1.

    Returns:
        (25, 3) float32, x px, y px, score (the lowest visibility of the sources), and (25,) float32 depth px, 0 at
        the mid-hip.
    """
    sources = [list(BODY_SOURCES[name]) for name in BODY]
    place = np.stack([landmarks[source, :3].mean(0) for source in sources])  # (25, 3)
    score = np.array([landmarks[source, 3].min() for source in sources])
    outwards = place[BODY["left_hip"]] - place[BODY["right_hip"]]
    for side, sign in (("left", 1), ("right", -1)):
        toe, heel, small = (BODY[f"{side}_{joint}"] for joint in ("big_toe", "heel", "small_toe"))
        place[small] += SMALL_TOE_BACK * (place[heel] - place[toe]) + SMALL_TOE_OUT * sign * outwards
        score[small] *= 0.5
    place = correct_bias(place)
    depth = place[:, 2] - place[BODY["mid_hip"], 2]
    return np.column_stack([place[:, :2], score]).astype(np.float32), depth.astype(np.float32)


def map_face(landmarks: np.ndarray | None, body_z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Map the 478 face landmarks to FACE_70; the ends of the jaw get the depth of the body's ears.

    Args:
        landmarks: (478, 3) float, x, y, depth px, or None where no face is found.
        body_z: (25,) float, depth of BODY_25, px.

    Returns:
        (70, 3) float32, x px, y px, score 1, and (70,) float32 depth px; zeros without a face.
    """
    face, depth = np.zeros((70, 3), np.float32), np.zeros(70, np.float32)
    if landmarks is not None:
        place = np.stack([landmarks[list(source)].mean(0) for source in FACE_SOURCES])  # (70, 3)
        face[:, :2], face[:, 2] = place[:, :2], 1
        ears = body_z[[BODY["left_ear"], BODY["right_ear"]]].mean()
        depth[:] = place[:, 2] - place[[0, 16], 2].mean() + ears
    return face, depth


def map_hands(
    found: list[np.ndarray | None], landmarks: np.ndarray, body: np.ndarray, body_z: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take the found hands; of a hand that is not found, the palm from the body's landmarks with half their score.

    A hand found further from the body's wrist than it is long is another thing (a ball) and not taken.

    Args:
        found: left and right hand, each (21, 3) float, x, y, depth px from its wrist, or None.
        landmarks: (33, 4) float, the pose landmarks: x px, y px, depth px, visibility.
        body: (25, 3) float, BODY_25.
        body_z: (25,) float, depth of BODY_25, px.

    Returns:
        (2, 21, 3) float32, x px, y px, score, and (2, 21) float32 depth px.
    """
    hands, depth = np.zeros((2, 21, 3), np.float32), np.zeros((2, 21), np.float32)
    origin = landmarks[[23, 24], 2].mean()
    for side, (hand, wrist) in enumerate(zip(found, WRISTS, strict=True)):
        if hand is not None and np.linalg.norm(hand[0, :2] - body[wrist, :2]) < np.ptp(hand[:, :2], axis=0).max():
            hands[side, :, :2], hands[side, :, 2] = hand[:, :2], 1
            depth[side] = hand[:, 2] - hand[0, 2] + body_z[wrist]
        else:
            palm = landmarks[list(PALM_SOURCES[side])]  # (4, 4)
            hands[side, PALM_JOINTS] = palm[:, [0, 1, 3]] * [1, 1, 0.5]
            depth[side, PALM_JOINTS] = palm[:, 2] - origin
    return hands, depth


def drop_absent(joints: np.ndarray, depth: np.ndarray, height: int, width: int, min_score: float) -> None:
    """Set joints outside the picture, or under the score, to 0, 0, 0 in place, as OpenPose does.

    Joints whose score is halved on purpose (small toes, palms) are held to half the score.
    """
    x, y, score = joints[..., 0], joints[..., 1], joints[..., 2]
    absent = (x < 0) | (y < 0) | (x > width) | (y > height) | (score < min_score / 2)
    if joints.shape == (25, 3):
        whole = np.ones(25, bool)
        whole[[BODY["left_small_toe"], BODY["right_small_toe"]]] = False
        absent |= whole & (score < min_score)
    joints[absent] = 0
    depth[absent] = 0


def _array(landmarks, height: int, width: int, visible: bool = False) -> np.ndarray | None:
    """Turn a list of normalised landmarks into pixels (depth has the scale of x); None stays None."""
    if landmarks is None:
        return None
    points = np.array([(point.x, point.y, point.z) for point in landmarks.landmark], np.float32)
    points *= np.float32([width, height, width])
    if visible:
        points = np.column_stack([points, np.float32([point.visibility for point in landmarks.landmark])])
    return points


def _open_holistic(static: bool):
    """Open a graph; complexity 1 is the only one whose weights are in the wheel."""
    with _quiet():
        holistic = mediapipe.solutions.holistic.Holistic(
            static_image_mode=static,
            model_complexity=1,
            smooth_landmarks=False,
            enable_segmentation=True,
            smooth_segmentation=False,
            refine_face_landmarks=True,
        )
        # Its start-up notes come with the first picture; an empty one leaves no trace in the tracking.
        holistic.process(np.zeros((64, 64, 3), np.uint8))
    return holistic


@contextmanager
def _quiet() -> Iterator[None]:
    """Send what C++ writes to the error stream to nowhere; it does so before its log can be set up."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
