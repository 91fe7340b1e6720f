"""Measures a performer on held-out frames and writes metrics.json."""

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from understudy.dataset.batch import SemanticMap
from understudy.dataset.reader import Footage
from understudy.dataset.windows import SPLITS, Windows
from understudy.metrics.distance import Distance, Footprint, relation
from understudy.metrics.perception import Networks
from understudy.metrics.protocol import PERFORMER_PROTOCOL, protocol
from understudy.metrics.record import log_table, write_record
from understudy.metrics.reference import held_out_frames
from understudy.metrics.series import Series
from understudy.metrics.training_frames import TrainingFrames
from understudy.metrics.worst import FIGURE, worst_frames
from understudy.metrics.yardsticks import held_out_yardsticks
from understudy.model.build import load_generator, start_generator
from understudy.model.contract import Generator
from understudy.rendering.rollout import draw_alone, roll_out
from understudy.settings import MetricsSettings

logger = logging.getLogger(__name__)

MOST_DRAWN = 300  # held-out frames, because each is drawn once for every kind of map, by the generator and by its start
MOST_FRAMES = 150  # of a series are measured, evenly chosen; every frame is drawn
START_FRAMES = 160  # training frames that give the start its texture and background
HELD_OUT_BYTES = 512 * 1024**2  # kept in memory, because they are played several times; training frames once
Draw = Callable[[Generator, Iterable[SemanticMap]], Iterator[np.ndarray]]


def measure_performer(weights: Path, windows: Path, metrics: Path, settings: MetricsSettings, threads: int) -> None:
    """Measure the generator, and its start, on the held-out frames of the performer's own clips.

    Args:
        weights: generator.safetensors.
        windows: windows.h5.
        metrics: metrics.json to write.
        settings: tolerance of the shift-tolerant PSNR; the distance from which on a frame counts as uncovered.
        threads: CPU threads.
    """
    torch.set_num_threads(threads)
    generator = load_generator(weights)
    height = generator.height_px
    with (
        Footage(windows, height, "held_out", cache_bytes=HELD_OUT_BYTES, most=MOST_DRAWN) as footage,
        TrainingFrames(windows) as training,
    ):
        every = max(1, -(-len(footage) // MOST_FRAMES))
        new_series = partial(Series, settings.tolerance_px, every, Networks.of(settings.networks))
        series = _all_series(generator, _start(windows, generator), footage, training, new_series)
        main = series[f"{footage.surfaces[0]}_maps"]["generator"]
        far = _held_out_distances(footage, training)
        distance = np.array([far[row["clip"], row["frame"]] for row in main.rows])
        figures = {group: {name: one.figures() for name, one in named.items()} for group, named in series.items()}
        record = {
            "kind": "performer",
            "height_px": height,
            "width_px": generator.width_px,
            "held_out_frames": len(footage),
            "training_frames": len(training.poses),
            "tolerance_px_at_128": settings.tolerance_px,
            "protocol": protocol(PERFORMER_PROTOCOL, settings=settings, most_drawn=MOST_DRAWN),
            "split": _split(training.index),
            "figures": figures,
            "per_frame": {
                group: {name: one.per_frame() for name, one in named.items()} for group, named in series.items()
            },
            "worst_frames": worst_frames(main.rows),
            "coverage": coverage_figures(distance, settings)
            | {name: [row[name] for row in main.rows] for name in ("clip", "frame")}
            | {"distance": [round(value, 4) if np.isfinite(value) else None for value in distance.tolist()]},
            "relation": relation(distance, np.array([row[FIGURE] for row in main.rows]), FIGURE, "held-out frames"),
        }
    write_record(metrics, record)
    rows = {f"{group}, {name}": values for group, named in figures.items() for name, values in named.items()}
    log_table("held-out frames", rows)
    logger.info("distance from the footage and error: %s", record["relation"])


def coverage_figures(distance: np.ndarray, settings: MetricsSettings) -> dict[str, float | None]:
    """Median distance (T,) of frames from the footage, body heights, and the share that counts as covered."""
    known = distance[np.isfinite(distance)]
    if not len(known):
        return {"median_distance": None, "covered_share": None}
    return {
        "median_distance": round(float(np.median(known)), 4),
        "covered_share": round(float((known <= settings.uncovered_distance).mean()), 4),
    }


def _all_series(
    generator: Generator,
    start: Generator,
    footage: Footage,
    training: TrainingFrames,
    new_series: Callable[[], Series],
) -> dict[str, dict[str, Series]]:
    """Gather the figures of generator and start on every kind of map, and those of the yardsticks."""
    series: dict[str, dict[str, Series]] = {}
    for surface in footage.surfaces:
        series[f"{surface}_maps"] = {
            name: _drawn_series(artist, roll_out, footage, surface, new_series())
            for name, artist in (("generator", generator), ("start", start))
        }
    alone = _drawn_series(generator, draw_alone, footage, footage.surfaces[0], new_series())
    series["yardsticks"] = held_out_yardsticks(footage, training, new_series) | {"without_history": alone}
    return series


def _start(windows: Path, generator: Generator) -> Generator:
    """Build the generator's start at its final height: the figure that training must beat."""
    with Footage(windows, generator.height_px, "training", cache_bytes=0) as footage:
        chosen, chart_name = list(footage.spread(START_FRAMES)), footage.chart
    return start_generator(chosen, generator.settings, 0, chart_name).eval().requires_grad_(False)


def _drawn_series(artist: Generator, draw: Draw, footage: Footage, surface: str, series: Series) -> Series:
    """Draw every held-out run from its own maps and gather the figures."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    artist = artist.placed(device)
    pictures = (
        picture.transpose(1, 2, 0)
        for run in footage.runs
        for picture in draw(artist, (semantic for semantic, _ in footage.play(run, surface)))
    )
    for picture, true in zip(pictures, held_out_frames(footage), strict=True):
        series.add(np.ascontiguousarray(picture), true)
    return series


def _held_out_distances(footage: Footage, training: TrainingFrames) -> dict[tuple[int, int], float]:
    """Distance of each held-out frame from the training frames, by clip and frame."""
    footprint, distances = Footprint(training), {}
    for run in footage.runs:
        far: Distance = footprint.frames(run.clip, run.first, run.length)
        distances |= {(run.clip, run.first + place): value for place, value in enumerate(far.distance.tolist())}
    return distances


def _split(index: Windows) -> dict[str, Any]:
    """State which frames were held out, and the gap that was left."""
    names = {number: name for name, number in SPLITS.items()}
    return {
        "held_out": index.held_out,
        "gap_frames": index.gap_frames,
        "clips": [clip.frames.parent.name for clip in index.clips],
        "runs": [
            {"clip": run.clip, "first": run.first, "last": run.first + run.length - 1, "split": names[run.split]}
            for run in index.runs
        ],
    }
