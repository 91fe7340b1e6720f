"""Measures HDF5 filters on what the pipeline stores; layouts.COMPRESSION stands on this table.

Usage: python benchmarks/compression.py [VIDEO]   (without a video a synthetic clip is rendered)
"""

import sys
import tempfile
import time
from pathlib import Path

import cv2
import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

from understudy.flow.agreement import agreement_mask
from understudy.flow.backends.dis import Backend
from understudy.flow.estimate import pack
from understudy.settings import FlowSettings, SyntheticSettings, from_params
from understudy.synthetic.clip import synthesize_clip
from understudy.validation import complete
from understudy.video.source import SourceVideo

FILTERS = {
    "none": {},
    "lzf": {"compression": "lzf"},
    "lzf, shuffle": {"compression": "lzf", "shuffle": True},
    "gzip 1": {"compression": "gzip", "compression_opts": 1},
    "gzip 1, shuffle": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "gzip 4": {"compression": "gzip", "compression_opts": 4},
    "gzip 4, shuffle": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
}
HEIGHT, FRAMES, REPEATS = 256, 24, 3
NOBODY = {"performers": {"nobody": {"clips": ["none"]}}}  # a configuration that says nothing
SETTINGS = SyntheticSettings(
    build="woman", look="check", choreography="reach", start_s=0, duration_s=1, rate_fps=FRAMES, height_px=HEIGHT,
    width_px=HEIGHT, body_share=0.82, shift=0, background=3,
)  # fmt: skip


def read_clip(video: Path) -> np.ndarray:
    """Read the first frames (T, H, W, 3) uint8 at 256 px height."""
    pictures = []
    for frame in SourceVideo(video):
        picture = frame.picture()
        width = round(picture.shape[1] * HEIGHT / len(picture) / 32) * 32
        pictures.append(cv2.resize(picture, (width, HEIGHT), interpolation=cv2.INTER_AREA))
        if len(pictures) == FRAMES:
            break
    return np.stack(pictures)


def make_data(folder: Path, video: Path | None) -> dict[str, np.ndarray]:
    """Frames and flow of the video, and the surface of the synthetic clip; time first."""
    synthetic, truth = folder / "synthetic.mp4", folder / "truth.h5"
    synthesize_clip(synthetic, truth, SETTINGS)
    rgb = read_clip(video or synthetic)
    dis = Backend(from_params(FlowSettings, complete(NOBODY)["flow"]))
    flow, confidence = [], []
    for here, before in zip(rgb[1:], rgb[:-1]):
        backward = dis(here, before)
        packed = pack(backward, agreement_mask(backward, dis(before, here), 0.7))
        flow.append(packed[0])
        confidence.append(packed[1])
    with h5py.File(truth) as file:
        surface = {name: file[name][:] for name in ("part", "uv", "matte")}
    return {"rgb": rgb, "flow": np.stack(flow), "confidence": np.stack(confidence), **surface}


def measure(path: Path, data: np.ndarray, options: dict) -> tuple[float, float, float]:
    """Return size as a share of the numbers themselves, and milliseconds to write and to read one frame."""
    started = time.perf_counter()
    with h5py.File(path, "w") as file:
        stored = file.create_dataset("data", data.shape, data.dtype, chunks=(1, *data.shape[1:]), **options)
        for row, frame in enumerate(data):
            stored[row] = frame
    write = time.perf_counter() - started
    reads = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        with h5py.File(path) as file:
            for row in range(len(data)):
                file["data"][row]
        reads.append(time.perf_counter() - started)
    return path.stat().st_size / data.nbytes, 1e3 * write / len(data), 1e3 * min(reads) / len(data)


def main() -> None:
    """Print a Markdown table."""
    video = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as folder:
        data = make_data(Path(folder), video)
        lines = [f"{video.name if video else 'synthetic clip'}, {HEIGHT} px high: size share / write ms / read ms"]
        lines += ["| filter | " + " | ".join(data) + " |", "|---" * (len(data) + 1) + "|"]
        for name, options in FILTERS.items():
            cells = [
                "{:.2f} / {:.1f} / {:.1f}".format(*measure(Path(folder) / "data.h5", values, options))
                for values in data.values()
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
