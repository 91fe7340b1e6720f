"""Peak memory of render_transfer for 300 and for 3,000 frames: they must be the same.

    .venv/bin/python benchmarks/memory.py results/transfers/ada/ben results/performers/ada/s1t1/generator.safetensors \
        results/clips/ben/frames.h5

The driving clip of a finished run is looped to each length; every render is a process of its own. The yardstick of the
same run is the peak for 300 frames.
"""

import logging
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))

from understudy.layouts import create, open_file  # noqa: E402
from understudy.rendering.transfer import render_transfer  # noqa: E402
from understudy.settings import RenderingSettings  # noqa: E402
from understudy.video.encode import USUAL  # noqa: E402

LENGTHS = (300, 3000)
logger = logging.getLogger("memory")


def loop_file(path: Path, layout: str, looped: Path, length: int) -> None:
    """Write a file whose frames are those of another, over and over, to a length."""
    with open_file(path, layout) as old, create(looped, layout, producer="benchmark") as new:
        count = len(old[next(iter(old))])
        for index in range(length):
            new.append(**{name: np.asarray(data[index % count]) for name, data in old.items()})
    with h5py.File(path) as old, h5py.File(looped, "r+") as new:
        for name, value in old.attrs.items():
            new.attrs[name] = value


def render(weights: Path, driving: Path, frames: Path) -> int:
    """Render both films; returns the peak memory of this process, MiB."""
    with tempfile.TemporaryDirectory() as name:
        films = Path(name) / "video.mp4", Path(name) / "side_by_side.mp4"
        settings = RenderingSettings("body", "ground", "still", 16)
        render_transfer(weights, driving, frames, None, *films, settings, USUAL, threads=2)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main(transfer: Path, weights: Path, frames: Path) -> None:
    """Loop, render in a process of its own, compare."""
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        for length in LENGTHS:
            driving, pictures = Path(name) / f"driving_{length}.h5", Path(name) / f"frames_{length}.h5"
            loop_file(transfer / "driving.h5", "driving", driving, length)
            loop_file(frames, "frames", pictures, length)
            words = [sys.executable, __file__, "--render", str(weights), str(driving), str(pictures)]
            peaks.append(int(subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()[-1]))
            logger.info("%5d frames: peak %d MiB, %.3f times that of 300", length, peaks[-1], peaks[-1] / peaks[0])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if sys.argv[1] == "--render":
        sys.stdout.write(str(render(*map(Path, sys.argv[2:]))))
    else:
        main(*map(Path, sys.argv[1:]))
