"""Measures the decoder of `pose: openpose_caffe` on random scenes of one to four people whose joints are known.

The yardstick joins the same peaks by nearness, without affinity fields.

Usage: python benchmarks/openpose_decoder.py [scenes]
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

from planted_people import Maps, match, plant, random_scene
from understudy.semantics.pose_backends import _affinity_fields as decoder
from understudy.semantics.pose_backends._heatmaps import find_peaks, upsample

SIZE = (368, 656)  # of the network's input, and here of the picture
SCENES = 1000
KINDS = {  # what is planted: doubt of the network px, deviation of the noise
    "peaks of a network in doubt by 4 px": (4.0, 0.0),
    "the same with noise of 0.01": (4.0, 0.01),
    "its training labels themselves": (0.0, 0.0),
}


@dataclass
class Score:
    """Counts over scenes."""

    right: list[bool] = field(default_factory=list)  # everyone found, nobody besides, every joint within a pixel
    people: list[bool] = field(default_factory=list)
    errors: list[np.ndarray] = field(default_factory=list)  # px; infinite where a joint is missed
    seconds: list[float] = field(default_factory=list)

    def add(self, bodies: np.ndarray, found: np.ndarray) -> None:
        """Hold what was found against what was planted."""
        partners, errors = match(found, bodies), []
        for body, partner in zip(bodies, partners, strict=True):
            seen = np.isfinite(body[:, 0])
            error = np.full(seen.sum(), np.inf)
            if partner >= 0:
                there = found[partner, seen, 2] > 0
                error[there] = np.linalg.norm(found[partner, seen, :2] - body[seen], axis=1)[there]
            errors.append(error)
            self.people.append(partner >= 0 and partners.count(partner) == 1)
        alone = len(found) == len(bodies) == len({*partners} - {-1})
        joints = sum((found[partner, :, 2] > 0).sum() for partner in partners) == sum(map(len, errors))
        self.errors += errors
        self.right.append(bool(alone and joints and max(error.max() for error in errors) < 1))

    def row(self, name: str) -> str:
        error = np.concatenate(self.errors)
        found = error[np.isfinite(error)]
        return (
            f"| {name} | {100 * np.mean(self.right):.1f} % | {100 * np.mean(self.people):.2f} % | "
            f"{100 * (error < 1).mean():.2f} % | {np.median(found):.2f} | {np.percentile(found, 99):.2f} | "
            f"{1e3 * np.median(self.seconds):.0f} |"
        )


def nearest(peaks: list[np.ndarray], fields: np.ndarray, size: tuple[int, int]) -> list[decoder.Limb]:
    """Join by nearness: the yardstick."""
    limbs = []
    for pair, (first, second) in enumerate(decoder.PAIRS):
        for start, one in enumerate(peaks[first]):
            for end, other in enumerate(peaks[second]):
                near = float(np.exp(-np.linalg.norm(one[:2] - other[:2]) / size[0]))
                limbs.append(decoder.Limb(near, near, pair, start, end))
    return sorted(limbs, key=lambda limb: limb.order, reverse=True)


def decode(maps: Maps, connect: Callable) -> np.ndarray:
    """People (P, 25, 3) in maps, their limbs listed by `connect`."""
    peaks = find_peaks(upsample(maps.heat, SIZE), 0.0)
    people = decoder.kept(decoder.assemble(connect(peaks, maps.fields, SIZE), peaks))
    return decoder.bodies_of(people, peaks)


def measure(scenes: list[np.ndarray], doubt_px: float, noise: float, connect: Callable) -> Score:
    """Plant, decode and count every scene."""
    score, random = Score(), np.random.default_rng(1)
    for bodies in scenes:
        maps = plant(bodies, SIZE, doubt_px, noise, random)
        started = time.perf_counter()
        found = decode(maps, connect)
        score.seconds.append(time.perf_counter() - started)
        score.add(bodies, found)
    return score


def main() -> None:
    """Print a Markdown table."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else SCENES
    random = np.random.default_rng(0)
    scenes = [random_scene(random, SIZE) for _ in range(number)]
    people, joints = sum(map(len, scenes)), sum(int(np.isfinite(bodies[..., 0]).sum()) for bodies in scenes)
    lines = [
        f"\n{number} scenes, {people} people, {joints} joints, {SIZE[1]} x {SIZE[0]} px",
        "| planted | scenes all right | people found | joints within 1 px | median px | 99 % px | ms a frame |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (doubt_px, noise) in KINDS.items():
        lines.append(measure(scenes, doubt_px, noise, decoder.connect).row(name))
    first = next(iter(KINDS))
    lines.append(measure(scenes, *KINDS[first], nearest).row(f"{first}, joined by nearness"))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
