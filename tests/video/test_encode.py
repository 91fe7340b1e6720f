"""Films: what a player finds in them."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from filming import SOUND_HZ, Take, barcode, clicks, hear_clicks, read_barcode, write_video
from understudy.errors import BackendError
from understudy.settings import FilmSettings
from understudy.video.encode import Film, Marks
from understudy.video.film_backends._contract import FilmPlan
from understudy.video.source import SourceVideo

RATE = Fraction(30000, 1001)


@pytest.fixture(params=["pyav", "ffmpeg"], autouse=True)
def writer(request, monkeypatch) -> str:
    """Make each backend in turn the usual one of the films below."""
    settings = FilmSettings(request.param, "libx264")
    monkeypatch.setattr(Film.__init__, "__defaults__", (None, settings))
    return request.param


@pytest.fixture
def reader(writer) -> str:
    """Read with the backend of the same name."""
    return writer


def write_film(path: Path, frames: int = 45, sound: Path | None = None, rate: Fraction = RATE) -> Path:
    with Film(path, rate, 12, sound) as film:
        for number in range(frames):
            film.write(barcode(number))
    return path


def open_video(path: Path) -> tuple[av.container.InputContainer, av.VideoStream]:
    container = av.open(str(path))
    return container, container.streams.video[0]


def test_rate_length_and_order_are_exact(tmp_path):
    container, stream = open_video(write_film(tmp_path / "film.mp4"))
    with container:
        assert stream.average_rate == RATE
        assert stream.duration * stream.time_base == 45 / RATE
        frames = list(container.decode(stream))
    assert [frame.pts * frame.time_base for frame in frames] == [number / RATE for number in range(45)]
    assert [read_barcode(frame.to_ndarray(format="rgb24")) for frame in frames] == list(range(45))


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(25), Fraction(50), Fraction(24000, 1001), Fraction(5013, 167)])
def test_any_rate_is_kept_exactly(tmp_path, rate):
    container, stream = open_video(write_film(tmp_path / "film.mp4", 12, rate=rate))
    with container:
        assert stream.average_rate == rate
        assert stream.frames == 12


def test_colour_is_tagged_bt709_limited(tmp_path):
    container, stream = open_video(write_film(tmp_path / "film.mp4", 3))
    with container:
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)


def test_the_index_stands_in_front_of_the_pictures(tmp_path):
    data = write_film(tmp_path / "film.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")


def test_colours_come_back_within_two_levels(tmp_path):
    colours = np.random.default_rng(3).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    picture = colours.repeat(32, 0).repeat(32, 1)
    with Film(tmp_path / "film.mp4", RATE, 4) as film:
        for _ in range(3):
            film.write(picture)
    back = next(iter(SourceVideo(tmp_path / "film.mp4"))).picture()
    inner = back[16::32, 16::32].astype(int)
    assert np.abs(inner - colours).max() <= 3
    assert np.abs((inner - colours).mean()) < 0.5


def test_odd_sizes_are_padded_to_even(tmp_path):
    picture = np.full((63, 97, 3), 200, np.uint8)
    with Film(tmp_path / "film.mp4", RATE, 12) as film:
        for _ in range(3):
            film.write(picture)
    back = next(iter(SourceVideo(tmp_path / "film.mp4"))).picture()
    assert back.shape == (64, 98, 3)
    assert np.abs(back.astype(int) - 200).max() <= 2


@pytest.mark.parametrize(
    ("ending", "codec", "kept"),
    [
        ("mp4", "aac", "aac"),
        ("ts", "aac", "aac"),
        ("mkv", "flac", "flac"),
        ("mkv", "libopus", "opus"),
        ("mkv", "libmp3lame", "mp3"),
        ("mkv", "pcm_s16le", "aac"),
        ("avi", "pcm_s16le", "aac"),
    ],
)
@pytest.mark.parametrize("start_s", [0.0, 0.51])
def test_sound_lands_where_it_was(tmp_path, ingest, ending, codec, kept, start_s):
    take = Take(sound=clicks([0.7, 1.5], 2.4), sound_codec=codec, codec="mpeg4" if ending == "avi" else "libx264")
    source = write_video(tmp_path / f"a.{ending}", [barcode(n) for n in range(60)], take)
    found = ingest(source, start_s=start_s, end_s=2.0)
    film = write_film(tmp_path / "film.mp4", len(found.rgb), found.sound, Fraction(25))
    with av.open(str(film)) as opened:
        assert opened.streams.audio[0].codec_context.codec.canonical_name == kept
        length_s = opened.streams.audio[0].duration * opened.streams.audio[0].time_base
        assert length_s <= 2 - start_s + 0.05
    assert hear_clicks(film) == pytest.approx([0.7 - start_s, 1.5 - start_s], abs=0.022)  # one packet of AAC


def test_sound_is_cut_to_the_film(tmp_path, ingest):
    source = write_video(tmp_path / "a.mp4", [barcode(n) for n in range(60)], Take(sound=clicks([0.7, 1.5], 2.4)))
    film = write_film(tmp_path / "film.mp4", 25, ingest(source).sound, Fraction(25))
    with av.open(str(film)) as opened:
        stream = opened.streams.audio[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(1.0, abs=0.03)
    assert hear_clicks(film) == pytest.approx([0.7], abs=0.022)


def test_tags_are_the_files_own_and_signing_comes_before_the_seal(tmp_path):
    seen = []
    tags = {"title": "a performs b", "comment": "x=1; -y; 'z' é"}
    marks = Marks(tags, lambda path: seen.append(path.read_bytes()))
    with Film(tmp_path / "film.mp4", RATE, 12, marks=marks) as film:
        film.write(np.zeros((64, 96, 3), np.uint8))
    with av.open(str(film.path)) as made:
        assert {name: made.metadata[name] for name in tags} == tags
    assert film.path.read_bytes()[:-56] == seen[0]


def test_an_empty_sound_file_makes_a_silent_film(tmp_path):
    silent = tmp_path / "sound.mka"
    silent.touch()
    with av.open(str(write_film(tmp_path / "film.mp4", 3, silent))) as film:
        assert not film.streams.audio


def test_a_failure_leaves_the_older_film(tmp_path):
    path = write_film(tmp_path / "film.mp4", 3)
    before = path.read_bytes()
    with pytest.raises(RuntimeError), Film(path, RATE, 12) as film:
        film.write(barcode(1))
        raise RuntimeError("power cut")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


def test_mistakes_in_the_code_are_refused(tmp_path):
    with pytest.raises(ValueError, match="got no frame"), Film(tmp_path / "film.mp4", RATE, 12):
        pass
    with pytest.raises(ValueError, match="uint8"), Film(tmp_path / "film.mp4", RATE, 12) as film:
        film.write(np.zeros((64, 64, 3)))
    with pytest.raises(ValueError, match="the frames before it"), Film(tmp_path / "film.mp4", RATE, 12) as film:
        film.write(barcode(1))
        film.write(barcode(1, 32, 64))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("encoder", ["h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_vaapi"])
def test_an_encoder_that_is_not_there_is_named_with_what_to_do(tmp_path, encoder):
    before = write_film(tmp_path / "film.mp4", 3).read_bytes()
    film = Film(tmp_path / "film.mp4", RATE, 12, None, FilmSettings("ffmpeg", encoder))
    try:
        with film:
            for number in range(400):
                film.write(barcode(number % 256))
    except BackendError as refused:
        assert f"film.encoder '{encoder}'" in str(refused) and "set film.encoder to libx264" in str(refused)
        assert (tmp_path / "film.mp4").read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]
    else:  # this machine has it
        assert open_video(tmp_path / "film.mp4")[1].frames == 400


def test_each_encoder_is_told_the_quality_in_its_own_words(tmp_path):
    from understudy.video.film_backends.ffmpeg import encoding

    def words(encoder: str) -> str:
        return " ".join(encoding(tmp_path / "a.mp4", FilmPlan(RATE, 16, None, encoder), 64, 96))

    assert "-framerate 30000/1001" in words("libx264") and "-crf 16" in words("libx264")
    assert "-cq 16" in words("h264_nvenc") and "-rc vbr" in words("h264_nvenc")
    assert "-global_quality 16" in words("h264_qsv") and "nv12" in words("h264_qsv")
    assert "-qp 16" in words("h264_vaapi") and "hwupload" in words("h264_vaapi")
    assert "-q:v 69" in words("h264_videotoolbox")
    for encoder in ("libx264", "h264_nvenc", "h264_qsv", "h264_vaapi", "h264_videotoolbox"):
        assert f"-vcodec {encoder}" in words(encoder) and "-colorspace bt709" in words(encoder)


def test_both_backends_put_the_same_sound_into_a_film(tmp_path, ingest, writer):
    source = write_video(tmp_path / "a.mp4", [barcode(n) for n in range(60)], Take(sound=clicks([0.7, 1.5], 2.4)))
    found = ingest(source, start_s=0.3)
    film = write_film(tmp_path / "film.mp4", 40, found.sound, Fraction(25))
    with Film(tmp_path / "other.mp4", Fraction(25), 12, found.sound, FilmSettings("pyav", "libx264")) as other:
        for number in range(40):
            other.write(barcode(number))
    mine, others = sound_packets(film), sound_packets(tmp_path / "other.mp4")
    assert [data for _, data in mine] == [data for _, data in others]
    assert [time_s for time_s, _ in mine] == pytest.approx([time_s for time_s, _ in others], abs=1e-3)


def sound_packets(film: Path) -> list[tuple[float, bytes]]:
    with av.open(str(film)) as opened:
        return [(float(p.pts * p.time_base), bytes(p)) for p in opened.demux(audio=0) if p.pts is not None]


def test_clicks_of_the_test_itself():
    assert np.flatnonzero(clicks([0.5], 1.0))[0] == pytest.approx(0.5 * SOUND_HZ, abs=1)
