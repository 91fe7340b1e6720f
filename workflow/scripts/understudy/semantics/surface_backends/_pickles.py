"""Reads pickled results and their tensors without running what a pickle may ask for.

Unpickling calls whatever a file names. Here it can name a few types only, all of which are stand-ins made for one
reading: plain records, tensors as numbers, an empty mapping. What else a file names is refused before anything is
called, and so are sizes that the file itself does not hold.

Three kinds of file are read: a plain pickle (with tensors inside as PyTorch pickles them), and both of torch.save's,
the zip archive and the sequence of pickles it wrote before.
"""

import pickle
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from understudy.errors import BackendError

DTYPES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip
# The first two pickles of torch.save's older files; Source: torch/serialization.py
LEGACY_MAGIC, LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001
MOST_BYTES = 16 * 2**30  # of a plain pickle, which is read as a whole
_ZIP = b"PK\x03\x04"
_REMEMBERING = {"PUT", "BINPUT", "LONG_BINPUT"}  # the unpickler allots memory up to the number they name
_FOREIGN = {"EXT1", "EXT2", "EXT4", "PERSID", "NEXT_BUFFER", "READONLY_BUFFER"}  # no dump has them


class RefusedError(Exception):
    """A file asks for something that no result of an estimator needs; carries the reason."""


@dataclass(frozen=True)
class Storage:
    """Numbers of one or several tensors; `read` fetches them when they are asked for."""

    dtype: str
    count: int
    read: Callable[[], bytes]


class Tensor:
    """A pickled tensor: its place in a storage; read when asked for, as a NumPy array."""

    def __init__(self, storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]):
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride
        reach = sum((length - 1) * step for length, step in zip(size, stride, strict=True)) if all(size) else 0
        if min((offset, *size, *stride)) < 0 or int(np.prod(size, dtype=object)) > storage.count:
            raise RefusedError(f"a tensor of size {size} in a storage of {storage.count} numbers")
        if all(size) and offset + reach >= storage.count:
            raise RefusedError(f"a tensor of size {size} that reaches behind its storage of {storage.count} numbers")

    def numpy(self) -> np.ndarray:
        """Read the numbers: an array of the tensor's size."""
        data = self.storage.read()
        numbers = np.frombuffer(data, self.storage.dtype, self.storage.count)[self.offset :]
        steps = [step * numbers.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(numbers, self.size, steps).copy()


def read_pickle(path: Path, records: Iterable[tuple[str, str]]) -> Any:
    """Read a pickled or torch-saved file of plain values, tensors and known records.

    Args:
        path: the file.
        records: module and name of each class that may stand in it; an object of it comes back as a plain object with
            the same attributes and the name in `kind`.

    Returns:
        What was pickled; tensors as `Tensor`, whose numbers are read when asked for.

    Raises:
        BackendError: the file is none of these kinds, is damaged, or names anything else.
    """
    records = tuple(records)
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head == _ZIP:
            return _read_archive(path, records)
        if path.stat().st_size > MOST_BYTES:
            raise RefusedError(
                f"a pickle of {path.stat().st_size / 2**30:.0f} GiB, at most {MOST_BYTES >> 30} are read"
            )
        return _read_stream(path.read_bytes(), records, nested=False)
    except RefusedError as reason:
        raise BackendError(
            f"{path} is not read, because it holds {reason}; a dump of DensePose never does. If it is from a source "
            "you trust, write it again with apply_net.py dump; if not, delete it."
        ) from None
    except (
        *(pickle.UnpicklingError, ValueError, TypeError, KeyError, AttributeError, IndexError, EOFError),
        *(OverflowError, MemoryError, RuntimeError, zipfile.BadZipFile, ImportError, struct.error, OSError, zlib.error),
    ) as broken:
        raise BackendError(_damaged(path, broken)) from broken


def _damaged(path: Path, broken: Exception) -> str:
    reason = str(broken)[:200]
    return (
        f"{path} is no pickle that can be read, or is damaged ({type(broken).__name__}: {reason}); write it again with "
        "apply_net.py dump."
    )


def _read_archive(path: Path, records: tuple[tuple[str, str], ...]) -> Any:
    """Read a file of torch.save since 1.6: data.pkl and one entry for each storage, none of them compressed."""
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
    whole = path.stat().st_size
    for entry in entries.values():
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > whole:
            raise RefusedError(f"the entry {entry.filename}, which unpacks to {entry.file_size} bytes")
    (main,) = [name for name in entries if name.endswith("/data.pkl") or name == "data.pkl"]
    folder = main.removesuffix("data.pkl")

    def fetch(name: str) -> bytes:
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.read(name)
        except (zipfile.BadZipFile, RuntimeError, OSError, EOFError, zlib.error) as broken:
            raise BackendError(_damaged(path, broken)) from broken

    if f"{folder}byteorder" in entries and fetch(f"{folder}byteorder") != b"little":
        raise RefusedError("numbers of a big-endian machine")

    def storage(kind: str, key: str, count: int) -> Storage:
        name = f"{folder}data/{key}"
        _check_count(kind, count, entries[name].file_size)
        return Storage(DTYPES[kind], count, lambda: fetch(name))

    return _load(BytesIO(fetch(main)), records, storage, nested=False)


def _read_stream(data: bytes, records: tuple[tuple[str, str], ...], nested: bool) -> Any:
    """Read a plain pickle, or an older file of torch.save, which begins with a magic number."""
    stream = BytesIO(data)
    first = _load(stream, records, None, nested)
    if first != LEGACY_MAGIC:
        return first
    version, system = (_load(stream, records, None, nested) for _ in range(2))
    if version != LEGACY_VERSION or not system.get("little_endian", True):
        raise RefusedError("numbers of an unknown version of torch.save, or of a big-endian machine")
    kinds: dict[str, tuple[str, int]] = {}
    numbers: dict[str, bytes] = {}

    def storage(kind: str, key: str, count: int) -> Storage:
        _check_count(kind, count, len(data))
        kinds[key] = kind, count
        return Storage(DTYPES[kind], count, lambda: numbers[key])

    found = _load(stream, records, storage, nested)
    for key in _load(stream, records, None, nested):
        kind, count = kinds[key]
        stored = int.from_bytes(stream.read(8), "little")
        numbers[key] = stream.read(count * np.dtype(DTYPES[kind]).itemsize)
        if stored != count:
            raise RefusedError(f"a storage of {stored} numbers that is announced with {count}")
        _check_count(kind, count, len(numbers[key]))
    return found


def _check_count(kind: str, count: int, most_bytes: int) -> None:
    if not 0 <= count * np.dtype(DTYPES[kind]).itemsize <= most_bytes:
        raise RefusedError(f"a storage of {count} numbers, for which it has no room")


def _next_pickle(stream: BytesIO) -> bytes:
    """Cut the next pickle out of a stream, looking at its steps without taking any."""
    start = stream.tell()
    for number, (step, value, _) in enumerate(pickletools.genops(stream)):
        if step.name in _FOREIGN:
            raise RefusedError(f"the pickle's step {step.name}")
        if step.name in _REMEMBERING and int(value) > number:
            raise RefusedError(f"a pickle that remembers {value} things after {number} steps")
    end = stream.tell()
    stream.seek(start)
    return stream.read(end - start)


def _load(stream: BytesIO, records: tuple[tuple[str, str], ...], storage: Callable | None, nested: bool) -> Any:
    """Unpickle the next pickle of a stream, which may only name the known types.

    Args:
        stream: stands at the pickle, and behind it afterwards.
        records: classes that may stand in it.
        storage: makes the storage of kind, key and count that the pickle refers to; None where it may refer to none.
        nested: it stands inside another pickle, which may happen once.
    """
    return _Unpickler(_next_pickle(stream), _known(records, nested), storage).load()


class _Unpickler(pickle.Unpickler):
    """Finds nothing but what it was given."""

    def __init__(self, data: bytes, known: dict[tuple[str, str], Any], storage: Callable | None):
        super().__init__(BytesIO(data))
        self._known, self._storage = known, storage

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._known[module, name]
        except KeyError:
            raise RefusedError(f"the name {module}.{name}") from None

    def persistent_load(self, reference: Any) -> Storage:
        word, kind, key, _, count, *_ = reference
        words = all(isinstance(one, str) for one in (word, kind, key))
        if self._storage is None or not words or word != "storage" or kind not in DTYPES:
            raise RefusedError("a reference to something else than a tensor's numbers")
        return self._storage(kind, key, int(count))


def _known(records: tuple[tuple[str, str], ...], nested: bool) -> dict[tuple[str, str], Any]:
    """Make the stand-ins of one reading, so that what a pickle does to them ends with it."""

    def rebuilt(storage: Any, offset: int, size: tuple, stride: tuple, *_: Any) -> Tensor:
        if not isinstance(storage, Storage):
            raise RefusedError("a tensor without a storage")
        return Tensor(storage, int(offset), tuple(map(int, size)), tuple(map(int, stride)))

    def inner(data: bytes) -> Storage:
        if nested:
            raise RefusedError("a pickle within a pickle within a pickle")
        return _read_stream(data, (), nested=True)

    def empty() -> dict:
        return {}

    known: dict[tuple[str, str], Any] = {("torch", name): name for name in DTYPES}
    known |= {("torch._utils", name): rebuilt for name in ("_rebuild_tensor", "_rebuild_tensor_v2")}
    known |= {("torch.storage", "_load_from_bytes"): inner, ("collections", "OrderedDict"): empty}
    return known | {(module, name): type(name, (), {"kind": name}) for module, name in records}
