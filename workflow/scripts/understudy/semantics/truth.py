"""The exact answers beside a synthetic clip's video, carried into the frames of the clip."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np

from understudy.errors import BackendError, LayoutError
from understudy.layouts import describe, open_file
from understudy.semantics.places import covered, in_frame
from understudy.video.frames import Frames

FILE = "truth.h5"


class Truth:
    """truth.h5 seen through the clip's crop, scale, span and rate; made by `open_truth`.

    Attributes:
        rows: (T,) int, row of truth.h5 of each frame.
    """

    def __init__(self, file: h5py.File, frames: Frames):
        self.file, self.frames = file, frames
        facts = describe(file)
        source_rate = Fraction(facts["rate_numerator"], facts["rate_denominator"])
        self.rows = _source_rows(frames, source_rate, len(file["body"]), file.filename)
        self._scale = np.array([frames.attrs["scale_x"], frames.attrs["scale_y"]], np.float64)

    def joints(self, name: str, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Read `body`, `face` or `hands` of a frame: (..., 3) x px, y px, score and (...) depth px.

        Joints outside the frame are absent (zeros), as every estimator has them.
        """
        row = self.rows[frame]
        joints = self.file[name][row].astype(np.float64)
        depth = (
            self.file[f"{name}_z"][row] * self._scale[1] if f"{name}_z" in self.file else np.zeros(joints.shape[:-1])
        )
        joints[..., :2] = self.frames.to_frame(joints[..., :2])
        x, y, score = joints[..., 0], joints[..., 1], joints[..., 2]
        absent = (score <= 0) | (x < 0) | (y < 0) | (x > self.frames.width) | (y > self.frames.height)
        joints[absent], depth[absent] = 0, 0
        return joints.astype(np.float32), depth.astype(np.float32)

    def map(self, name: str, frame: int, samples: int) -> np.ndarray:
        """Read `part` or `uv` of a frame at `samples` times the frame's size, by nearest neighbour."""
        picture = self.file[name][self.rows[frame]]
        fine = picture.shape[0] / self.file["matte"].shape[1]  # its own samples per pixel
        return in_frame(picture, self.frames, samples, (fine, fine))

    def matte(self, frame: int) -> np.ndarray:
        """Read the matte of a frame, averaged over each of its pixels: (H, W) uint8."""
        return covered(self.file["matte"][self.rows[frame]], self.frames, (1, 1))


@contextmanager
def open_truth(frames: Frames) -> Iterator[Truth]:
    """Open the truth beside the video of a clip.

    Raises:
        BackendError: there is none; only synthetic clips have one.
    """
    path = Path(frames.source).with_name(FILE)
    if not path.is_file():
        raise BackendError(
            f"The backend 'truth' reads {FILE} beside the video {frames.source}, but {path} does not exist; only "
            f"synthetic clips have one. Where it was removed from one, delete {frames.source} and run the same command "
            f"again, which makes both; else choose another backend for this clip."
        )
    with open_file(path, "truth") as file:
        yield Truth(file, frames)


def _source_rows(frames: Frames, source_rate: Fraction, rows: int, path: str) -> np.ndarray:
    """Row of the source on display in each frame: (T,) int; the choice of `video.timing.at_constant_rate`.

    Raises:
        LayoutError: the truth ends before the clip does.
    """
    offset = 1 / (2 * max(frames.rate, source_rate))
    start = frames.attrs["start_s"]
    ticks = range(frames.first, frames.first + len(frames))
    shown = [int((start + tick / frames.rate + offset) * source_rate) for tick in ticks]
    if shown[-1] > rows:  # by one: a rate that was rounded
        raise LayoutError(
            f"{path} holds {rows} frames, but the clip {frames.path} shows frame {shown[-1]} of it; delete both and "
            "run again so that they are of the same video."
        )
    return np.minimum(shown, rows - 1)
