"""Seals: what a file carries so that a single wrong byte in it is noticed and never used.

HDF5 files have checksums of their own (`layouts.py`), states of a training carry theirs in the name. Here are the seals
of films, of small JSON files and of sounds. A file without a seal, or whose seal another program dropped, is not
checked: it was not written by us.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from understudy.errors import DamageError

SEAL = "seal"  # the key, attribute or piece of metadata that holds a seal
# A `free` box: no player looks into it, and content credentials, which stand before it, leave such boxes out.
_FILM_BOX = (56).to_bytes(4, "big") + b"free" + hashlib.sha256(b"understudy film").digest()[:16]
_FILM_SEAL = len(_FILM_BOX) + 32  # bytes: the box's head, and a SHA-256
_OURS = re.compile(r"(^|/)results/(clips/.+/synthetic|transfers/.+/video)\.mp4$")
_BLOCK = 2**20


def digest_of(values: Mapping[str, Any]) -> str:
    """SHA-256 of plain values, whatever order their keys stand in; 64 hex digits."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def damaged(path: str | Path, what: str) -> DamageError:
    """Make the error of a file that is not what was written; it says what to do."""
    return DamageError(
        f"{path} is damaged ({what}): its bytes are not those that were written; delete it and run the same command "
        f"again, and look after that disk."
    )


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write plain values with their seal, indented; where `path` is, not beside it."""
    path.write_text(json.dumps({**values, SEAL: digest_of(values)}, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path, keys: Collection[str] | None = None) -> dict[str, Any]:
    """Read plain values and hold them to their seal, where they have one.

    Args:
        path: the file.
        keys: of the values; None where they may be any.

    Raises:
        DamageError: it is no JSON any more, or holds other keys or values than were written.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        sealed = values.pop(SEAL, None)
    except (ValueError, TypeError, AttributeError, RecursionError) as broken:
        raise damaged(path, f"no readable JSON: {broken}") from broken
    if (keys is not None and set(values) != set(keys)) or sealed not in (None, digest_of(values)):
        raise damaged(path, "its seal does not fit its values")
    return values


def seal_film(path: Path) -> None:
    """Append a film's seal: a box that players pass over, with the SHA-256 of all before it."""
    digest = _digest(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(_FILM_BOX + digest)


def film_seal(path: Path) -> bool | None:
    """Say whether a film's seal fits its bytes; None where it ends in no seal."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _FILM_SEAL))
        end = file.read(_FILM_SEAL)
    return end[len(_FILM_BOX) :] == _digest(path, size - _FILM_SEAL) if end.startswith(_FILM_BOX) else None


def check_film(path: Path) -> None:
    """Hold a film to its seal, where it ends in one; a film of ours under `results` that breaks off has lost it.

    Raises:
        DamageError: its bytes are not those that were sealed.
    """
    whole = film_seal(path)
    if whole is None:
        whole = not _OURS.search(path.as_posix()) or _boxes_end(path) == path.stat().st_size
    if not whole:
        raise DamageError(
            f"The film {path} is damaged: its bytes are not those that were written; delete it and run the same "
            f"command again. Where a program changed its tags, copy it without its seal: ffmpeg -i {path.name} -c copy "
            f"copy.mp4."
        )


def check_file(path: Path, digest: str | None) -> None:
    """Hold a file to the SHA-256 (hex) that stands beside it elsewhere; None is not checked.

    Raises:
        DamageError: its bytes are others.
    """
    if digest is not None and _digest(path, path.stat().st_size).hex() != digest:
        raise damaged(path, "its SHA-256 is another")


def _boxes_end(path: Path) -> int:
    """Where an MP4 file ends by its own words: its boxes follow each other, and each begins with its size."""
    place, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while place < size:
            file.seek(place)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            if length == 1:  # the size stands behind the kind, in eight bytes
                length = int.from_bytes(head[8:16], "big")
            place += length if length >= 8 else size + 1  # less is no box
    return place


def _digest(path: Path, count: int) -> bytes:
    """SHA-256 of the first `count` bytes of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while count > 0 and (block := file.read(min(_BLOCK, count))):
            found.update(block)
            count -= len(block)
    return found.digest()
