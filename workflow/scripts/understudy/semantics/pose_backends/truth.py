"""The exact poses of a synthetic clip, read beside its video: a yardstick, and a pipeline without an estimator."""

from collections.abc import Iterator, Sequence

import numpy as np

from understudy.backends import load_backend
from understudy.semantics.pose_backends._contract import FramePose
from understudy.semantics.truth import open_truth
from understudy.settings import PoseSettings
from understudy.video.frames import Frames


class Backend:
    """Reads truth.h5; nothing is estimated."""

    name = "truth"
    version = "1"
    has_depth = True
    has_matte = True
    exact = True
    memory_frames = 0
    block_s = 0.0

    def __init__(self, settings: PoseSettings):
        self.settings = settings

    def __call__(self, frames: Frames) -> Iterator[Sequence[FramePose]]:
        with open_truth(frames) as truth:
            for index in range(len(frames)):
                body, body_z = truth.joints("body", index)
                face, face_z = truth.joints("face", index)
                hands, hands_z = truth.joints("hands", index)
                pose = FramePose(body, face, hands, body_z, face_z, hands_z, truth.matte(index))
                yield (pose,) if pose.found else ()

    def detect(self, picture: np.ndarray) -> Sequence[FramePose]:
        """A single picture has no truth; the embedded estimator finds the person in it."""
        return load_backend("understudy.semantics.pose_backends", "mediapipe")(self.settings).detect(picture)
