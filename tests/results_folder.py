"""A small folder of results for tests of the report: films whose every picture says its number, tables beside them."""

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from understudy.layouts import create
from understudy.rendering.layout import join_panels
from understudy.video.encode import Film

FRAMES, RATE, SIZE = 48, Fraction(24), (128, 96)  # (height, width)
BITS = 6
PLAN = {
    "performer": "ada",
    "driving": "ben",
    "truth": "ada_as_ben",
    "stages": ["s0t0"],
    "clips": {name: {"video": f"{name}.mp4", "consent": "", "synthetic": True} for name in ("ada", "ben")},
    "settings_sha256": "5" * 64,
}
_FIGURES = {
    "drift_person_db": -1.54, "frames": 48, "psnr_db": 24.57, "psnr_person_db": 19.41, "sharpness_person_ratio": 0.568,
    "shift_tolerant_psnr_person_db": 23.77, "ssim": 0.8968, "ssim_person": 0.6824, "warp_error_person_ratio": 1.45,
    "ms_ssim": 0.95, "ms_ssim_person": 0.8, "psnr_hands_db": 20.0, "hands_frames": 40, "flicker_person_ratio": 1.2,
    "shift_tolerant_psnr_db": 27.0, "lpips": 0.1, "fid": 30.0, "fvd": 200.0,
    "quarters_person_db": [20.0, 19.5, 19.0, 18.5],
}  # fmt: skip
TRANSFER = {
    "kind": "transfer",
    "figures": {
        "transfer": _FIGURES,
        "nearest_training_frame": _FIGURES | {"shift_tolerant_psnr_person_db": 20.83, "drift_person_db": -0.21},
        "previous_frame": _FIGURES | {"shift_tolerant_psnr_person_db": 27.66},
    },
    "joints": {
        "joint_error_median_percent": 0.923, "joint_error_p95_percent": 2.1, "missing_joints_share": 0.0,
        "pck_5_percent_share": 1.0,
    },
    "steadiness": {
        "film": {
            "background_change_percent": 0.002, "person_change_percent": 1.408, "steps": 47, "flicker_index": 0.4,
        },
        "performer_footage": {"background_change_percent": 0.013, "person_change_percent": 2.293, "steps": 40},
    },
    "protocol": ["PSNR is a mean over frames."],
}  # fmt: skip


def numbered(number: int, colour: tuple[int, int, int]) -> np.ndarray:
    """A picture (H, W, 3) that shows its number: a column for each bit, black or white, over a ground of one colour."""
    picture = np.full((*SIZE, 3), colour, np.uint8)
    for bit in range(BITS):
        left = SIZE[1] * bit // BITS
        right = SIZE[1] * (bit + 1) // BITS
        picture[SIZE[0] // 2 :, left:right] = 255 if number >> bit & 1 else 0
    return picture


def shown_number(picture: np.ndarray) -> int:
    """Read the number off a picture (H, W, 3), of any size."""
    row = cv2.resize(picture, SIZE[::-1], interpolation=cv2.INTER_AREA)[SIZE[0] * 3 // 4].mean(1)
    return sum(int(row[SIZE[1] * (2 * bit + 1) // (2 * BITS)] > 127) << bit for bit in range(BITS))


def make_results(folder: Path) -> Path:
    """Write everything the report shows of one transfer with a known truth; returns the folder."""
    place = folder / "transfers" / "ada" / "ben"
    with Film(place / "video.mp4", RATE, 12) as film, Film(place / "side_by_side.mp4", RATE, 12) as wide:
        for number in range(FRAMES):
            result = numbered(number, (40, 90, 160))
            film.write(result)
            wide.write(join_panels(numbered(number, (90, 140, 60)), numbered(number, (60, 60, 60)), result))
    for clip in ("ben", "ada_as_ben"):
        _write_clip(folder / "clips" / clip / "frames.h5")
    (place / "metrics.json").write_text(json.dumps(TRANSFER))
    words = "turned half to the left of the picture, with the right arm raised"
    coverage = {
        "frames": FRAMES, "distance": [0.02 + 0.1 * (20 <= number < 28) for number in range(FRAMES)],
        "threshold": 0.08, "covered_share": 0.8333, "median_distance": 0.02, "relation": None,
        "uncovered": [{"first": 20, "last": 27, "worst": 24, "words": words}],
        "shot_list": [f"Film the performer {words}, as in frames 20 to 27 of the driving clip."],
    }  # fmt: skip
    (place / "coverage.json").write_text(json.dumps(coverage))
    cv2.imwrite(str(place / "coverage.png"), numbered(24, (200, 200, 200)))
    performer = folder / "performers" / "ada"
    state = performer / "s0t0" / "state-abc"
    state.mkdir(parents=True)
    rows = [
        f"{step}\t{name}\t{value / (step + 9)}"
        for name, value in (("loss/total", 30), ("held_out/person_psnr_db", 90))
        for step in range(9)
    ]
    (state / "curves.tsv").write_text("\n".join(["step\tfigure\tvalue", *rows, ""]))
    progress = {"state_folder": "state-abc", "height_px": 128, "clip_frames": 1, "step": 9, "seconds": 12.5}
    (performer / "s0t0" / "progress.json").write_text(json.dumps(progress))
    held_out = {"body_maps": {"generator": _FIGURES, "start": _FIGURES}, "yardsticks": {"previous_frame": _FIGURES}}
    (performer / "metrics.json").write_text(json.dumps({"kind": "performer", "figures": held_out}))
    return folder


def _write_clip(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with create(path, "frames", "test") as file:
        facts = {"rate_numerator": RATE.numerator, "rate_denominator": RATE.denominator, "source": "test.mp4"}
        file.attributes(facts)
        for number in range(FRAMES):
            file.extend(rgb=numbered(number, (40, 120, 160))[None])
