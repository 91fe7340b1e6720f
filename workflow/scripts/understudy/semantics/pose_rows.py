"""The rows of a pose.h5 that belong to a part of its clip."""

import h5py
import numpy as np


class PoseRows:
    """The datasets of a pose.h5, rows of some of its frames only; read when asked for."""

    def __init__(self, file: h5py.File, first: int, last: int):
        self.filename: str = file.filename
        self._file, self._first, self._last = file, first, last

    def __contains__(self, name: str) -> bool:
        return name in self._file

    def __getitem__(self, name: str) -> "_Rows":
        return _Rows(self._file[name], self._first, self._last)

    def get(self, name: str) -> "_Rows | None":
        return _Rows(self._file[name], self._first, self._last) if name in self._file else None


class _Rows:
    """Some rows of one dataset, numbered from 0."""

    def __init__(self, data: h5py.Dataset, first: int, last: int):
        self._data, self._first, self._length = data, first, last - first

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int | slice) -> np.ndarray:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._length)
            return self._data[self._first + start : self._first + stop : step]
        return self._data[self._first + int(index)]
