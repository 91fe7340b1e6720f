"""The parametric body, with the person's clothes and hair, fitted to the joints and drawn. Needs no weights."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from understudy.body.clothing import fit_relief
from understudy.body.figure import BODY_HEIGHT_M, Figure
from understudy.body.fit import BodyShape, draw_fitted, fit_body
from understudy.body.parts import CHART
from understudy.body.shape import fit_shape
from understudy.errors import FootageError
from understudy.job import in_threads
from understudy.semantics.matte import body_matte, cut_and_fill
from understudy.semantics.pose_rows import PoseRows
from understudy.semantics.registration import Figures, figure_at
from understudy.semantics.surface_backends._contract import FrameSurface
from understudy.settings import SurfaceSettings
from understudy.video.frames import Frames


class Backend:
    """Sizes are fitted once to the clip; then every frame in closed form."""

    name = "body_model"
    version = "1"
    chart = CHART
    has_body = True
    fits_clip = True

    def __init__(self, settings: SurfaceSettings):
        self.settings = settings
        self.shape: BodyShape | None = None

    def __call__(self, frames: Frames, pose: PoseRows, threads: int = 1) -> Iterator[FrameSurface]:
        if self.shape is None:
            self.fit(frames, pose, threads)
        rows, mattes, valid = _joints(pose), _Mattes(pose, frames), pose["valid"][:]
        jobs = ((figure_at(rows, index), mattes[index], bool(valid[index])) for index in range(len(frames)))
        yield from in_threads(self._surface, jobs, threads)

    def fit(self, frames: Frames, pose: PoseRows, threads: int = 1) -> None:
        """Fit sizes, clothes and hair to the whole clip.

        Raises:
            FootageError: no frame shows enough of a body.
        """
        shown = np.flatnonzero(pose["valid"][:])
        figures, chosen = Figures(_joints(pose), shown), _Chosen(_Mattes(pose, frames), shown)
        try:
            shape = fit_shape(figures, chosen)
        except ValueError as unseen:
            raise FootageError(
                f"No body can be fitted to {frames.path}: {unseen}; choose footage that shows more of the person."
            ) from unseen
        if self.settings.shape == "clothed":
            shape = fit_relief(shape, figures, chosen, mapped=partial(in_threads, threads=threads))
        self.shape = shape

    def take(self, attributes: Mapping[str, Any]) -> None:
        self.shape = BodyShape.from_json(attributes["body"])

    def _surface(self, job: tuple[Figure, np.ndarray, bool]) -> FrameSurface:
        figure, matte, valid = job
        samples, (height, width) = self.settings.samples, matte.shape
        fitted = fit_body(figure, self.shape)
        part, uv = draw_fitted(fitted, height, width, samples)
        if not (valid and fitted.present.any()):
            return FrameSurface(np.zeros_like(part), np.zeros_like(uv), np.zeros_like(matte), False, part, uv)
        if not matte.any():  # the backend makes none, or the frame was bridged: the bare body has to do
            return FrameSurface(part, uv, body_matte(part, samples), True, part, uv)
        reach = self.settings.reach * BODY_HEIGHT_M * self.shape.px_per_m * samples
        return FrameSurface(*cut_and_fill(part, uv, matte, samples, reach), matte, True, part, uv)

    def attributes(self) -> dict[str, Any]:
        return {"body": self.shape.to_json()}


def _joints(pose: PoseRows) -> dict[str, np.ndarray]:
    names = ("body", "face", "hands", "body_z", "face_z", "hands_z")
    return {name: pose[name][:] for name in names if name in pose}


class _Mattes:
    """The mattes of a clip, read when asked for; zeros where pose.h5 has none."""

    def __init__(self, pose: PoseRows, frames: Frames):
        self.stored = pose.get("matte")
        self.nothing = np.zeros((frames.height, frames.width), np.uint8)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.nothing if self.stored is None else self.stored[index]


class _Chosen:
    """Mattes of chosen frames only, numbered from 0."""

    def __init__(self, mattes: _Mattes, chosen: np.ndarray):
        self.mattes, self.chosen = mattes, chosen

    def __getitem__(self, index: int) -> np.ndarray:
        return self.mattes[int(self.chosen[index])]
