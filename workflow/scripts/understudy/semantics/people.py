"""Everyone a backend finds in a clip: raw poses, looks and tracks, written once, whoever is followed later."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from understudy.backends import load_backend
from understudy.errors import BackendError, FootageError, LayoutError
from understudy.joining import open_segments
from understudy.layouts import Writer, create, describe, open_file
from understudy.segments import Segment
from understudy.semantics.boxes import person_boxes
from understudy.semantics.looks import BINS, REGIONS, person_look
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
LOOK = (REGIONS, BINS)
WHOLE = Segment(1, 1)


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
    """Open people.h5 for reading.

    Raises:
        LayoutError: it is no such file, or its people are not as many as its frames say.
    """
    with open_file(path, "people") as file:
        count, attributes, track = file["count"][:], describe(file), file["track"][:]
        if not len(count) or count.min() < 0 or count.sum(dtype=np.int64) != len(track) or (track < 0).any():
            raise LayoutError(
                f"{path} holds {len(track)} people, but its 'count' says {count.sum(dtype=np.int64)} in {len(count)} "
                f"frames (no rows, or fewer than none in one); delete it and run again."
            )
        frame = np.repeat(np.arange(len(count)), count)
        exact, backend = attributes["exact"], attributes["backend"]
        most = attributes["settings"].get("people", 0)
        yield People(Path(path), file, frame, track, len(count), exact, backend, most)


def find_people(
    frames: Path, people: Path, settings: PoseSettings, segments: Sequence[str] = (), needed: bool = True
) -> None:
    """Estimate the poses of everyone in every frame of a clip, join them to tracks and write people.h5.

    Args:
        frames: frames.h5 of the clip.
        people: the people.h5 to write.
        settings: which backend, and how many people it looks for.
        segments: people.h5 of each of the clip's segments, where it is split; they are joined, and who is who is found
            out over the whole clip.
        needed: that nobody is found anywhere is an error.

    Raises:
        FootageError: nobody is found in any frame.
        BackendError: the backend gave something else than its contract says.
    """
    with Frames(frames) as clip:
        if not segments:
            _write_people(clip, WHOLE, people, settings, needed)
            return
        with (
            open_segments(segments, "people", "count", len(clip)) as files,
            create(people, "people", files[0].attrs["producer"], settings) as writer,
        ):
            for file in files:
                writer.copy(file, [name for name in file if name != "track"])
            track = _tracks(writer, clip)
            writer.extend(track=track)
            writer.attributes({name: files[0].attrs[name] for name in ("exact", "backend")})
        logger.info("%d frames of %d segments: %d poses, %d tracks", len(clip), len(files), len(track), track.max())


def find_people_segment(frames: Path, people: Path, segment: Segment, settings: PoseSettings) -> None:
    """Estimate the poses of everyone in every frame of a segment of a clip; who is who stays open (track 0).

    Segments are whole blocks of a backend with a memory: it begins anew in each block, in every clip.
    """
    with Frames(frames) as clip:
        _write_people(clip, segment, people, settings)


def _write_people(clip: Frames, segment: Segment, people: Path, settings: PoseSettings, needed: bool = True) -> None:
    """Write people.h5 of a segment, which may be the whole clip."""
    backend: PoseBackend = load_backend(BACKENDS, settings.backend)(settings)
    producer = f"semantics {VERSIONS['semantics']}, {backend.name} {backend.version}"
    started = time.monotonic()
    with create(people, "people", producer, settings) as writer:
        rows, looks, count = _read_backend(backend, clip, segment, writer)
        boxes = person_boxes(rows["body"], rows["face"], rows["hands"])
        kept = {name: values for name, values in rows.items() if backend.has_depth or not name.endswith("_z")}
        writer.extend(**kept, look=looks, person_box=boxes, count=count.astype(np.int32))
        whole = segment == WHOLE and (needed or count.any())
        track = _tracks(writer, clip) if whole else np.zeros(len(looks), np.int32)
        writer.extend(track=track)
        writer.attributes({"exact": backend.exact, "backend": f"{backend.name} {backend.version}"})
    seconds = time.monotonic() - started
    logger.info(
        "%d frames in %.1f s (%.1f a second): %d poses of at most %d people in a frame, %d tracks",
        *(len(count), seconds, len(count) / seconds, len(track), count.max(initial=0), track.max(initial=0)),
    )


def _tracks(writer: Writer, clip: Frames) -> np.ndarray:
    """Find out who is who over a whole clip whose other datasets are written: (N,) int32, number of each row's track.

    Raises:
        FootageError: nobody is found in any frame.
    """
    file = writer.file
    count = file["count"][:]
    if not count.any():
        raise FootageError(
            f"Nobody is found in any of the {len(clip)} frames of {clip.path}; look whether a person is seen there, "
            f"at least a third of the picture high, and correct start_s, end_s or crop in the clip table."
        )
    return find_tracks(np.repeat(np.arange(len(count)), count), file["body"][:], file["look"][:], float(clip.rate))


def _read_backend(
    backend: PoseBackend, clip: Frames, segment: Segment, writer: Writer
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Run a backend over a segment of a clip; mattes go to the file one by one.

    Returns:
        One array per name of `SHAPES`, a row per person and frame; looks (N, 2, bins); people in each frame (T,).
    """
    rows: dict[str, list[np.ndarray]] = {name: [] for name in SHAPES}
    looks, count = [], []
    blocks = _blocks(backend, clip, segment)
    progress = Progress(f"people in {clip.path}", sum(last - first for first, last in blocks))
    for first, last in blocks:
        for number, poses in _block_poses(backend, clip, first, last):
            picture = clip[number] if len(poses) else None
            for pose in poses:
                for name, row in _checked(pose, backend, number).items():
                    rows[name].append(row)
                looks.append(person_look(picture, pose.body))
                if backend.has_matte:
                    writer.append(matte=pose.matte)
            count.append(len(poses))
            progress.step()
    stacked = {
        name: np.stack(values) if values else np.zeros((0, *SHAPES[name]), np.float32) for name, values in rows.items()
    }
    nobody = np.zeros((0, *LOOK), np.float32)
    return stacked, np.stack(looks) if looks else nobody, np.array(count)


def _blocks(backend: PoseBackend, clip: Frames, segment: Segment) -> list[tuple[int, int]]:
    """List the first frame of each block of a segment and the one past its last; without a memory it is one block."""
    if not backend.memory_frames:
        return [segment.span(len(clip))]
    count = max(1, round(len(clip) / float(clip.rate) / backend.block_s))
    return [Segment(block + 1, count).span(len(clip)) for block in segment.blocks(count)]


def _block_poses(
    backend: PoseBackend, clip: Frames, first: int, last: int
) -> Iterator[tuple[int, Sequence[FramePose]]]:
    """Yield the number and the poses of each frame of a block; the backend sees frames before them to remember."""
    before = max(0, first - backend.memory_frames)
    found = 0
    for poses in backend(clip.part(before, last)):
        if before + found >= first:
            yield before + found, poses
        found += 1
    if before + found != last:
        raise BackendError(
            f"The pose backend '{backend.name}' gave poses of {found} frames for {last - before}; mend it: a frame "
            f"without a person is an empty sequence."
        )


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
