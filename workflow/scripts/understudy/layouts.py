"""Every HDF5 file of the project: its datasets, their axes, and how they are written and opened; keys of JSON files.

One row per frame, always: a frame without a person is a row with `valid` false, never a missing row. Only people.h5,
which holds everyone, has a row for each person in each frame.
Axes: T frames, H rows, W columns, K joints; P and Q are rows and columns of a surface, `samples` times H and W.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from understudy.errors import LayoutError
from understudy.inspection import (
    Array,
    Attribute,
    Facts,
    check_attributes,
    check_contents,
    check_datasets,
    read_attributes,
    unreadable,
)
from understudy.job import atomic_path
from understudy.seals import SEAL, damaged

SCHEMA_VERSION = 1
_OF_HDF5 = re.compile(r"(Can't|Unable to) ")  # how the errors of the library begin
CHUNK_CACHE = 2**16  # bytes per dataset; rows are read in order, and HDF5's 1 MiB each would grow with a clip's length
ADDRESS_CACHE = 2**16  # bytes per file
CHUNKED = 4096  # values of a row from which on each row is a chunk of its own
BLOCK = 1024  # rows copied at once where they are not
# benchmarks/compression.py holds the measurement; the sum tells flipped bytes, which would else be other pixels
COMPRESSION = {"compression": "lzf", "shuffle": True, "fletcher32": True}
LIBRARY = ("v110", "v110")  # from this version of the format on, HDF5's own tables and headers have checksums too


_JOINTS = {
    "body": Array("float32", ("T", 25, 3), "BODY_25: x px, y px, score 0..1; 0, 0, 0 where absent"),
    "body_z": Array("float32", ("T", 25), "depth px, away from the camera, mid-hip is 0", optional=True),
    "face": Array("float32", ("T", 70, 3), "FACE_70: x px, y px, score 0..1"),
    "face_z": Array("float32", ("T", 70), "depth px, same origin as body_z", optional=True),
    "hands": Array("float32", ("T", 2, 21, 3), "left, right hand: x px, y px, score 0..1"),
    "hands_z": Array("float32", ("T", 2, 21), "depth px, same origin as body_z", optional=True),
    "person_box": Array("float32", ("T", 4), "left, top, right, bottom px; zeros where nobody is found"),
    "valid": Array("bool", ("T",), "a person was found, or a short gap was bridged"),
}
_PEOPLE = {  # one row per person and frame
    name: Array(array.dtype, ("N", *array.axes[1:]), array.meaning, array.optional)
    for name, array in _JOINTS.items()
    if name != "valid"
}
_SURFACE = {
    "part": Array("uint8", ("T", "P", "Q"), "part index 0 background, 1..24, cut and filled by the matte"),
    "uv": Array("uint8", ("T", "P", "Q", 2), "U, V on the part, 0..255 for 0..1"),
    "matte": Array("uint8", ("T", "H", "W"), "share of the pixel that is the person, 0..255"),
}
_BODY_SURFACE = {
    "body_part": Array("uint8", ("T", "P", "Q"), "part index of the fitted body, not cut by the matte", optional=True),
    "body_uv": Array("uint8", ("T", "P", "Q", 2), "U, V of the fitted body", optional=True),
}

PROGRESS = {
    "performer": "who is learnt",
    "stage": "name of the stage",
    "state": "running, stopped (asked to end, or by an error), done; a killed training leaves running",
    "step": "steps done",
    "steps": "steps at which the stage ends, or null",
    "seconds": "training time spent, s",
    "of_seconds": "training time at which the stage ends, s, or null",
    "share": "share of the stage that is done, 0..1",
    "seconds_left": "estimated training time to the end, s; null before the first step",
    "steps_per_second": "since this run began; null before the first report",
    "learning_rate": "of the network, for the next step; null before the first report",
    "losses": "each term, unweighted, mean over the steps since the report before; total is their weighted sum",
    "person_psnr_db": "PSNR of the person on the fixed held-out frames, dB; null before the first preview",
    "height_px": "height of the pictures, px",
    "clip_frames": "frames of a training clip",
    "state_folder": "folder of states, previews, curves.tsv, strip.png and TensorBoard's board, from this file",
    "started": "when the stage was first started, ISO 8601, UTC",
    "updated": "when this file was written, ISO 8601, UTC",
}  # keys of progress.json and what they mean

BODY_SHAPE = {
    "px_per_m": "size of hands and feet, pixels for a metre of the rest body",
    "thickness": "torso and limbs are so many times thicker than that",
    "head_px_per_m": "size of the head, pixels for a metre",
    "arms": "thickness of the arms over that of the torso",
    "thighs": "thickness of the thighs over that of the torso",
    "shins": "thickness of the shins over that of the torso",
    "relief": "how far clothes and hair lie off the rest body at each point of body/relief.py, m; empty: bare",
}  # keys of a fitted body and what they mean

COVERAGE = {
    "frames": "frames of the driving clip",
    "distance": "of each frame from the performer's training frames (posture, limbs, skin), heights of the performer's "
    "standing body; null where the frame shows nobody to compare",
    "nearest": "number of the training frame with the nearest posture, in its clip, or null",
    "nearest_clip": "that clip, an index into clips, or null",
    "clips": "names of the performer's clips",
    "threshold": "distance from which on a frame counts as uncovered (metrics.uncovered_distance)",
    "median_distance": "of the frames that can be compared, or null",
    "covered_share": "of the frames that can be compared, those within the threshold, 0..1, or null",
    "uncovered": "list of moments {first, last, worst: numbers of frames, words: what the worst one shows}",
    "shot_list": "list of sentences: what to film, the farthest first",
    "relation": "how distance and error go together; null before training, metrics.json has it under the same key",
}  # keys of coverage.json and what they mean

LAYOUTS: dict[str, dict[str, Array]] = {
    "frames": {"rgb": Array("uint8", ("T", "H", "W", 3), "upright, cropped frames, sRGB")},
    "people": {
        "count": Array("int32", ("T",), "people in each frame; their rows follow each other, frames in order"),
        "track": Array("int32", ("N",), "who it is: 1 the largest track; 0 a track too short to be a person"),
        **_PEOPLE,
        "look": Array("float32", ("N", 2, 96), "colours of torso and thighs, shares; zeros where not seen"),
        "matte": Array("uint8", ("N", "H", "W"), "mask of this person, of backends that make one", optional=True),
    },
    "pose": {
        **_JOINTS,
        "row": Array("int32", ("T",), "row of people.h5 it was made from, -1 where there is none", optional=True),
        "matte": Array("uint8", ("T", "H", "W"), "person mask of backends that make one", optional=True),
    },
    "shifts": {
        "shift": Array("float64", ("T", 12, 2), "x, y px by which each joint that is registered should move"),
        "known": Array("bool", ("T",), "the person's outline is seen; elsewhere the shift is 0"),
        "motion": Array(
            "float32", ("T", 137, 3), "x, y px from each joint to where it was, trust 0..1; body, face, hands"
        ),
    },
    "surface": {**_SURFACE, **_BODY_SURFACE, "valid": Array("bool", ("T",), "the surface could be fitted")},
    # one group per stride of the temporal judges: stride_1, stride_3, ...
    "flow": {
        "backward": Array("int16", ("T", "H", "W", 2), "x, y in 1/16 px, frame t to frame t - stride"),
        "confidence": Array("uint8", ("T", "H", "W"), "255 where forward and backward flow agree"),
    },
    "camera": {
        "to_reference": Array("float64", ("T", 3, 3), "homography: x, y px of the frame to px of the reference frame"),
        "valid": Array(
            "bool", ("T",), "the frame's background was found in the others; elsewhere the motion is bridged"
        ),
    },
    "windows": {
        "clip": Array("int16", ("N",), "index into the attribute `clips`"),
        "first": Array("int32", ("N",), "first frame of an unbroken run"),
        "length": Array("int32", ("N",), "frames of the run"),
        "split": Array("uint8", ("N",), "0 training, 1 held out"),
    },
    "truth": {
        **_JOINTS,
        **_SURFACE,
        "backward": Array("int16", ("T", "H", "W", 2), "exact flow in 1/16 px, frame t to t - 1, frame 0 zero"),
        "visible": Array("uint8", ("T", "H", "W"), "255 where the point is seen in frame t - 1 too"),
        "joints_world": Array("float32", ("T", 25, 3), "BODY_25 in metres"),
    },
    "driving": {
        **_JOINTS,
        "part": Array("uint8", ("T", "P", "Q"), "part index drawn with the performer's body"),
        "uv": Array("uint8", ("T", "P", "Q", 2), "U, V drawn with the performer's body"),
        "camera": Array(
            "float64",
            ("T", 3, 3),
            "homography: x, y px of the picture to px of the performer's reference frame; absent: still",
            optional=True,
        ),
    },
}
GROUPED = {"flow"}  # layouts whose datasets stand in one group per stride

_RATE = {
    "rate_numerator": Attribute("count", "frames a second, numerator"),
    "rate_denominator": Attribute("count", "frames a second, denominator"),
}
_SURFACES = {
    "samples": Attribute("size", "surface samples per pixel and axis"),
    "chart": Attribute("text", "name of the atlas that U and V belong to"),
}
_SIZE = {"height": Attribute("size", "of the frames, px"), "width": Attribute("size", "of the frames, px")}
# Attributes beside those of every file (layout, schema_version, producer, settings), as far as a job reads them.
ATTRIBUTES: dict[str, dict[str, Attribute]] = {
    "frames": {
        **_RATE,
        "source": Attribute("text", "the video, as it was named"),
        "source_sha256": Attribute("text", "SHA-256 of the video"),
        "crop": Attribute("box", "left, top, width, height of what is shown, px of the upright source"),
        "ignore": Attribute("boxes", "left, top, right, bottom of what is not learnt, px of the frames"),
        "scale_x": Attribute("positive", "px of the frames per px of the source, across"),
        "scale_y": Attribute("positive", "px of the frames per px of the source, down"),
        "start_s": Attribute("seconds", "start of the clip in the source, s"),
    },
    "people": {
        "exact": Attribute("flag", "the poses are the truth, nothing is to be smoothed"),
        "backend": Attribute("text", "name and version of the pose backend"),
    },
    "pose": {
        "person": Attribute("text", "who is followed, as the clip table says it"),
        "track": Attribute("number", "number of that person"),
        "whole": Attribute("flag", "chosen among the people of the whole picture"),
        "registration": Attribute("text", "of a person not yet registered: sizes of the body, JSON; empty: not known"),
        "tall_px": Attribute("pixels", "of the same: median height of the person, px"),
    },
    "shifts": {},
    "surface": {
        **_SURFACES,
        "body": Attribute("mapping", "the fitted body, see below; of backends that fit one"),
        "sha256": Attribute("text", "SHA-256 of the surfaces"),
    },
    "flow": {},
    "camera": {
        "moving": Attribute("flag", "the camera moves"),
        "reference": Attribute("index", "number of the reference frame"),
        **_SIZE,
    },
    "windows": {
        "clips": Attribute("list", "the files of each clip"),
        "sources": Attribute("list", "what pixels, surface and camera of each clip are"),
        "chart": _SURFACES["chart"],
        "statistics": Attribute("mapping", "body and shape of the training footage"),
        **_SIZE,
    },
    "truth": {**_RATE, **_SURFACES},
    "driving": {**_SURFACES, **_SIZE, "retarget": Attribute("text", "how the motion was carried over")},
}
_EVERYWHERE = {
    "producer": Attribute("text", "who made it: room and version, backend and version"),
    "settings": Attribute("mapping", "the settings that made it"),
}


class Attributes(h5py.AttributeManager):
    """Attributes whose texts have a fixed length: HDF5 guards those by a checksum, unlike the texts in its heap.

    A wrong byte in that heap let the library search it for ever.
    """

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        return value.decode() if isinstance(value, bytes) else value

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, str):
            text = value.encode()
            value = np.array(text, dtype=h5py.string_dtype("utf-8", max(1, len(text))))
        super().__setitem__(name, value)


class File(h5py.File):
    """An HDF5 file with such attributes."""

    @property
    def attrs(self) -> Attributes:
        return Attributes(self)


class Writer:
    """Appends rows to the datasets of one file; made by `create`."""

    def __init__(self, file: h5py.File, layout: str):
        self.file = file
        self.layout = layout

    def append(self, group: str = "", **rows: np.ndarray) -> None:
        """Add one frame to each named dataset (the row carries no time axis)."""
        for name, row in rows.items():
            self.extend(group, **{name: np.asarray(row)[None]})

    def extend(self, group: str = "", **blocks: np.ndarray) -> None:
        """Add a block of frames (time axis first) to each named dataset."""
        for name, block in blocks.items():
            array = _described(self.layout, name)
            block = np.asarray(block)
            if block.dtype != np.dtype(array.dtype) or block.ndim != len(array.axes):
                raise ValueError(
                    f"{self.layout}.{name} takes {array.dtype} {array.axes}, got {block.dtype} {block.shape}"
                )
            place = f"{group}/{name}" if group else name
            if place not in self.file:
                chunk = (1, *block.shape[1:]) if block.ndim > 2 and np.prod(block.shape[1:]) > CHUNKED else True
                self.file.create_dataset(
                    place,
                    data=block,
                    maxshape=(None, *block.shape[1:]),
                    chunks=chunk,
                    **COMPRESSION,
                )
                continue
            data = self.file[place]
            data.resize(len(data) + len(block), axis=0)
            data[len(data) - len(block) :] = block

    def copy(self, source: h5py.Group, names: Iterable[str], group: str = "") -> None:
        """Append all rows of datasets of another file; whole chunks go over as they are stored."""
        for name in names:
            data = source[name]
            self.extend(group, **{name: data[:0]})
            target = self.file[f"{group}/{name}" if group else name]
            if not _one_row_chunks(data) or _packing(data) != _packing(target):
                for first in range(0, len(data), BLOCK):
                    self.extend(group, **{name: data[first : first + BLOCK]})
                continue
            start, rest = len(target), (0,) * (data.ndim - 1)
            target.resize(start + len(data), axis=0)
            for row in range(len(data)):
                data[row]  # held to its checksum, which is copied with it
                filters, stored = data.id.read_direct_chunk((row, *rest))
                target.id.write_direct_chunk((start + row, *rest), stored, filters)

    def attributes(self, values: Mapping[str, Any], group: str = "/") -> None:
        """Store numbers, strings and arrays beside the datasets; nested mappings become JSON text."""
        for name, value in values.items():
            kept = Attributes(self.file[group])
            kept[name] = json.dumps(value) if isinstance(value, (dict, list)) else value


@contextmanager
def create(path: str | Path, layout: str, producer: str, settings: Any = None) -> Iterator[Writer]:
    """Write a file of one layout; it appears under its name only when whole and held to the layout.

    Args:
        path: the file to make; its folder is made too.
        layout: a key of `LAYOUTS`.
        producer: who made it: room and version, backend and version.
        settings: dataclass or mapping with the settings that made it.
    """
    described = LAYOUTS[layout]
    with atomic_path(path) as beside, File(beside, "w", libver=LIBRARY) as file:
        kept = asdict(settings) if is_dataclass(settings) else dict(settings or {})
        file.attrs.update(layout=layout, schema_version=SCHEMA_VERSION, producer=producer, settings=json.dumps(kept))
        yield Writer(file, layout)
        check_datasets(file, described, layout in GROUPED, path)
        file.attrs[SEAL] = _seal(file)


@contextmanager
def open_file(path: str | Path, layout: str) -> Iterator[h5py.File]:
    """Open a file of one layout for reading.

    Raises:
        LayoutError: it is missing, no HDF5, of another layout or schema version, or does not hold what its layout
            says; or, while it is open, a part of it turns out to be damaged.
    """
    path, described, grouped = Path(path), LAYOUTS[layout], layout in GROUPED
    if not path.is_file():
        raise LayoutError(f"{path} does not exist; a file of layout '{layout}' was expected there.")
    try:
        file = File(path, "r", rdcc_nbytes=CHUNK_CACHE)
    except (OSError, RuntimeError, ValueError) as broken:
        raise LayoutError(f"{path} is no readable HDF5 file ({broken}); delete it and run again.") from broken
    with file:
        try:
            _check(file, layout, path)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as broken:
            raise LayoutError(f"{path} is damaged ({broken}); delete it and run again.") from broken
        try:
            yield file
        except (OSError, RuntimeError) as trouble:
            damaged = unreadable(file, described, grouped) if file and _OF_HDF5.match(str(trouble)) else None
            if damaged is None:  # it is not this file's
                raise
            raise LayoutError(f"{path}: '{damaged}' is damaged ({trouble}); delete it and run again.") from trouble


def _check(file: h5py.File, layout: str, path: Path) -> None:
    """Hold a file to its layout, all that can be told before it is used."""
    facts = read_attributes(file, path)
    found = facts.get("layout"), facts.get("schema_version")
    if not all(isinstance(one, (str, int)) for one in found) or found != (layout, SCHEMA_VERSION):
        raise LayoutError(
            f"{path} holds layout {found[0]!r} version {found[1]}, expected {layout!r} version {SCHEMA_VERSION}; "
            "delete it and run again so that it is written anew."
        )
    if facts.get(SEAL) not in (None, _seal(file)):
        raise damaged(path, "its seal does not fit its attributes")
    check_attributes(facts, _EVERYWHERE | ATTRIBUTES[layout])
    check_datasets(file, LAYOUTS[layout], layout in GROUPED, path)
    _bound_cache(file)
    check_contents(file, LAYOUTS[layout], layout in GROUPED, path)


def content_digest(path: Path, layout: str) -> str:
    """Digest all that a small file says, attributes and datasets; its other bytes may differ and mean nothing.

    Raises:
        LayoutError, DamageError: as `open_file`.
    """
    with open_file(path, layout) as file:
        found = hashlib.sha256(_seal(file).encode())
        places: list[str] = []
        file.visit(places.append)
        for place in places:
            if isinstance(file[place], h5py.Dataset):
                found.update(np.ascontiguousarray(file[place][...]).data)
        return found.hexdigest()


@contextmanager
def change_file(path: str | Path) -> Iterator[h5py.File]:
    """Open a file for changes in place, and seal it anew; for tests and for repairs by hand, since it is not atomic."""
    with File(path, "r+", libver=LIBRARY) as file:
        yield file
        file.attrs[SEAL] = _seal(file)


def _seal(file: h5py.File) -> str:
    """Digest what no checksum of HDF5 guards: all attributes; and sizes and number types of all datasets."""
    found = hashlib.sha256()
    places = [("/", file)]
    file.visititems(lambda name, item: places.append((name, item)))
    for name, item in places:
        found.update(name.encode(errors="backslashreplace"))
        if isinstance(item, h5py.Dataset):
            found.update(f"{item.dtype.str} {item.shape}".encode())
        for key in sorted(set(item.attrs) - {SEAL}):
            value = np.asarray(item.attrs[key])
            text = str(value) if value.dtype.kind in "OSU" else f"{value.dtype.str} {value.shape} {value.tobytes()}"
            found.update(f"{key}={text}\n".encode(errors="backslashreplace"))
    return found.hexdigest()


def describe(file: h5py.File) -> Facts:
    """Return a file's attributes as plain Python values, its settings as a mapping."""
    values = read_attributes(file, file.filename)
    values["settings"] = json.loads(values.get("settings", "{}"))
    return values


def _packing(data: h5py.Dataset) -> tuple[object, ...]:
    return data.chunks, data.compression, data.shuffle, data.fletcher32


def _one_row_chunks(data: h5py.Dataset) -> bool:
    return data.chunks == (1, *data.shape[1:]) and data.ndim > 1


def check_same_frames(lengths: Mapping[Path, int]) -> None:
    """Ask whether files belong to one clip.

    Args:
        lengths: frames that each file holds; the first is what the others were made from.

    Raises:
        LayoutError: one holds another number.
    """
    (source, wanted), *others = lengths.items()
    for path, found in others:
        if found != wanted:
            raise LayoutError(
                f"{path} holds {found} frames, but {source} {wanted}; delete {path} and run again so that both are of "
                "the same clip."
            )


def _bound_cache(file: h5py.File) -> None:
    """Bound HDF5's cache of chunk addresses so low that a short clip fills it: long ones are read in the same memory.

    An entry takes seven times its size of memory: HDF5's own bound of 1 MiB let a job grow for 2,000 frames.
    """
    cache = file.id.get_mdc_config()
    cache.set_initial_size, cache.initial_size = True, ADDRESS_CACHE
    cache.min_size, cache.max_size = ADDRESS_CACHE // 2, ADDRESS_CACHE
    file.id.set_mdc_config(cache)


def _described(layout: str, name: str) -> Array:
    if name not in LAYOUTS[layout]:
        raise ValueError(f"layout '{layout}' has no dataset '{name}'; it has {', '.join(LAYOUTS[layout])}")
    return LAYOUTS[layout][name]
