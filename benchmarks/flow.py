"""Measures flow backends against the exact flow of synthetic clips; the yardstick is zero flow.

Usage: python benchmarks/flow.py
"""

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

from understudy.backends import list_backends, load_backend
from understudy.flow.agreement import agreement_mask
from understudy.flow.estimate import UNITS_PER_PX
from understudy.settings import FlowSettings, SyntheticSettings, from_params
from understudy.synthetic.clip import synthesize_clip
from understudy.validation import complete
from understudy.video.source import SourceVideo

BACKENDS = "understudy.flow.backends"
NOBODY = {"performers": {"nobody": {"clips": ["none"]}}}  # a configuration that says nothing
CLIPS = (("check", "sway"), ("stripe", "steps"), ("plain", "reach"), ("dark", "turns"))
HEIGHTS = (256, 512)
FRAMES, SLACK_PX = 10, 0.7


@dataclass
class Score:
    """Errors on the person's pixels that were seen in the frame before, and the time of one pair both ways."""

    kept: list[np.ndarray] = field(default_factory=list)
    rejected: list[np.ndarray] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def row(self, name: str, zero_ms: float) -> str:
        kept, rejected = np.concatenate(self.kept), np.concatenate(self.rejected)
        every = np.concatenate([kept, rejected])
        below = (every < 1).mean()
        share = len(kept) / len(every)
        milliseconds = 1e3 * float(np.median(self.seconds))
        wrong = f"{rejected.mean():.2f}" if len(rejected) else "-"
        ratio = f"{milliseconds:.1f} ({milliseconds / zero_ms:.0f} x)"
        return f"| {name} | {every.mean():.3f} | {below:.2f} | {share:.2f} | {kept.mean():.3f} | {wrong} | {ratio} |"


class ZeroFlow:
    """The yardstick: nothing moves."""

    def __call__(self, here: np.ndarray, there: np.ndarray) -> np.ndarray:
        return np.zeros((*here.shape[:2], 2), np.float32)


def measure(backend, clips: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Score:
    """Run a backend over all pairs of neighbouring frames."""
    score = Score()
    for rgb, exact, person in clips:
        for t in range(1, len(rgb)):
            started = time.perf_counter()
            backward = backend(rgb[t], rgb[t - 1])
            agrees = agreement_mask(backward, backend(rgb[t - 1], rgb[t]), SLACK_PX)
            score.seconds.append(time.perf_counter() - started)
            error = np.linalg.norm(backward - exact[t], axis=-1)
            score.kept.append(error[person[t] & agrees])
            score.rejected.append(error[person[t] & ~agrees])
    return score


def render(folder: Path, look: str, choreography: str, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames (T, H, W, 3), exact flow (T, H, W, 2) px, and the person's pixels seen before (T, H, W)."""
    video, truth = folder / "synthetic.mp4", folder / "truth.h5"
    settings = SyntheticSettings(
        build="woman", look=look, choreography=choreography, start_s=1, duration_s=FRAMES / 24, rate_fps=24,
        height_px=height, width_px=height, body_share=0.82, shift=0, background=3,
    )  # fmt: skip
    synthesize_clip(video, truth, settings)
    rgb = np.stack([frame.picture() for frame in SourceVideo(video)])
    with h5py.File(truth) as file:
        return rgb, file["backward"][:] / UNITS_PER_PX, (file["matte"][:] == 255) & (file["visible"][:] > 0)


def main() -> None:
    """Print a Markdown table per height."""
    for height in HEIGHTS:
        with tempfile.TemporaryDirectory() as folder:
            clips = [render(Path(folder), look, choreography, height) for look, choreography in CLIPS]
        zero = measure(ZeroFlow(), clips)
        zero_ms = 1e3 * float(np.median(zero.seconds))
        lines = [
            f"\n{height} px, end-point error in px on the person; {len(clips)} clips of {FRAMES} frames",
            "| flow | all | below 1 px | kept | error kept | error rejected | ms a pair, both ways |",
            "|---|---|---|---|---|---|---|",
            zero.row("zero", zero_ms),
        ]
        settings = complete(NOBODY)["flow"]
        for name in (each for each in list_backends(BACKENDS) if each not in settings):  # the others need files
            for quality in ("medium", "fine"):
                chosen = from_params(FlowSettings, settings | {"backend": name, "quality": quality})
                score = measure(load_backend(BACKENDS, name)(chosen), clips)
                lines.append(score.row(f"{name} {quality}", zero_ms))
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
