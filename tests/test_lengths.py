"""Lengths from headers: as the files say them, and nothing but None from what is broken."""

import random
import struct

import av
import numpy as np
import pytest

from understudy.lengths import video_length_s

SECONDS = 3


def write_video(path, codec, container=None, options=None):
    """A video of 3 s at 10 frames a second."""
    with av.open(str(path), "w", format=container, options=options or {}) as film:
        stream = film.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(10 * SECONDS):
            picture = np.full((48, 64, 3), number * 8, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        film.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("plain.mp4", "mpeg4", {}),
        ("fast.mp4", "mpeg4", {"movflags": "faststart"}),
        ("film.mov", "mpeg4", {}),
        ("film.mkv", "mpeg4", {}),
        ("film.webm", "libvpx", {}),
        ("film.avi", "mpeg4", {}),
    ],
)
def test_headers_are_read(name, codec, options, tmp_path):
    assert video_length_s(write_video(tmp_path / name, codec, options=options)) == pytest.approx(SECONDS, abs=0.2)


def test_what_states_no_length_has_none(tmp_path):
    film = write_video(tmp_path / "film.ts", "mpeg2video", "mpegts")
    assert video_length_s(film) is None
    fragmented = write_video(tmp_path / "live.mp4", "mpeg4", options={"movflags": "frag_keyframe+empty_moov"})
    assert video_length_s(fragmented) is None
    assert video_length_s(tmp_path / "absent.mp4") is None
    assert video_length_s(tmp_path) is None, "a folder"
    for number, data in enumerate((b"", b"x", b"RIFF", b"\x1a\x45\xdf\xa3", b"\0\0\0\x08ftyp" * 3, b"\0" * 4096)):
        path = tmp_path / str(number)
        path.write_bytes(data)
        assert video_length_s(path) is None


def test_a_clock_of_64_bits_and_a_large_box_are_understood(tmp_path):
    mvhd = struct.pack(">I4sB3xQQIQ", 44, b"mvhd", 1, 0, 0, 1000, 7200_000) + bytes(4)
    moov = struct.pack(">I4sQ", 1, b"moov", 16 + len(mvhd)) + mvhd
    path = tmp_path / "long.mp4"
    path.write_bytes(struct.pack(">I4s", 16, b"ftyp") + b"isom" + bytes(4) + moov)
    assert video_length_s(path) == 7200


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.avi"])
def test_broken_headers_give_a_length_or_none_at_once(name, tmp_path):
    """300 copies with flipped bytes and cut ends: no error, no hang."""
    film, chance = write_video(tmp_path / name, "mpeg4").read_bytes(), random.Random(3)
    broken = tmp_path / f"broken_{name}"
    for _ in range(300):
        data = bytearray(film[: chance.randrange(1, len(film))])
        for _ in range(chance.randrange(1, 30)):
            data[min(len(data) - 1, int(chance.expovariate(1 / 200)))] = chance.randrange(256)
        broken.write_bytes(data)
        length = video_length_s(broken)
        assert length is None or 0 < length < 1e7
