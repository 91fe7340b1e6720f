"""Known answers on a synthetic clip: its own frames as the film are the truth; moved by some pixels they are not."""

import json
import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from defaults import flow_settings, pose_settings, surface_settings
from posing import make_pose
from understudy.clips import Clip
from understudy.dataset.reader import Footage
from understudy.dataset.windows import index_windows
from understudy.errors import FootageError
from understudy.flow.estimate import estimate_flow
from understudy.layouts import change_file, create, open_file
from understudy.metrics.joints import film_figures, silhouette_overlap
from understudy.metrics.performer import measure_performer
from understudy.metrics.transfer import Films, TransferFiles, measure_transfer
from understudy.model.build import save_generator, start_generator
from understudy.rendering.driver import fit_driving
from understudy.semantics.film import find_film_people
from understudy.semantics.surface import estimate_surface
from understudy.semantics.truth import open_truth
from understudy.settings import (
    DatasetSettings,
    DecodeSettings,
    FilmSettings,
    MetricsSettings,
    ModelSettings,
    RenderingSettings,
    SyntheticSettings,
)
from understudy.synthetic.clip import synthesize_clip
from understudy.video.decode import decode_clip
from understudy.video.encode import Film
from understudy.video.frames import Frames

SIZE, FRAMES, RATE = 96, 40, 24.0
SETTINGS = MetricsSettings(tolerance_px=6, uncovered_distance=0.12)
FILMS = Films(16, FilmSettings("pyav", "libx264"), pose_settings("truth", smooth_frames=1))
SYNTHETIC = SyntheticSettings(
    build="woman", look="check", choreography="sway", start_s=0.0, duration_s=FRAMES / RATE, rate_fps=RATE,
    height_px=SIZE, width_px=SIZE, body_share=0.82, shift=0.0, background=3,
)  # fmt: skip


@dataclass(frozen=True)
class Performance:
    """A performer that performs its own clip, so that the clip is the true transfer."""

    frames: Path
    windows: Path
    driving: Path
    weights: Path


def ingest(folder: Path) -> Path:
    """Render and decode the clip; returns frames.h5."""
    folder.mkdir()
    video, frames = folder / "synthetic.mp4", folder / "frames.h5"
    synthesize_clip(video, folder / "truth.h5", SYNTHETIC)
    (folder / "crop.json").write_text(json.dumps({"left": 0, "top": 0, "width": SIZE, "height": SIZE}))
    clip = Clip("clip", str(video), 0, 0, "largest", "none")
    decode_clip(video, folder / "crop.json", frames, folder / "sound.mka", clip, DecodeSettings("pyav", SIZE, 0, 0.1))
    return frames


@pytest.fixture(scope="module")
def performance(tmp_path_factory) -> Performance:
    folder = tmp_path_factory.mktemp("performance")
    frames = ingest(folder / "clip")
    pose, surface, flow = (frames.with_name(f"{name}.h5") for name in ("pose", "surface", "flow"))
    windows, driving = folder / "windows.h5", folder / "driving.h5"
    make_pose(frames, pose, pose_settings("truth", smooth_frames=1))
    estimate_surface(frames, pose, surface, surface_settings("truth"))
    estimate_flow(frames, flow, flow_settings(quality="medium", strides=(1,), slack_px=0.7))
    index_windows([frames], [pose], [surface], [flow], windows, DatasetSettings(0.2, 4, "both"))
    fit_driving(pose, surface, windows, driving, RenderingSettings("none", "ground", "still", 16), 2)
    weights = folder / "generator.safetensors"
    with Footage(windows, SIZE, "training") as footage:
        start = start_generator(list(footage.spread(30)), ModelSettings("neural_texture", 8, 48, 3), 1, footage.chart)
    save_generator(weights, start, {})
    return Performance(frames, windows, driving, weights)


def film_of(performance: Performance, path: Path, shift_px: int = 0, crf: int = 4) -> Path:
    """Write the clip's own frames as a film, moved to the right."""
    with Frames(performance.frames) as frames, Film(path, frames.rate, crf) as film:
        for picture in frames:
            film.write(np.roll(picture, shift_px, axis=1))
    return path


def files_of(performance: Performance, video: Path, truth: Path | None, people: Path | None = None) -> TransferFiles:
    return TransferFiles(video, performance.driving, performance.windows, performance.weights, truth, people)


def transfer_record(performance: Performance, folder: Path, truth: bool = True, **film) -> dict:
    video = film_of(performance, folder / "video.mp4", **film)
    metrics = folder / "metrics.json"
    files = files_of(performance, video, performance.frames if truth else None)
    measure_transfer(files, metrics, SETTINGS, FILMS)
    return json.loads(metrics.read_text())


@pytest.mark.slow  # the fixture renders the clip
def test_the_true_film_is_right_and_beats_the_frame_before(performance, tmp_path):
    record = transfer_record(performance, tmp_path)
    figures, joints = record["figures"], record["joints"]
    assert figures["transfer"]["psnr_person_db"] > 33  # what compression leaves
    assert figures["transfer"]["frames"] == FRAMES
    assert figures["transfer"]["sharpness_person_ratio"] == pytest.approx(1, abs=0.1)
    assert figures["transfer"]["warp_error_person_ratio"] == pytest.approx(1, abs=0.15)
    for figure in ("psnr_person_db", "ssim_person", "shift_tolerant_psnr_person_db"):
        assert figures["transfer"][figure] > figures["previous_frame"][figure]
    assert figures["nearest_training_frame"]["psnr_person_db"] > 60  # most frames were trained on: 99 dB each
    assert joints["joint_error_median_percent"] < 0.01
    assert joints["pck_5_percent_share"] == 1
    assert record["coverage"]["nearest_pose_median_percent"] < 1  # most of the clip was trained on
    assert record["valid_share"] == 1
    alone, drawn = figures["without_history"], record["per_frame"]["transfer"]
    assert alone["frames"] == FRAMES and 15 < alone["psnr_person_db"] < figures["transfer"]["psnr_person_db"]
    assert drawn["frame"] == list(range(FRAMES)) and len(drawn["distance"]) == FRAMES
    worst = record["worst_frames"]
    assert worst[0]["value"] == pytest.approx(min(drawn["shift_tolerant_psnr_person_db"]), abs=0.01)
    assert drawn["shift_tolerant_psnr_person_db"][worst[0]["frame"]] == pytest.approx(worst[0]["value"], abs=0.01)
    assert record["relation"]["frames"] == FRAMES
    assert any("decoded as written" in sentence for sentence in record["protocol"])


def test_the_truth_written_as_the_film_is_a_true_film(performance, tmp_path):
    (tmp_path / "shifted").mkdir()
    figures = transfer_record(performance, tmp_path, crf=FILMS.crf)["figures"]
    shifted = transfer_record(performance, tmp_path / "shifted", crf=FILMS.crf, shift_px=2)["figures"]
    assert figures["truth_as_film"]["frames"] == FRAMES
    for figure in ("psnr_person_db", "ssim_person", "warp_error_person_ratio", "sharpness_person_ratio"):
        true = figures["truth_as_film"][figure]
        assert true == pytest.approx(figures["transfer"][figure], rel=0.01), figure
        assert shifted["truth_as_film"][figure] == true, "whatever the film shows"
    assert shifted["transfer"]["psnr_person_db"] < 18


def test_a_shift_costs_psnr_but_little_tolerant_psnr(performance, tmp_path):
    figures = transfer_record(performance, tmp_path, shift_px=2)["figures"]["transfer"]
    assert figures["psnr_person_db"] < 18
    assert figures["shift_tolerant_psnr_person_db"] > 30


def test_without_truth_only_figures_that_need_none(performance, tmp_path):
    record = transfer_record(performance, tmp_path, truth=False)
    assert not {"figures", "joints", "worst_frames", "pose"} & set(record) and record["relation"] is None
    steadiness = record["steadiness"]
    assert steadiness["film"]["person_change_percent"] == pytest.approx(
        steadiness["performer_footage"]["person_change_percent"], rel=0.5
    )
    assert steadiness["film"]["background_change_percent"] < 0.6


@pytest.mark.parametrize(
    ("change", "message"), [("shorter", "4 frames, but the driving clip 40"), ("cropped", "set crop to none")]
)
def test_a_true_transfer_of_another_length_or_view_is_refused(performance, tmp_path, change, message):
    video = film_of(performance, tmp_path / "video.mp4")
    other, metrics = tmp_path / "other.h5", tmp_path / "metrics.json"
    shutil.copy(performance.frames, other)
    with change_file(other) as file:
        if change == "shorter":
            file["rgb"].resize(4, axis=0)
        else:
            file.attrs["crop"] = "[16, 16, 64, 64]"
    with pytest.raises(FootageError, match=message):
        measure_transfer(files_of(performance, video, other), metrics, SETTINGS, FILMS)
    assert not metrics.exists()


def test_frames_without_a_driver_do_not_count_as_joints(performance, tmp_path):
    driving = tmp_path / "driving.h5"
    with open_file(performance.driving, "driving") as file, create(driving, "driving", "test") as writer:
        valid = file["valid"][:]
        valid[:10] = False
        arrays = {name: file[name][:] for name in file if name != "valid"}
        arrays["body"][:10] += 50
        writer.extend(valid=valid, **arrays)
        writer.attributes({name: file.attrs[name] for name in ("height", "width", "samples")})
    record = transfer_record(replace(performance, driving=driving), tmp_path)
    assert record["valid_share"] == 0.75
    assert record["joints"]["joint_error_p95_percent"] < 0.01
    assert record["figures"]["nearest_training_frame"]["frames"] == 30


def test_a_performer_is_measured_beside_its_start_and_the_yardsticks(performance, tmp_path, caplog):
    metrics = tmp_path / "metrics.json"
    with caplog.at_level(logging.INFO, "understudy.metrics"):
        measure_performer(performance.weights, performance.windows, metrics, SETTINGS, threads=1)
    record = json.loads(metrics.read_text())
    figures = record["figures"]
    for maps in ("body_maps", "clipped_maps"):
        generator, start = figures[maps]["generator"], figures[maps]["start"]
        assert generator["frames"] == record["held_out_frames"] == 8
        assert generator["psnr_person_db"] == pytest.approx(start["psnr_person_db"], abs=0.05)  # it is the start
        assert start["psnr_person_db"] > figures["yardsticks"]["nearest_training_frame"]["psnr_person_db"] + 2
    assert figures["yardsticks"]["previous_frame"]["frames"] == 7
    alone = figures["yardsticks"]["without_history"]
    assert alone["frames"] == 8 and alone["psnr_person_db"] > 15
    assert record["split"]["held_out"] == 0.2 and record["split"]["gap_frames"] == 4
    held_out = {"clip": 0, "first": 32, "last": 39, "split": "held_out"}
    assert record["split"]["runs"] == [{"clip": 0, "first": 0, "last": 27, "split": "training"}, held_out]
    assert record["coverage"]["frame"] == list(range(32, 40)) and len(record["coverage"]["distance"]) == 8
    assert record["worst_frames"][0]["clip"] == 0 and record["worst_frames"][0]["frame"] in range(32, 40)
    assert record["relation"]["of"] == "held-out frames" and -1 <= record["relation"]["rank_correlation"] <= 1
    assert "| body_maps, generator | 8 |" in caplog.text


def test_a_film_is_looked_at_again(performance, tmp_path):
    """The estimator is the truth beside the clip; of a film that shows nobody every joint is missing."""
    video = film_of(performance, performance.frames.with_name("film.mp4"))
    people, metrics = tmp_path / "people.h5", tmp_path / "metrics.json"
    find_film_people(video, people, pose_settings("truth"))
    measure_transfer(files_of(performance, video, performance.frames, people), metrics, SETTINGS, FILMS)
    pose = json.loads(metrics.read_text())["pose"]
    for against, overlap in (("to_maps", 0.85), ("to_truth", 0.99)):
        assert pose[against]["joint_error_p95_percent"] < 0.01 and pose[against]["pck_5_percent_share"] == 1
        assert pose[against]["silhouette_iou"] > overlap
    with open_file(people, "people") as file, create(tmp_path / "nobody.h5", "people", "test") as writer:
        for name, data in file.items():
            writer.extend(**{name: np.zeros(FRAMES, np.int32) if name == "count" else data[:0]})
        writer.attributes({"exact": True, "backend": "test"})
    with Frames(performance.frames) as frames, open_truth(frames) as exact:
        found = film_figures(video, tmp_path / "nobody.h5", performance.driving, exact, FILMS.pose)
    for against in ("to_maps", "to_truth"):
        assert found[against]["missing_joints_share"] == 1 and found[against]["pck_5_percent_share"] == 0


def test_silhouettes_overlap_by_their_share():
    mask = np.zeros((4, 4), bool)
    mask[:, :2] = True
    assert silhouette_overlap(mask, mask) == 1 and silhouette_overlap(mask, ~mask) == 0
    assert silhouette_overlap(mask, np.roll(mask, 1, axis=1)) == pytest.approx(1 / 3)
    assert np.isnan(silhouette_overlap(mask & ~mask, mask & ~mask))
