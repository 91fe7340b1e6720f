"""Pictures matched to a video by the numbers in their names."""

import re
from collections.abc import Sequence
from pathlib import Path

from understudy.errors import BackendError

_NUMBER = re.compile(r"(?<![0-9])[0-9]{1,18}(?![0-9])")  # longer ones are no number of a picture
HOW = "ffmpeg -i VIDEO -fps_mode passthrough pictures/%06d.png makes one for each"


def in_order(names: Sequence[str], pictures: int, where: Path, video: Path) -> list[int]:
    """Find the file of each picture of a video.

    Args:
        names: of the files, in any order; a name's number counts pictures, from 0, 1 or any other number on.
        pictures: of the video.
        where, video: for errors.

    Returns:
        For each picture of the video, in order, the place in `names`.

    Raises:
        BackendError: there are more or fewer than pictures, or numbers are missing.
    """
    numbers = numbers_of(names, where)
    if len(names) != pictures:
        raise BackendError(
            f"{where} holds results of {len(names)} pictures, but {video} has {pictures}; expected one for each "
            f"picture of the whole video ({HOW}){_missing(numbers)}."
        )
    order = sorted(range(len(names)), key=lambda place: numbers[place])
    first, last = numbers[order[0]], numbers[order[-1]]
    if last - first != pictures - 1:
        raise BackendError(
            f"{where} holds pictures numbered {first} to {last}, but only {pictures} of them{_missing(numbers)}; "
            f"expected one for each picture of {video} ({HOW})."
        )
    return order


def numbers_of(names: Sequence[str], where: Path) -> list[int]:
    """Read the number of each picture from its name: of several numbers the last one that differs from name to name.

    Raises:
        BackendError: a name has no number, or two names have the same.
    """
    found = [[int(digits) for digits in _NUMBER.findall(Path(name).stem)] for name in names]
    for name, numbers in zip(names, found, strict=True):
        if not numbers:
            raise BackendError(f"{where}: the picture {name[:80]} has no number in its name; number them ({HOW}).")
    for place in range(1, min(map(len, found)) + 1):
        column = [numbers[-place] for numbers in found]
        if len(set(column)) == len(column):
            return column
    column = [numbers[-1] for numbers in found]
    twice = next(number for number in column if column.count(number) > 1)
    both = [name for name, number in zip(names, column, strict=True) if number == twice]
    raise BackendError(f"{where}: {both[0]} and {both[1]} have the same number; number the pictures ({HOW}).")


def _missing(numbers: Sequence[int]) -> str:
    """Name the first few numbers that lack between the first and the last."""
    if max(numbers) - min(numbers) > 10**6:
        return ""
    lacking = sorted(set(range(min(numbers), max(numbers) + 1)) - set(numbers))
    if not lacking or len(lacking) > 10**5:
        return ""
    return f"; missing {', '.join(map(str, lacking[:5]))}{' and others' if len(lacking) > 5 else ''}"
