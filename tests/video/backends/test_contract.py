"""What every reader of videos must keep."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from filming import Take, barcode, clicks, read_barcode, write_video
from understudy.backends import list_backends, load_backend
from understudy.errors import VideoError

FOLDER = "understudy.video.backends"


@pytest.fixture(params=list_backends(FOLDER))
def backend(request) -> type:
    return load_backend(FOLDER, request.param)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    take = Take(rate=Fraction(30), sound=clicks([0.5], 1.0))
    return write_video(tmp_path / "a: 100%.mp4", [barcode(number) for number in range(30)], take)


def test_facts_are_known_before_frames(backend, video):
    facts = backend(video).facts
    assert (facts.height, facts.width, facts.rate, facts.duration_s) == (64, 64, 30, 1)
    assert (facts.colour_matrix, facts.colour_range, facts.transfer) == ("bt709", "limited", "sdr")
    assert (facts.rotation_deg, facts.mirrored, facts.codec) == (0, False, "h264")


def test_pictures_come_with_exact_times(backend, video):
    frames = list(backend(video).frames(Fraction(0)))
    assert [frame.time_s for frame in frames] == [Fraction(number, 30) for number in range(30)]
    assert all(frame.duration_s in (0, Fraction(1, 30)) for frame in frames)
    picture = frames[5].picture()
    assert (picture.shape, picture.dtype) == ((64, 64, 3), np.uint8)
    assert picture.flags.c_contiguous
    assert [read_barcode(frame.picture()) for frame in frames] == list(range(30))


def test_each_call_starts_anew(backend, video):
    reader = backend(video)
    assert next(reader.frames(Fraction(0))).time_s == 0
    assert len(list(reader.frames(Fraction(0)))) == 30


def test_a_later_start_gives_the_picture_on_display(backend, tmp_path):
    pictures = [barcode(number) for number in range(240)]
    reader = backend(write_video(tmp_path / "a.mp4", pictures, Take(rate=Fraction(30))))
    frames = list(reader.frames(Fraction(7)))
    assert frames[0].time_s <= 7
    assert read_barcode(frames[-1].picture()) == 239
    assert all(b.time_s > a.time_s for a, b in pairwise(frames))


def test_sound_is_copied_or_absent(backend, video, tmp_path):
    assert backend(video).copy_sound(tmp_path / "a.mka", Fraction(0), Fraction(1)) is True
    assert (tmp_path / "a.mka").stat().st_size > 0
    silent = write_video(tmp_path / "b.mp4", [barcode(0)] * 3)
    assert backend(silent).copy_sound(tmp_path / "b.mka", Fraction(0), Fraction(1)) is False
    assert not (tmp_path / "b.mka").exists()


def test_what_is_no_video_is_refused(backend, tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\x07" * 500)
    with pytest.raises(VideoError, match=r"a\.mp4"):
        backend(path)
