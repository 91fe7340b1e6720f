"""Writes protocol buffers by hand, so that tests can make model files without the packages that usually do."""

import struct


def number(field: int, value: int) -> bytes:
    """A whole number."""
    return _varint(field << 3) + _varint(value)


def real(field: int, value: float) -> bytes:
    """A float of four bytes."""
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def block(field: int, *contents: bytes | str) -> bytes:
    """A message of the given fields, or a text, or bytes."""
    whole = b"".join(part.encode() if isinstance(part, str) else part for part in contents)
    return _varint(field << 3 | 2) + _varint(len(whole)) + whole


def packed(field: int, values) -> bytes:
    """Several whole numbers in one field."""
    return block(field, *(_varint(int(value)) for value in values))


def _varint(value: int) -> bytes:
    value %= 2**64  # negative ones as 64 bits
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
