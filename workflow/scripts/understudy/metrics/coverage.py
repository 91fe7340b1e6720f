"""Coverage before training: how far each driving frame's posture lies from anything in the performer's footage."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from understudy.layouts import COVERAGE, open_file
from understudy.metrics.coverage_sheet import draw_sheet
from understudy.metrics.posture import Found, Postures, nearest_postures
from understudy.metrics.record import write_record
from understudy.metrics.shot_list import Moment, shot_list, uncovered_moments
from understudy.metrics.training_frames import TrainingFrames
from understudy.settings import MetricsSettings

logger = logging.getLogger(__name__)


def measure_coverage(driving: Path, windows: Path, coverage: Path, sheet: Path, settings: MetricsSettings) -> None:
    """Measure coverage and write coverage.json, whose keys `layouts.COVERAGE` describes, and a contact sheet.

    Args:
        driving: driving.h5, the motion as the performer's body will show it.
        windows: windows.h5 of the performer; their training frames count.
        coverage: coverage.json to write.
        sheet: PNG to write: the curve and the uncovered moments, each beside the nearest frame of the footage.
        settings: the distance from which on a frame counts as uncovered.
    """
    with TrainingFrames(windows) as training:
        postures, valid = driving_postures(driving, training)
        found = find_nearest(postures, valid, training)
        moments = uncovered_moments(
            found.distance, found.index, postures, training.postures, settings.uncovered_distance
        )
        record = _record(found, moments, training, settings)
        draw_sheet(sheet, driving, found, moments, training, settings.uncovered_distance)
    if set(record) != set(COVERAGE):
        raise ValueError(f"coverage.json has {sorted(record)}, its description {sorted(COVERAGE)}")
    write_record(coverage, record)
    logger.info(
        "%d frames, %s covered, median distance %s body heights; %d uncovered moments",
        record["frames"], record["covered_share"], record["median_distance"], len(moments),
    )  # fmt: skip
    for sentence in record["shot_list"]:
        logger.info("%s", sentence)


def driving_postures(driving: Path, training: TrainingFrames) -> tuple[Postures, np.ndarray]:
    """Read the postures of a driving clip, and `valid` (T,).

    Lengths are in the performer's heights, because the maps are drawn at the performer's size; where their footage does
    not show one, both are measured by the driver's.
    """
    with open_file(driving, "driving") as file:
        body, valid = file["body"][:], file["valid"][:]
        depth = file["body_z"][:] if "body_z" in file else None
    return Postures.of(body, depth, training.height_px), valid


def find_nearest(postures: Postures, valid: np.ndarray, training: TrainingFrames) -> Found:
    """Find the nearest training frame of each posture; none for frames that are not valid (T,)."""
    found = nearest_postures(postures, training.postures)
    return Found(np.where(valid, found.index, -1), np.where(valid, found.distance, np.inf))


def _record(found: Found, moments: list[Moment], training: TrainingFrames, settings: MetricsSettings) -> dict[str, Any]:
    """Make the content of coverage.json."""
    there = np.isfinite(found.distance)
    covered = found.distance[there] <= settings.uncovered_distance
    places = [training.place(number) if number >= 0 else (None, None) for number in found.index.tolist()]
    return {
        "frames": len(there),
        "distance": [round(value, 4) if np.isfinite(value) else None for value in found.distance.tolist()],
        "nearest": [row for _, row in places],
        "nearest_clip": [clip for clip, _ in places],
        "clips": [clip.frames.parent.name for clip in training.index.clips],
        "threshold": settings.uncovered_distance,
        "median_distance": round(float(np.median(found.distance[there])), 4) if there.any() else None,
        "covered_share": round(float(covered.mean()), 4) if there.any() else None,
        "uncovered": [vars(moment) for moment in moments],
        "shot_list": shot_list(moments, found.distance),
        "relation": None,
    }
