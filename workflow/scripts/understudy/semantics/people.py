"""Everyone a backend finds in a clip: raw poses, looks and tracks, written once, whoever is followed later."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from understudy.backends import load_backend
from understudy.errors import BackendError, FootageError
from understudy.layouts import Writer, create, describe, open_file
from understudy.semantics.boxes import person_boxes
from understudy.semantics.looks import person_look
from understudy.semantics.pose_backends._contract import FramePose, PoseBackend
from understudy.semantics.tracks import find_tracks
from understudy.settings import VERSIONS, PoseSettings
from understudy.video.frames import Frames
from understudy.video.timing import Progress

logger = logging.getLogger(__name__)

BACKENDS = "understudy.semantics.pose_backends"
SHAPES = {
    "body": (25, 3),
    "body_z": (25,),
    "face": (70, 3),
    "face_z": (70,),
    "hands": (2, 21, 3),
    "hands_z": (2, 21),
}


@dataclass(frozen=True)
class People:
    """An opened people.h5; made by `open_people`.

    Attributes:
        frame: (N,) int, frame of each row.
        track: (N,) int, who it is.
        frames: T.
        exact: the poses are the truth, nothing is to be smoothed.
        backend: name and version.
        most: most people that were looked for in a frame.
    """

    path: Path
    file: h5py.File
    frame: np.ndarray
    track: np.ndarray
    frames: int
    exact: bool
    backend: str
    most: int


@contextmanager
def open_people(path: Path) -> Iterator[People]:
    """Open people.h5 for reading."""
    with open_file(path, "people") as file:
        count, attributes = file["count"][:], describe(file)
        frame = np.repeat(np.arange(len(count)), count)
        exact, backend = bool(attributes["exact"]), attributes["backend"]
        most = attributes["settings"]["people"]
        yield People(Path(path), file, frame, file["track"][:], len(count), exact, backend, most)


def find_people(frames: Path, people: Path, settings: PoseSettings) -> None:
    """Estimate the poses of everyone in every frame of a clip, join them to tracks and write people.h5.

    Args:
        frames: frames.h5 of the clip.
        people: the people.h5 to write.
        settings: which backend, and how many people it looks for.

    Raises:
        FootageError: nobody is found in any frame.
        BackendError: the backend gave something else than its contract says.
    """
    backend: PoseBackend = load_backend(BACKENDS, settings.backend)(settings)
    producer = f"semantics {VERSIONS['semantics']}, {backend.name} {backend.version}"
    started = time.monotonic()
    with Frames(frames) as clip, create(people, "people", producer, settings) as writer:
        rows, looks, count = _read_backend(backend, clip, writer)
        if not count.any():
            raise FootageError(
                f"Nobody is found in any of the {len(clip)} frames of {frames}; look whether a person is seen there, "
                f"at least a third of the picture high, and correct start_s, end_s or crop in the clip table."
            )
        frame = np.repeat(np.arange(len(count)), count)
        track = find_tracks(frame, rows["body"], looks, float(clip.rate))
        boxes = person_boxes(rows["body"], rows["face"], rows["hands"])
        kept = {name: values for name, values in rows.items() if backend.has_depth or not name.endswith("_z")}
        writer.extend(**kept, look=looks, track=track, person_box=boxes, count=count.astype(np.int32))
        writer.attributes({"exact": backend.exact, "backend": f"{backend.name} {backend.version}"})
    seconds = time.monotonic() - started
    logger.info(
        "%d frames in %.1f s (%.1f a second): %d poses of at most %d people in a frame, %d tracks",
        *(len(count), seconds, len(count) / seconds, len(track), count.max(), track.max()),
    )


def _read_backend(
    backend: PoseBackend, frames: Frames, writer: Writer
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Run a backend over a clip; mattes go to the file one by one.

    Returns:
        One array per name of `SHAPES`, a row per person and frame; looks (N, 2, bins); people in each frame (T,).
    """
    rows: dict[str, list[np.ndarray]] = {name: [] for name in SHAPES}
    looks, count = [], []
    progress = Progress(f"people in {frames.path}", len(frames))
    for number, poses in enumerate(backend(frames)):
        picture = frames[number] if len(poses) else None
        for pose in poses:
            for name, row in _checked(pose, backend, number).items():
                rows[name].append(row)
            looks.append(person_look(picture, pose.body))
            if backend.has_matte:
                writer.append(matte=pose.matte)
        count.append(len(poses))
        progress.step()
    if len(count) != len(frames):
        raise BackendError(
            f"The pose backend '{backend.name}' gave poses of {len(count)} frames for {len(frames)}; mend it: a frame "
            f"without a person is an empty sequence."
        )
    if not any(count):
        return {}, np.zeros(0), np.array(count)
    return {name: np.stack(values) for name, values in rows.items()}, np.stack(looks), np.array(count)


def _checked(pose: FramePose, backend: PoseBackend, number: int) -> dict[str, np.ndarray]:
    """Hold a pose to the contract and return its arrays."""
    rows = {}
    for name, shape in SHAPES.items():
        rows[name] = np.asarray(getattr(pose, name), np.float32)
        if rows[name].shape != shape or not np.isfinite(rows[name]).all():
            raise BackendError(
                f"The pose backend '{backend.name}' gave {name} of shape {rows[name].shape} in frame {number}, "
                f"expected finite numbers of shape {shape}; mend the backend."
            )
    if not pose.found:
        raise BackendError(
            f"The pose backend '{backend.name}' gave a pose without joints in frame {number}; mend the backend: "
            f"somebody who is not seen is left out."
        )
    return rows
