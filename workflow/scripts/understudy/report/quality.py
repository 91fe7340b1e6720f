"""What the report says of a film's quality: figures with yardsticks, the worst frames, coverage, drift."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from understudy.metrics.record import read_record
from understudy.report.charts import Chart, draw_curve
from understudy.report.runs import take
from understudy.report.tables import Table, figure_table, figure_tables
from understudy.report.terms import GROUPS, figure_term
from understudy.seals import damaged

LIKENESS = "shift_tolerant_psnr_person_db"  # what frames are ranked by
SHOWN = (
    "psnr_person_db",
    "ssim_person",
    "warp_error_person_ratio",
    "sharpness_person_ratio",
)  # as curves over the film
WORST, APART = 6, 8  # frames listed, and frames between two of them at least
MOST_SHOTS = 8


def view_tables(record: Mapping[str, Any], said: set[str]) -> list[Table]:
    """Make the tables of a transfer's metrics.json; `said` are meanings that stand on the page."""
    candidates = (
        *figure_tables("Against the true film", record.get("figures", {}), said, "Only synthetic pairs have one."),
        figure_table(
            "The pose found again in the finished film",
            record.get("pose") or {},
            said,
            "By the same estimator that looks at clips; its own errors count too.",
        ),
        figure_table("Joints of the driving maps", {"driving_maps": record.get("joints", {})}, said),
        figure_table("Steadiness, without any true film", record.get("steadiness", {}), said),
    )
    return [table for table in candidates if table is not None]


def held_out_tables(record: Mapping[str, Any], said: set[str]) -> list[Table]:
    """Make the tables of a performer's metrics.json: groups of maps, yardsticks beside each."""
    groups = record.get("figures", {})
    yardsticks = groups.get("yardsticks", {})
    tables: list[Table] = []
    for name, figures in groups.items():
        if name == "yardsticks" or not isinstance(figures, Mapping):
            continue
        title, note = GROUPS.get(name, (name.replace("_", " "), ""))
        note = note and f"Pictures {note}."
        tables += figure_tables(f"Held-out frames, {title}", {**figures, **yardsticks}, said, note)
    return tables


def view_verdict(record: Mapping[str, Any]) -> str:
    """Say in two sentences how good a film is, beside the yardsticks."""
    figures = record.get("figures", {})
    values = {name: one.get(LIKENESS) for name, one in figures.items() if isinstance(one, Mapping)}
    mine = values.pop("transfer", None)
    if mine is None:
        return (
            "No true film is known, so how good this one is, your eye says; what can be measured without one stands "
            "below."
        )
    other = values.get("nearest_training_frame")
    words = f"The person is drawn with a likeness of {mine:.1f} dB (higher is better; shifts of a few pixels forgiven)."
    if other is not None:
        gap = mine - other
        side = "better" if gap >= 0 else "worse"
        words += f" Showing the most similar filmed frame instead would give {other:.1f} dB: "
        words += f"the film is {abs(gap):.1f} dB {side}."
    return words


def view_worst(record: Mapping[str, Any], coverage: Mapping[str, Any] | None) -> tuple[list[dict[str, Any]], str]:
    """List the frames to look at first, and say by what they were chosen."""
    listed = [one for one in record.get("worst_frames") or [] if isinstance(one, Mapping) and "frame" in one]
    if listed:
        chosen = [{"frame": one["frame"], "words": f"likeness {one.get('value', 0):.1f} dB"} for one in listed[:WORST]]
        return chosen, "Worst frames by likeness:"
    frames, values = _series(record, LIKENESS)
    if frames:
        ranked = sorted((value, frame) for frame, value in zip(frames, values, strict=True) if value is not None)
        chosen: list[dict[str, Any]] = []
        for value, frame in ranked:
            if len(chosen) < WORST and all(abs(frame - one["frame"]) >= APART for one in chosen):
                chosen.append({"frame": frame, "words": f"likeness {value:.1f} dB"})
        return chosen, "Worst frames by likeness:"
    if coverage and coverage["moments"]:
        chosen = [{"frame": one["worst"], "words": str(one["words"])} for one in coverage["moments"][:WORST]]
        return chosen, "Frames least like anything filmed, so the likeliest to be bad:"
    return [], "No frame is singled out: there are no figures of single frames, and nothing uncovered is known."


def view_timeline(record: Mapping[str, Any], coverage: Mapping[str, Any] | None, film: Any) -> list[Chart]:
    """Draw likeness, or where there is none the distance to the footage, under the player; a click goes there."""
    frames, values = _series(record, LIKENESS)
    if frames:
        curve = _over_film(
            "Likeness of the person in each frame, dB (higher is better); a click goes there", frames, values, film
        )
        return [curve] if curve else []
    return [coverage["curve"]] if coverage and coverage["curve"] else []


def view_drift(record: Mapping[str, Any], film: Any) -> tuple[str, list[Chart]]:
    """Draw figures over the film, and say whether it gets worse as it runs."""
    drawn = []
    for name in SHOWN:
        frames, values = _series(record, name)
        term = figure_term(name)
        if (
            frames
            and term
            and (curve := _over_film(f"{term.name}{f', {term.unit}' if term.unit else ''}", frames, values, film))
        ):
            drawn.append(curve)
    fall = record.get("figures", {}).get("transfer", {}).get("drift_person_db")
    if fall is None:
        return "Whether the film gets worse as it runs is only measured where a true film is known.", drawn
    own = f"PSNR of the person in the last quarter of the film less that in the first: {fall:+.2f} dB. "
    own += "Below 0 the film gets worse as it runs."
    quarters = record["figures"]["transfer"].get("quarters_person_db") or []
    if len(quarters) == 4:
        own += f" The four quarters: {', '.join(f'{value:.1f}' for value in quarters)} dB."
    yard = record["figures"].get("nearest_training_frame", {}).get("drift_person_db")
    if yard is not None:
        own += f" Of the most similar filmed frames, which cannot drift, it is {yard:+.2f} dB: "
        own += "so much the motion itself does."
    return own, drawn


def view_coverage(place: Path, folder: Path, film: Any, records: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Say how far the driving motion is from the footage; None where nobody measured it.

    Args:
        place: folder of the transfer's results.
        folder: of the report's, where the contact sheet goes.
        film: its facts.
        records: metrics.json of the transfer and of the performer.
    """
    found = read_record(place / "coverage.json")
    if found is None:
        return None
    if not isinstance(distance := found.get("distance"), list):
        raise damaged(place / "coverage.json", "it has no list of distances")
    sheet = place / "coverage.png"
    if sheet.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        take(sheet, folder / sheet.name)
    threshold, share = found.get("threshold"), found.get("covered_share")
    words = (
        "For each frame of the driving clip: how far its posture is from the nearest frame of the performer's footage, "
    )
    words += "in body heights."
    if share is not None:
        words += f" {100 * share:.0f} % of the frames are nearer than {threshold:g}, and count as covered."
    return {
        "words": words,
        "curve": _over_film(
            "Distance to the nearest filmed posture, body heights; above the broken line nothing like it was filmed",
            range(len(distance)),
            distance,
            film,
            threshold,
        ),
        "shots": found.get("shot_list", [])[:MOST_SHOTS],
        "moments": sorted(found.get("uncovered", []), key=lambda one: one.get("first", 0)),
        "sheet": folder / sheet.name if sheet.is_file() else None,
        "relation": _relation([one.get("relation") for one in records]),
    }


def _relation(relations: Sequence[Any]) -> str:
    """Say whether the warning is earned."""
    ranks = [
        f"{one['rank_correlation']:.2f} over {one.get('frames', '?')} {one.get('of', 'frames')}"
        for one in relations
        if isinstance(one, Mapping) and isinstance(one.get("rank_correlation"), (int, float))
    ]
    if not ranks:
        return (
            "Whether farther frames are drawn worse could not be measured: that takes true frames, and enough of them."
        )
    return (
        f"Are farther frames drawn worse? Rank correlation of distance and error: {', '.join(ranks)} "
        "(1 would be always, 0 no relation at all)."
    )


def _over_film(
    title: str, frames: Sequence[int], values: Sequence[float | None], film: Any, threshold: float | None = None
) -> Chart | None:
    points = [(0.0, None), *zip(map(float, frames), values, strict=True), (float(film.frames - 1), None)]
    points = [one for one, following in pairwise(points) if one[0] != following[0] or one[1] is not None] + points[-1:]
    ends = "0 s", f"{float((film.frames - 1) / film.rate):.1f} s"
    return draw_curve(title, points, ends, threshold, film.frames)


def _series(record: Mapping[str, Any], name: str) -> tuple[list[int], list[float | None]]:
    """Find a figure's value in each measured frame of the film; empty where there are none."""
    for table in _tables(record.get("per_frame", {})):
        frames, values = table.get("frame"), table.get(name)
        if isinstance(frames, list) and isinstance(values, list) and len(frames) == len(values):
            return frames, values
    return [], []


def _tables(found: Any) -> Iterator[Mapping[str, Any]]:
    """The film's own table of figures per frame: it stands alone, or under `transfer`."""
    if isinstance(found, Mapping):
        yield found
        for name in ("transfer", "film"):
            if isinstance(found.get(name), Mapping):
                yield found[name]
