"""The semantic maps of a driving clip at a network's resolution, one after the other."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from understudy.dataset.batch import SemanticMap
from understudy.dataset.maps import (
    Figure,
    check_parts,
    check_samples,
    compact_map,
    join_maps,
    network_figure,
    network_size,
)
from understudy.flow.camera import check_homographies
from understudy.layouts import describe, open_file


class DrivingMaps:
    """Reads driving.h5 frame by frame; a context manager. Two frames are in memory at a time.

    Attributes:
        height_px, width_px: of the network's picture.
    """

    def __init__(self, driving: Path, height_px: int):
        """Open the file.

        Args:
            driving: driving.h5.
            height_px: of the network's picture; the performer's frame height over 1, 2, 4 or 8.

        Raises:
            TrainingError: the height does not fit the frames.
        """
        self._opened = open_file(driving, "driving")
        self._file = self._opened.__enter__()
        facts = describe(self._file)
        self._path = driving
        self._size = network_size(height_px, facts["height"], facts["width"])
        self.height_px, self.width_px = self._size.height, self._size.width
        check_samples(self._file["part"].shape[1:], (facts["height"], facts["width"]), driving)
        if "camera" in self._file:
            check_homographies(self._file["camera"][:], driving, "camera")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def __len__(self) -> int:
        return len(self._file["valid"])

    def __iter__(self) -> Iterator[SemanticMap]:
        """Yield each frame's map, B = 1; the first has no past."""
        before = None
        data = [self._file[name] for name in ("body", "face", "hands", "part", "uv")]  # opened once, not for each row
        camera = self._file.get("camera")
        for row in range(len(self)):
            stored = Figure(*(each[row] for each in data))
            check_parts(stored.part, self._path, row)
            figure = network_figure(stored, self._size)
            view = None if camera is None else camera[row]
            yield join_maps([compact_map(figure, before, self._size, view)])
            before = figure
