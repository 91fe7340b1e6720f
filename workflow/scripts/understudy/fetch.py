"""Fetches files of weights: goes on where a download broke off, checks it, and puts it in place whole or not at all."""

import fcntl
import logging
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from understudy.download import Patience, download, note_of, start_over
from understudy.errors import WeightsError
from understudy.job import atomic_path
from understudy.weights import TABLE, Weights, load_weights, measure

logger = logging.getLogger(__name__)

MOST_UNPACKED = 1100  # times its size: more no packing of zips can do
# What `zipfile` raises of broken archives; IndexError where an entry's name is empty.
BROKEN_ZIP = (zipfile.BadZipFile, RuntimeError, EOFError, zlib.error, struct.error, ValueError, IndexError)
_LOOKS_LIKE_A_PAGE = (b"<!doc", b"<html", b"<?xml", b"versi")  # the last: a pointer of git-lfs


def fetch_weights(name: str, file: Path, table: Path = TABLE, patience: Patience | None = None) -> None:
    """Fetch one file of the table. A file that is there already is left alone.

    Args:
        name: key of the table.
        file: where it goes.
        table: the table of files.
        patience: when to give up.

    Raises:
        WeightsError: no address gave the file, or what came is not it; that is kept beside `file` as .wrong, or, where
            no sum is known, as .unchecked.
    """
    wanted = load_weights(table)[name]
    file.parent.mkdir(parents=True, exist_ok=True)
    said = []
    for url in wanted.urls:
        try:
            with _held(file.with_name(f".{file.name}.download")) as part:
                if file.is_file():
                    logger.info("%s is there already, nothing is fetched", file)
                elif not _kept_aside(file, wanted, table):
                    _from(url, wanted, file, part, table, patience or Patience())
            return
        except WeightsError as mistake:
            said.append(str(mistake))
            logger.warning("%s", mistake)
    raise WeightsError(" ".join(said))


def _from(url: str, wanted: Weights, file: Path, part: IO[bytes], table: Path, patience: Patience) -> None:
    resumed = download(url, part, wanted, patience)
    if resumed and not _is_it(part, wanted):
        logger.warning("what was gone on with is not the file; fetching it from its start")
        start_over(part)
        download(url, part, wanted, patience)
    _place(part, wanted, file, table)


def _is_it(part: IO[bytes], wanted: Weights) -> bool:
    """Whether a download is the wanted file, or a zip that is whole."""
    path = Path(part.name)
    if not wanted.member:
        return not wanted.known or measure(path).fit(wanted)
    try:
        with zipfile.ZipFile(path) as archive:
            whole = sum(one.file_size for one in archive.infolist())
            return whole <= MOST_UNPACKED * max(path.stat().st_size, 1) and archive.testzip() is None
    except BROKEN_ZIP:
        return False


def _place(part: IO[bytes], wanted: Weights, file: Path, table: Path) -> None:
    """Check a download, or take the wanted file out of it, and put it in place."""
    if wanted.member:
        with atomic_path(file) as beside:
            with _archive_aside(part, file):
                _extract(Path(part.name), wanted, beside)
            Path(part.name).unlink()
            _check(beside, wanted, file, table)
    else:
        _check(Path(part.name), wanted, file, table)
        Path(part.name).replace(file)
    logger.info("%s is fetched and checked (%s)", file, wanted.expected())


@contextmanager
def _archive_aside(part: IO[bytes], file: Path) -> Iterator[None]:
    """Keep a zip that cannot be used beside the file, and say so."""
    aside, path = file.with_name(f"{file.name}.zip.wrong"), Path(part.name)
    try:
        yield
    except WeightsError:
        path.replace(aside)
        raise
    except BROKEN_ZIP as broken:
        size, page = path.stat().st_size, _page(path)
        path.replace(aside)
        raise WeightsError(
            f"What was fetched for {file} is no zip ({broken}; {size} bytes{page}); it is kept as {aside}. Run the "
            f"same command again later, or put the file at {file} yourself."
        ) from None


def _extract(archive: Path, wanted: Weights, to: Path) -> None:
    """Write one file of a zip; no name and no size that the zip claims is trusted.

    Raises:
        WeightsError: the zip does not hold exactly one file of that name, or a longer one.
    """
    with zipfile.ZipFile(archive) as zipped:
        names = [one.filename for one in zipped.infolist() if not one.is_dir()]
        found = [name for name in names if name.split("/")[-1] == wanted.member]
        if len(found) != 1:
            raise WeightsError(
                f"The zip for {wanted.path} holds {len(found)} files called {wanted.member}, expected one; it holds "
                f"{', '.join(names[:8]) or 'nothing'}. Correct `member` in config/weights.yaml, or put the file there."
            )
        limit, written = wanted.size or 4 * 2**30, 0
        with zipped.open(found[0]) as source, to.open("wb") as file:
            while block := source.read(1 << 20):
                written += len(block)
                if written > limit:
                    raise WeightsError(f"{wanted.member} in the zip for {wanted.path} is longer than {limit} bytes.")
                file.write(block)


def _check(path: Path, wanted: Weights, file: Path, table: Path) -> None:
    """Hold a download to what is known of the file; keep it aside where it is another, or where nothing is known.

    Raises:
        WeightsError: with the sums found and those expected.
    """
    found = measure(path)
    if wanted.known and found.fit(wanted):
        return
    aside = file.with_name(f"{file.name}.{'wrong' if wanted.known else 'unchecked'}")
    page = _page(path)
    path.replace(aside)
    if not wanted.known:
        raise WeightsError(
            f"No checksum of {file} is known, so it is not used yet. What came is kept as {aside}: {found}{page}. "
            f"Compare that with a source you trust, write `sha256: {found.sha256}` under '{wanted.name}' in {table}, "
            "and run the same command again; or put the file there yourself."
        )
    raise WeightsError(
        f"What was fetched for {file} is not that file: expected {wanted.expected()}; found {found}{page}. It is kept "
        f"as {aside}. Run the same command again later, or put the right file at {file} yourself."
    )


def _kept_aside(file: Path, wanted: Weights, table: Path) -> bool:
    """Put a download in place that waited for its sum to be known; whether there was one.

    Raises:
        WeightsError: it is there, and not the file.
    """
    aside = file.with_name(f"{file.name}.unchecked")
    if not wanted.known or not aside.is_file():
        return False
    found = measure(aside)
    if not found.fit(wanted):
        raise WeightsError(
            f"{aside}, kept from an earlier run, is not the file that '{wanted.name}' in {table} describes: expected "
            f"{wanted.expected()}; found {found}. Correct the entry, or remove that file to fetch it anew."
        )
    aside.replace(file)
    return True


def _page(path: Path) -> str:
    """Say where a file starts like a web page or a pointer to one; empty where it does not."""
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    return "; it starts like a web page or a pointer, not like weights" if start[:5] in _LOOKS_LIKE_A_PAGE else ""


@contextmanager
def _held(path: Path) -> Iterator[IO[bytes]]:
    """Open a half-finished download for this process alone; another one that wants it waits.

    Written without a buffer, so that a killed process leaves what it had. An empty one is removed in the end.
    """
    while True:
        file = path.open("ab+", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            break
        file.close()  # the other process has put it in place meanwhile
    try:
        yield file
        path.unlink(missing_ok=True)
    finally:
        if path.exists() and path.stat().st_size == 0:
            path.unlink()
        if not path.exists():
            note_of(path).unlink(missing_ok=True)
        file.close()
