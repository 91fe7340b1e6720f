"""Measures MediaPipe's constant offsets against exact joints; fits their table and tests it on other clips.

Usage: python benchmarks/landmark_bias.py
Prints, for two halves of the clips, the error before and after a table fitted on the other half, then the mean table,
which stands in semantics/pose_backends/_landmark_bias.py.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

from understudy.semantics.joints import BODY
from understudy.semantics.pose_backends import _landmark_bias as bias
from understudy.semantics.pose_backends.mediapipe import Backend
from understudy.settings import PoseSettings, SyntheticSettings, from_params
from understudy.synthetic.scene import SAMPLES, Scene
from understudy.validation import complete

HALVES = (
    (("woman", "check", "sway"), ("man", "stripe", "reach"), ("child", "dark", "sway")),
    (
        ("neutral", "plain", "steps"),
        ("woman", "stripe", "turns"),
        ("man", "dark", "steps"),
        ("child", "check", "reach"),
    ),
)
FRAMES, RATE_FPS, SIZE_PX = 60, 18, 256
SOFT = 0.01  # of the body's height: errors beyond this count less and less
PASSES = 8
NOBODY = {"performers": {"nobody": {"clips": ["none"]}}}
RAW = {"backend": "mediapipe", "smooth_frames": 1, "gap_frames": 0, "min_score": 0}

Clip = tuple[np.ndarray, np.ndarray]  # estimated (N, 25, 3) and exact (N, 25, 2) joints, as shares of the body's height


def measure(build: str, look: str, dance: str) -> Clip:
    """Render a clip and estimate its joints without any correction."""
    scene = Scene(SyntheticSettings(build, look, dance, 0, 8, RATE_FPS, SIZE_PX, SIZE_PX, 0.82, 0, 3))
    shots = [scene.shot(frame / RATE_FPS) for frame in range(FRAMES)]
    poses = list(
        Backend(from_params(PoseSettings, complete(NOBODY)["pose"] | RAW))(
            [scene.picture(shot, scene.raster(shot, SAMPLES)) for shot in shots]
        )
    )
    estimated = np.stack([np.column_stack([pose.body[:, :2], pose.body_z]) for (pose,) in poses]).astype(float)
    exact = np.stack([scene.camera.project(scene.body.joints(shot.bare))[0] for shot in shots])
    whole = np.array([(pose.body[:, 2] > 0).all() for pose in poses])
    tall = np.ptp(exact[..., 1], axis=1).mean()
    return estimated[whole] / tall, exact[whole] / tall


def fitted_shares(clips: list[Clip], joint: str, names: list[str]) -> np.ndarray:
    """Fit the shares (D,) of the directions of one joint, both sides together, robustly."""
    rows, wanted = [], []
    for estimated, exact in clips:
        for side in ("left", "right"):
            for places, goal in zip(estimated, exact, strict=True):
                along = bias.directions(places, side)
                rows.append(np.stack([along[name][:2] for name in names], 1))  # (2, D)
                wanted.append(goal[BODY[f"{side}_{joint}"]] - places[BODY[f"{side}_{joint}"], :2])
    matrix, goals = np.concatenate(rows), np.concatenate(wanted)
    weight = np.ones(len(goals))
    for _ in range(PASSES):
        shares = np.linalg.solve((matrix * weight[:, None]).T @ matrix, (matrix * weight[:, None]).T @ goals)
        weight = 1 / (1 + ((goals - matrix @ shares) / SOFT) ** 2)
    return shares


def errors(clips: list[Clip]) -> np.ndarray:
    """Distances of corrected and exact joints (N,), share of the body's height."""
    pairs = [(bias.correct_bias(places)[:, :2], goal) for clip in clips for places, goal in zip(*clip, strict=True)]
    return np.concatenate([np.linalg.norm(found - goal, axis=1) for found, goal in pairs])


def main() -> None:
    directions = {joint: list(shares) for joint, shares in bias.SHARES.items()}
    bias.SHARES.clear()
    halves = [[measure(*clip) for clip in half] for half in HALVES]
    tables = []
    for fit, test in ((0, 1), (1, 0)):
        tables.append({joint: fitted_shares(halves[fit], joint, names) for joint, names in directions.items()})
        before = errors(halves[test])
        bias.SHARES |= {
            joint: dict(zip(directions[joint], shares, strict=True)) for joint, shares in tables[-1].items()
        }
        after = errors(halves[test])
        bias.SHARES.clear()
        line = "clips not fitted on: median {:.2f} % -> {:.2f} % of the height, 95th percentile {:.2f} % -> {:.2f} %\n"
        figures = (np.median(before), np.median(after), np.percentile(before, 95), np.percentile(after, 95))
        sys.stdout.write(line.format(*(100 * figure for figure in figures)))
    for joint, names in directions.items():
        mean = (tables[0][joint] + tables[1][joint]) / 2
        shares = ", ".join(f'"{name}": {share:.3f}' for name, share in zip(names, mean, strict=True))
        sys.stdout.write(f'    "{joint}": {{{shares}}},\n')


if __name__ == "__main__":
    main()
