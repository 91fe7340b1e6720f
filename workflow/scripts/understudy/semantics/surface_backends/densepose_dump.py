"""DensePose's results made elsewhere: dumps of apply_net.py, IUV pictures or videos; one for each source picture."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from understudy.errors import BackendError
from understudy.semantics.places import in_frame, to_source
from understudy.semantics.pose_rows import PoseRows
from understudy.semantics.surface_backends._contract import FrameSurface
from understudy.semantics.surface_backends._dump import Dump
from understudy.semantics.surface_backends._iuv import IuvFolder, IuvVideo
from understudy.semantics.surface_backends._numbering import in_order
from understudy.semantics.surface_backends._people import joined, nothing
from understudy.settings import SurfaceSettings
from understudy.video.frames import Frames
from understudy.video.shown import Shown, shown_pictures

DUMPS = {".pkl", ".pickle", ".pt", ".pth"}
SIZE_SLACK = 0.02  # relative difference of the scales along x and y that is rounding of a size


class Results(Protocol):
    """Results for pictures: their names, their size, and the person in each."""

    names: list[str]
    size: tuple[int, int]

    def picture(self, number: int, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...


class Backend:
    """Reads files; nothing is estimated."""

    name = "densepose_dump"
    version = "1"
    has_body = False
    fits_clip = False

    def __init__(self, settings: SurfaceSettings):
        self.settings = settings
        self.chart = settings.densepose_dump.chart

    def __call__(self, frames: Frames, pose: PoseRows, threads: int = 1) -> Iterator[FrameSurface]:
        shown = shown_pictures(frames)
        path = Path(self.settings.densepose_dump.path)
        results = self._open(path, shown)
        order = in_order(results.names, shown.pictures, path, frames.source)
        fine = _samples_per_pixel(results, shown, path)
        valid, boxes, mattes = pose["valid"][:], pose["person_box"][:], pose.get("matte")
        for index in range(len(frames)):
            if not valid[index]:
                yield nothing((frames.height, frames.width), self.settings.samples)
                continue
            person = (to_source(boxes[index].reshape(2, 2), frames) * fine[::-1]).reshape(4)
            maps = results.picture(order[shown.numbers[index]], person)
            part, uv = (in_frame(each, frames, self.settings.samples, fine) for each in maps)
            reach = self.settings.reach * (boxes[index][3] - boxes[index][1]) * self.settings.samples
            yield joined(part, uv, None if mattes is None else mattes[index], self.settings.samples, float(reach))

    def attributes(self) -> dict[str, Any]:
        return {}

    def _open(self, path: Path, shown: Shown) -> Results:
        """Open what lies at the path, by its kind."""
        if not path.exists():
            raise BackendError(
                f"surface.densepose_dump.path names {path}, which does not exist; put the clip's results there, or "
                "correct the path."
            )
        if path.is_dir():
            return IuvFolder(path)
        if path.suffix.lower() in DUMPS:
            return Dump(path, (shown.height, shown.width), self.settings.densepose_dump.min_score)
        return IuvVideo(path)


def _samples_per_pixel(results: Results, shown: Shown, path: Path) -> tuple[float, float]:
    """Samples of the results per pixel of the video, along y and x."""
    down, across = results.size[0] / shown.height, results.size[1] / shown.width
    if abs(down / across - 1) > SIZE_SLACK:
        raise BackendError(
            f"{path} holds pictures of {results.size[1]} x {results.size[0]} px, but the clip's video has "
            f"{shown.width} x {shown.height} (width x height), which is another shape; make them from this video, "
            "whole and upright."
        )
    return down, across
