"""How long a video says it is, read from its header alone: planning asks thousands, and needs no decoder for it.

Enough for MP4, MOV, Matroska, WebM and AVI. The answer only decides in how many segments a long clip is worked on,
never what is in them, so a header that says nothing, or is broken, is no error here: the clip stays whole.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

HEADER = 2**16  # bytes of a Matroska or AVI file that are looked at
MOST_BOXES = 1000  # of an MP4 file that are passed over
_SEGMENT, _INFO, _SCALE, _DURATION = 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489  # Source: RFC 9559
NANOSECONDS = 1e9
LONGEST_S = 1e7  # four months; more is a broken header


def video_length_s(path: str | Path) -> float | None:
    """Return the length a video's header states, seconds; None where it states none or cannot be read."""
    try:
        with Path(path).open("rb") as file:
            start = file.read(12)
            if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
                length = _mp4_length(file)
            elif start[:4] == b"\x1a\x45\xdf\xa3":
                length = _matroska_length(start + file.read(HEADER))
            elif start[:4] == b"RIFF" and start[8:12] == b"AVI ":
                length = _avi_length(start + file.read(HEADER))
            else:
                return None
    except (OSError, ValueError, ArithmeticError, struct.error, IndexError):
        return None
    return length if length is not None and 0 < length < LONGEST_S else None


def _mp4_length(file: BinaryIO) -> float | None:
    """Source: ISO/IEC 14496-12, boxes `moov` and `mvhd`."""
    size = file.seek(0, 2)
    moov = next((place for kind, *place in _boxes(file, 0, size) if kind == b"moov"), None)
    mvhd = next((place for kind, *place in _boxes(file, *moov) if kind == b"mvhd"), None) if moov else None
    if not mvhd:
        return None
    file.seek(mvhd[0])
    box = file.read(32)
    scale, duration = struct.unpack_from(">IQ", box, 20) if box[0] == 1 else struct.unpack_from(">II", box, 12)
    return duration / scale


def _boxes(file: BinaryIO, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each box between two places of a file."""
    for _ in range(MOST_BOXES):
        if place + 8 > end:
            return
        file.seek(place)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", file.read(8))[0], 16
        size = size or end - place  # 0: to the end
        if size < head:
            return
        yield kind, place + head, min(place + size, end)
        place += size


def _matroska_length(data: bytes) -> float | None:
    """Source: RFC 8794 (EBML), RFC 9559 (Matroska): the element Info within the element Segment."""
    segment = next((place for kind, *place in _elements(data, 0, len(data)) if kind == _SEGMENT), None)
    info = next((place for kind, *place in _elements(data, *segment) if kind == _INFO), None) if segment else None
    if not info:
        return None
    values = {kind: data[start:end] for kind, start, end in _elements(data, *info)}
    if _DURATION not in values:
        return None
    (duration,) = struct.unpack(">f" if len(values[_DURATION]) == 4 else ">d", values[_DURATION])
    scale = int.from_bytes(values[_SCALE], "big") if _SCALE in values else 1_000_000
    return duration * scale / NANOSECONDS


def _elements(data: bytes, place: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of the content of each EBML element between two places."""
    while place < end:
        kind, place = _number(data, place, marked=True)
        size, place = _number(data, place, marked=False)
        yield kind, place, min(place + size, end)
        place += size


def _number(data: bytes, place: int, marked: bool) -> tuple[int, int]:
    """Read an EBML number of one to eight bytes; its length stands in the zeros before its first one, the mark."""
    length = 9 - data[place].bit_length()
    if length > 8:
        raise ValueError("no EBML number")
    value = int.from_bytes(data[place : place + length], "big")
    return value if marked else value - (1 << 7 * length), place + length


def _avi_length(data: bytes) -> float | None:
    """Source: Microsoft, AVI RIFF File Reference: the chunk avih; OpenDML's dmlh counts frames beyond a gigabyte."""
    place = data.find(b"avih")
    if place < 0:
        return None
    per_frame_us, frames = (struct.unpack_from("<I", data, place + 8 + offset)[0] for offset in (0, 16))
    more = data.find(b"dmlh")
    if more >= 0:
        frames = max(frames, struct.unpack_from("<I", data, more + 8)[0])
    return per_frame_us * frames / 1e6
