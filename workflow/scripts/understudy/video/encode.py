"""Writing films: H.264 that every player shows, at an exact rate, with the clip's sound in sync."""

import logging
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from understudy.job import atomic_path
from understudy.video.colour import tag_bt709, to_video
from understudy.video.soundtrack import CopiedSound, RecodedSound, open_soundtrack

logger = logging.getLogger(__name__)

THREADS = 2  # the network that draws the frames needs the others


class Film:
    """Writes one film frame by frame; a context manager.

    H.264, 4:2:0, BT.709 and tagged so, index in front of the pictures (faststart). Odd sizes are padded to even
    ones by repeating the last row or column. Sound is cut to the film's length. The file appears under its name
    when the body ends well; when it fails an older file stays as it was. No frame is kept in memory.

    Args:
        path: the film, ending in .mp4.
        rate: frames a second, exact.
        crf: H.264 quality, 0 lossless to 51 worst.
        sound: sound of the clip as `decode_clip` wrote it; an empty file or None makes a silent film.
    """

    def __init__(self, path: str | Path, rate: Fraction, crf: int, sound: str | Path | None = None):
        self.path = Path(path)
        self.rate = Fraction(rate)
        self.crf = crf
        self.frames = 0
        self._sound_path = Path(sound) if sound is not None else None
        self._exits = ExitStack()
        self._container: av.container.OutputContainer | None = None
        self._video: av.VideoStream | None = None
        self._sound: CopiedSound | RecodedSound | None = None
        self._size: tuple[int, int] = (0, 0)

    def __enter__(self) -> "Film":
        beside = self._exits.enter_context(atomic_path(self.path))
        options = {"movflags": "+faststart"}
        self._container = self._exits.enter_context(av.open(str(beside), "w", format="mp4", options=options))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool | None:
        try:
            if kind is None:
                self._finish()
        except BaseException as failure:
            self._exits.__exit__(type(failure), failure, failure.__traceback__)
            raise
        return self._exits.__exit__(kind, error, trace)

    def write(self, rgb: np.ndarray) -> None:
        """Add one frame, (H, W, 3) uint8 RGB; all frames of a film have one size."""
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
            raise ValueError(f"a film takes (H, W, 3) uint8 frames, got {rgb.shape} {rgb.dtype}")
        if self._video is None:
            self._start(rgb.shape[0], rgb.shape[1])
        if rgb.shape[:2] != self._size:
            raise ValueError(f"{self.path}: frame {self.frames} is {rgb.shape[:2]}, the frames before it {self._size}")
        frame = to_video(pad_to_even(rgb))
        frame.pts, frame.time_base = self.frames, 1 / self.rate
        self._container.mux(self._video.encode(frame))
        self.frames += 1
        if self._sound is not None:
            self._sound.copy_until(self.frames / self.rate)

    def _start(self, height: int, width: int) -> None:
        """Open the encoder; the size is known with the first frame."""
        self._size = height, width
        options = {"crf": str(self.crf), "preset": "medium"}
        self._video = self._container.add_stream("libx264", rate=self.rate, options=options)
        context = self._video.codec_context
        context.width, context.height = width + width % 2, height + height % 2
        context.pix_fmt, context.thread_count, context.time_base = "yuv420p", THREADS, 1 / self.rate
        tag_bt709(context)
        if self._sound_path is not None and self._sound_path.stat().st_size:
            self._sound = open_soundtrack(self._sound_path, self._container)

    def _finish(self) -> None:
        if self._video is None:
            raise ValueError(f"the film {self.path} got no frame")
        self._container.mux(self._video.encode())
        if self._sound is not None:
            self._sound.finish()


def pad_to_even(rgb: np.ndarray) -> np.ndarray:
    """Repeat the last row and column of (H, W, 3) where a side is odd; H.264 with 4:2:0 takes even sizes only."""
    height, width, _ = rgb.shape
    if height % 2 == 0 and width % 2 == 0:
        return rgb
    return np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
