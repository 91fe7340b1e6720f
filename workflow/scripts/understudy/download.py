"""One file from one address into one half-finished file: in as many requests as it takes, each going on where the last
one broke off. What came is for the caller to check."""

import http.client
import json
import logging
import re
import shutil
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from understudy.errors import WeightsError
from understudy.weights import Weights, by_hand

logger = logging.getLogger(__name__)

_PASSING = {408, 425, 429, 500, 502, 503, 504}  # worth asking again; the other errors are final
_RANGE_PAST_THE_END = 416
_BLOCK = 1 << 16
_REPORT_S, _REPORT_SHARE = 10.0, 0.1  # a line of progress after so long, or after so much of the file
_BAR = 20


@dataclass(frozen=True)
class Patience:
    """When to give up: silence of a connection (s); attempts in a row that bring nothing new; the first pause between
    them (s), which doubles up to the longest (s)."""

    silence_s: float = 60.0
    attempts: int = 6
    pause_s: float = 2.0
    longest_pause_s: float = 60.0


@dataclass(frozen=True)
class Answer:
    """What one request came to: whether the server holds the file for whole, and what broke it off otherwise."""

    whole: bool
    trouble: str = ""
    pause_s: float = 0.0


def download(url: str, part: IO[bytes], wanted: Weights, patience: Patience) -> bool:
    """Fetch a file.

    Args:
        url: its address.
        part: what an earlier attempt left of it, open for appending and without a buffer.
        wanted: of which the size is used, unless the file is wanted out of a zip.
        patience: when to give up.

    Returns:
        Whether it went on with what an earlier process had left.

    Raises:
        WeightsError: the server refuses it, or nothing more comes.
    """
    size = 0 if wanted.member else wanted.size
    if _read_note(part).get("url") != url:
        start_over(part)
    left = most = _length(part)
    without, short = 0, 0
    while True:
        answer = _ask(url, part, size, patience)
        have = _length(part)
        if (size and have >= size) or (answer.whole and (not size or short)):  # ended twice: that is all there is
            return left > 0
        short += answer.whole
        without = 0 if have > most else without + 1
        most = max(most, have)
        if without >= patience.attempts:
            raise WeightsError(
                f"{url} gave {most} bytes{f' of {size}' if size else ''} and no more in {without} attempts: "
                f"{answer.trouble}. What came is kept and the same command goes on with it; or {by_hand(wanted)}."
            )
        pause = max(min(patience.pause_s * 2 ** max(without - 1, 0), patience.longest_pause_s), answer.pause_s)
        logger.warning("%s: %s after %d bytes; asking again in %.0f s", url, answer.trouble or "ended", have, pause)
        time.sleep(pause)


def start_over(part: IO[bytes]) -> None:
    """Forget what an earlier attempt left."""
    part.truncate(0)
    note_of(Path(part.name)).unlink(missing_ok=True)


def note_of(part: Path) -> Path:
    """Name the file beside a half-finished download that says where it comes from."""
    return part.with_name(f"{part.name}.json")


def _ask(url: str, part: IO[bytes], size: int, patience: Patience) -> Answer:
    """Make one request and keep what it brings.

    Raises:
        WeightsError: the server refuses for good.
    """
    have = _length(part)
    headers = {"User-Agent": "understudy", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        headers |= {"If-Range": mark} if (mark := _read_note(part).get("mark")) else {}
    try:
        with urlopen(Request(url, headers=headers), timeout=patience.silence_s) as answer:
            return _keep(answer, url, part, size)
    except HTTPError as refusal:
        return _refused(refusal, url, part)
    except (OSError, http.client.HTTPException) as broken:  # no connection, silence, broken off
        return Answer(False, f"{type(broken).__name__}: {broken}")


def _keep(answer: http.client.HTTPResponse, url: str, part: IO[bytes], size: int) -> Answer:
    """Append a body, or begin anew with it where the server sends the file from its start."""
    first, total = 0, int(answer.headers.get("Content-Length") or 0)
    if answer.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        first = int(found[1]) if found else -1
        total = int(found[2]) if found and found[2] != "*" else 0
    if first != _length(part):
        start_over(part)
        if first:
            return Answer(False, f"another part than the one asked for ({answer.headers.get('Content-Range')})")
    _write_note(part, url, answer)
    _make_room(part, max(size, total))
    progress = _Progress(part, max(size, total))
    while block := answer.read1(_BLOCK):
        part.write(block)
        progress.show(len(block))
        if size and progress.have > size:
            return Answer(True)  # longer than it can be: not the file
    if progress.have < total:
        return Answer(False, f"the connection ended at {progress.have} of {total} bytes")
    return Answer(True)


def _refused(refusal: HTTPError, url: str, part: IO[bytes]) -> Answer:
    with refusal:
        if refusal.code == _RANGE_PAST_THE_END:
            total = re.fullmatch(r"bytes \*/(\d+)", refusal.headers.get("Content-Range") or "")
            if total and int(total[1]) == _length(part):
                return Answer(True)
            start_over(part)
            return Answer(False, "the server's file is shorter than what was there of it")
        if refusal.code in _PASSING:
            return Answer(False, f"HTTP {refusal.code} {refusal.reason}", _asked_to_wait(refusal))
        raise WeightsError(f"{url} answers HTTP {refusal.code} {refusal.reason}.")


def _asked_to_wait(refusal: HTTPError) -> float:
    """Return the seconds that a server asks to wait, at most two minutes."""
    asked = refusal.headers.get("Retry-After") or "0"
    if not asked.isdigit():
        asked = parsedate_to_datetime(asked).timestamp() - time.time()
    return min(max(float(asked), 0.0), 120.0)


def _make_room(part: IO[bytes], total: int) -> None:
    free, missing = shutil.disk_usage(Path(part.name).parent).free, total - _length(part)
    if missing > free:
        raise WeightsError(
            f"{Path(part.name).parent} has {free / 1e6:.0f} MB free, but {missing / 1e6:.0f} MB are to come; make room."
        )


def _length(part: IO[bytes]) -> int:
    return Path(part.name).stat().st_size


def _write_note(part: IO[bytes], url: str, answer: http.client.HTTPResponse) -> None:
    """Keep what tells whether the server's file is still the same when the download goes on."""
    tag = answer.headers.get("ETag") or ""
    mark = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified") or ""
    note_of(Path(part.name)).write_text(json.dumps({"url": url, "mark": mark}), encoding="utf-8")


def _read_note(part: IO[bytes]) -> dict[str, str]:
    note = note_of(Path(part.name))
    text = note.read_text(encoding="utf-8") if note.is_file() else ""
    return json.loads(text) if text.endswith("}") else {}  # a killed process leaves half a note at worst


class _Progress:
    """A bar in the log: a line now and then."""

    def __init__(self, part: IO[bytes], total: int):
        self.have = self._start = self._shown = _length(part)
        self._total = total
        self._began = self._last = time.monotonic()

    def show(self, more: int) -> None:
        self.have += more
        now = time.monotonic()
        enough = self._total and self.have - self._shown >= _REPORT_SHARE * self._total
        if not enough and now - self._last < _REPORT_S:
            return
        rate = (self.have - self._start) / max(now - self._began, 1e-3)
        self._shown, self._last = self.have, now
        if not self._total:
            logger.info("%.1f MB, %.1f MB/s", self.have / 1e6, rate / 1e6)
            return
        share = min(self.have / self._total, 1.0)
        bar = "#" * int(_BAR * share)
        left = (self._total - self.have) / max(rate, 1.0)
        logger.info(
            "[%s] %3.0f %% of %.1f MB, %.1f MB/s, %.0f s left",
            *(bar.ljust(_BAR, "."), 100 * share, self._total / 1e6, rate / 1e6, max(left, 0.0)),
        )
