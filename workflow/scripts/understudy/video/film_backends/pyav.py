"""Writes films with PyAV: x264, and sound carried over while the film grows."""

from contextlib import ExitStack
from pathlib import Path

import av
import numpy as np

from understudy.video.colour import tag_bt709, to_video
from understudy.video.film_backends._contract import FilmPlan
from understudy.video.soundtrack import CopiedSound, RecodedSound, open_soundtrack

THREADS = 2  # the network that draws the frames needs the others


class Backend:
    """One film; see `FilmBackend` for the contract."""

    def __init__(self, path: Path, plan: FilmPlan):
        self._path, self._plan = path, plan
        self._frames = 0
        self._exits = ExitStack()
        self._container: av.container.OutputContainer | None = None
        self._video: av.VideoStream | None = None
        self._sound: CopiedSound | RecodedSound | None = None

    def open(self, height: int, width: int) -> None:
        """Start a film of frames of an even size."""
        options = {"movflags": "+faststart"}
        self._container = self._exits.enter_context(av.open(str(self._path), "w", format="mp4", options=options))
        self._container.metadata.update(self._plan.tags)
        options = {"crf": str(self._plan.crf), "preset": "medium"}
        self._video = self._container.add_stream("libx264", rate=self._plan.rate, options=options)
        context = self._video.codec_context
        context.width, context.height = width, height
        context.pix_fmt, context.thread_count, context.time_base = "yuv420p", THREADS, 1 / self._plan.rate
        tag_bt709(context)
        if self._plan.sound is not None:
            self._sound = open_soundtrack(self._plan.sound, self._container)

    def write(self, rgb: np.ndarray) -> None:
        """Add one frame."""
        frame = to_video(rgb)
        frame.pts, frame.time_base = self._frames, 1 / self._plan.rate
        self._container.mux(self._video.encode(frame))
        self._frames += 1
        if self._sound is not None:
            self._sound.copy_until(self._frames / self._plan.rate)

    def finish(self) -> None:
        """Write what is left, sound and index."""
        self._container.mux(self._video.encode())
        if self._sound is not None:
            self._sound.finish()
        self._exits.close()

    def close(self) -> None:
        """Let go of everything, finished or not."""
        self._exits.close()
