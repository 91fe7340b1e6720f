"""The clip table: what it holds, and each way it can be wrong."""

import pytest

from understudy.clips import read_clips
from understudy.errors import ClipTableError


def table(tmp_path, text):
    path = tmp_path / "clips.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_values_and_defaults(tmp_path):
    path = table(tmp_path, "# footage\nclip\tvideo\tend_s\tcrop\nme\ta b.mp4\t12.5\t10,0,300,400\n\nyou\tc.mov\n")
    clips = read_clips(path)
    assert list(clips) == ["me", "you"]
    assert (clips["me"].video, clips["me"].end_s, clips["me"].crop) == ("a b.mp4", 12.5, "10,0,300,400")
    assert (clips["you"].start_s, clips["you"].end_s, clips["you"].person, clips["you"].crop) == (
        0,
        0,
        "largest",
        "person",
    )


def test_ignored_boxes(tmp_path):
    clips = read_clips(table(tmp_path, "clip\tvideo\tignore\nme\ta\t0,90,100,10;5,6,7,8\nyou\tb\n"))
    assert clips["me"].ignored_boxes() == [(0, 90, 100, 10), (5, 6, 7, 8)]
    assert clips["you"].ignored_boxes() == []


def test_consent_is_the_users_own_words(tmp_path):
    clips = read_clips(table(tmp_path, "clip\tvideo\tconsent\nme\ta\tI, in writing, 3 May: folder 7 <a&b>\nyou\tb\n"))
    assert (clips["me"].consent, clips["you"].consent) == ("I, in writing, 3 May: folder 7 <a&b>", "")


@pytest.mark.parametrize("person", ["largest", "central", "2", "12", "640,360@1.5", "10.5,20@0"])
def test_people_are_named_so(tmp_path, person):
    assert read_clips(table(tmp_path, f"clip\tvideo\tperson\nme\ta\t{person}\n"))["me"].person == person


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("clip\tvideo\n", "names no clip"),
        ("clip\tvidoe\nme\ta\n", "column 'vidoe'.*did you mean 'video'"),
        ("clip video\nme a\n", "separated by tabs"),
        ("clip\nme\n", "lacks the column 'video'"),
        ("clip\tvideo\nme\t\n", "line 2: the column 'video' is empty"),
        ("clip\tvideo\nmy clip\ta\n", "line 2: clip 'my clip'.*rename"),
        ("clip\tvideo\nme\ta\nme\tb\n", "line 3: the clip 'me' is already there"),
        ("clip\tvideo\tstart_s\nme\ta\tsoon\n", "line 2: start_s is 'soon'"),
        ("clip\tvideo\tstart_s\nme\ta\t-1\n", "start_s is '-1'"),
        ("clip\tvideo\tstart_s\tend_s\nme\ta\t5\t3\n", "end_s 3 does not come after start_s 5"),
        ("clip\tvideo\tperson\nme\ta\tleft\n", "person is 'left', expected 'largest', 'central'.*x,y@seconds"),
        ("clip\tvideo\tperson\nme\ta\t0\n", "person is '0'"),
        ("clip\tvideo\tperson\nme\ta\t10,20\n", "person is '10,20', expected"),
        ("clip\tvideo\tstart_s\tend_s\tperson\nme\ta\t2\t5\t10,20@5\n", "shows the video from 2 to 5 s"),
        ("clip\tvideo\tstart_s\tperson\nme\ta\t2\t10,20@1.5\n", "shows the video from 2 s on"),
        ("clip\tvideo\tcrop\nme\ta\t1,2,3\n", "crop is '1,2,3'"),
        ("clip\tvideo\tcrop\nme\ta\t1,2,0,5\n", "crop is '1,2,0,5'"),
        ("clip\tvideo\tignore\nme\ta\t1,2,3\n", "ignore is '1,2,3', expected boxes"),
        ("clip\tvideo\tignore\nme\ta\t1,2,3,4;\n", "ignore is '1,2,3,4;'"),
        ("clip\tvideo\nme\ta\t1\n", "3 values for 2 columns"),
    ],
)
def test_errors_name_line_and_cure(tmp_path, text, words):
    with pytest.raises(ClipTableError, match=words):
        read_clips(table(tmp_path, text))


def test_tables_of_spreadsheets_are_read(tmp_path):
    path = tmp_path / "clips.tsv"
    text = 'clip\tvideo\tcrop\r\nme\tün.mp4\t"10,0,300,400"\r\n'
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert (read_clips(path)["me"].video, read_clips(path)["me"].crop) == ("ün.mp4", "10,0,300,400")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ClipTableError, match=r"no UTF-8 text.*save it as UTF-8"):
        read_clips(path)


def test_missing_table(tmp_path):
    with pytest.raises(ClipTableError, match="does not exist"):
        read_clips(tmp_path / "none.tsv")
