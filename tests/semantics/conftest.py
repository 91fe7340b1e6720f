"""Exact joints of the rest body, and synthetic clips with their truth."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from defaults import pose_settings
from posing import make_pose
from understudy.body.figure import TO_CAMERA
from understudy.body.model import Body
from understudy.clips import Clip
from understudy.settings import DecodeSettings, SyntheticSettings
from understudy.synthetic.clip import synthesize_clip
from understudy.video.decode import decode_clip

SETTINGS = {
    "build": "woman",
    "look": "check",
    "choreography": "reach",
    "start_s": 1.0,
    "duration_s": 1.0,
    "rate_fps": 24,
    "height_px": 256,
    "width_px": 256,
    "body_share": 0.82,
    "shift": 0.0,
    "background": 3,
}


@pytest.fixture(scope="session")
def exact_face() -> np.ndarray:
    """FACE_70 (70, 3), x px, y px, score, of a face in the middle of a picture of 200 px, 60 px high."""
    body = Body("neutral")
    points = body.face(body.rest) @ TO_CAMERA.T
    points = (points - points.mean(0)) * 60 / np.ptp(points[:, 1])
    return np.column_stack([points[:, 0] + 100, points[:, 1] + 80, np.ones(70)])


@dataclass(frozen=True)
class SyntheticClip:
    """A rendered clip as the pipeline ingests it; its truth lies beside the video."""

    folder: Path
    video: Path
    frames: Path


@pytest.fixture(scope="session")
def synthetic_clip(tmp_path_factory: pytest.TempPathFactory) -> SyntheticClip:
    """A woman who dances for a second, 24 frames of 256 px, the whole picture."""
    return make_clip(tmp_path_factory.mktemp("synthetic"), SyntheticSettings(**SETTINGS))


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> SyntheticClip:
    """The same in six frames of 96 px, for contracts."""
    settings = SETTINGS | {"duration_s": 0.5, "rate_fps": 12, "height_px": 96, "width_px": 96}
    return make_clip(tmp_path_factory.mktemp("tiny"), SyntheticSettings(**settings))


@pytest.fixture(scope="session")
def tiny_pose(tiny_clip: SyntheticClip) -> Path:
    """Exact poses of the tiny clip."""
    pose = tiny_clip.folder / "pose_truth.h5"
    make_pose(tiny_clip.frames, pose, pose_settings("truth", smooth_frames=1, gap_frames=0))
    return pose


def make_clip(folder: Path, settings: SyntheticSettings) -> SyntheticClip:
    """Render a clip and decode it as a whole."""
    clip = SyntheticClip(folder, folder / "synthetic.mp4", folder / "frames.h5")
    synthesize_clip(clip.video, folder / "truth.h5", settings)
    crop = folder / "crop.json"
    crop.write_text(json.dumps({"left": 0, "top": 0, "width": settings.width_px, "height": settings.height_px}))
    row = Clip("synthetic", str(clip.video), 0, 0, "largest", "none")
    decode = DecodeSettings("pyav", settings.height_px, 0, 0.08)
    decode_clip(clip.video, crop, clip.frames, folder / "sound.mka", row, decode)
    return clip
