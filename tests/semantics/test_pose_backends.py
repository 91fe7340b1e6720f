"""The contract that every pose backend is held to, and how near the embedded one comes to the truth."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from contracts import check_pose_backend
from defaults import pose_settings
from posing import make_pose
from understudy.backends import list_backends, load_backend
from understudy.errors import BackendError, FootageError
from understudy.layouts import create, open_file
from understudy.semantics.people import BACKENDS
from understudy.video.frames import Frames

NEEDS_MORE = {
    "openpose",
    "openpose_caffe",
    "openpose_json",
    "rtmw",
}  # programs or files that are not in the embedded environment


@pytest.mark.parametrize("name", [name for name in list_backends(BACKENDS) if name not in NEEDS_MORE])
def test_backend_keeps_the_contract(name, tiny_clip):
    """Backends that need more are put through `check_pose_backend` by their own tests."""
    backend = load_backend(BACKENDS, name)(pose_settings(name))
    assert backend.name == name
    with Frames(tiny_clip.frames) as frames:
        people = check_pose_backend(backend, frames)
        assert np.mean([len(poses) == 1 for poses in people]) > 0.8
        found = backend.detect(frames[0])
    assert all(pose.found for pose in found)


def test_the_largest_of_a_frame_is_taken(tiny_clip, tmp_path, monkeypatch):
    """People of any order: the truth and a smaller copy of it, which one first by chance."""
    backend = load_backend(BACKENDS, "truth")
    alone = backend.__call__

    def crowd(self, frames):
        for number, (pose,) in enumerate(alone(self, frames)):
            small = replace(pose, body=pose.body * [0.5, 0.5, 1], face=pose.face * 0, hands=pose.hands * 0)
            yield (pose, small) if number % 2 else (small, pose)

    monkeypatch.setattr(backend, "__call__", crowd)
    make_pose(tiny_clip.frames, tmp_path / "pose.h5", pose_settings("truth"))
    with open_file(tmp_path / "pose.h5", "pose") as found, open_file(tiny_clip.folder / "truth.h5", "truth") as truth:
        np.testing.assert_allclose(found["body"][:], truth["body"][:], atol=1e-3)


@pytest.mark.slow
def test_embedded_estimator_meets_the_truth(synthetic_clip):
    """PCK at 5 % of the body's height 0.99, median error under 1.2 %, matte IoU 0.95, no row lost."""
    pose = synthetic_clip.folder / "pose.h5"
    make_pose(synthetic_clip.frames, pose, pose_settings("mediapipe"))
    with open_file(pose, "pose") as found, open_file(synthetic_clip.folder / "truth.h5", "truth") as truth:
        assert found["valid"][:].all()
        assert len(found["valid"]) == 24
        height = np.ptp(truth["body"][..., 1], axis=1).mean()
        shown, present = truth["body"][..., 2] > 0, found["body"][..., 2] > 0
        error = np.linalg.norm(found["body"][..., :2] - truth["body"][..., :2], axis=-1) / height
        error = np.where(present, error, np.inf)[shown]  # a joint that was not found is wrong
        seen, person = found["matte"][:] > 127, truth["matte"][:] > 127
        box = found["person_box"][:]
    assert (error < 0.05).mean() >= 0.99
    assert np.median(error) < 0.012
    assert (seen & person).sum() / (seen | person).sum() > 0.95
    assert ((box[:, 2:] - box[:, :2]) > [20, 0.9 * height]).all()


@pytest.mark.slow
def test_smoothing_calms_without_delay(synthetic_clip, tmp_path):
    """The filter takes out most of the trembling, the picture's motion more, and neither makes the error larger."""
    moves, trembling, error = [], [], []
    with open_file(synthetic_clip.folder / "truth.h5", "truth") as truth:
        exact = truth["body"][..., :2]
    for window, weight in ((1, 0), (7, 0), (7, 50)):
        settings = pose_settings("mediapipe", smooth_frames=window, motion_weight=weight)
        make_pose(synthetic_clip.frames, tmp_path / "pose.h5", settings)
        with h5py.File(tmp_path / "pose.h5") as file:
            offset = file["body"][..., :2] - exact
        moves.append(np.abs(np.diff(offset, axis=0)).mean())
        trembling.append(np.median(np.abs(np.diff(offset, n=2, axis=0))))
        error.append(np.median(np.linalg.norm(offset, axis=-1)))
    assert trembling[1] < 0.6 * trembling[0]
    assert trembling[2] < 0.6 * trembling[0]
    assert moves[1] < 0.8 * moves[0]
    assert moves[2] < 0.8 * moves[1]
    assert error[1] < 1.05 * error[0]
    assert error[2] < error[1]


def test_truth_is_the_truth(tiny_clip, tmp_path):
    make_pose(tiny_clip.frames, tmp_path / "pose.h5", pose_settings("truth", smooth_frames=1, gap_frames=0))
    with open_file(tmp_path / "pose.h5", "pose") as found, open_file(tiny_clip.folder / "truth.h5", "truth") as truth:
        for name in ("body", "face", "hands", "body_z", "matte"):
            np.testing.assert_allclose(found[name][:], truth[name][:], atol=1e-3)


def test_a_clip_without_a_person_is_refused_with_advice(tmp_path):
    frames = tmp_path / "frames.h5"
    with create(frames, "frames", "test") as writer:
        writer.extend(rgb=np.full((3, 64, 64, 3), 90, np.uint8))
        writer.attributes({"rate_numerator": 25, "rate_denominator": 1, "source": "wall.mp4"})
    with pytest.raises(FootageError, match=r"Nobody is found in any of the 3 frames .* clip table"):
        make_pose(frames, tmp_path / "pose.h5", pose_settings("mediapipe"))
    assert not (tmp_path / "pose.h5").exists()


def test_truth_of_filmed_footage_is_refused(tmp_path):
    frames = tmp_path / "frames.h5"
    with create(frames, "frames", "test") as writer:
        writer.extend(rgb=np.zeros((2, 32, 32, 3), np.uint8))
        writer.attributes({"rate_numerator": 25, "rate_denominator": 1, "source": str(tmp_path / "filmed.mp4")})
    with pytest.raises(BackendError, match="only synthetic clips have one"):
        make_pose(frames, tmp_path / "pose.h5", pose_settings("truth"))
