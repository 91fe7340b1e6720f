"""Ingest of one test video, with everything but the video itself at its default."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from programs import put_on_path
from understudy.clips import Clip
from understudy.settings import DecodeSettings
from understudy.video.decode import decode_clip
from understudy.video.frames import Frames
from understudy.video.source import SourceVideo


@dataclass(frozen=True)
class Ingested:
    """What `decode_clip` wrote: the pictures (T, H, W, 3), the attributes, both paths."""

    rgb: np.ndarray
    attrs: dict
    frames: Path
    sound: Path


Ingest = Callable[..., Ingested]


@pytest.fixture(scope="session", autouse=True)
def programs(tmp_path_factory) -> None:
    """Put the programs ffmpeg and ffprobe on the search path: those of requirements/dev.txt, else the system's."""
    put_on_path(tmp_path_factory.mktemp("programs"))


@pytest.fixture(params=["pyav", "ffmpeg"])
def reader(request) -> str:
    """Name each backend in turn: whatever a test asks of one, it asks of all."""
    return request.param


@pytest.fixture
def ingest(tmp_path: Path, reader: str) -> Ingest:
    """Return a function that ingests a video: named arguments are fields of Clip and DecodeSettings, and `area`."""

    def run(video: Path, area: tuple[float, ...] | None = None, **changed: object) -> Ingested:
        clip = Clip("test", str(video), 0.0, 0.0, "largest", "none")
        clip = replace(clip, **{name: value for name, value in changed.items() if hasattr(clip, name)})
        settings = DecodeSettings(reader, 64, 0.0, 0.08)
        settings = replace(settings, **{name: value for name, value in changed.items() if hasattr(settings, name)})
        if area is None and video.is_file() and video.stat().st_size:
            source = SourceVideo(video, reader)
            area = (0, 0, source.width, source.height)
        crop = tmp_path / "crop.json"
        crop.write_text(json.dumps(dict(zip(("left", "top", "width", "height"), area or (0, 0, 64, 64)))))
        frames, sound = tmp_path / "out" / "frames.h5", tmp_path / "out" / "sound.mka"
        decode_clip(video, crop, frames, sound, clip, settings)
        with Frames(frames) as opened:
            return Ingested(opened[:], opened.attrs, frames, sound)

    return run
