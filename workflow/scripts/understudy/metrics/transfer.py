"""Measures a transfer's film, against the true transfer where it is known, and writes metrics.json."""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from understudy.dataset.reader import Footage
from understudy.layouts import open_file
from understudy.metrics.distance import Footprint, relation
from understudy.metrics.joints import film_figures, joint_figures, true_joints
from understudy.metrics.motion import body_height
from understudy.metrics.nearest import Nearest
from understudy.metrics.perception import Networks
from understudy.metrics.performer import MOST_DRAWN, MOST_FRAMES, coverage_figures
from understudy.metrics.protocol import TRANSFER_PROTOCOL, protocol
from understudy.metrics.record import log_table, write_record
from understudy.metrics.reference import check_same_view, resized, true_transfer
from understudy.metrics.series import Series, TrueFrame
from understudy.metrics.steadiness import Steadiness
from understudy.metrics.training_frames import TrainingFrames
from understudy.metrics.worst import FIGURE, worst_frames
from understudy.metrics.yardsticks import yardstick_series
from understudy.model.build import load_generator
from understudy.rendering.maps import DrivingMaps
from understudy.rendering.rollout import draw_alone
from understudy.semantics.truth import Truth, open_truth
from understudy.settings import FilmSettings, MetricsSettings, PoseSettings
from understudy.video.encode import Film
from understudy.video.frames import Frames
from understudy.video.source import SourceVideo

logger = logging.getLogger(__name__)

MOST_YARDSTICK_FRAMES = 75  # of a yardstick are measured; the film's own figures are kept frame by frame
STEADY_FRAMES = 120  # of the performer's footage that film and footage are compared on


@dataclass(frozen=True)
class TransferFiles:
    """What a transfer is measured from.

    Attributes:
        video: the film as written.
        driving: driving.h5 it was drawn from.
        windows: windows.h5 of the performer.
        weights: the performer's generator, which draws the yardstick without history.
        truth: frames.h5 of the synthetic clip that shows the true transfer frame for frame; None without.
        people: people.h5 of the film; None where no estimator looks at pictures.
    """

    video: Path
    driving: Path
    windows: Path
    weights: Path
    truth: Path | None = None
    people: Path | None = None


@dataclass(frozen=True)
class Films:
    """How films are written and their poses smoothed, so that yardsticks are treated as the film was."""

    crf: int
    film: FilmSettings
    pose: PoseSettings


def measure_transfer(
    files: TransferFiles, metrics: Path, settings: MetricsSettings, films: Films, threads: int = 1
) -> None:
    """Measure a film; against the true transfer where there is one.

    Args:
        files: what is measured, and by what.
        metrics: metrics.json to write.
        settings: tolerance of the shift-tolerant PSNR; the distance from which on a frame counts as uncovered.
        films: how the film was written and poses are smoothed.
        threads: CPU threads.

    Raises:
        FootageError: truth and film do not show the same motion in the same view.
    """
    torch.set_num_threads(threads)
    film = SourceVideo(files.video)
    with TrainingFrames(files.windows) as training, ExitStack() as stack:
        poses, valid = _driving_poses(files.driving)
        nearest = training.nearest(poses[valid], body_height(poses[valid]))
        _, far = Footprint(training).driving(files.driving)
        truth = None
        if files.truth is not None:
            clip = stack.enter_context(Frames(files.truth))
            exact = stack.enter_context(open_truth(clip))
            check_same_view(clip, training.frames(0), len(valid))
            truth = clip, exact
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        alone = _film_without_history(files, film, folder / "without_history.mp4", films)
        record = {
            "kind": "transfer",
            "height_px": film.height,
            "width_px": film.width,
            "frames": len(valid),
            "valid_share": round(float(valid.mean()), 4),
            "tolerance_px_at_128": settings.tolerance_px,
            "protocol": protocol(TRANSFER_PROTOCOL, settings=settings, most_drawn=MOST_DRAWN),
            "coverage": _coverage(nearest) | coverage_figures(far.distance, settings),
            "relation": None,
            "steadiness": {
                "film": _film_steadiness(film, files.driving),
                "without_history": _film_steadiness(alone, files.driving, MOST_DRAWN),
                "performer_footage": _footage_steadiness(files.windows, film.height),
            },
        }
        if files.people is not None:
            exactly = truth[1] if truth else None
            record["pose"] = film_figures(files.video, files.people, files.driving, exactly, films.pose)
        if truth is not None:
            choice = np.full(len(valid), -1)
            choice[valid] = nearest.index
            written = {
                "without_history": alone,
                "truth_as_film": _truth_as_film(clip, film, folder / "truth.mp4", films),
            }
            series = _transfer_series(film, written, truth, training, choice, settings)
            record |= _against_truth(series, far.distance)
            record["joints"] = joint_figures(poses, true_joints(truth[1], len(poses)), valid)
    write_record(metrics, record)
    for title in ("figures", "steadiness", "pose"):
        log_table(title, record.get(title, {}))
    for title in ("joints", "coverage"):
        log_table(title, {"driving maps": record.get(title, {})})
    logger.info("distance from the footage and error: %s", record["relation"])


def _transfer_series(
    film: SourceVideo,
    written: Mapping[str, SourceVideo],
    truth: tuple[Frames, Truth],
    training: TrainingFrames,
    nearest: np.ndarray,
    settings: MetricsSettings,
) -> dict[str, Series]:
    """Measure the film, films written as yardsticks and the other yardsticks against the true transfer, in one pass."""
    clip, exact = truth
    networks = Networks.of(settings.networks)
    main, yardstick = (
        partial(Series, settings.tolerance_px, max(1, -(-len(clip) // most)), networks)
        for most in (MOST_FRAMES, MOST_YARDSTICK_FRAMES)
    )
    series = {"transfer": main()} | {name: yardstick() for name in written}

    def gathered() -> Iterator[TrueFrame]:
        others = {name: iter(other) for name, other in written.items()}  # shorter where a film is long
        for frame, true in zip(film, true_transfer(clip, exact, film.height, film.width), strict=True):
            series["transfer"].add(frame.picture(), true)
            for name, frames in others.items():
                if (other := next(frames, None)) is not None:
                    series[name].add(other.picture(), true)
            yield true

    return series | yardstick_series(gathered(), nearest, training, yardstick)


def _against_truth(series: dict[str, Series], distance: np.ndarray) -> dict[str, Any]:
    """Return the parts of the record that a true transfer gives."""
    main = series["transfer"]
    far = np.array([distance[row["frame"]] for row in main.rows])
    kept = {name: one.per_frame() for name, one in series.items()}
    kept["transfer"]["distance"] = [round(value, 4) if np.isfinite(value) else None for value in far.tolist()]
    return {
        "figures": {name: one.figures() for name, one in series.items()},
        "per_frame": kept,
        "worst_frames": worst_frames(main.rows),
        "relation": relation(far, np.array([row[FIGURE] for row in main.rows]), FIGURE, "frames of the film"),
    }


def _film_without_history(files: TransferFiles, film: SourceVideo, path: Path, films: Films) -> SourceVideo:
    """Draw the first frames as if each were the first, and write them as the film was written."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    generator = load_generator(files.weights).placed(device)
    with (
        DrivingMaps(files.driving, generator.height_px) as maps,
        Film(path, film.rate, films.crf, None, films.film) as out,
    ):
        for picture in draw_alone(generator, islice(maps, MOST_DRAWN)):
            out.write(picture.transpose(1, 2, 0))
    return SourceVideo(path)


def _truth_as_film(clip: Frames, film: SourceVideo, path: Path, films: Films) -> SourceVideo:
    """Write the first frames of the true transfer as the film was written: what the codec alone costs."""
    with Film(path, film.rate, films.crf, None, films.film) as out:
        for number in range(min(len(clip), MOST_DRAWN)):
            out.write(resized(clip[number], film.height, film.width))
    return SourceVideo(path)


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


def _film_steadiness(film: SourceVideo, driving: Path, most: int | None = None) -> dict[str, Any]:
    """Measure a film that shows all frames of driving.h5, or so many of the first ones."""
    steadiness = Steadiness()
    with DrivingMaps(driving, film.height) as maps:
        for frame, semantic in zip(film, islice(maps, most), strict=True):
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
