"""Ingest of videos of every kind."""

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from filming import Take, barcode, clicks, hear_clicks, hide_start, read_barcode, write_video
from understudy.errors import BackendError, VideoError
from understudy.video.frames import Frames

FRAMES = 30


def bars(count: int = FRAMES, height: int = 64, width: int = 64) -> list[np.ndarray]:
    return [barcode(number, height, width) for number in range(count)]


def numbers(rgb: np.ndarray) -> list[int]:
    return [read_barcode(picture) for picture in rgb]


def quarters(height: int = 64, width: int = 96) -> np.ndarray:
    """Red, green above; blue, white below."""
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[: height // 2, : width // 2] = 255, 0, 0
    picture[: height // 2, width // 2 :] = 0, 255, 0
    picture[height // 2 :, : width // 2] = 0, 0, 255
    return picture


def names(picture: np.ndarray) -> str:
    """Name the quarters of a picture: above left, above right, below left, below right."""
    height, width, _ = picture.shape
    known = {"R": (255, 0, 0), "G": (0, 255, 0), "B": (0, 0, 255), "W": (255, 255, 255)}
    found = ""
    for y, x in ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)):
        pixel = picture[int(y * height), int(x * width)].astype(int)
        found += min(known, key=lambda name: np.abs(pixel - known[name]).sum())
    return found


def test_every_frame_arrives_once_and_in_order(tmp_path, ingest):
    found = ingest(write_video(tmp_path / "a.mp4", bars()))
    assert numbers(found.rgb) == list(range(FRAMES))
    assert found.rgb.shape == (FRAMES, 64, 64, 3)
    assert (found.attrs["rate_numerator"], found.attrs["rate_denominator"]) == (25, 1)
    assert found.attrs["source_sha256"] == hashlib.sha256((tmp_path / "a.mp4").read_bytes()).hexdigest()
    assert json.loads(found.attrs["crop"]) == [0, 0, 64, 64]


@pytest.mark.parametrize("ending", ["mkv", "avi", "mov", "ts"])
def test_other_containers_give_the_same_frames(tmp_path, ingest, ending):
    take = Take(rate=Fraction(30000, 1001), codec="mpeg4" if ending == "avi" else "libx264")
    found = ingest(write_video(tmp_path / f"a.{ending}", bars(), take))
    assert numbers(found.rgb) == list(range(FRAMES))
    rate = Fraction(found.attrs["rate_numerator"], found.attrs["rate_denominator"])
    assert float(rate) == pytest.approx(29.97, abs=0.01)


@pytest.mark.parametrize(
    ("degrees", "mirrored", "expected", "turned"),
    [
        (0, False, "RGBW", 0),
        (90, False, "GWRB", 90),
        (180, False, "WBGR", 180),
        (270, False, "BRWG", 270),
        (0, True, "GRWB", 0),
    ],
)
def test_pictures_are_upright(tmp_path, ingest, degrees, mirrored, expected, turned):
    take = Take(rotation_deg=degrees, mirrored=mirrored)
    found = ingest(write_video(tmp_path / "a.mp4", [quarters()] * 3, take))
    assert names(found.rgb[0]) == expected
    assert found.rgb.shape[1:3] == ((64, 32) if degrees in (90, 270) else (64, 96))
    assert found.attrs["rotation_deg"] == turned


def test_varying_rate_keeps_speed_and_length(tmp_path, ingest):
    """A phone drops to half its rate in the dark; each tick must show what a player shows then."""
    ticks = [40 * i for i in range(10)] + [400 + 80 * i for i in range(10)] + [1200 + 40 * i for i in range(10)]
    found = ingest(write_video(tmp_path / "a.mp4", bars(), Take(ticks=ticks)), rate_fps=25.0)
    expected = [max(i for i, tick in enumerate(ticks) if tick <= 40 * k + 20) for k in range(40)]
    assert numbers(found.rgb) == expected


def test_varying_rate_comes_at_its_average(tmp_path, ingest):
    ticks = [40 * i for i in range(10)] + [400 + 80 * i for i in range(10)] + [1200 + 40 * i for i in range(10)]
    found = ingest(write_video(tmp_path / "a.mp4", bars(), Take(ticks=ticks)))
    rate = found.attrs["rate_numerator"] / found.attrs["rate_denominator"]
    assert rate == pytest.approx(30 / 1.6, rel=0.03)
    assert len(found.rgb) / rate == pytest.approx(1.6, abs=1 / rate)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm"])
def test_a_rate_that_is_only_declared_is_not_believed(tmp_path, ingest, ending):
    """Browsers record WebM that declares 1000 frames a second."""
    ticks = np.cumsum(np.random.default_rng(0).integers(25, 45, 90)).tolist()
    take = Take(ticks=ticks, rate=Fraction(1000), codec="libvpx" if ending == "webm" else "libx264")
    found = ingest(write_video(tmp_path / f"a.{ending}", bars(90), take))
    rate = found.attrs["rate_numerator"] / found.attrs["rate_denominator"]
    assert rate == pytest.approx(89e3 / (ticks[-1] - ticks[0]), rel=0.02)
    assert len(found.rgb) == pytest.approx(90, abs=2)


def test_a_span_is_taken_to_the_frame(tmp_path, ingest):
    video = write_video(tmp_path / "a.mp4", bars())
    found = ingest(video, start_s=0.2, end_s=0.6)
    assert numbers(found.rgb) == list(range(5, 15))
    assert found.attrs["start_s"] == 0.2


def test_a_late_span_is_sought_to_the_frame(tmp_path, ingest):
    pictures = [barcode(number % 256) for number in range(300)]
    found = ingest(write_video(tmp_path / "a.mp4", pictures), start_s=8.0, end_s=8.4)
    assert numbers(found.rgb) == list(range(200, 210))


def test_pictures_hidden_by_an_edit_list_stay_hidden(tmp_path, ingest):
    video = write_video(tmp_path / "a.mp4", bars(60), Take(sound=clicks([0.7, 1.5], 2.4)))
    found = ingest(hide_start(video, tmp_path / "trimmed.mp4", 0.28))
    assert numbers(found.rgb) == list(range(7, 60))
    with av.open(str(found.sound)) as sound:
        lead_s = float(Fraction(sound.metadata["UNDERSTUDY_LEAD"]))
    assert hear_clicks(found.sound, lead_s) == pytest.approx([0.42, 1.22], abs=0.022)


def test_another_rate(tmp_path, ingest):
    video = write_video(tmp_path / "a.mp4", bars(), Take(rate=Fraction(50)))
    assert numbers(ingest(video, rate_fps=25.0).rgb) == list(range(0, FRAMES, 2))


def test_odd_sizes_are_no_trouble(tmp_path, ingest):
    pictures = [np.pad(barcode(n), ((1, 0), (2, 1), (0, 0)), mode="edge") for n in range(4)]
    found = ingest(write_video(tmp_path / "a.mkv", pictures, Take(codec="ffv1", pixels="bgr0")))
    assert numbers(found.rgb) == [0, 1, 2, 3]
    assert found.attrs["colour_matrix"] == "rgb"


def test_frames_that_need_no_scaling_come_through_to_the_bit(tmp_path, ingest):
    pictures = list(np.random.default_rng(1).integers(0, 256, (3, 64, 96, 3), dtype=np.uint8))
    found = ingest(write_video(tmp_path / "a.mkv", pictures, Take(codec="ffv1", pixels="bgr0")))
    assert np.array_equal(found.rgb, pictures)


@pytest.mark.parametrize("aspect", [Fraction(2), Fraction(1, 2)])
def test_pixels_become_square(tmp_path, ingest, aspect):
    """A disc stored squeezed must come out round."""
    wide, high = (48, 96) if aspect > 1 else (96, 48)
    rows, columns = np.mgrid[:high, :wide] + 0.5
    disc = ((columns - wide / 2) * max(aspect, 1)) ** 2 + ((rows - high / 2) * max(1 / aspect, 1)) ** 2 < 30**2
    found = ingest(
        write_video(tmp_path / "a.mp4", [np.repeat(disc[..., None] * np.uint8(255), 3, 2)] * 3, Take(aspect=aspect))
    )
    bright = found.rgb[0].mean(2) > 127
    assert found.rgb.shape[1:3] == (64, 64)
    assert abs(int(bright.any(0).sum()) - int(bright.any(1).sum())) <= 2


def test_a_silent_clip_has_empty_sound(tmp_path, ingest):
    assert ingest(write_video(tmp_path / "a.mp4", bars())).sound.stat().st_size == 0


@pytest.mark.parametrize(
    ("ending", "codec"), [("mp4", "aac"), ("ts", "aac"), ("mkv", "pcm_s16le"), ("mkv", "flac"), ("mkv", "libopus")]
)
@pytest.mark.parametrize("start_s", [0.0, 0.5])
def test_sound_stays_in_sync(tmp_path, ingest, ending, codec, start_s):
    take = Take(sound=clicks([0.7, 1.5], 2.4), sound_codec=codec)
    found = ingest(write_video(tmp_path / f"a.{ending}", bars(60), take), start_s=start_s, end_s=2.0)
    with av.open(str(found.sound)) as sound:
        lead_s = float(Fraction(sound.metadata["UNDERSTUDY_LEAD"]))
    assert 0 <= lead_s < 0.1
    assert hear_clicks(found.sound, lead_s) == pytest.approx([0.7 - start_s, 1.5 - start_s], abs=0.022)


def test_a_crop_is_cut_and_carries_points_along(tmp_path, ingest):
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[48:56, 40:44] = 255  # centre x 42, y 52
    found = ingest(
        write_video(tmp_path / "a.mkv", [picture] * 3, Take(codec="ffv1", pixels="bgr0")),
        area=(16, 32, 64, 32),
        crop="16,32,64,32",
        ignore="40,48,4,8;16,60,100,10",
    )
    assert json.loads(found.attrs["ignore"]) == [[48, 32, 56, 48], [0, 56, 128, 64]]
    assert found.rgb.shape == (3, 64, 128, 3)
    rows, columns = np.nonzero(found.rgb[0].mean(2) > 127)
    centre = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
    with Frames(found.frames) as frames:
        assert frames.to_frame(np.array([42.0, 52.0])) == pytest.approx(centre, abs=0.01)


def test_a_late_first_stamp_counts_as_zero(tmp_path, ingest):
    found = ingest(
        write_video(tmp_path / "a.mkv", bars(10), Take(ticks=[500 + 40 * i for i in range(10)])), rate_fps=25.0
    )
    assert numbers(found.rgb) == list(range(10))
    assert found.attrs["first_pts_s"] == 0.5


def broken(tmp_path: Path, kind: str) -> Path:
    """Make a file that is no usable video."""
    video = tmp_path / "bad.mp4"
    if kind == "missing":
        return video
    if kind == "folder":
        video.mkdir()
    elif kind == "empty":
        video.touch()
    elif kind == "text":
        video.write_text("clip\tvideo\nme\tme.mp4\n" * 50)
    elif kind == "noise":
        video.write_bytes(np.random.default_rng(0).bytes(5000))
    elif kind == "zeros":
        video.write_bytes(bytes(5000))
    elif kind == "picture":
        write_video(tmp_path / "bad.png", bars(1), Take(codec="png", pixels="rgb24", tagged=False)).rename(video)
    elif kind == "one frame":
        write_video(video, bars(1))
    elif kind == "tiny":
        write_video(video, [np.zeros((16, 64, 3), np.uint8)] * 3)
    elif kind in ("PQ", "HLG"):
        write_video(video, bars(3), Take(transfer={"PQ": 16, "HLG": 18}[kind]))
    elif kind == "sound only":
        write_sound(video)
    elif kind == "no index":
        write_video(video, bars(60))
        video.write_bytes(video.read_bytes()[:-3000])
    elif kind == "cut between pictures":
        write_video(tmp_path / "bad.mkv", noisy(60)).rename(video)
        video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    elif kind == "cut in the middle":
        write_video(video, noisy(60), Take(muxer={"movflags": "+faststart"}))
        video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    return video


def noisy(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8))


def write_sound(path: Path) -> None:
    with av.open(str(path), "w") as film:
        stream = film.add_stream("aac", rate=48000, layout="mono")
        for index in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, 1024 * index
            film.mux(stream.encode(frame))
        film.mux(stream.encode())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "does not exist"),
        ("folder", "is a folder"),
        ("empty", "is empty"),
        ("text", "is a text file"),
        ("noise", "is no video that can be read"),
        ("zeros", "nothing but zeros"),
        ("picture", "a picture"),
        ("one frame", "single picture"),
        ("tiny", "64x16 pixels"),
        ("sound only", "sound only"),
        ("no index", "no index"),
        ("cut in the middle", "breaks off"),
        ("cut between pictures", "breaks off .* of the 2.40 s"),
    ],
)
def test_a_bad_file_is_refused_in_words_and_leaves_no_output(tmp_path, ingest, kind, words):
    with pytest.raises(VideoError, match=words) as refused:
        ingest(broken(tmp_path, kind))
    assert "bad.mp4" in str(refused.value)
    out = tmp_path / "out"
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.parametrize("kind", ["PQ", "HLG"])
def test_hdr_is_carried_to_sdr_or_refused_with_the_reader_that_can(tmp_path, ingest, reader, kind):
    if reader == "ffmpeg":
        assert len(ingest(broken(tmp_path, kind)).rgb) == 3
        return
    with pytest.raises(VideoError, match=rf"bad.mp4 is HDR \({kind}\).*decode.backend: ffmpeg"):
        ingest(broken(tmp_path, kind))


def test_what_stands_before_the_break_can_be_used(tmp_path, ingest):
    found = ingest(broken(tmp_path, "cut in the middle"), end_s=0.4)
    assert len(found.rgb) == 10


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"start_s": 99.0}, "only 1.20 s long"),
        ({"start_s": 1.17}, "single picture"),
        ({"end_s": 0.01}, "no picture|single picture"),
        ({"area": (0, 0, 65, 64), "crop": "0,0,65,64"}, "picture of 64x64"),
        ({"area": (40, 0, 31, 64), "crop": "40,0,31,64"}, "picture of 64x64"),
        ({"area": (0, 0, 31, 64), "crop": "0,0,31,64"}, "at least 32"),
        ({"ignore": "0,60,64,5"}, "ignores 64x5 pixels at 0,60"),
    ],
)
def test_a_bad_row_is_refused_in_words(tmp_path, ingest, changed, words):
    with pytest.raises(VideoError, match=words):
        ingest(write_video(tmp_path / "a.mp4", bars()), **changed)


def test_an_older_output_stays_as_it_was(tmp_path, ingest):
    before = ingest(write_video(tmp_path / "a.mp4", bars()))
    bytes_before = before.frames.read_bytes()
    with pytest.raises(VideoError):
        ingest(broken(tmp_path, "cut in the middle"))
    assert before.frames.read_bytes() == bytes_before
    assert sorted(file.name for file in before.frames.parent.iterdir()) == ["frames.h5", "sound.mka"]


def test_an_unknown_backend_names_the_known_ones(tmp_path, ingest):
    with pytest.raises(BackendError, match="pyav"):
        ingest(write_video(tmp_path / "a.mp4", bars(2)), backend="quicktime")
