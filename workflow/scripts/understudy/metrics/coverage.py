"""Coverage before training: how far each driving frame lies from anything in the performer's footage."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from understudy.layouts import COVERAGE
from understudy.metrics.coverage_sheet import draw_sheet
from understudy.metrics.distance import Distance, Footprint
from understudy.metrics.record import write_record
from understudy.metrics.shot_list import Moment, shot_list, uncovered_moments
from understudy.metrics.skin import driving_rare_parts
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
        footprint = Footprint(training)
        postures, found = footprint.driving(driving)
        rare_parts = partial(driving_rare_parts, driving, skin=footprint.skin)
        threshold = settings.uncovered_distance
        moments = uncovered_moments(found.distance, found.index, postures, training.postures, threshold, rare_parts)
        record = _record(found, moments, training, settings)
        draw_sheet(sheet, driving, found, moments, training, threshold)
    if set(record) != set(COVERAGE):
        raise ValueError(f"coverage.json has {sorted(record)}, its description {sorted(COVERAGE)}")
    write_record(coverage, record)
    logger.info(
        "%d frames, %s covered, median distance %s body heights; %d uncovered moments",
        record["frames"], record["covered_share"], record["median_distance"], len(moments),
    )  # fmt: skip
    for sentence in record["shot_list"]:
        logger.info("%s", sentence)


def _record(
    found: Distance, moments: list[Moment], training: TrainingFrames, settings: MetricsSettings
) -> dict[str, Any]:
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
