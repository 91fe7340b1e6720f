"""What holds for every reader: the contract, pictures and times of one like those of the other, processes that end."""

import gc
import itertools
import platform
import subprocess
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import psutil
import pytest

from filming import Take, barcode, clicks, read_barcode, write_video
from programs import bundled, searched
from understudy.backends import list_backends
from understudy.errors import BackendError, VideoError
from understudy.settings import FilmSettings
from understudy.video import programs as rooms_programs
from understudy.video.encode import Film
from understudy.video.source import SourceVideo

READERS = list_backends("understudy.video.backends")
VARYING = [0, 40, 80, 120, 240, 280, 500, 540, 1200, 1240, 1280, 1320]
NAMES = [
    "with space.mp4", "it's \"so\".mp4", "-i.mp4", "100%d.mp4", "pipe:1.mp4", "a\nb.mp4", "[0:v];x.mp4",
    "$(touch gone).mp4", "\\back\\.mp4", "\u00fcml\u00e4ut \u5f71.mp4", "concat:a|b.mp4",
]  # fmt: skip


def blocks(count: int = 6, height: int = 64, width: int = 96) -> list[np.ndarray]:
    """Random colours in squares of 4 px."""
    small = np.random.default_rng(2).integers(0, 256, (count, height // 4, width // 4, 3), dtype=np.uint8)
    return list(small.repeat(4, 1).repeat(4, 2))


TAKES = {
    "plain.mp4": Take(),
    "varying.mp4": Take(ticks=[0, 40, 120, 160, 200, 1000]),
    "varying.mkv": Take(ticks=[500, 540, 620, 660, 700, 1500]),
    "phone.mp4": Take(rotation_deg=90),
    "mirror.mp4": Take(rotation_deg=270, mirrored=True),
    "anamorphic.mp4": Take(aspect=Fraction(3, 2)),
    "untagged.mp4": Take(tagged=False),
    "full.mp4": Take(full_range=True),
    "bt601.mp4": Take(matrix=5),
    "bt2020.mp4": Take(matrix=9, codec="libx265"),
    "ten_bits.mp4": Take(pixels="yuv420p10le"),
    "422.mp4": Take(pixels="yuv422p"),
    "old.avi": Take(codec="mpeg4", tagged=False),
    "photos.avi": Take(codec="mjpeg", pixels="yuvj422p", tagged=False),
    "web.webm": Take(codec="libvpx"),
    "stream.ts": Take(),
    "lossless.mkv": Take(codec="ffv1", pixels="bgr0"),
}


@pytest.mark.parametrize("name", TAKES)
def test_readers_agree_on_facts_times_and_pictures(tmp_path, name):
    """swscale is the same in both, so pictures are too, but for its versions' roundings."""
    video = write_video(tmp_path / name, blocks(), TAKES[name])
    first, *others = (SourceVideo(video, reader) for reader in ["pyav", *(set(READERS) - {"pyav"})])
    for other in others:
        assert other.facts == first.facts
        ours, theirs = list(first), list(other)
        assert [frame.time_s for frame in theirs] == [frame.time_s for frame in ours]
        if "varying" not in name:  # PyAV gives the lengths in the order of storage
            assert [frame.duration_s for frame in theirs] == [frame.duration_s for frame in ours]
        for height, width in ((first.height, first.width), (24, 40), (100, 160)):
            for one, two in zip(ours, theirs, strict=True):
                apart = np.abs(one.scaled(height, width).astype(int) - two.scaled(height, width))
                assert apart.max() <= 2 and apart.mean() < 0.2


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_name_whatever_its_letters(tmp_path, monkeypatch, reader, name):
    monkeypatch.chdir(tmp_path)
    made = write_video(tmp_path / "plain.mp4", [barcode(n) for n in range(4)], Take(sound=clicks([0.1], 0.2)))
    video = made.rename(tmp_path / name)
    source = SourceVideo(Path(name), reader)
    assert [read_barcode(frame.picture()) for frame in source] == [0, 1, 2, 3]
    assert source.backend.copy_sound(tmp_path / "sound.mka", Fraction(0), Fraction(1, 5))
    assert {file.name for file in tmp_path.iterdir()} == {video.name, "sound.mka"}


@pytest.mark.parametrize("reader", READERS)
def test_pictures_can_be_asked_for_late_again_and_at_any_size(tmp_path, reader):
    video = write_video(tmp_path / "a.mp4", [barcode(n) for n in range(12)], Take(ticks=VARYING))
    frames = list(SourceVideo(video, reader))
    assert [float(frame.time_s) for frame in frames] == [tick / 1000 for tick in VARYING]
    for number in (3, 4, 11, 0, 0, 7):
        assert read_barcode(frames[number].picture()) == number
        assert read_barcode(frames[number].scaled(32, 32)) == number
        assert frames[number].scaled(80, 72).shape == (80, 72, 3)


@pytest.mark.parametrize("reader", READERS)
def test_two_readings_do_not_disturb_each_other(tmp_path, reader):
    source = SourceVideo(write_video(tmp_path / "a.mp4", [barcode(n) for n in range(10)]), reader)
    pairs = zip(source, itertools.islice(source, 3, None))
    found = [(read_barcode(one.picture()), read_barcode(two.picture())) for one, two in pairs]
    assert found == [(n, n + 3) for n in range(7)]


def running() -> int:
    """Count this process's children that run ffmpeg."""
    return sum("ffmpeg" in child.name() for child in psutil.Process().children())


@pytest.mark.parametrize("way", ["closed", "forgotten", "an error"])
def test_no_process_is_left_behind(tmp_path, way):
    large = np.zeros((720, 1280, 3), np.uint8)
    video = write_video(tmp_path / "a.mp4", [large] * 40)
    frames = iter(SourceVideo(video, "ffmpeg"))
    for _ in range(3):
        frame = next(frames)
        frame.picture()
    assert running() == 1
    if way == "closed":
        frames.close()
    elif way == "forgotten":
        del frames, frame
    else:
        with pytest.raises(RuntimeError):
            frames.throw(RuntimeError)
        del frames, frame
    gc.collect()
    time.sleep(0.1)
    assert running() == 0


def test_missing_programs_are_an_error_with_advice(tmp_path, monkeypatch):
    video = write_video(tmp_path / "a.mp4", [barcode(1)] * 3)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendError, match=r"ffmpeg and ffprobe, not found.*apt-get install ffmpeg.*'pyav'"):
        SourceVideo(video, "ffmpeg")


@pytest.mark.parametrize(
    ("says", "words"),
    [("echo ffmpeg version 4.3.6-0+deb11u1 Copyright", "version 4.3.6.*expected 5.1"), ("exit 3", "does not run")],
)
def test_programs_that_cannot_be_used_are_named(tmp_path, monkeypatch, says, words):
    for name in ("ffmpeg", "ffprobe"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(BackendError, match=words):
        rooms_programs.find_programs()


def test_hardware_that_is_not_there_is_named_and_auto_goes_on(tmp_path):
    video = write_video(tmp_path / "a.mp4", [barcode(n) for n in range(4)])
    assert [read_barcode(frame.picture()) for frame in SourceVideo(video, "ffmpeg", "auto")] == [0, 1, 2, 3]
    other = "vaapi" if platform.system() == "Darwin" else "videotoolbox"  # never on this kind of machine
    with pytest.raises(BackendError, match=rf"decode.ffmpeg.hardware '{other}' \(.+\); set it to 'auto'"):
        next(iter(SourceVideo(video, "ffmpeg", other))).picture()


def test_damage_is_reported_with_its_place(tmp_path):
    video = write_video(tmp_path / "a.mkv", blocks(60))
    data = bytearray(video.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    video.write_bytes(data)
    with pytest.raises(VideoError, match=r"breaks off or is damaged at second \d"):
        for frame in SourceVideo(video, "ffmpeg"):
            frame.picture()


@pytest.mark.parametrize("name", ["varying.mp4", "phone.mp4", "old.avi", "web.webm", "stream.ts"])
def test_the_systems_own_programs_do_as_well(tmp_path, monkeypatch, name):
    """In CI that is Debian's ffmpeg, years older than the wheel's."""
    take = replace(TAKES[name], sound=clicks([0.1], 0.2), sound_codec="libopus" if "webm" in name else "aac")
    video = write_video(tmp_path / name, blocks(), take)
    ours = [(frame.time_s, frame.picture()) for frame in SourceVideo(video)]
    for path in searched():
        monkeypatch.setenv("PATH", path)
        source = SourceVideo(video, "ffmpeg")
        for (time_s, picture), frame in zip(ours, source, strict=True):
            assert frame.time_s == time_s
            assert np.abs(frame.picture().astype(int) - picture).max() <= 2
        assert source.backend.copy_sound(tmp_path / "sound.mka", Fraction(0), Fraction(1, 5))
        with Film(
            tmp_path / "film.mp4", Fraction(25), 4, tmp_path / "sound.mka", FilmSettings("ffmpeg", "libx264")
        ) as film:
            for number in range(5):
                film.write(barcode(number))
        assert [read_barcode(frame.picture()) for frame in SourceVideo(tmp_path / "film.mp4")] == list(range(5))


def test_the_bundled_programs_run():
    for name, path in bundled().items():
        said = subprocess.run([path, "-version"], capture_output=True, text=True, check=True)
        assert said.stdout.startswith(f"{name} version")
