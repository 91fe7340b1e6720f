"""Surfaces of a clip: part index, U, V and matte of every frame, one row per frame."""

import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from understudy.backends import load_backend
from understudy.errors import BackendError, LayoutError
from understudy.job import atomic_path
from understudy.joining import open_segments
from understudy.layouts import Writer, create, open_file
from understudy.seals import read_json, write_json
from understudy.segments import Segment
from understudy.semantics.pose_rows import PoseRows
from understudy.semantics.surface_backends._contract import FrameSurface, SurfaceBackend
from understudy.settings import VERSIONS, SurfaceSettings
from understudy.video.frames import Frames
from understudy.video.timing import Progress

logger = logging.getLogger(__name__)

BACKENDS = "understudy.semantics.surface_backends"
PARTS = 24
FITTED = "fitted"  # key of what is fitted to a whole clip, in its file


def estimate_surface(
    frames: Path,
    pose: Path,
    surface: Path,
    settings: SurfaceSettings,
    threads: int = 1,
    segments: Sequence[str] = (),
    fit: Sequence[str] = (),
) -> None:
    """Estimate the surface in every frame of a clip and write surface.h5.

    Args:
        frames: frames.h5 of the clip.
        pose: its pose.h5.
        surface: the surface.h5 to write.
        settings: which backend, how many samples per pixel, and how far parts grow to fill the matte.
        threads: that draw frames at once; the surfaces do not depend on it.
        segments: surface.h5 of each of the clip's segments, where it is split; they are joined, to the bit as unsplit.
        fit: what `fit_surface` wrote for them, or nothing.

    Raises:
        LayoutError: pose.h5 belongs to other frames.
        BackendError: the backend gave something else than its contract says.
    """
    with Frames(frames) as clip, open_file(pose, "pose") as poses:
        _hold_together(clip, poses, pose)
        if not segments:
            backend: SurfaceBackend = load_backend(BACKENDS, settings.backend)(settings)
            _write_surface(clip, PoseRows(poses, 0, len(clip)), surface, backend, settings, threads)
            return
        with (
            open_segments(segments, "surface", "valid", len(clip)) as files,
            create(surface, "surface", files[0].attrs["producer"], settings) as writer,
        ):
            for file in files:
                writer.copy(file, file)
            shared = {"samples": settings.samples, "chart": files[0].attrs["chart"], **_taken(fit)}
            writer.attributes(shared | {"sha256": _digest(writer)})
        logger.info("%s: surface of %d frames joined from %d segments", frames, len(clip), len(files))


def estimate_surface_segment(
    frames: Path,
    pose: Path,
    surface: Path,
    segment: Segment,
    settings: SurfaceSettings,
    threads: int = 1,
    fit: Sequence[str] = (),
) -> None:
    """Estimate the surface in every frame of a segment of a clip; the arguments are those of `estimate_surface`."""
    backend: SurfaceBackend = load_backend(BACKENDS, settings.backend)(settings)
    if fit:
        backend.take(_taken(fit))
    with Frames(frames) as clip, open_file(pose, "pose") as poses:
        _hold_together(clip, poses, pose)
        span = segment.span(len(clip))
        _write_surface(clip.part(*span), PoseRows(poses, *span), surface, backend, settings, threads)


def fit_surface(frames: Path, pose: Path, fit: Path, settings: SurfaceSettings, threads: int = 1) -> None:
    """Fit what the surfaces of all segments of a clip share, once, and write it as JSON.

    Args:
        frames, pose: frames.h5 and pose.h5 of the clip.
        fit: the file to write.
        settings: with a backend that fits the clip.
        threads: at most so many at once.
    """
    backend: SurfaceBackend = load_backend(BACKENDS, settings.backend)(settings)
    with Frames(frames) as clip, open_file(pose, "pose") as poses:
        _hold_together(clip, poses, pose)
        backend.fit(clip, PoseRows(poses, 0, len(clip)), threads)
    with atomic_path(fit) as beside:
        write_json(beside, {FITTED: backend.attributes()})


def _taken(fit: Sequence[str]) -> dict[str, Any]:
    """Read what `fit_surface` wrote, if it was asked to."""
    return read_json(Path(fit[0]), (FITTED,))[FITTED] if fit else {}


def _hold_together(clip: Frames, poses: h5py.File, pose: Path) -> None:
    if len(poses["valid"]) != len(clip):
        raise LayoutError(
            f"{pose} has {len(poses['valid'])} rows, but {clip.path} has {len(clip)} frames; delete {pose} and run "
            f"again so that it is made from these frames."
        )


def _write_surface(
    frames: Frames, pose: PoseRows, surface: Path, backend: SurfaceBackend, settings: SurfaceSettings, threads: int
) -> None:
    """Write surface.h5 of a clip or a part of it."""
    producer = f"semantics {VERSIONS['semantics']}, {backend.name} {backend.version}"
    started = time.monotonic()
    valid, content = [], hashlib.sha256()
    with create(surface, "surface", producer, settings) as writer:
        progress = Progress(f"surface of {frames.path}", len(frames))
        for row in backend(frames, pose, threads):
            check_surface(row, backend, frames, settings.samples, len(valid))
            bare = {"body_part": row.body_part, "body_uv": row.body_uv} if backend.has_body else {}
            writer.append(part=row.part, uv=row.uv, matte=row.matte, **bare)
            valid.append(row.valid)
            for array in (row.part, row.uv, row.matte):
                content.update(np.ascontiguousarray(array))
            progress.step()
        writer.extend(valid=np.array(valid, bool))
        if len(valid) != len(frames):
            raise BackendError(
                f"The surface backend '{backend.name}' gave {len(valid)} surfaces for {len(frames)} frames; mend it: a "
                f"frame without a person is a surface of zeros."
            )
        attributes = {"samples": settings.samples, "chart": backend.chart, **backend.attributes()}
        writer.attributes(attributes | {"sha256": content.hexdigest()})
    seconds = time.monotonic() - started
    logger.info(
        "%d frames in %.1f s (%.1f a second), %d of them without a surface; %s",
        *(len(valid), seconds, len(valid) / seconds, len(valid) - sum(valid), attributes),
    )


def _digest(writer: Writer) -> str:
    """Digest the content of a written surface, frame by frame, as it is digested while frames are made."""
    content = hashlib.sha256()
    data = [writer.file[name] for name in ("part", "uv", "matte")]
    for row in range(len(data[0])):
        for one in data:
            content.update(np.ascontiguousarray(one[row]))
    return content.hexdigest()


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
