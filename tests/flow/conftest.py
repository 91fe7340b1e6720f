"""Small clips that move in a known way."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from understudy import layouts


@pytest.fixture
def texture() -> Callable[[int, int, int], np.ndarray]:
    """Return a maker of smooth random pictures (H, W, 3) uint8 RGB with detail at several scales."""

    def make(seed: int, height: int, width: int) -> np.ndarray:
        noise = np.random.default_rng(seed)
        picture = np.full((height, width, 3), 128, np.float32)
        for blur_px, strength in ((1.5, 60), (4, 200), (10, 500)):
            layer = noise.standard_normal((height, width, 3)).astype(np.float32)
            picture += strength * cv2.GaussianBlur(layer, (0, 0), blur_px)
        return np.clip(picture, 0, 255).astype(np.uint8)

    return make


@pytest.fixture
def write_frames(tmp_path: Path) -> Callable[[np.ndarray], Path]:
    """Return a writer of frames.h5 from (T, H, W, 3) uint8."""

    def write(rgb: np.ndarray) -> Path:
        path = tmp_path / "frames.h5"
        attributes = {
            "rate_numerator": 24,
            "rate_denominator": 1,
            "source": "made.mp4",
            "source_sha256": "0",
            "crop": [0, 0, rgb.shape[2], rgb.shape[1]],
            "scale_x": 1.0,
            "scale_y": 1.0,
        }
        with layouts.create(path, "frames", "test") as writer:
            writer.extend(rgb=rgb)
            writer.attributes(attributes)
        return path

    return write
