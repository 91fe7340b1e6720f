"""Known answers: a clip covers itself; a posture that was never filmed is found, named and shown."""

import cv2
import numpy as np
import pytest

from planted import DATASET
from standing import standing
from understudy.dataset.windows import index_windows
from understudy.layouts import COVERAGE, create
from understudy.metrics.coverage import measure_coverage
from understudy.metrics.record import read_record
from understudy.settings import MetricsSettings

SIZE, FRAMES = 256, 30
SETTINGS = MetricsSettings(tolerance_px=6, uncovered_distance=0.05)


def swinging(frames: int) -> np.ndarray:
    """Poses (T, 25, 3) of a person of 200 px whose left wrist swings a little."""
    return np.concatenate([standing(left_wrist=(32 + 6 * np.sin(number / 3), -4)) for number in range(frames)])


def pose_arrays(body: np.ndarray) -> dict[str, np.ndarray]:
    frames = len(body)
    return {
        "body": body.astype(np.float32),
        "body_z": np.zeros((frames, 25), np.float32),
        "face": np.zeros((frames, 70, 3), np.float32),
        "hands": np.zeros((frames, 2, 21, 3), np.float32),
        "person_box": np.zeros((frames, 4), np.float32),
    }


def body_parts(frames: int) -> np.ndarray:
    part = np.zeros((frames, SIZE, SIZE), np.uint8)
    part[:, 60:200, 120:180] = 2
    return part


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ada")
    paths = {name: folder / f"{name}.h5" for name in ("frames", "pose", "surface", "flow")}
    with create(paths["pose"], "pose", "test") as file:
        file.extend(**pose_arrays(swinging(FRAMES)), valid=np.ones(FRAMES, bool))
    with create(paths["frames"], "frames", "test") as file:
        file.extend(rgb=np.full((FRAMES, SIZE, SIZE, 3), 90, np.uint8))
        file.attributes({"rate_numerator": 24, "rate_denominator": 1, "source": "ada.mp4"})
    with create(paths["surface"], "surface", "test") as file:
        part = body_parts(FRAMES)
        file.extend(part=part, uv=np.stack([0 * part] * 2, -1), matte=part, valid=np.ones(FRAMES, bool))
        file.attributes({"samples": 1, "chart": "test", "sha256": ""})
    with create(paths["flow"], "flow", "test") as file:
        file.extend(
            "stride_1",
            backward=np.zeros((FRAMES, SIZE, SIZE, 2), np.int16),
            confidence=np.zeros((FRAMES, SIZE, SIZE), np.uint8),
        )
    index_windows(*([path] for path in paths.values()), folder / "windows.h5", DATASET)
    return folder / "windows.h5"


def driving_file(path, body, valid=None):
    frames = len(body)
    part = body_parts(frames)
    with create(path, "driving", "test") as file:
        file.extend(
            **pose_arrays(body),
            valid=np.ones(frames, bool) if valid is None else valid,
            part=part,
            uv=np.zeros((frames, SIZE, SIZE, 2), np.uint8),
        )
        file.attributes({"samples": 1, "chart": "test", "height": SIZE, "width": SIZE, "retarget": "body"})
    return path


def measured(folder, windows, body, valid=None) -> dict:
    driving = driving_file(folder / "driving.h5", body, valid)
    measure_coverage(driving, windows, folder / "coverage.json", folder / "coverage.png", SETTINGS)
    return read_record(folder / "coverage.json")


def test_a_clip_covers_itself(windows, tmp_path):
    record = measured(tmp_path, windows, swinging(20) + np.float32((15, -8, 0)))
    assert set(record) == set(COVERAGE)
    assert record["distance"] == pytest.approx([0] * 20, abs=0.02)  # a limb is compared with a second of footage
    assert (record["covered_share"], record["uncovered"], record["shot_list"]) == (1, [], [])
    assert record["nearest_clip"] == [0] * 20 and record["clips"] == [windows.parent.name]
    assert record["relation"] is None


def test_what_was_never_filmed_is_found_named_and_shown(windows, tmp_path):
    body = swinging(20)
    body[8:12] = standing(right_elbow=(-30, -100), right_wrist=(-30, -135))
    valid = np.ones(20, bool)
    valid[15:] = False
    record = measured(tmp_path, windows, body, valid)
    (moment,) = record["uncovered"]
    assert (moment["first"], moment["last"]) == (8, 11)
    assert "the right arm raised above the head" in moment["words"]
    assert record["shot_list"][0].startswith(f"Film the performer {moment['words']}, as in frames 8 to 11 of the")
    assert record["distance"][15:] == record["nearest"][15:] == [None] * 5
    assert record["covered_share"] == pytest.approx(11 / 15, abs=1e-4)
    sheet = cv2.imread(str(tmp_path / "coverage.png"))
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 50


def test_nobody_in_the_driving_clip_is_said_and_not_measured(windows, tmp_path):
    record = measured(tmp_path, windows, np.zeros((5, 25, 3), np.float32), np.zeros(5, bool))
    assert record["median_distance"] is None and record["covered_share"] is None
    assert record["distance"] == [None] * 5 and record["shot_list"] == []
