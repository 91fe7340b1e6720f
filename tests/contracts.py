"""What every backend is held to, whoever prepared it: its files, its double, or the real thing."""

import numpy as np

from understudy.semantics.pose_backends._contract import FramePose, PoseBackend
from understudy.video.frames import Frames


def check_pose_backend(backend: PoseBackend, frames: Frames) -> list[list[FramePose]]:
    """Run a backend over a clip, hold it to the contract, and return everybody's poses, one list per frame."""
    assert backend.name
    assert backend.version
    people = [list(poses) for poses in backend(frames)]
    assert len(people) == len(frames), "one sequence of poses per frame, an empty one where nobody is"
    for poses in people:
        for pose in poses:
            check_pose(pose, frames.height, frames.width, backend)
    return people


def check_pose(pose: FramePose, height: int, width: int, backend: PoseBackend) -> None:
    """Hold one pose to the contract: shapes, absent joints, the picture's borders, depth and matte."""
    assert pose.found, "somebody who is not found is left out, not zeros"
    for joints, depth, shape in (
        (pose.body, pose.body_z, (25,)),
        (pose.face, pose.face_z, (70,)),
        (pose.hands, pose.hands_z, (2, 21)),
    ):
        assert joints.shape == (*shape, 3)
        assert depth.shape == shape
        assert np.isfinite(joints).all() and np.isfinite(depth).all()
        present = joints[..., 2] > 0
        assert not joints[~present].any(), "an absent joint is 0, 0, 0"
        assert not depth[~present].any()
        assert (joints[..., 2] <= 1).all() and (joints[..., 2] >= 0).all()
        assert ((joints[..., :2] >= 0) & (joints[..., :2] <= [width, height])).all()
        assert backend.has_depth or not depth.any()
    assert (pose.matte is not None) == backend.has_matte
    if pose.matte is not None:
        assert (pose.matte.shape, pose.matte.dtype) == ((height, width), np.uint8)
