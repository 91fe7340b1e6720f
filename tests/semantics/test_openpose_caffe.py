"""The backend on small Caffe networks with known answers, and what it says when it cannot run."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from caffe_models import CaffeModel, colour_model, planted_model, random_model, write_random_models
from contracts import check_pose_backend
from defaults import pose_settings
from planted_people import plant, standing_body
from posing import make_pose
from understudy.backends import load_backend
from understudy.errors import BackendError
from understudy.layouts import open_file
from understudy.semantics.people import BACKENDS
from understudy.semantics.pose_backends._caffe_network import BODY, FACE, HAND, OUTPUT, Network
from understudy.semantics.pose_backends._cutouts import face_square
from understudy.video.frames import Frames

NET = (368, 480)  # of a picture of 400 x 522 px


def settings(folder, **changes):
    usual = {"model_folder": str(folder), "net_resolution": "-1x368", "face": True, "hands": True, "device": "cpu"}
    return pose_settings("openpose_caffe", openpose_caffe=usual | changes)


def backend(folder, **changes):
    return load_backend(BACKENDS, "openpose_caffe")(settings(folder, **changes))


def plant_people(folder, bodies: np.ndarray, size: tuple[int, int]) -> None:
    """Write a body network that always sees these people, in pixels of its input."""
    maps = plant(bodies, size)
    background = 1 - maps.heat.max(0, keepdims=True)
    planted_model(np.concatenate([maps.heat, background, maps.fields])).write(folder, BODY)


@pytest.fixture
def models(tmp_path):
    return write_random_models(tmp_path / "models")


def test_backend_keeps_the_contract(models, tiny_clip):
    plant_people(models, np.stack([standing_body(300, 110, 340), standing_body(250, 260, 330)]), (368, 368))
    with Frames(tiny_clip.frames) as frames:
        people = check_pose_backend(backend(models), frames)
    assert all(len(poses) == 2 for poses in people)


def test_contract_on_random_weights(models, tiny_clip):
    with Frames(tiny_clip.frames) as frames:
        check_pose_backend(backend(models, net_resolution="-1x96"), frames)


def test_planted_people_come_back_in_pixels_of_the_picture(models):
    planted = np.stack([standing_body(300, 120, 345), standing_body(220, 330, 345)])
    plant_people(models, planted, NET)
    picture = np.zeros((400, 522, 3), np.uint8)
    found = sorted(backend(models, face=False, hands=False).detect(picture), key=lambda pose: pose.body[0, 0])
    assert len(found) == 2
    scale = 367 / 399
    for pose, body in zip(found, planted, strict=True):
        np.testing.assert_allclose(pose.body[:, :2], body / scale + 0.5, atol=1)  # pixel centres at +0.5
        assert (pose.body[:, 2] > 0.6).all()
        assert not pose.face.any() and not pose.hands.any()


def test_the_body_network_sees_blue_first_and_the_whole_picture(models):
    """Maps of means of colours: the network's own output beside the picture averaged by NumPy."""
    picture = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    colour_model(BODY.channels, blue=1, green=0, red=0).write(models, BODY)
    seen = []
    made = backend(models, net_resolution="128x96", face=False, hands=False)
    network = made._networks[BODY]
    made._networks[BODY] = lambda blob: seen.append(network(blob)) or seen[-1]
    made.detect(picture)
    blue = picture[..., 2].reshape(12, 8, 16, 8).mean((1, 3)) / 256
    np.testing.assert_allclose(seen[0][0], blue, atol=1e-5)


def test_faces_and_hands_are_found_where_the_picture_shows_them(models):
    """Face and hand networks that see redness: red spots on nose and wrists, which the cut-outs must hold."""
    body = standing_body(340, 240, 360)
    plant_people(models, body[None], NET)
    for part in (FACE, HAND):
        colour_model(part.channels, blue=-1, green=-1, red=1).write(models, part)
    picture = np.zeros((400, 522, 3), np.uint8)
    scale = 367 / 399
    spots = {name: body[row] / scale for name, row in (("nose", 0), ("right", 4), ("left", 7))}
    for x, y in spots.values():
        cv2.circle(picture, (round(x), round(y)), 5, (255, 0, 0), -1)
    (pose,) = backend(models).detect(picture)
    assert (pose.face[:, 2] > 0.5).all() and (pose.hands[..., 2] > 0.5).all()
    np.testing.assert_allclose(pose.face[:, :2], np.tile(spots["nose"] + 0.5, (70, 1)), atol=4)
    for row, side in enumerate(("left", "right")):
        np.testing.assert_allclose(pose.hands[row, :, :2], np.tile(spots[side] + 0.5, (21, 1)), atol=4)


def test_switches_leave_parts_out_and_need_no_files_for_them(models):
    plant_people(models, standing_body(340, 240, 360)[None], NET)
    (models / FACE.weights).unlink()
    picture = np.random.default_rng(1).integers(0, 256, (400, 522, 3), np.uint8)
    (pose,) = backend(models, face=False).detect(picture)
    assert face_square(pose.body) is not None and not pose.face.any() and pose.hands.any()


def test_random_weights_give_what_torch_gives(tmp_path):
    """The caffemodel's convolutions, slopes and joins, computed once by OpenCV and once by PyTorch."""
    model, weights = random_model(BODY, np.random.default_rng(4))
    model.write(tmp_path, BODY)
    picture = np.random.default_rng(5).normal(0, 0.3, (1, 3, 48, 64)).astype(np.float32)
    left = [torch.tensor(values, dtype=torch.float32) for values in weights]

    def convolve(values):
        weight, bias = left.pop(0), left.pop(0)
        return F.conv2d(values, weight, bias, padding=weight.shape[2] // 2)

    features = torch.from_numpy(picture)
    for _ in range(3):
        features = F.max_pool2d(convolve(features).relu(), 2)
    first = convolve(features)
    first = F.prelu(first, left.pop(0))
    fields = convolve(torch.cat([first, convolve(first)], 1))
    joints = convolve(torch.cat([features, fields], 1))
    expected = torch.cat([joints, fields], 1)[0]
    np.testing.assert_allclose(Network(tmp_path, BODY, "cpu")(picture), expected.numpy(), atol=1e-5)


def test_estimate_pose_writes_the_clip(models, tiny_clip, tmp_path):
    plant_people(models, standing_body(300, 180, 345)[None], (368, 368))
    pose = tmp_path / "pose.h5"
    make_pose(tiny_clip.frames, pose, settings(models))
    with open_file(pose, "pose") as found:
        assert found["valid"][:].all()


def test_missing_files_are_named_with_where_to_get_them(models):
    (models / FACE.weights).unlink()
    (models / BODY.layout).unlink()
    with pytest.raises(BackendError) as error:
        backend(models)
    text = str(error.value)
    assert str(models) in text and BODY.layout in text and FACE.weights in text and HAND.weights not in text
    assert "https://github.com/CMU-Perceptual-Computing-Lab/openpose" in text and "getModels.sh" in text


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_half_a_download_is_named(models, share):
    whole = (models / BODY.weights).read_bytes()
    (models / BODY.weights).write_bytes(whole[: int(share * len(whole))] or b"<html>404</html>")
    with pytest.raises(BackendError, match=r"pose_iter_584000.caffemodel \(\d+ bytes\).*download broke off"):
        backend(models)


def test_another_network_is_named(models):
    """Hand files in the face's place: 22 maps where 71 belong; and a network whose last layer has another name."""
    random_model(HAND, np.random.default_rng(0))[0].write(models, FACE)
    with pytest.raises(BackendError, match="gives 22 maps, OpenPose's face network gives 71"):
        backend(models)
    other = CaffeModel()
    other.convolve("other", "image", np.zeros((71, 3, 1, 1)), np.zeros(71))
    other.write(models, FACE)
    with pytest.raises(BackendError, match=f"has no layer '{OUTPUT}'"):
        backend(models)


def test_weights_of_another_layout_are_named(models):
    wide, _ = random_model(BODY, np.random.default_rng(0), width=6)
    (models / BODY.layout).write_text(wide.layout)
    with pytest.raises(BackendError, match=r"pose_iter_584000\.caffemodel"):
        backend(models)


def test_opencv_5_is_refused(models, monkeypatch):
    monkeypatch.setattr(cv2, "__version__", "5.0.0")
    with pytest.raises(BackendError, match=r"needs OpenCV 4, found 5\.0\.0"):
        backend(models)


def test_a_gpu_that_is_not_to_be_had_is_named(models):
    with pytest.raises(BackendError, match=r"device is 'cuda', but this OpenCV .* without CUDA"):
        backend(models, device="cuda")
