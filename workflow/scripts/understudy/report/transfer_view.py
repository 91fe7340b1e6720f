"""Everything the report's page shows of one transfer, gathered from its files."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import av
import cv2

from understudy.job import atomic_path
from understudy.metrics.record import read_record
from understudy.rendering.examination import Findings, examine_film
from understudy.rendering.layout import panel_boxes
from understudy.report.learning import view_learning
from understudy.report.marks import view_marks
from understudy.report.quality import view_coverage, view_drift, view_tables, view_timeline, view_verdict, view_worst
from understudy.report.runs import Run, changed_settings, earlier_runs, keep_run, run_name
from understudy.report.tables import numbers, row_cells, row_place
from understudy.report.terms import figure_term
from understudy.seals import check_film
from understudy.settings import FilmSettings, ReportSettings
from understudy.video.encode import Film
from understudy.video.frames import Frames
from understudy.video.source import SourceVideo

logger = logging.getLogger(__name__)

POSTER_PX = 960  # most pixels of its width
TRUTH_CRF = 16


@dataclass(frozen=True)
class TransferPlan:
    """One transfer to show.

    Attributes:
        performer, driving: names.
        truth: clip that shows the true transfer; empty without.
        stages: names of the training's stages, the last one rendered.
        clips: name -> (video, consent, whether it is synthetic), of every clip behind the film.
        settings_sha256: of what decides the film.
    """

    performer: str
    driving: str
    truth: str
    stages: Sequence[str]
    clips: Mapping[str, Mapping[str, Any]]
    settings_sha256: str


@dataclass(frozen=True)
class FilmFacts:
    """Size and length of a film."""

    height: int
    width: int
    frames: int
    rate: Fraction
    sound: bool


def view_transfer(
    report: Path, results: Path, plan: TransferPlan, configuration: Mapping[str, Any], settings: ReportSettings
) -> dict[str, Any]:
    """Gather what the page shows of a transfer, and take its films into the report's folder.

    Args:
        report: folder of the page.
        results: folder of all results.
        plan: which transfer.
        configuration: the whole of it.
        settings: of the report.
    """
    place = results / "transfers" / plan.performer / plan.driving
    for film in ("video.mp4", "side_by_side.mp4"):
        check_film(place / film)
    film, record = film_facts(place / "video.mp4"), read_record(place / "metrics.json") or {}
    performer = read_record(results / "performers" / plan.performer / "metrics.json") or {}
    marks = examine_film(place / "video.mp4")
    folder = report / "films" / plan.performer / plan.driving
    now = _keep(folder, place, plan, record, marks, configuration, settings)
    runs = [now, *earlier_runs(folder, now, settings.runs - 1)]
    _write_poster(place / "side_by_side.mp4", folder / "poster.jpg")
    truth = _true_film(results, plan, folder)
    coverage = view_coverage(place, folder, film, (record, performer))
    said: set[str] = set()
    worst, worst_words = view_worst(record, coverage)
    return {
        "anchor": f"{plan.performer}-{plan.driving}",
        "title": f"{plan.performer} performs {plan.driving}",
        "facts": _facts(film, bool(truth)),
        "verdict": view_verdict(record),
        "frames": film.frames,
        "sound": film.sound,
        "poster": _address(report, folder / "poster.jpg"),
        "player": _player(report, results, plan, film, runs, truth),
        "legend": [
            ("Driving clip", f"whose motion is performed, {plan.driving}"),
            ("Maps", "what the generator is told: the body's parts, joints, face and hands, in the performer's size"),
            ("Result", f"{plan.performer}, drawn from the maps alone"),
            *(
                [("True transfer", "the performer really doing it, known because both people are synthetic")]
                if truth
                else []
            ),
        ],
        "worst": worst,
        "worst_words": worst_words,
        "timeline": view_timeline(record, coverage, film),
        "files": [
            ("the film", _address(report, now.folder / "video.mp4")),
            ("side by side", _address(report, now.folder / "side_by_side.mp4")),
            *([("true transfer", _address(report, truth))] if truth else []),
        ],
        "tables": view_tables(record, said),
        "no_figures": "There is no true film to compare with, so nothing here says how alike the pictures are; the "
        "figures below come from held-out frames of the performer's own footage.",
        "protocol": record.get("protocol", []),
        "coverage": coverage and coverage | {"sheet": coverage["sheet"] and _address(report, coverage["sheet"])},
        **dict(zip(("drift_words", "drift"), view_drift(record, film), strict=True)),
        **view_learning(results / "performers" / plan.performer, plan.stages, performer, said),
        "runs": [_run_view(run, now) for run in runs],
        "run_rows": _run_rows(runs),
        "marks": view_marks(marks, plan.settings_sha256),
        "consents": [_consent(name, clip) for name, clip in plan.clips.items()],
    }


def film_facts(path: Path) -> FilmFacts:
    """Read a film's size, length, rate, and whether it has sound."""
    with av.open(f"file:{path}") as film:
        shown = film.streams.video[0]
        return FilmFacts(
            shown.height, shown.width, shown.frames, Fraction(shown.average_rate), bool(film.streams.audio)
        )


def _keep(
    folder: Path,
    place: Path,
    plan: TransferPlan,
    record: Mapping[str, Any],
    marks: Findings,
    configuration: Mapping[str, Any],
    settings: ReportSettings,
) -> Run:
    """Keep the present run."""
    model = marks.statement.model_sha256 if marks.statement else ""
    made = datetime.fromtimestamp((place / "video.mp4").stat().st_mtime, UTC).isoformat(timespec="seconds")
    facts = {
        "name": settings.name,
        "made": made,
        "settings_sha256": plan.settings_sha256,
        "model_sha256": model,
        "metrics": record,
        "configuration": configuration,
    }
    return keep_run(folder / run_name(plan.settings_sha256, model), place, facts)


def _true_film(results: Path, plan: TransferPlan, folder: Path) -> Path | None:
    """Film the true transfer, where there is one; once for each."""
    frames = results / "clips" / plan.truth / "frames.h5"
    if not plan.truth or not frames.is_file():
        return None
    film = folder / "truth.mp4"
    if not film.is_file() or film.stat().st_mtime < frames.stat().st_mtime:
        with Frames(frames) as clip, Film(film, clip.rate, TRUTH_CRF, None, FilmSettings("pyav", "libx264")) as written:
            for picture in clip:
                written.write(picture)
    return film


def _player(
    report: Path, results: Path, plan: TransferPlan, film: FilmFacts, runs: Sequence[Run], truth: Path | None
) -> dict[str, Any]:
    """Say what the players show: the panels of the film side by side, the true film, and other runs."""
    beside = _address(report, runs[0].folder / "side_by_side.mp4")
    names = (("driving", "Driving clip"), ("maps", "Maps"))
    labels = (*names, ("result", "Result"))
    boxes = _boxes(results, plan, runs[0].folder / "side_by_side.mp4", film)
    sources: list[dict[str, Any]] = [
        {"id": name, "label": label, "film": beside, "box": box, "run": False}
        for (name, label), box in zip(labels, boxes, strict=True)
    ]
    grid = [name for name, _ in labels]
    if truth:
        sources.append(_whole("truth", "True transfer", _address(report, truth), run=False))
        grid.append("truth")
    for run in runs[1:]:
        sources.append(_whole(run.folder.name, f"Run {run.name}", _address(report, run.folder / "video.mp4"), run=True))
    rate = [film.rate.numerator, film.rate.denominator]
    return {
        "films": [beside],
        "sources": sources,
        "grid": grid,
        "frames": film.frames,
        "rate": rate,
        "runs": len(runs) - 1,
    }


def _whole(name: str, label: str, film: str, run: bool) -> dict[str, Any]:
    return {"id": name, "label": label, "film": film, "box": None, "run": run}


def _boxes(results: Path, plan: TransferPlan, beside: Path, film: FilmFacts) -> Sequence[tuple[int, int, int, int]]:
    """Where the panels stand in the film side by side: left, top, width, height px."""
    wide = film_facts(beside)
    with Frames(results / "clips" / plan.driving / "frames.h5") as clip:
        driving = clip.height, clip.width
    return panel_boxes((wide.height, wide.width), driving, (film.height, film.width))


def _write_poster(film: Path, poster: Path) -> None:
    """Show the middle of a film before it plays."""
    source = SourceVideo(film)
    picture = next(source.frames((source.duration_s or Fraction(0)) / 2)).picture()
    scale = min(1.0, POSTER_PX / picture.shape[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    with atomic_path(poster) as beside:
        cv2.imwrite(str(beside), small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


def _facts(film: FilmFacts, truth: bool) -> list[str]:
    return [
        f"{film.frames} frames",
        f"{float(film.frames / film.rate):.1f} s at {float(film.rate):.4g} a second",
        f"{film.width} × {film.height} px",
        "with sound" if film.sound else "silent",
        "the true answer is known" if truth else "no true answer to compare with",
    ]


def _run_view(run: Run, now: Run) -> dict[str, Any]:
    ours, theirs = now.facts["configuration"], run.facts.get("configuration", {})
    return {
        "name": f"{run.name} (this one)" if run is now else run.name,
        "made": run.made.replace("T", " ").replace("+00:00", " UTC"),
        "changes": None if run is now else changed_settings(ours, theirs),
    }


def _run_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The film's figures of every run beside each other."""
    figures = [numbers(_film_figures(run.facts.get("metrics", {}))) for run in runs]
    rows = []
    for key in sorted({name for one in figures for name in one}, key=row_place):
        if term := figure_term(key):
            rows.append(
                {"term": term, "cells": row_cells(term, [one.get(key) for one in figures], [False] * len(runs))}
            )
    return rows


def _film_figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """Those figures of a record that belong to the film itself."""
    found: dict[str, Any] = {}
    for values in (
        record.get("figures", {}).get("transfer"),
        record.get("joints"),
        record.get("steadiness", {}).get("film"),
    ):
        found |= values if isinstance(values, Mapping) else {}
    return found


def _consent(name: str, clip: Mapping[str, Any]) -> tuple[str, str, bool]:
    """Say what the clip table says of consent."""
    if clip["synthetic"]:
        return name, "not needed: nobody real is shown, the clip was made by a program", True
    words = clip["consent"] or "not stated; write it into the column consent of the clip table"
    return f"{name} ({clip['video']})", words, bool(clip["consent"])


def _address(report: Path, file: Path) -> str:
    """The address of a file from the page."""
    return quote(file.relative_to(report).as_posix())
