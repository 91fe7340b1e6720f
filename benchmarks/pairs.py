"""Run six synthetic pairs from video to film with estimated maps; print what a transfer costs and what coverage knew.

    .venv/bin/python benchmarks/pairs.py results/pairs [--table benchmarks/pairs.md]

Each performer is driven by another body's dance, and by their own dance of the same motion: the film from their own
estimated maps is the yardstick of the film from the other body's. Of every frame, held-out and filmed, coverage says
before training how far it lies from the footage; its rank correlation with the frame's error stands in the table, for
the distance and for each part of it alone. Forty minutes on two cores; what is there already is not run again.
"""

import argparse
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))

from understudy.layouts import open_file  # noqa: E402
from understudy.metrics.distance import ALIKE, Footprint, relation  # noqa: E402
from understudy.metrics.posture import Postures, limb_distance, nearest_postures  # noqa: E402
from understudy.metrics.skin import driving_seldom, rows_seldom  # noqa: E402
from understudy.metrics.training_frames import TrainingFrames  # noqa: E402
from understudy.metrics.worst import FIGURE  # noqa: E402

logger = logging.getLogger("pairs")

TRIED = (0, 0.25, 0.5, 1, 2)  # weights of posture, limbs and skin
LEARN_S, DRIVE_S, RATE, SIZE_PX = 10, 5, 15, 320
STAGES = (
    {"name": "s0t0", "height_px": 64, "clip_frames": 1, "batch": 4, "steps": 240},
    {"name": "s1t0", "height_px": 128, "clip_frames": 1, "batch": 4, "steps": 160},
    {"name": "s1t1", "height_px": 128, "clip_frames": 3, "batch": 2, "steps": 200},
)


@dataclass(frozen=True)
class Pair:
    """Who learns in which dance, and who drives them in which."""

    build: str
    look: str
    studied: str
    driver: str
    drivers_look: str
    danced: str

    @property
    def name(self) -> str:
        return f"{self.build}_{self.look}"


PAIRS = (
    Pair("woman", "check", "sway", "man", "stripe", "reach"),
    Pair("man", "dark", "reach", "woman", "plain", "steps"),
    Pair("child", "stripe", "steps", "giant", "dark", "sway"),
    Pair("giant", "plain", "sway", "teen", "check", "steps"),
    Pair("teen", "stripe", "reach", "child", "plain", "sway"),
    Pair("neutral", "check", "steps", "woman", "dark", "reach"),
)


def config() -> tuple[dict, list[str]]:
    """Return the settings of all pairs, and the rows of their clip table."""
    clips, performers, transfers = {}, {}, []
    for pair in PAIRS:
        own, other = f"{pair.name}_{pair.danced}", f"{pair.name}_driver"
        common = {"height_px": SIZE_PX, "width_px": SIZE_PX, "rate_fps": RATE}
        mine = common | {"build": pair.build, "look": pair.look}
        clips[pair.name] = mine | {"choreography": pair.studied, "duration_s": LEARN_S}
        clips[own] = mine | {"choreography": pair.danced, "duration_s": DRIVE_S}
        clips[other] = common | {
            "build": pair.driver, "look": pair.drivers_look, "choreography": pair.danced, "duration_s": DRIVE_S,
            "body_share": 0.72, "shift": 0.08, "background": 5,
        }  # fmt: skip
        performers[pair.name] = {"clips": [pair.name]}
        transfers += [
            {"performer": pair.name, "driving": other, "truth": own},
            {"performer": pair.name, "driving": own, "truth": own, "retarget": "none"},
        ]
    settings = {
        "clips": "clips.tsv", "performers": performers, "transfers": transfers, "synthetic": clips,
        "decode": {"height_px": 128}, "flow": {"strides": [1]}, "training": {"stages": list(STAGES)},
    }  # fmt: skip
    rows = [f"{name}\tresults/clips/{name}/synthetic.mp4\t0\t0\tlargest\tnone" for name in clips]
    return settings, ["clip\tvideo\tstart_s\tend_s\tperson\tcrop", *rows]


def run(folder: Path, cores: str) -> None:
    """Run what is missing of all pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    settings, rows = config()
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n")
    (folder / "pairs.yaml").write_text(yaml.safe_dump(settings))
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", cores]
    words += ["--workflow-profile", str(ROOT / "profiles" / "embedded"), "--directory", str(folder)]
    subprocess.run([*words, "--configfile", str(folder / "pairs.yaml"), "--quiet"], check=True)


@dataclass(frozen=True)
class Frames:
    """Frames of one film or of one performer's held-out part: figure, distance, parts of the distance (3, T)."""

    pair: str
    of: str
    figure: np.ndarray
    distance: np.ndarray
    parts: np.ndarray

    def rank(self, distance: np.ndarray) -> float | None:
        """Rank correlation of a distance and the error."""
        found = relation(distance, self.figure, FIGURE, self.of)
        return found["rank_correlation"] if found else None


def frames_of(folder: Path) -> Iterator[Frames]:
    """Yield the measured frames of every pair, held-out ones and those of the film."""
    results = folder / "results"
    for pair in PAIRS:
        with TrainingFrames(results / "performers" / pair.name / "windows.h5") as training:
            footprint = Footprint(training)
            record = json.loads((results / "performers" / pair.name / "metrics.json").read_text())
            rows = record["per_frame"]["body_maps"]["generator"]
            numbers = np.array(rows["frame"])
            first, length = int(numbers.min()), int(np.ptp(numbers)) + 1
            postures = training.postures_of(0, slice(first, first + length))
            with open_file(training.index.clips[0].surface, "surface") as file:
                seldom = rows_seldom(file, range(first, first + length), footprint.skin)
            far = footprint.frames(0, first, length).distance
            parts = _parts(postures, seldom, training)
            yield Frames(pair.name, "held-out", _figures(rows), far[numbers - first], parts[:, numbers - first])
            for driving in (f"{pair.name}_driver", f"{pair.name}_{pair.danced}"):
                transfer = results / "transfers" / pair.name / driving
                rows = json.loads((transfer / "metrics.json").read_text())["per_frame"]["transfer"]
                numbers = np.array(rows["frame"])
                postures, found = footprint.driving(transfer / "driving.h5")
                parts = _parts(postures, driving_seldom(transfer / "driving.h5", footprint.skin), training)
                kind = "film" if driving.endswith("driver") else "film, own maps"
                yield Frames(pair.name, kind, _figures(rows), found.distance[numbers], parts[:, numbers])


def _figures(rows: dict[str, list]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in rows[FIGURE]])


def _parts(postures: Postures, seldom: np.ndarray, training: TrainingFrames) -> np.ndarray:
    nearest = nearest_postures(postures, training.postures).distance
    return np.stack([nearest, limb_distance(postures, training.postures, ALIKE), seldom])


def transfer_rows(folder: Path) -> Iterator[str]:
    """Yield a row for each pair: the film from another body's maps beside that from the performer's own."""
    for pair in PAIRS:
        found = []
        for driving in (f"{pair.name}_driver", f"{pair.name}_{pair.danced}"):
            path = folder / "results" / "transfers" / pair.name / driving / "metrics.json"
            record = json.loads(path.read_text())
            figures = record["figures"]["transfer"]
            found.append((figures[FIGURE], figures["psnr_person_db"], record["joints"]["joint_error_median_percent"]))
        (film, plain, joints), (own, plain_own, joints_own) = found
        yield (
            f"| {pair.name}, {pair.studied} | {pair.driver}, {pair.danced} | {joints:.2f} / {joints_own:.2f} | "
            f"{plain:.2f} / {plain_own:.2f} | {film:.2f} / {own:.2f} | {film - own:+.2f} |"
        )


def relation_rows(found: list[Frames]) -> Iterator[str]:
    """Yield a row for each run of frames: rank correlation of the distance, and of each part alone."""
    ranks = []
    for each in found:
        values = [each.rank(each.distance), *(each.rank(part) for part in each.parts)]
        ranks.append([np.nan if value is None else value for value in values])
        near, far = np.nanpercentile(each.distance, (5, 95))
        cells = " | ".join("" if value is None else f"{value:.2f}" for value in values)
        yield f"| {each.pair}, {each.of} | {len(each.figure)} | {near:.2f} to {far:.2f} | {cells} |"
    for kind in dict.fromkeys(each.of for each in found):
        chosen = np.array([rank for rank, each in zip(ranks, found, strict=True) if each.of == kind])
        yield f"| **median, {kind}** | | | {' | '.join(f'{value:.2f}' for value in np.nanmedian(chosen, 0))} |"
        figure, distance = (
            np.concatenate([getattr(each, name) for each in found if each.of == kind])
            for name in ("figure", "distance")
        )
        together = relation(distance, figure, FIGURE, kind)["rank_correlation"]
        yield f"| **all frames together, {kind}** | {len(figure)} | | {together:.2f} | | | |"


def left_out(found: list[Frames]) -> list[float]:
    """Rank correlations of each run of frames, by the weights that are best on all pairs but its own."""
    ranks = {
        weights: [each.rank(np.tensordot(weights, each.parts, 1)) or 0.0 for each in found]
        for weights in product(TRIED, repeat=3)
        if any(weights)
    }
    values = []
    for pair in dict.fromkeys(each.pair for each in found):
        mine = np.array([each.pair == pair for each in found])
        best = max(ranks, key=lambda weights: np.mean(np.array(ranks[weights])[~mine]))
        logger.info("without %s the best weights are %s", pair, best)
        values += np.array(ranks[best])[mine].tolist()
    return values


def main(folder: Path, page: Path | None, cores: str) -> None:
    """Run what is missing, then write the tables."""
    folder, page = folder.resolve(), page and page.resolve()
    run(folder, cores)
    with chdir(folder):  # the paths in windows.h5 start there
        found = list(frames_of(folder))
    others = left_out(found)
    steps = sum(row["steps"] for row in STAGES)
    lines = [
        "# Six pairs, from video to film",
        "",
        f"Written by `benchmarks/pairs.py` on {datetime.now(UTC):%d %B %Y}: {LEARN_S} s of footage, {DRIVE_S} s "
        f"driven, {RATE} frames a second, 128 px, {steps} steps of training; estimated maps everywhere.",
        "",
        "## What another body's motion costs",
        "",
        "Each cell: driven by the other body / by the performer's own estimated maps of the same dance. Joints: median "
        "error of the driving maps, percent of height. PSNR on the person, dB, against the true transfer.",
        "",
        "| performer | driver | joints | person PSNR | shift-tolerant | the cost |",
        "|---|---|---|---|---|---|",
        *transfer_rows(folder),
        "",
        "## Does coverage know?",
        "",
        "Spearman's rank correlation of a frame's distance from the footage and its error (shift-tolerant person "
        "PSNR), and of each part of the distance alone.",
        "",
        "| frames of | number | distance, 5th to 95th | distance | posture | limbs | skin |",
        "|---|---|---|---|---|---|---|",
        *relation_rows(found),
        "",
        f"By weights chosen each time without the pair that is measured, from {TRIED}: mean {np.mean(others):.2f}, "
        f"median {np.median(others):.2f} over the {len(others)} runs of frames.",
        "",
    ]
    logger.info("%s", "\n".join(lines))
    if page is not None:
        page.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--cores", default="all")
    given = parser.parse_args()
    main(given.folder, given.table, given.cores)
