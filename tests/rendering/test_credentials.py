"""Films say that they are synthetic, and whoever alters, strips or swaps what they say is told."""

import json
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from understudy.errors import CredentialsError
from understudy.rendering.credentials import (
    NOBODY,
    Identity,
    film_marks,
    make_identity,
    read_identity,
    signing_identity,
)
from understudy.rendering.examination import ALTERED, STRIPPED, UNMARKED, WHOLE, examine_film
from understudy.rendering.statement import COMPOSED, DRAWN, Statement
from understudy.seals import check_film, seal_film
from understudy.settings import ProvenanceSettings
from understudy.video.encode import Film
from understudy.video.source import SourceVideo

ROOT = Path(__file__).parents[2]
STATEMENT = Statement("ada <b>", "ben", "1" * 64, "2" * 64, "3" * 64)
SEAL = 56  # bytes at a film's end


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    return signing_identity(ProvenanceSettings("", ""), tmp_path_factory.mktemp("keys") / "own" / "self_made.pem")


@pytest.fixture(scope="module")
def films(tmp_path_factory, identity):
    """Two signed films of the same length that show and state different things."""
    folder = tmp_path_factory.mktemp("films")
    for number, name in enumerate(("one", "other")):
        said = replace(STATEMENT, performer=f"ada {number}")
        frame = np.random.default_rng(number).integers(0, 255, (64, 96, 3), np.uint8)
        with Film(folder / f"{name}.mp4", Fraction(25), 20, marks=film_marks(said, DRAWN, identity)) as film:
            for index in range(12):
                film.write(np.roll(frame, index, 1))
    return folder


@pytest.fixture
def film(films, tmp_path):
    return shutil.copy(films / "one.mp4", tmp_path / "film.mp4")


def boxes(data: bytes) -> dict[bytes, tuple[int, int]]:
    """First and last byte of each box at the top of an MP4 file; of the last one of a kind."""
    places, place = {}, 0
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        kind = data[place + 4 : place + 8]
        name = kind if kind != b"uuid" else data[place + 8 : place + 24]
        places[name] = (place, place + size)
        place += size
    return places


C2PA = bytes.fromhex("D8FEC3D61B0E483C92975828877EC481")


def test_a_film_says_what_it_is_and_plays_as_any_other(film):
    found = examine_film(film)
    assert found.verdict == WHOLE and found.reasons == () and found.seal is True
    assert found.statement == replace(STATEMENT, performer="ada 0")
    assert found.source_type == DRAWN and found.source_type.endswith("/trainedAlgorithmicMedia")
    assert found.signer == NOBODY and found.self_made and not found.trusted
    assert found.tags["title"] == "ada 0 performs ben"
    assert f"driving_sha256 {'1' * 64}; model_sha256 {'2' * 64}" in found.tags["comment"]
    assert DRAWN in found.tags["comment"]
    assert len(list(SourceVideo(film))) == 12
    check_film(film)
    assert f'Iptc4xmpExt:DigitalSourceType="{DRAWN}"'.encode() in film.read_bytes()


def test_texts_of_any_kind_are_stated_as_they_are(tmp_path, identity):
    said = replace(STATEMENT, performer='ada <b> & "co" ]]> é')
    with Film(tmp_path / "a.mp4", Fraction(25), 20, marks=film_marks(said, COMPOSED, identity)) as film:
        film.write(np.zeros((64, 64, 3), np.uint8))
    found = examine_film(tmp_path / "a.mp4")
    assert (found.verdict, found.statement, found.source_type) == (WHOLE, said, COMPOSED)
    assert found.tags["title"] == 'ada <b> & "co" ]]> é performs ben'


def test_every_flipped_byte_is_told(film):
    data = film.read_bytes()
    places = boxes(data)
    assert {b"ftyp", C2PA, b"moov", b"mdat", b"free"} <= set(places)
    chance = np.random.default_rng(5)
    for first, last in places.values():
        for place in chance.integers(first, last, 6):
            changed = bytearray(data)
            changed[place] ^= 1 << int(chance.integers(8))
            film.write_bytes(changed)
            with suppress(CredentialsError):  # it is no film any more
                assert examine_film(film).verdict != WHOLE, f"byte {place}"


def test_without_its_seal_the_credentials_still_cover_pictures_sound_and_metadata(film):
    data = film.read_bytes()[:-SEAL]
    film.write_bytes(data)
    assert examine_film(film).verdict == WHOLE and examine_film(film).seal is None
    first, last = boxes(data)[b"mdat"]
    changed = bytearray(data)
    changed[(first + last) // 2] ^= 1
    film.write_bytes(changed)
    seal_film(film)  # whoever can write a film can seal it anew
    found = examine_film(film)
    assert found.verdict == ALTERED and found.seal is True
    assert found.reasons == ("its pictures, sound or metadata are not those that were signed",)


def test_what_is_no_film_ends_in_words_and_never_as_whole(film):
    data, chance = film.read_bytes(), np.random.default_rng(3)
    cases = [data[: int(chance.integers(1, len(data)))] for _ in range(12)] + [chance.bytes(500), b""]
    for place in chance.integers(0, 3000, 12).tolist():
        cases.append(data[:place] + data[place + int(chance.integers(1, 200)) :])
    for case in cases:
        film.write_bytes(case)
        with suppress(CredentialsError):
            assert examine_film(film).verdict != WHOLE


def test_changed_metadata_is_told(film):
    data = film.read_bytes()[:-SEAL]
    film.write_bytes(data.replace(b"Synthetic media", b"Authentic media"))
    seal_film(film)
    assert examine_film(film).verdict == ALTERED
    film.write_bytes(data.replace(b"ada 0", b"eve 0"))  # in the statement too
    seal_film(film)
    assert examine_film(film).verdict == ALTERED


def test_credentials_of_another_film_are_told(films, tmp_path):
    one, other = ((films / f"{name}.mp4").read_bytes()[:-SEAL] for name in ("one", "other"))
    (first, last), (start, end) = boxes(one)[C2PA], boxes(other)[C2PA]
    assert last - first == end - start, "they take the same place, so that the pasted film plays"
    pasted = tmp_path / "pasted.mp4"
    pasted.write_bytes(one[:first] + other[start:end] + one[last:])
    seal_film(pasted)
    assert len(list(SourceVideo(pasted))) == 12
    found = examine_film(pasted)
    assert found.verdict == ALTERED
    assert found.reasons == ("its pictures, sound or metadata are not those that were signed",)


def copied(film: Path, path: Path, anew: bool, tags: bool) -> Path:
    """Write a film once more as a program would that knows nothing of credentials."""
    with av.open(str(film)) as source, av.open(str(path), "w") as made:
        if tags:
            made.metadata.update(source.metadata)
        shown = source.streams.video[0]
        if anew:
            stream = made.add_stream("libx264", rate=25)
            stream.width, stream.height = shown.width, shown.height
            for frame in source.decode(shown):
                made.mux(stream.encode(frame.reformat(format="yuv420p")))
            made.mux(stream.encode())
        else:
            stream = made.add_stream_from_template(shown)
            for packet in source.demux(shown):
                if packet.dts is not None:
                    packet.stream = stream
                    made.mux(packet)
    return path


@pytest.mark.parametrize("anew", [True, False], ids=["coded anew", "copied"])
def test_a_film_that_lost_its_credentials_is_told(film, tmp_path, anew):
    kept = examine_film(copied(film, tmp_path / "kept.mp4", anew, tags=True))
    assert kept.verdict == STRIPPED and kept.statement is None and "Synthetic media" in kept.tags["comment"]
    bare = examine_film(copied(film, tmp_path / "bare.mp4", anew, tags=False))
    assert bare.verdict == UNMARKED and bare.tags == {}


def test_the_certificate_made_here_is_made_once_and_is_its_owners_alone(tmp_path):
    own = tmp_path / "results" / "self_made.pem"
    one, again = (signing_identity(ProvenanceSettings("", ""), own) for _ in range(2))
    assert one == again and own.stat().st_mode & 0o077 == 0
    assert [path.name for path in own.parent.iterdir()] == ["self_made.pem"]


def test_a_certificate_of_the_users_signs_and_can_be_trusted(tmp_path):
    chain, key = make_identity()
    (tmp_path / "chain.pem").write_bytes(chain)
    (tmp_path / "key.pem").write_bytes(key)
    settings = ProvenanceSettings(str(tmp_path / "chain.pem"), str(tmp_path / "key.pem"))
    marks = film_marks(STATEMENT, DRAWN, signing_identity(settings, tmp_path / "never.pem"))
    with Film(tmp_path / "a.mp4", Fraction(25), 20, marks=marks) as film:
        film.write(np.zeros((64, 64, 3), np.uint8))
    assert not (tmp_path / "never.pem").exists()
    assert not examine_film(tmp_path / "a.mp4").trusted
    assert examine_film(tmp_path / "a.mp4", chain.decode()).trusted
    assert not examine_film(tmp_path / "a.mp4", make_identity()[0].decode()).trusted


def test_what_cannot_sign_is_refused_in_words(tmp_path):
    (chain, key), (_, strange) = make_identity(), make_identity()
    pem = tmp_path / "both.pem"
    pem.write_bytes(chain + strange)
    with pytest.raises(CredentialsError, match=r"does not belong to the first certificate.*own certificate first"):
        read_identity(pem, pem)
    pem.write_bytes(b"no certificate")
    with pytest.raises(CredentialsError, match=r"cannot be read.*expected PEM text"):
        read_identity(pem, pem)
    with pytest.raises(CredentialsError, match="cannot be read"):
        read_identity(tmp_path / "absent.pem", pem)
    root = chain[chain.index(b"-----BEGIN", 10) :]
    lonely = Identity(root, key, "es256")
    with (
        pytest.raises(CredentialsError, match=r"cannot be signed.*C2PA takes a certificate"),
        Film(tmp_path / "a.mp4", Fraction(25), 20, marks=film_marks(STATEMENT, DRAWN, lonely)) as film,
    ):
        film.write(np.zeros((64, 64, 3), np.uint8))
    assert not (tmp_path / "a.mp4").exists()


def verify(*words, folder):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "verify.py"), *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_verify_shows_it_and_its_code_says_the_worst(film, films, tmp_path):
    made = verify(film, folder=tmp_path)
    assert made.returncode == 0, made.stderr
    for words in ("WHOLE", "ada 0", "2" * 64, "drawn by a trained model", "anybody can make one", "fits the file"):
        assert words in made.stdout
    stripped = copied(film, tmp_path / "kept.mp4", anew=False, tags=True)
    made = verify(film, stripped, folder=tmp_path)
    assert made.returncode == 2 and "STRIPPED" in made.stdout and "not proved" in made.stdout
    film.write_bytes(film.read_bytes().replace(b"ada 0", b"eve 0"))
    made = verify(film, folder=tmp_path)
    assert made.returncode == 1 and "ALTERED since it was signed" in made.stdout
    made = verify(tmp_path / "absent.mp4", folder=tmp_path)
    assert made.returncode == 3 and "absent.mp4" in made.stderr and "Traceback" not in made.stderr


def test_statements_are_json_that_other_programs_read(films):
    import c2pa

    with (films / "one.mp4").open("rb") as file, c2pa.Reader("video/mp4", file) as reader:
        found = json.loads(reader.json())
    active = found["manifests"][found["active_manifest"]]
    stated = {one["label"]: one["data"] for one in active["assertions"]}
    assert stated["understudy.transfer"]["model_sha256"] == "2" * 64
    assert stated["c2pa.actions.v2"]["actions"][0]["digitalSourceType"] == DRAWN
