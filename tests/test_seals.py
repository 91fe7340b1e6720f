"""A single wrong byte is noticed or harmless: in HDF5 files, weights, films, JSON files and prepared frames."""

import json
import shutil
from fractions import Fraction
from random import Random

import av
import numpy as np
import pytest

from understudy.errors import DamageError, LayoutError, UnderstudyError
from understudy.layouts import create, open_file
from understudy.seals import check_file, check_film, read_json, seal_film, write_json
from understudy.video.encode import Film
from understudy.video.source import SourceVideo

FRAME = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)


def flipped(data, place, chance):
    return data[:place] + bytes([data[place] ^ chance.randrange(1, 256)]) + data[place + 1 :]


def write_frames(path):
    with create(path, "frames", producer="test 1", settings={"height_px": 40}) as file:
        for index in range(5):
            file.append(rgb=np.roll(FRAME, index, 0))
        file.attributes({"rate_numerator": 25, "rate_denominator": 1, "crop": [0, 0, 48, 40], "source": "ada.mp4"})
        file.attributes({"moving": True, "empty": "", "scale_x": 1.5, "long": "x" * 70_000, "place": "Ä"})


def picture(path):
    """A byte of the third frame."""
    with open_file(path, "frames") as file:
        return file["rgb"].id.get_chunk_info(2).byte_offset + 100


def content(path):
    with open_file(path, "frames") as file:
        return file["rgb"][:].tobytes(), {name: str(value) for name, value in file.attrs.items()}


@pytest.mark.parametrize("part", range(2))
def test_no_flipped_byte_of_an_hdf5_file_changes_what_is_read(tmp_path, part):
    """Every second byte of the tables and attributes, and some of the pictures, each wrong once."""
    path, chance = tmp_path / "frames.h5", Random(part)
    write_frames(path)
    data, true = path.read_bytes(), content(path)
    noticed = 0
    places = [place for place in range(part, len(data), 4) if place < 4096 or chance.random() < 0.01]
    for place in places:
        path.write_bytes(flipped(data, place, chance))
        try:
            assert content(path) == true, f"byte {place} of {len(data)} is read otherwise"
        except UnderstudyError as error:
            noticed += 1
            assert str(path) in str(error) and "delete it and run" in str(error)
    assert noticed > 0.1 * len(places)


def test_a_wrong_row_is_told_where_it_is_read(tmp_path):
    path = tmp_path / "frames.h5"
    write_frames(path)
    data = path.read_bytes()
    path.write_bytes(flipped(data, picture(path), Random(0)))
    with pytest.raises(LayoutError, match=r"frames\.h5: 'rgb' is damaged .*delete it and run"):  # noqa: SIM117
        with open_file(path, "frames") as file:
            for row in range(5):
                file["rgb"][row]


def test_each_of_two_open_files_answers_for_itself(tmp_path):
    for name in ("sound.h5", "broken.h5"):
        write_frames(tmp_path / name)
    path = tmp_path / "broken.h5"
    path.write_bytes(flipped(path.read_bytes(), picture(path), Random(0)))
    with pytest.raises(LayoutError, match=r"broken\.h5"):  # noqa: SIM117
        with open_file(tmp_path / "broken.h5", "frames") as broken, open_file(tmp_path / "sound.h5", "frames"):
            broken["rgb"][:]
    with pytest.raises(OSError, match="of mine"), open_file(tmp_path / "sound.h5", "frames"):
        raise OSError("of mine")


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "results" / "transfers" / "ada" / "ben" / "video.mp4"
    with Film(path, Fraction(25), crf=20) as film:
        for index in range(30):
            film.write(np.roll(FRAME, index, 1))
    return path


def test_a_sealed_film_plays_as_before_and_a_flipped_byte_is_told(film):
    assert len(list(SourceVideo(film))) == 30
    data = film.read_bytes()
    film.write_bytes(data[:-56])
    with av.open(str(film)) as plain, av.open(str(shutil.copy(film, film.with_name("other.mp4")))) as other:
        assert len(list(plain.decode(video=0))) == len(list(other.decode(video=0))) == 30
    check_film(film)  # without its seal a film is anybody's
    chance = Random(0)
    for place in (0, 40, 500, len(data) // 2, len(data) - 57, len(data) - 1):
        film.write_bytes(flipped(data, place, chance))
        with pytest.raises(DamageError, match=r"video\.mp4 is damaged.*delete it and run"):
            SourceVideo(film)


def test_a_film_of_ours_that_breaks_off_is_told_even_where_few_frames_are_missing(film):
    data = film.read_bytes()
    for left in (1, 57, 200, len(data) // 3, len(data) - 10):
        film.write_bytes(data[: len(data) - left])
        with pytest.raises(DamageError):
            check_film(film)
    own = film.parents[4] / "me.mp4"
    own.write_bytes(data[: len(data) - 200])
    check_film(own)  # a video of the user's that breaks off is the reader's to judge


def test_a_seal_is_of_all_before_it(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(b"anything")
    seal_film(path)
    check_film(path)
    path.write_bytes(b"Anything" + path.read_bytes()[8:])
    with pytest.raises(DamageError):
        check_film(path)


def test_json_keeps_its_values_and_tells_wrong_ones(tmp_path):
    path, values = tmp_path / "crop.json", {"left": 1.5, "top": 2.0, "width": 64.0, "height": 96.0}
    write_json(path, values)
    assert read_json(path, values) == values
    data, chance = path.read_bytes(), Random(0)
    for place in range(len(data)):
        path.write_bytes(flipped(data, place, chance))
        try:
            assert read_json(path, values) == values
        except DamageError as error:
            assert "delete it and run" in str(error)
    path.write_text(json.dumps(values))
    assert read_json(path, values) == values, "without a seal a file is anybody's"


def test_a_file_is_held_to_the_digest_kept_elsewhere(tmp_path):
    (tmp_path / "sound.mka").write_bytes(b"")
    check_file(tmp_path / "sound.mka", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    check_file(tmp_path / "sound.mka", None)
    with pytest.raises(DamageError, match=r"sound\.mka"):
        check_file(tmp_path / "sound.mka", "00" * 32)
