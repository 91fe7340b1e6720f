"""Measures a performer on held-out frames and a transfer against its truth; writes metrics.json."""

import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from understudy.dataset.reader import Footage
from understudy.layouts import open_file
from understudy.metrics.motion import JOINTS_17, body_height, joint_error, pck
from understudy.metrics.nearest import Nearest
from understudy.metrics.record import log_table, write_record
from understudy.metrics.reference import check_same_view, held_out_frames, true_transfer
from understudy.metrics.series import Series, TrueFrame
from understudy.metrics.steadiness import Steadiness
from understudy.metrics.training_frames import TrainingFrames
from understudy.metrics.yardsticks import held_out_yardsticks, yardstick_series
from understudy.model.build import load_generator, start_generator
from understudy.model.contract import Generator
from understudy.rendering.maps import DrivingMaps
from understudy.rendering.rollout import roll_out
from understudy.semantics.truth import Truth, open_truth
from understudy.settings import MetricsSettings
from understudy.video.frames import Frames
from understudy.video.source import SourceVideo

logger = logging.getLogger(__name__)

MOST_DRAWN = 300  # held-out frames, because each is drawn once for every kind of map, by the generator and by its start
MOST_FRAMES = 150  # of a series are measured, evenly chosen; every frame is drawn
START_FRAMES = 160  # training frames that give the start its texture and background
STEADY_FRAMES = 120  # of the performer's footage that film and footage are compared on
HELD_OUT_BYTES = 512 * 1024**2  # kept in memory, because they are played several times; training frames once
CORRECT_SHARE = 0.05  # of the body's height, for PCK

FIGURES_PROTOCOL = (
    "PSNR and SSIM (Wang 2004, 11 x 11 Gaussian, on 0..1) are means over frames of each frame's own figure; "
    "_person: on the matte above 0.3 grown by 4 px at 128 px height; identical pictures count as 99 dB.",
    "shift_tolerant_psnr_person_db lets every 9 x 9 window (at 128 px height) of the picture move by up to {tolerance} "
    "px each way (at 128 px height) to where it fits best; read it beside the yardsticks.",
    "sharpness_person_ratio: Laplacian energy over that of the truth. warp_error_person_ratio: change along the "
    "motion over that of the truth. drift_person_db: person PSNR of the last quarter minus that of the first.",
    "ignored_share: of the pixels, ignored_person_share: of the person's, that lie in boxes of the clip table's column "
    "ignore; no figure is taken of them.",
    "nearest_training_frame shows the training frame with the most similar 17 joints as it is; previous_frame repeats "
    "the true frame before, which no renderer has.",
)
PERFORMER_PROTOCOL = (
    "Held-out frames, never trained on, drawn one after the other on the generator's own past, first frame included; "
    f"of more than {MOST_DRAWN} the first ones.",
    "body_maps: the bare fitted body, as a transfer draws it; clipped_maps: cut and filled by the frame's own matte.",
    "start: texture and background averaged from the training frames, before the first step of training.",
)
TRANSFER_PROTOCOL = (
    "The film is decoded as written, so its H.264 and 4:2:0 colour are part of every figure: true frames filmed so "
    "reach about 35 dB, which costs 0.1 dB at 18 dB and 0.4 dB at 25 dB.",
    "joints: the driving maps' 17 joints against those of the true transfer, percent of the standing body's height "
    "(nose to lower foot).",
    "steadiness: mean change from frame to frame, percent of the range of values, along the surface on the person and "
    "at rest away from it; performer_footage is the same of training frames.",
    "coverage: mean distance of the 17 joints, about the hips, to the most similar training pose, percent of height.",
)


def measure_performer(weights: Path, windows: Path, metrics: Path, settings: MetricsSettings, threads: int) -> None:
    """Measure the generator, and its start, on the held-out frames of the performer's own clips.

    Args:
        weights: generator.safetensors.
        windows: windows.h5.
        metrics: metrics.json to write.
        settings: tolerance of the shift-tolerant PSNR.
        threads: CPU threads.
    """
    torch.set_num_threads(threads)
    generator = load_generator(weights)
    height = generator.height_px
    with (
        Footage(windows, height, "held_out", cache_bytes=HELD_OUT_BYTES, most=MOST_DRAWN) as footage,
        TrainingFrames(windows) as training,
    ):
        artists = {"generator": generator, "start": _start(windows, generator)}
        every = max(1, -(-len(footage) // MOST_FRAMES))
        figures: dict[str, dict[str, Any]] = {}
        for surface in footage.surfaces:
            figures[f"{surface}_maps"] = {
                name: _drawn_series(artist, footage, surface, Series(settings.tolerance_px, every)).figures()
                for name, artist in artists.items()
            }
        figures["yardsticks"] = held_out_yardsticks(footage, training, settings, every)
        record = {
            "kind": "performer",
            "height_px": height,
            "width_px": generator.width_px,
            "held_out_frames": len(footage),
            "training_frames": len(training.poses),
            "tolerance_px_at_128": settings.tolerance_px,
            "protocol": _protocol(PERFORMER_PROTOCOL, settings),
            "figures": figures,
        }
    write_record(metrics, record)
    rows = {f"{group}, {name}": values for group, named in figures.items() for name, values in named.items()}
    log_table("held-out frames", rows)


def measure_transfer(
    video: Path, driving: Path, windows: Path, truth: Path | None, metrics: Path, settings: MetricsSettings
) -> None:
    """Measure a film; against the true transfer where there is one.

    Args:
        video: the film as written.
        driving: driving.h5 it was drawn from.
        windows: windows.h5 of the performer.
        truth: frames.h5 of the synthetic clip that shows the true transfer frame for frame; None without.
        metrics: metrics.json to write.
        settings: tolerance of the shift-tolerant PSNR.

    Raises:
        FootageError: truth and film do not show the same motion in the same view.
    """
    film = SourceVideo(video)
    with TrainingFrames(windows) as training:
        poses, valid = _driving_poses(driving)
        nearest = training.nearest(poses[valid], body_height(poses[valid]))
        record = {
            "kind": "transfer",
            "height_px": film.height,
            "width_px": film.width,
            "frames": len(valid),
            "valid_share": round(float(valid.mean()), 4),
            "tolerance_px_at_128": settings.tolerance_px,
            "protocol": _protocol(TRANSFER_PROTOCOL, settings),
            "coverage": _coverage(nearest),
            "steadiness": {
                "film": _film_steadiness(film, driving),
                "performer_footage": _footage_steadiness(windows, film.height),
            },
        }
        if truth is not None:
            with Frames(truth) as clip, open_truth(clip) as exact:
                check_same_view(clip, training.frames(0), len(valid))
                choice = np.full(len(valid), -1)
                choice[valid] = nearest.index
                record["figures"] = _transfer_figures(film, clip, exact, training, choice, settings)
                record["joints"] = _joint_figures(poses, valid, exact)
    write_record(metrics, record)
    for title in ("figures", "steadiness"):
        log_table(title, record.get(title, {}))
    for title in ("joints", "coverage"):
        log_table(title, {"driving maps": record.get(title, {})})


def _protocol(own: Iterable[str], settings: MetricsSettings) -> list[str]:
    return [sentence.format(tolerance=settings.tolerance_px) for sentence in (*own, *FIGURES_PROTOCOL)]


def _start(windows: Path, generator: Generator) -> Generator:
    """Build the generator's start at its final height: the figure that training must beat."""
    with Footage(windows, generator.height_px, "training", cache_bytes=0) as footage:
        chosen, chart_name = list(footage.spread(START_FRAMES)), footage.chart
    return start_generator(chosen, generator.settings, 0, chart_name).eval().requires_grad_(False)


def _drawn_series(artist: Generator, footage: Footage, surface: str, series: Series) -> Series:
    """Draw every held-out run from its own maps and gather the figures."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    artist = artist.placed(device)
    pictures = (
        picture.transpose(1, 2, 0)
        for run in footage.runs
        for picture in roll_out(artist, (semantic for semantic, _ in footage.play(run, surface)))
    )
    for picture, true in zip(pictures, held_out_frames(footage), strict=True):
        series.add(np.ascontiguousarray(picture), true)
    return series


def _transfer_figures(
    film: SourceVideo,
    clip: Frames,
    exact: Truth,
    training: TrainingFrames,
    nearest: np.ndarray,
    settings: MetricsSettings,
) -> dict[str, dict[str, Any]]:
    """Measure the film and both yardsticks against the true transfer, in one pass."""
    every = max(1, -(-len(clip) // MOST_FRAMES))
    series = Series(settings.tolerance_px, every)

    def gathered() -> Iterator[TrueFrame]:
        for frame, true in zip(film, true_transfer(clip, exact, film.height, film.width), strict=True):
            series.add(frame.picture(), true)
            yield true

    yardsticks = yardstick_series(gathered(), nearest, training, settings, every)
    return {"transfer": series.figures(), **yardsticks}


def _joint_figures(poses: np.ndarray, valid: np.ndarray, exact: Truth) -> dict[str, float | None]:
    """Measure the driving maps' joints (T, 25, 3) against the true ones, both in the performer's frame pixels."""
    true = np.stack([exact.joints("body", number)[0] for number in range(len(poses))])
    height = body_height(true)
    driven, wanted = poses[valid][:, list(JOINTS_17)], true[valid][:, list(JOINTS_17)]
    error = joint_error(driven, wanted, height)
    figures = {
        "joint_error_median_percent": error.median_percent,
        "joint_error_p95_percent": error.p95_percent,
        "missing_joints_share": error.missing_share,
        "pck_5_percent_share": pck(driven, wanted, CORRECT_SHARE, height),
    }
    return {name: round(value, 4) if np.isfinite(value) else None for name, value in figures.items()}


def _driving_poses(driving: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read BODY_25 (T, 25, 3) and `valid` (T,)."""
    with open_file(driving, "driving") as file:
        return file["body"][:], file["valid"][:]


def _coverage(nearest: Nearest) -> dict[str, float | None]:
    distance = 100 * nearest.distance[np.isfinite(nearest.distance)]
    if len(distance) == 0:
        return {"nearest_pose_median_percent": None, "nearest_pose_p95_percent": None}
    return {
        "nearest_pose_median_percent": round(float(np.median(distance)), 2),
        "nearest_pose_p95_percent": round(float(np.percentile(distance, 95)), 2),
    }


def _film_steadiness(film: SourceVideo, driving: Path) -> dict[str, Any]:
    steadiness = Steadiness()
    with DrivingMaps(driving, film.height) as maps:
        for frame, semantic in zip(film, maps, strict=True):
            steadiness.add(frame.picture(), semantic)
    return steadiness.figures()


def _footage_steadiness(windows: Path, height: int) -> dict[str, Any]:
    """Measure the first frames of the longest training run as a film would be."""
    steadiness = Steadiness()
    with Footage(windows, height, "training", cache_bytes=0) as footage:
        run = max(footage.runs, key=lambda each: each.length)
        for semantic, truth in islice(footage.play(run), STEADY_FRAMES):
            picture = ((truth.picture[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
            steadiness.add(np.ascontiguousarray(picture), semantic)
    return steadiness.figures()
