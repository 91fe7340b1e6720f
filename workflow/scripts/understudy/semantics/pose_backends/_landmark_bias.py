"""Constant offsets between MediaPipe's joints and those of the body model, taken out along the body's own directions.

MediaPipe sets shoulders too wide, ears too narrow, knees, ankles and feet too high. The shares were fitted on synthetic
performers and hold on builds and dances they were not fitted on: median error 1.2 % of the body's height before, 0.9 %
after. `benchmarks/landmark_bias.py` measures both and prints the table.
"""

import numpy as np

from understudy.semantics.joints import BODY

# Joint -> directions (see `directions`) and how much of each is added.
SHARES: dict[str, dict[str, float]] = {
    "shoulder": {"torso": 0.012, "shoulders": -0.070},
    "hip": {"torso": 0.031, "hips": -0.040},
    "knee": {"thigh": 0.034, "hips": 0.016},
    "ankle": {"shin": 0.023, "hips": 0.009},
    "big_toe": {"shin": 0.048, "foot": 0.026, "hips": -0.091},
    "small_toe": {"shin": 0.053, "foot": 0.072, "hips": 0.083},
    "heel": {"shin": 0.007, "foot": 0.030, "hips": 0.067},
    "eye": {"head": 0.006, "ears": 0.038, "face": 0.100},
    "ear": {"head": -0.064, "ears": 0.187, "face": -0.010},
}


def correct_bias(places: np.ndarray) -> np.ndarray:
    """Move joints to where the body model has them.

    Args:
        places: (25, 3) float, BODY_25: x, y, depth px, all present.

    Returns:
        (25, 3), new places.
    """
    corrected = places.astype(np.float64)
    for side in ("left", "right"):
        along = directions(places, side)
        for joint, shares in SHARES.items():
            corrected[BODY[f"{side}_{joint}"]] += sum(share * along[name] for name, share in shares.items())
    for middle, joint in (("neck", "shoulder"), ("mid_hip", "hip")):
        corrected[BODY[middle]] = (corrected[BODY[f"left_{joint}"]] + corrected[BODY[f"right_{joint}"]]) / 2
    return corrected


def directions(places: np.ndarray, side: str) -> dict[str, np.ndarray]:
    """Vectors (3,) px of the body that its joints are moved along; those across it point to the given side.

    Args:
        places: (25, 3) float, BODY_25: x, y, depth px.
        side: left or right.
    """

    def place(name: str) -> np.ndarray:
        return places[BODY[name]].astype(np.float64)

    other = "left" if side == "right" else "right"
    return {
        "torso": place("mid_hip") - place("neck"),
        "head": place("nose") - place("neck"),
        "face": place("nose") - (place("left_ear") + place("right_ear")) / 2,
        "thigh": place(f"{side}_knee") - place(f"{side}_hip"),
        "shin": place(f"{side}_ankle") - place(f"{side}_knee"),
        "foot": place(f"{side}_big_toe") - place(f"{side}_heel"),
        "shoulders": place(f"{side}_shoulder") - place(f"{other}_shoulder"),
        "hips": place(f"{side}_hip") - place(f"{other}_hip"),
        "ears": place(f"{side}_ear") - place(f"{other}_ear"),
    }
