"""Drift of long films: a driving clip looped to 3,000 frames, each loop measured against the true transfer.

    .venv/bin/python benchmarks/drift.py results/transfers/ada/ben results/performers/ada/s1t1/generator.safetensors \
        results/clips/ada_as_ben/frames.h5

The generator draws all loops on its own past, without a break: the looped clip is one file, whose surfaces are followed
from its loop's last frame to the next one's first. The yardstick is its first loop.
"""

import logging
import sys
import tempfile
from itertools import cycle
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))
sys.path.append(str(ROOT / "benchmarks"))

from memory import loop_file  # noqa: E402

from understudy.metrics.image import psnr  # noqa: E402
from understudy.metrics.reference import true_transfer  # noqa: E402
from understudy.model.build import load_generator  # noqa: E402
from understudy.rendering.maps import DrivingMaps  # noqa: E402
from understudy.rendering.rollout import roll_out  # noqa: E402
from understudy.semantics.truth import open_truth  # noqa: E402
from understudy.video.frames import Frames  # noqa: E402

FRAMES = 3000
logger = logging.getLogger("drift")


def main(transfer: Path, weights: Path, truth: Path) -> None:
    """Draw every loop and print its mean person PSNR."""
    generator = load_generator(weights)
    torch.set_num_threads(2)
    with Frames(truth) as clip, open_truth(clip) as exact:
        true = list(true_transfer(clip, exact, generator.height_px, generator.width_px))
    with tempfile.TemporaryDirectory() as folder:
        looped = Path(folder) / "driving.h5"
        loop_file(transfer / "driving.h5", "driving", looped, FRAMES // len(true) * len(true))
        with DrivingMaps(looped, generator.height_px) as maps:
            figures = [
                psnr(np.ascontiguousarray(picture.transpose(1, 2, 0)), wanted.picture, wanted.person)
                for picture, wanted in zip(roll_out(generator, maps), cycle(true))
            ]
    loops = np.array(figures).reshape(-1, len(true)).mean(1)
    for number, loop in enumerate(loops, 1):
        logger.info("loop %2d: person %.2f dB, %+.3f to the first", number, loop, loop - loops[0])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(*map(Path, sys.argv[1:]))
