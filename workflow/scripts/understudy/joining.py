"""Files of a clip's segments, opened in order to be joined to the clip's own."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import h5py

from understudy.errors import LayoutError
from understudy.layouts import open_file


@contextmanager
def open_segments(paths: Sequence[str | Path], layout: str, counted: str, frames: int) -> Iterator[list[h5py.File]]:
    """Open the files of a clip's segments, in order.

    Args:
        paths: in the order of the segments.
        layout: of all of them.
        counted: dataset that has a row for each frame, with its group where it stands in one.
        frames: of the clip.

    Raises:
        LayoutError: they are not the segments of such a clip, or not made by one and the same estimator.
    """
    with ExitStack() as opened:
        files = [opened.enter_context(open_file(path, layout)) for path in paths]
        found = sum(len(file[counted]) for file in files)
        if found != frames:
            raise LayoutError(
                f"The {len(files)} segments {paths[0]} to {paths[-1]} hold {found} frames, but the clip has {frames}; "
                f"delete them and run again."
            )
        makers = sorted({file.attrs["producer"] for file in files})
        if len(makers) > 1:
            raise LayoutError(
                f"The segments {paths[0]} to {paths[-1]} were made by different estimators ({'; '.join(makers)}); "
                f"delete them and run again with one and the same environment everywhere."
            )
        yield files
