"""How far a frame lies from all that the footage shows: posture, limbs and skin together; and whether errors follow it.

The weights are round numbers, chosen over six synthetic pairs; benchmarks/pairs.md and docs/figures.md say what was
measured with them, and with weights chosen without the pair they are measured on.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from understudy.layouts import open_file
from understudy.metrics.posture import Postures, limb_distance, nearest_postures
from understudy.metrics.skin import Skin, driving_seldom, rows_seldom
from understudy.metrics.training_frames import TrainingFrames

POSTURE = 0.25  # of the distance to the nearest whole posture: body, where it faces, what crosses what
LIMBS = 0.5  # of the mean distance of each limb by itself
SKIN = 1.0  # body heights for a frame whose skin the footage never showed
ALIKE = 20  # training frames a limb is compared with: what was shown for less than a second is hardly learnt
LEAST_FRAMES = 8  # from which on distance and error are compared


@dataclass(frozen=True)
class Distance:
    """How far frames lie from the footage.

    Attributes:
        index: (T,) int64, the training frame with the nearest posture; -1 where nothing can be compared.
        distance: (T,) float64, body heights; infinite there.
    """

    index: np.ndarray
    distance: np.ndarray


class Footprint:
    """What a performer's training frames show: postures and skin."""

    def __init__(self, training: TrainingFrames):
        self.training = training
        self.skin = Skin.of(training)

    def driving(self, driving: Path) -> tuple[Postures, Distance]:
        """Measure a driving clip, frame by frame, as the performer's body will show it.

        Lengths are in heights of the performer's standing body, at whose size the maps are drawn.
        """
        with open_file(driving, "driving") as file:
            body, valid = file["body"][:], file["valid"][:]
            depth = file["body_z"][:] if "body_z" in file else None
        postures = Postures.of(body, depth, self.training.height_px)
        return postures, self._distance(postures, driving_seldom(driving, self.skin), valid)

    def frames(self, clip: int, first: int, length: int) -> Distance:
        """Measure frames of one of the performer's own clips, held-out ones for instance."""
        postures = self.training.postures_of(clip, slice(first, first + length))
        with open_file(self.training.index.clips[clip].surface, "surface") as file:
            seldom = rows_seldom(file, range(first, first + length), self.skin)
        return self._distance(postures, seldom, np.ones(length, bool))

    def _distance(self, postures: Postures, seldom: np.ndarray, valid: np.ndarray) -> Distance:
        found = nearest_postures(postures, self.training.postures)
        limbs = limb_distance(postures, self.training.postures, ALIKE)
        distance = POSTURE * found.distance + LIMBS * limbs + SKIN * seldom
        return Distance(np.where(valid, found.index, -1), np.where(valid, distance, np.inf))


def relation(distance: np.ndarray, figure: np.ndarray, name: str, of: str) -> dict[str, Any] | None:
    """Measure how distance and error of frames go together.

    Args:
        distance: (T,) body heights, infinite where unknown.
        figure: (T,) of the same frames, higher is better; NaN where not measured.
        name: of the figure.
        of: which frames these are.

    Returns:
        Spearman's rank correlation of the distance and the figure's negative: 1 where every farther frame is worse;
        None where there are fewer than 8 frames, or all are alike.
    """
    known = np.isfinite(distance) & np.isfinite(figure)
    far, bad = distance[known], -figure[known]
    if len(far) < LEAST_FRAMES or np.ptp(far) == 0 or np.ptp(bad) == 0:
        return None
    return {
        "rank_correlation": round(float(spearmanr(far, bad).statistic), 3),
        "frames": len(far),
        "error": name,
        "of": of,
    }
