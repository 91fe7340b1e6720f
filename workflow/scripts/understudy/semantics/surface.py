"""Surfaces of a clip: part index, U, V and matte of every frame, one row per frame."""

import hashlib
import logging
import time
from pathlib import Path

import numpy as np

from understudy.backends import load_backend
from understudy.errors import BackendError, LayoutError
from understudy.layouts import create, open_file
from understudy.semantics.surface_backends._contract import FrameSurface, SurfaceBackend
from understudy.settings import VERSIONS, SurfaceSettings
from understudy.video.frames import Frames
from understudy.video.timing import Progress

logger = logging.getLogger(__name__)

BACKENDS = "understudy.semantics.surface_backends"
PARTS = 24


def estimate_surface(frames: Path, pose: Path, surface: Path, settings: SurfaceSettings, threads: int = 1) -> None:
    """Estimate the surface in every frame of a clip and write surface.h5.

    Args:
        frames: frames.h5 of the clip.
        pose: its pose.h5.
        surface: the surface.h5 to write.
        settings: which backend, how many samples per pixel, and how far parts grow to fill the matte.
        threads: that draw frames at once; the surfaces do not depend on it.

    Raises:
        LayoutError: pose.h5 belongs to other frames.
        BackendError: the backend gave something else than its contract says.
    """
    backend: SurfaceBackend = load_backend(BACKENDS, settings.backend)(settings)
    producer = f"semantics {VERSIONS['semantics']}, {backend.name} {backend.version}"
    started = time.monotonic()
    valid, content = [], hashlib.sha256()
    with (
        Frames(frames) as clip,
        open_file(pose, "pose") as poses,
        create(surface, "surface", producer, settings) as writer,
    ):
        if len(poses["valid"]) != len(clip):
            raise LayoutError(
                f"{pose} has {len(poses['valid'])} rows, but {frames} has {len(clip)} frames; delete {pose} and run "
                f"again so that it is made from these frames."
            )
        progress = Progress(f"surface of {frames}", len(clip))
        for row in backend(clip, poses, threads):
            check_surface(row, backend, clip, settings.samples, len(valid))
            bare = {"body_part": row.body_part, "body_uv": row.body_uv} if backend.has_body else {}
            writer.append(part=row.part, uv=row.uv, matte=row.matte, **bare)
            valid.append(row.valid)
            for array in (row.part, row.uv, row.matte):
                content.update(np.ascontiguousarray(array))
            progress.step()
        writer.extend(valid=np.array(valid, bool))
        if len(valid) != len(clip):
            raise BackendError(
                f"The surface backend '{backend.name}' gave {len(valid)} surfaces for {len(clip)} frames; mend it: a "
                f"frame without a person is a surface of zeros."
            )
        attributes = {"samples": settings.samples, "chart": backend.chart, **backend.attributes()}
        writer.attributes(attributes | {"sha256": content.hexdigest()})
    seconds = time.monotonic() - started
    logger.info(
        "%d frames in %.1f s (%.1f a second), %d of them without a surface; %s",
        *(len(valid), seconds, len(valid) / seconds, len(valid) - sum(valid), attributes),
    )


def check_surface(row: FrameSurface, backend: SurfaceBackend, frames: Frames, samples: int, number: int) -> None:
    """Hold one frame of a backend to the contract.

    Raises:
        BackendError: a shape, a number type or a part index is wrong.
    """
    drawn = (frames.height * samples, frames.width * samples)
    expected = {"part": drawn, "uv": (*drawn, 2), "matte": (frames.height, frames.width)}
    if backend.has_body:
        expected |= {"body_part": drawn, "body_uv": (*drawn, 2)}
    for name, shape in expected.items():
        found = getattr(row, name)
        if found is None or found.shape != shape or found.dtype != np.uint8:
            what = "nothing" if found is None else f"{found.dtype} {found.shape}"
            raise BackendError(
                f"The surface backend '{backend.name}' gave {what} as {name} of frame {number}, expected "
                f"uint8 {shape}; mend the backend."
            )
    if row.part.max() > PARTS:
        raise BackendError(
            f"The surface backend '{backend.name}' gave part {row.part.max()} in frame {number}, expected 0 to {PARTS}."
        )
