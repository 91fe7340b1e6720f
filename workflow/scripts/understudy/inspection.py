"""Holds an HDF5 file to what its layout promises, before anything in it is used.

A file may come from a disk that failed or from a stranger: links that lead out of it, sizes that it only declares,
numbers that are none and attributes of another kind are found here, not in the middle of a job.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from understudy.errors import LayoutError

FILTERS = {1, 2, 3, 32000}  # deflate, shuffle, Fletcher's sum, LZF; others would load a program from a folder
MOST_CHUNK_BYTES = 2**28  # a chunk is unpacked as a whole, even for one row of it
ROWS = 1024  # read at once when numbers are looked through
AGAIN = "delete it and run again"
_STRIDE = "stride_"


@dataclass(frozen=True)
class Array:
    """One dataset of a layout: its number type, axes and meaning; trailing numbers in `axes` are fixed sizes."""

    dtype: str
    axes: tuple[str | int, ...]
    meaning: str
    optional: bool = False


@dataclass(frozen=True)
class Attribute:
    """One attribute of a layout: its kind, a key of `KINDS`, and its meaning."""

    kind: str
    meaning: str


class Facts(dict):
    """The attributes of a file as plain Python values; one that is asked for and not there is named."""

    def __init__(self, path: str | Path, values: Mapping[str, Any]):
        super().__init__(values)
        self.path = path

    def __missing__(self, name: str) -> Any:
        raise LayoutError(f"{self.path} lacks the attribute '{name}'; {AGAIN}.")


def read_attributes(file: h5py.File, path: str | Path) -> Facts:
    """Read all attributes of a file as plain Python values.

    Raises:
        LayoutError: one of them cannot be read.
    """
    values = {}
    try:
        for name in file.attrs:
            value = file.attrs[name]
            values[name] = value.item() if isinstance(value, np.generic) else value
    except (OSError, TypeError, ValueError, RuntimeError, KeyError) as broken:
        raise LayoutError(f"{path} holds attributes that cannot be read ({broken}); {AGAIN}.") from broken
    return Facts(path, values)


def check_attributes(facts: Facts, known: Mapping[str, Attribute]) -> None:
    """Hold the attributes that are there to their kinds.

    Raises:
        LayoutError: one is of another kind.
    """
    for name, attribute in known.items():
        expected, fits = KINDS[attribute.kind]
        if name in facts and not fits(facts[name]):
            found = repr(facts[name])
            raise LayoutError(
                f"{facts.path}: the attribute '{name}' is {found if len(found) < 80 else found[:77] + '...'}, expected "
                f"{expected} ({attribute.meaning}); {AGAIN}."
            )


def check_datasets(file: h5py.File, described: Mapping[str, Array], grouped: bool, path: str | Path) -> None:
    """Hold every dataset to its number type and axes; one axis name has one length in all of them.

    Args:
        file: open for reading or writing.
        described: the layout.
        grouped: its datasets stand in one group per stride.
        path: for the message.

    Raises:
        LayoutError: a dataset is missing or another one.
    """
    sizes: dict[str, tuple[int, str]] = {}
    for group in _strides(file, path) if grouped else [file]:
        for name, array in described.items():
            data = _dataset(group, name, array, path)
            if data is None:
                continue
            if data.dtype != np.dtype(array.dtype) or data.ndim != len(array.axes):
                raise LayoutError(
                    f"{path}: '{name}' is {data.dtype} {data.shape}, expected {array.dtype} {array.axes}; {AGAIN}."
                )
            for axis, length in zip(array.axes, data.shape, strict=True):
                expected = (axis, "the layout") if isinstance(axis, int) else sizes.setdefault(axis, (length, name))
                if length != expected[0]:
                    raise LayoutError(
                        f"{path}: axis {axis} of '{name}' has length {length}, but {expected[0]} in {expected[1]}; "
                        f"{AGAIN}."
                    )


def check_contents(file: h5py.File, described: Mapping[str, Array], grouped: bool, path: str | Path) -> None:
    """Ask whether all that a file declares was written, in the file itself, and whether its numbers are numbers.

    Raises:
        LayoutError: rows are missing, lie elsewhere or are packed in another way, or a number is not finite.
    """
    for name, data in stored(file, described, grouped):
        # Nobody in a segment, or a segment without a frame of its own.
        empty = data.shape[0] == 0 and (described[name.rpartition("/")[2]].axes[0] == "N" or name == "count")
        if 0 in data.shape and not empty:
            raise LayoutError(f"{path}: '{name}' has no rows {data.shape}; {AGAIN}.")
        _check_storage(data, name, path)
        if data.dtype.kind == "f":
            _check_finite(data, name, path)


def stored(file: h5py.File, described: Mapping[str, Array], grouped: bool) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield name and dataset of everything of a layout that a checked file holds."""
    for group in file.values() if grouped else [file]:
        for name in described:
            if name in group:
                yield (f"{group.name}/{name}".strip("/"), group[name])


def unreadable(file: h5py.File, described: Mapping[str, Array], grouped: bool) -> str | None:
    """Read every chunk and return the name of the first dataset in which one is damaged; None where none is."""
    for name, data in stored(file, described, grouped):
        for first in range(0, len(data), max(1, min(ROWS, (data.chunks or (ROWS,))[0]))):
            try:
                data[first : first + 1]
            except (OSError, RuntimeError):
                return name
    return None


def _strides(file: h5py.File, path: str | Path) -> list[h5py.Group]:
    """List the groups of a file with one for each stride."""
    groups = []
    for name in file:
        number = name.removeprefix(_STRIDE)
        if name == number or not (number.isascii() and number.isdigit()) or int(number) < 1:
            raise LayoutError(f"{path} holds '{name}', expected groups called {_STRIDE}1, {_STRIDE}3 ...; {AGAIN}.")
        group = _own(file, name, path)
        if not isinstance(group, h5py.Group):
            raise LayoutError(f"{path}: '{name}' is a dataset, expected a group; {AGAIN}.")
        groups.append(group)
    if not groups:
        raise LayoutError(f"{path} holds no group {_STRIDE}1; {AGAIN}.")
    return groups


def _dataset(group: h5py.Group, name: str, array: Array, path: str | Path) -> h5py.Dataset | None:
    """Return a dataset that stands in the file itself; None for an optional one that is not there."""
    data = _own(group, name, path)
    if data is None and array.optional:
        return None
    if data is None:
        raise LayoutError(f"{path} lacks the dataset '{name}' of its layout; {AGAIN}.")
    if not isinstance(data, h5py.Dataset):
        raise LayoutError(f"{path}: '{name}' is a group, expected a dataset of {array.dtype} {array.axes}; {AGAIN}.")
    return data


def _own(group: h5py.Group, name: str, path: str | Path) -> Any:
    """Return what stands under a name, unless the name leads elsewhere; None where there is none."""
    link = group.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise LayoutError(f"{path}: '{name}' is a link to another file or place, expected a dataset; {AGAIN}.")
    try:
        return group[name]
    except (KeyError, OSError, RuntimeError, ValueError, TypeError) as broken:
        raise LayoutError(f"{path}: '{name}' cannot be opened ({broken}); {AGAIN}.") from broken


def _check_storage(data: h5py.Dataset, name: str, path: str | Path) -> None:
    """Ask for every chunk of a dataset."""
    if data.is_virtual or data.external:
        raise LayoutError(f"{path}: the numbers of '{name}' lie in another file, expected them in this one; {AGAIN}.")
    if data.chunks is None:
        if data.id.get_storage_size() < data.nbytes:
            raise LayoutError(f"{path}: '{name}' declares {data.shape}, but was never written; {AGAIN}.")
        return
    chunk = math.prod(data.chunks) * data.dtype.itemsize
    if chunk > MOST_CHUNK_BYTES:
        raise LayoutError(
            f"{path}: '{name}' is stored in chunks of {chunk} bytes, at most {MOST_CHUNK_BYTES}; {AGAIN}."
        )
    steps = data.id.get_create_plist()
    if not {steps.get_filter(number)[0] for number in range(steps.get_nfilters())} <= FILTERS:
        raise LayoutError(f"{path}: '{name}' is packed in a way that none of our jobs packs; {AGAIN}.")
    wanted = math.prod(-(-length // step) for length, step in zip(data.shape, data.chunks, strict=True))
    found = data.id.get_num_chunks()
    if found != wanted:
        raise LayoutError(
            f"{path}: '{name}' declares {data.shape}, which are {wanted} chunks, but {wanted - found} of them were "
            f"never written; {AGAIN}."
        )


def _check_finite(data: h5py.Dataset, name: str, path: str | Path) -> None:
    for first in range(0, len(data), ROWS):
        bad = ~np.isfinite(data[first : first + ROWS])
        if bad.any():
            row = first + int(np.argwhere(bad)[0][0])
            raise LayoutError(f"{path}: row {row} of '{name}' holds a number that is not finite; {AGAIN}.")


def _plain(value: Any, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _within(least: float, most: float, whole: bool) -> Callable[[Any], bool]:
    kind = int if whole else (int, float)
    return lambda value: _plain(value, kind) and math.isfinite(value) and least <= value <= most


def _json(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        try:
            return isinstance(value, str) and fits(json.loads(value))
        except (ValueError, RecursionError):
            return False

    return check


def _is_box(value: Any) -> bool:
    number = _within(-1e6, 1e6, whole=False)
    return isinstance(value, list) and len(value) == 4 and all(map(number, value))


# Name of a kind -> in words, and whether a value is of it.
KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "count": ("a whole number of 1 or more", _within(1, 2**31, whole=True)),
    "index": ("a whole number of 0 or more", _within(0, 2**31, whole=True)),
    "size": ("a whole number of 1 to 65536", _within(1, 2**16, whole=True)),
    "number": ("a finite number", _within(-1e12, 1e12, whole=False)),
    "positive": ("a number above 0", _within(1e-9, 1e9, whole=False)),
    "pixels": ("pixels of 0 or more", _within(0, 1e6, whole=False)),
    "seconds": ("seconds of 0 or more", _within(0, 1e9, whole=False)),
    "flag": ("true or false", lambda value: _plain(value, bool)),
    "text": ("text", lambda value: isinstance(value, str)),
    "list": ("a list as JSON", _json(lambda value: isinstance(value, list))),
    "mapping": ("keys with values as JSON", _json(lambda value: isinstance(value, dict))),
    "box": ("four numbers as JSON", _json(_is_box)),
    "boxes": (
        "a list of four numbers each as JSON",
        _json(lambda value: isinstance(value, list) and all(map(_is_box, value))),
    ),
}
