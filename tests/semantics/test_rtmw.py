"""RTMW and DWPose on small ONNX networks with known answers: boxes, cut-outs, points, mapping, errors."""

import ctypes

import cv2
import numpy as np
import onnxruntime
import pytest

from contracts import check_pose_backend
from defaults import pose_settings
from onnx_models import write_detector, write_planted_pose, write_raw_detector, write_spot_finder
from understudy.backends import load_backend
from understudy.errors import BackendError
from understudy.job import file_digest
from understudy.semantics.joints import BODY, BODY_25, RIGHT_PUPIL
from understudy.semantics.people import BACKENDS
from understudy.semantics.pose_backends import _onnx_network
from understudy.semantics.pose_backends._simcc import cut, decode, region_round
from understudy.semantics.pose_backends._wholebody import COCO, map_points
from understudy.semantics.pose_backends._yolox import decode_grid, letterbox, suppress
from understudy.video.frames import Frames

DETECTOR_PX, POSE_PX = (64, 64), (64, 48)  # height, width


def backend(folder, **changes):
    usual = {
        "detector": str(folder / "yolox.onnx"), "detector_sha256": "", "pose": str(folder / "rtmw.onnx"),
        "pose_sha256": "", "device": "cpu",
    }  # fmt: skip
    return load_backend(BACKENDS, "rtmw")(pose_settings("rtmw", rtmw=usual | changes))


def random_points(seed: int = 0) -> np.ndarray:
    """Points (133, 3) in the middle of a network's input, shares, all sure."""
    random = np.random.default_rng(seed)
    return np.column_stack([random.uniform(0.2, 0.8, (133, 2)), np.full(133, 0.9)])


@pytest.fixture
def models(tmp_path):
    """A detector that always sees one person in the middle of a square picture, and a pose network that sees spots."""
    write_detector(tmp_path / "yolox.onnx", np.array([[16.0, 8, 48, 56, 0.8]]), [0], DETECTOR_PX)
    write_spot_finder(tmp_path / "rtmw.onnx", POSE_PX)
    return tmp_path


def test_backend_keeps_the_contract(models, tiny_clip):
    write_planted_pose(models / "rtmw.onnx", random_points(), POSE_PX)
    with Frames(tiny_clip.frames) as frames:
        people = check_pose_backend(backend(models), frames)
    assert all(len(poses) == 1 for poses in people)


def test_a_spot_is_found_where_the_picture_shows_it(models):
    """Through letterbox, box, cut-out and SimCC and back again; a bin is half a pixel of the cut-out."""
    picture = np.zeros((320, 320, 3), np.uint8)
    cv2.circle(picture, (150, 200), 6, (255, 255, 255), -1)
    (pose,) = backend(models).detect(picture)
    px = 5 * 48 * 1.25 / 64  # of the picture, per pixel of the cut-out
    for points in (pose.body, pose.face, pose.hands.reshape(-1, 3)):
        assert (np.abs(points[:, :2] - 150.5)[:, 0] < 6 + px).all() and (np.abs(points[:, 1] - 200.5) < 6 + px).all()
        assert (points[:, 2] == 1).all()


@pytest.mark.parametrize("batch", ["batch", 1])
def test_everyone_gets_their_own_points(models, batch):
    """Two boxes, one spot in each, whether or not the network takes several pictures at once."""
    boxes = np.array([[4.0, 10, 24, 50, 0.9], [40, 10, 60, 50, 0.8], [0, 0, 64, 64, 0.2]])
    write_detector(models / "yolox.onnx", boxes, [0, 0, 0], DETECTOR_PX)
    write_spot_finder(models / "rtmw.onnx", POSE_PX, batch)
    picture = np.zeros((128, 128, 3), np.uint8)
    for x in (28, 100):
        cv2.circle(picture, (x, 60), 3, (255, 255, 255), -1)
    found = backend(models).detect(picture)
    assert len(found) == 2  # the third is doubtful
    for pose, x in zip(found, (28.5, 100.5), strict=True):
        np.testing.assert_allclose(pose.body[:, :2], np.tile([x, 60.5], (25, 1)), atol=5)


def test_planted_points_come_back_in_pixels_of_the_picture(models):
    points = random_points(3)
    write_planted_pose(models / "rtmw.onnx", points, POSE_PX)
    (pose,) = backend(models).detect(np.zeros((128, 128, 3), np.uint8))
    x, y, width, height = region_round(np.array([32.0, 16, 96, 112]), 48 / 64)
    assert (width, height) == (90, 120)
    place = points[:, :2] * [width, height] + [x - width / 2, y - height / 2] + 0.5
    row = COCO.index("left_wrist")
    np.testing.assert_allclose(pose.body[BODY["left_wrist"], :2], place[row], atol=0.5 * width / 48)
    np.testing.assert_allclose(pose.face[:68, :2], place[23:91], atol=1)
    np.testing.assert_allclose(pose.hands.reshape(-1, 3)[:, :2], place[91:], atol=1)


def test_nobody_is_an_empty_list(models):
    write_detector(models / "yolox.onnx", np.array([[16.0, 8, 48, 56, 0.8]]), [5], DETECTOR_PX)  # a bus
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[30:34, 30:34] = 255
    assert backend(models).detect(picture) == []
    write_detector(models / "yolox.onnx", np.array([[16.0, 8, 48, 56, 0.8]]), [0], DETECTOR_PX)
    assert len(backend(models).detect(picture)) == 1


def raw_rows(size: tuple[int, int], *people: tuple[int, tuple[float, float, float, float], float]) -> np.ndarray:
    """Rows of a raw YOLOX output with objects in some cells: (cell, left top right bottom px, score)."""
    cells = [
        (stride, x, y) for stride in (8, 16, 32) for y in range(size[0] // stride) for x in range(size[1] // stride)
    ]
    rows = np.zeros((len(cells), 85), np.float32)
    for cell, (left, top, right, bottom), score in people:
        stride, x, y = cells[cell]
        rows[cell, :2] = (left + right) / 2 / stride - x, (top + bottom) / 2 / stride - y
        rows[cell, 2:4] = np.log([(right - left) / stride, (bottom - top) / stride])
        rows[cell, 4], rows[cell, 5] = score, 1
    return rows


def test_raw_rows_of_all_strides_give_their_boxes():
    """64 cells of 8 px, 16 of 16 px, 4 of 32 px."""
    box = (10.0, 6.0, 40.0, 60.0)
    rows = raw_rows((64, 64), (20, box, 0.9), (70, box, 0.8), (82, box, 0.7))
    boxes, scores = decode_grid(rows, 64, 64)
    assert len(boxes) == 84
    np.testing.assert_allclose(boxes[[20, 70, 82]], [box] * 3, atol=1e-4)
    np.testing.assert_allclose(scores[[20, 70, 82]], [0.9, 0.8, 0.7], atol=1e-6)


def test_a_raw_detector_gives_what_the_other_gives(models):
    rows = raw_rows(DETECTOR_PX, (20, (16, 8, 48, 56), 0.8), (75, (17, 8, 49, 57), 0.6), (81, (2, 2, 9, 9), 0.1))
    picture = np.random.default_rng(0).integers(0, 256, (160, 96, 3), np.uint8)
    (one,) = backend(models).detect(picture)
    write_raw_detector(models / "yolox.onnx", rows, DETECTOR_PX)
    (other,) = backend(models).detect(picture)
    np.testing.assert_allclose(one.body, other.body, atol=1e-3)


def test_overlapping_boxes_are_one_person():
    boxes = np.array([[0.0, 0, 10, 20], [1, 0, 11, 20], [6, 0, 16, 20], [50, 0, 60, 20]])
    kept = suppress(boxes, np.array([0.5, 0.9, 0.8, 0.29]))
    np.testing.assert_array_equal(kept, boxes[[1, 2]])
    assert suppress(boxes, np.zeros(4)).shape == (0, 4)


def test_letterbox_is_grey_beyond_the_picture_and_blue_first():
    picture = np.zeros((30, 60, 3), np.uint8)
    picture[..., 2] = 200
    given, scale = letterbox(picture, (48, 48))
    assert scale == 0.8 and given.dtype == np.float32
    assert (given[0, :24] == 200).all() and not given[1:, :24].any()
    assert (given[:, 24:] == 114).all()


@pytest.mark.parametrize(("box", "size"), [((0, 0, 30, 80), (75, 100)), ((0, 0, 90, 40), (112.5, 150))])
def test_a_region_has_the_networks_aspect_and_a_margin(box, size):
    x, y, width, height = region_round(np.float64(box), 0.75)
    assert (width, height) == size
    assert (x, y) == ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)


def test_a_cut_out_is_red_first_with_mean_0():
    picture = np.tile(np.uint8([124, 116, 104]), (40, 40, 1))
    given = cut(picture, (20, 20, 15, 20), (64, 48))
    assert given.shape == (3, 64, 48) and np.abs(given).max() < 0.02
    outside = cut(picture, (-20, -20, 15, 20), (64, 48))
    np.testing.assert_allclose(outside[0], -123.675 / 58.395, rtol=1e-5)


def test_simcc_score_is_the_lower_of_both():
    columns, rows = np.zeros((1, 133, 96), np.float32), np.zeros((1, 133, 128), np.float32)
    columns[:, :, 48], rows[:, :, 32] = 0.9, 0.4
    found = decode(columns, rows, np.array([[100.0, 50, 48, 64]]))
    np.testing.assert_allclose(found[0, 0], [100.5, 50 - 32 + 16 + 0.5, 0.4], rtol=1e-6)


def test_points_are_mapped_by_name():
    points = np.column_stack([np.arange(133), 2 * np.arange(133), np.linspace(0.3, 0.9, 133)])
    body, face, hands = map_points(points)
    for joint in BODY_25:
        if joint in COCO:
            np.testing.assert_array_equal(body[BODY[joint]], points[COCO.index(joint)])
    np.testing.assert_allclose(body[BODY["neck"]], [5.5, 11, points[5, 2]])
    np.testing.assert_allclose(body[BODY["mid_hip"]], [11.5, 23, points[11, 2]])
    np.testing.assert_array_equal(face[:68], points[23:91])
    np.testing.assert_allclose(face[RIGHT_PUPIL], [62, 124, points[60, 2]])  # lids 37, 38, 40, 41 of the face
    np.testing.assert_array_equal(hands[0], points[91:112])
    np.testing.assert_array_equal(hands[1], points[112:])


def test_doubtful_points_are_absent(models):
    points = random_points()
    points[COCO.index("left_shoulder"), 2] = 0.1
    write_planted_pose(models / "rtmw.onnx", points, POSE_PX)
    (pose,) = backend(models).detect(np.zeros((128, 128, 3), np.uint8))
    absent = pose.body[:, 2] == 0
    assert {BODY_25[row] for row in np.flatnonzero(absent)} == {"left_shoulder", "neck"}


def test_missing_files_are_named(models):
    (models / "rtmw.onnx").unlink()
    with pytest.raises(BackendError, match=r"pose\.rtmw\.pose is '.*rtmw\.onnx', and no such file exists"):
        backend(models)
    with pytest.raises(BackendError, match=r"pose\.rtmw\.detector is ''"):
        backend(models, detector="")


def test_checksums_are_held(models):
    digest = file_digest(models / "yolox.onnx")
    assert digest[:12] in backend(models, detector_sha256=digest).version
    with pytest.raises(BackendError) as error:
        backend(models, detector_sha256=64 * "0")
    assert digest in str(error.value) and 64 * "0" in str(error.value)


def test_other_files_are_named(models):
    (models / "rtmw.onnx").write_bytes(b"PK a zip")
    with pytest.raises(BackendError, match=r"rtmw.onnx \(8 bytes\), which onnxruntime .* cannot read"):
        backend(models)
    write_spot_finder(models / "rtmw.onnx", POSE_PX, points=17)
    with pytest.raises(BackendError, match="gives 17 points; a whole-body network gives 133"):
        backend(models)
    write_detector(models / "rtmw.onnx", np.zeros((1, 5)), [0], DETECTOR_PX)
    with pytest.raises(BackendError, match="an RTMW or DWPose network gives"):
        backend(models)
    write_detector(models / "yolox.onnx", np.zeros((1, 5)), [0], ("height", "width"))
    with pytest.raises(BackendError, match=r"is tensor\(float\) of shape \[1, 3, 'height', 'width'\], expected one"):
        backend(models)
    write_planted_pose(models / "yolox.onnx", random_points(), POSE_PX)
    with pytest.raises(BackendError, match=r"a YOLOX detector for 48 x 64 pixels gives \(batch, 62, 85\)"):
        backend(models)


def test_a_gpu_that_is_not_to_be_had_is_named(models, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(BackendError, match=r"is the CPU build; install onnxruntime-gpu"):
        backend(models, device="cuda")


def test_a_gpu_build_without_a_gpu_is_refused_before_it_crashes(models, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(_onnx_network, "count_gpus", lambda: 0)
    with pytest.raises(BackendError, match=r"shows this job no GPU"):
        backend(models, device="cuda")


def test_gpus_are_counted_by_the_driver(monkeypatch):
    class Driver:
        def __init__(self, name: str):
            assert name == "libcuda.so.1"

        def cuInit(self, flags: int) -> int:  # noqa: N802
            return self.failure

        def cuDeviceGetCount(self, number) -> int:  # noqa: N802
            number._obj.value = 2
            return 0

    monkeypatch.setattr(ctypes, "CDLL", Driver)
    for failure, expected in ((0, 2), (100, 0)):
        Driver.failure = failure
        assert _onnx_network.count_gpus() == expected
    monkeypatch.setattr(ctypes, "CDLL", _absent)
    assert _onnx_network.count_gpus() == 0


def _absent(name: str):
    raise OSError(name)
