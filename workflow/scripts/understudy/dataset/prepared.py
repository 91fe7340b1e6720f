"""Frames brought to a network's resolution, and the file that keeps them for the next start of a stage.

The file is a NumPy array of equal records, one for each frame, mapped into memory when it is read: the system keeps
what is used and what there is room for, and all processes of a machine share it. Each record ends in its checksum.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from tokenize import TokenError

import numpy as np

from understudy.dataset.maps import CompactMap, Figure, NetworkSize, compact_map
from understudy.dataset.truth import CompactTruth, StoredTruth, compact_truth
from understudy.job import atomic_path
from understudy.seals import damaged

CHECKSUM = "crc32"  # the last field of a record, of all before it and of its number type


@dataclass(frozen=True)
class StoredFrame:
    """One frame as it is read.

    Attributes:
        truth: as the files hold it.
        within: its number within its run.
        figures: of each kind of surface, it and the one of the frame before (None at a run's start), by
            `network_figure`.
        to_reference: (3, 3) float64, from the frame's pixels to the reference frame's.
    """

    truth: StoredTruth
    within: int
    figures: dict[str, tuple[Figure, Figure | None]]
    to_reference: np.ndarray


@dataclass(frozen=True)
class PreparedFrame:
    """One frame ready for batches: its truth, and a map for each kind of surface."""

    truth: CompactTruth
    maps: dict[str, CompactMap]

    @cached_property
    def nbytes(self) -> int:
        return record_type(self).itemsize


def prepared_frame(stored: StoredFrame, size: NetworkSize) -> PreparedFrame:
    """Bring one frame to the network's picture."""
    return PreparedFrame(
        truth=compact_truth(stored.truth, stored.within, size.factor),
        maps={kind: compact_map(*figures, size, stored.to_reference) for kind, figures in stored.figures.items()},
    )


def record_type(frame: PreparedFrame) -> np.dtype:
    """Describe one frame's record: every array of it by name, its number type and its axes, and a checksum."""
    fields = [(name, array.dtype, array.shape) for name, array in _arrays(frame).items()]
    return np.dtype([*fields, (CHECKSUM, "<u4")])


def write_frames(path: Path, frames: Iterable[PreparedFrame], count: int, record: np.dtype) -> None:
    """Write `count` frames as they come; the file appears when all are there.

    Written and not mapped: a disk that is full is an error to be read, not a killed process.
    """
    header = {"descr": np.lib.format.dtype_to_descr(record), "fortran_order": False, "shape": (count,)}
    with atomic_path(path) as beside, beside.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for frame in frames:
            checksum = _start(record)
            for array in _arrays(frame).values():
                data = np.ascontiguousarray(array).data
                checksum = zlib.crc32(data, checksum)
                file.write(data)
            file.write(np.uint32(checksum).tobytes())


class KeptFrames:
    """The frames of a file by `write_frames`, in its order."""

    def __init__(self, path: Path):
        """Open the file.

        Raises:
            DamageError: it is not what was written. A record is checked when it is first read.
        """
        self.path = path
        try:
            self._rows = np.load(path, mmap_mode="r").view(np.ndarray)
            names = self._rows.dtype.names
            self._checked = np.full(len(self._rows), CHECKSUM not in names)
        except (ValueError, TypeError, OverflowError, EOFError, OSError, SyntaxError, TokenError) as broken:
            raise damaged(path, f"no readable array: {broken}") from broken
        self._kinds = [name.removesuffix(" part") for name in names if name.endswith(" part")]
        self._strides = [int(name.removeprefix("flow ")) for name in names if name.startswith("flow ")]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        return self._rows.nbytes

    def __getitem__(self, number: int) -> PreparedFrame:
        """Take one frame; nothing is read before its arrays are."""
        row = self._rows[number]
        if not self._checked[number]:
            self._check(number)
        flows = {stride: (row[f"flow {stride}"], row[f"trust {stride}"]) for stride in self._strides}
        return PreparedFrame(
            CompactTruth(row["picture"], row["matte"], flows, row["counted"]),
            {kind: CompactMap(*(row[f"{kind} {one.name}"] for one in fields(CompactMap))) for kind in self._kinds},
        )

    def check(self) -> None:
        """Check all records that were not read yet.

        Raises:
            DamageError: one is not what was written.
        """
        for number in np.flatnonzero(~self._checked):
            self._check(number)

    def _check(self, number: int) -> None:
        data = self._rows[number : number + 1].view(np.uint8)
        wanted = int(self._rows[number][CHECKSUM])
        if zlib.crc32(data[: -np.dtype(np.uint32).itemsize], _start(self._rows.dtype)) != wanted:
            raise damaged(self.path, f"frame {number}")
        self._checked[number] = True


def _start(record: np.dtype) -> int:
    """The checksum that a record's goes on from: of its number type, so that a wrong byte there is noticed too."""
    return zlib.crc32(repr(record.descr).encode())


def _arrays(frame: PreparedFrame) -> dict[str, np.ndarray]:
    """Name every array of a frame, in the order of its record."""
    arrays = {"picture": frame.truth.picture, "matte": frame.truth.matte, "counted": frame.truth.counted}
    for stride, (flow, trust) in frame.truth.flows.items():
        arrays |= {f"flow {stride}": flow, f"trust {stride}": trust}
    for kind, each in frame.maps.items():
        arrays |= {f"{kind} {one.name}": getattr(each, one.name) for one in fields(each)}
    return arrays
