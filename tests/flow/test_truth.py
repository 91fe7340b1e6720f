"""Optical flow and surface correspondence against the exact flow of synthetic clips."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from defaults import flow_settings
from understudy.flow.correspondence import surface_correspondence
from understudy.flow.estimate import UNITS_PER_PX, estimate_flow
from understudy.settings import SyntheticSettings
from understudy.synthetic.clip import synthesize_clip
from understudy.video.source import SourceVideo

FRAMES, RATE = 10, 24.0


def synthesize(folder: Path, height: int, look: str, choreography: str) -> tuple[Path, Path]:
    settings = SyntheticSettings(
        build="woman", look=look, choreography=choreography, start_s=1.0, duration_s=FRAMES / RATE, rate_fps=RATE,
        height_px=height, width_px=height, body_share=0.82, shift=0.0, background=3,
    )  # fmt: skip
    video, truth = folder / "synthetic.mp4", folder / "truth.h5"
    synthesize_clip(video, truth, settings)
    return video, truth


def exact_flow(truth: h5py.File) -> tuple[np.ndarray, np.ndarray]:
    """Exact flow (T - 1, H, W, 2) px, and the person's pixels that were seen in the frame before (T - 1, H, W)."""
    person = (truth["matte"][1:] == 255) & (truth["visible"][1:] > 0)
    return truth["backward"][1:] / UNITS_PER_PX, person


@pytest.mark.slow
@pytest.mark.parametrize(
    ("look", "choreography", "person_px"),
    [
        ("check", "sway", 0.3),
        ("stripe", "steps", 0.3),
        ("plain", "reach", 0.3),
        ("dark", "turns", 0.42),  # smooth dark clothes: shading slides over them, and nothing shows how they move
    ],
)
def test_medium_flow_errs_little_where_it_is_trusted(tmp_path, write_frames, look, choreography, person_px):
    video, exact = synthesize(tmp_path, 256, look, choreography)
    frames = write_frames(np.stack([frame.picture() for frame in SourceVideo(video)]))
    estimate_flow(frames, tmp_path / "flow.h5", flow_settings(quality="medium", strides=(1, 3), slack_px=0.7))
    with h5py.File(tmp_path / "flow.h5") as file, h5py.File(exact) as truth:
        wanted, person = exact_flow(truth)
        error = np.linalg.norm(file["stride_1/backward"][1:] / UNITS_PER_PX - wanted, axis=-1)
        kept = file["stride_1/confidence"][1:] > 0
        seen = truth["visible"][1:] > 0
    assert error[seen & kept].mean() <= 0.3  # the whole picture, every look
    assert error[person & kept].mean() <= person_px
    assert kept[person].mean() > 0.9
    assert error[person & ~kept].mean() > 2 * error[person & kept].mean()  # what is rejected is worth rejecting
    assert error[person & kept].mean() < 0.5 * np.linalg.norm(wanted, axis=-1)[person].mean()  # beats standing still


@pytest.mark.slow
def test_surface_correspondence_is_the_exact_flow(tmp_path):
    _, exact = synthesize(tmp_path, 128, "check", "reach")
    with h5py.File(exact) as truth:
        wanted, person = exact_flow(truth)
        samples = truth["part"].shape[1] // 128
        found = [
            surface_correspondence(truth["part"][t], truth["uv"][t], truth["part"][t - 1], truth["uv"][t - 1], samples)
            for t in range(1, FRAMES)
        ]
    flow, valid = (np.stack(each) for each in zip(*found))
    error = np.linalg.norm(flow - wanted, axis=-1)[person & valid]
    assert np.median(error) < 0.06
    assert np.percentile(error, 95) < 0.5
    assert valid[person].mean() > 0.95
