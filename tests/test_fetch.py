"""Files of weights are fetched whole and right, or not at all, whatever the server does."""

import hashlib
import io
import logging
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import yaml

import weights_server
from understudy.download import Patience
from understudy.errors import WeightsError
from understudy.fetch import fetch_weights
from understudy.weights import load_weights
from weights_server import breaking, claiming, moved, ranged, refusing, stalling, trickling

ROOT = Path(__file__).parents[1]
CONTENT = random.Random(1).randbytes(50_000)
PATIENCE = Patience(silence_s=0.4, attempts=3, pause_s=0.01, longest_pause_s=0.02)


@pytest.fixture
def server():
    with weights_server.running() as running:
        yield running


class Place:
    """A working folder with a table of one file, `net.pth`."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server
        self.file = folder / "weights" / "net.pth"
        self.table = folder / "weights.yaml"
        server.content["net.pth"] = CONTENT

    def write(self, content=CONTENT, **changes):
        row = {
            "url": f"{self.server.address}/net.pth", "licence": "none", "use": "any", "purpose": "tests",
            "sha256": hashlib.sha256(content).hexdigest(), "size": len(content),
        } | changes  # fmt: skip
        self.table.write_text(yaml.safe_dump({"net.pth": {key: value for key, value in row.items() if value}}))

    def fetch(self, *acts, **changes):
        if acts:
            self.server.acts["net.pth"] = list(acts)
        if changes or not self.table.is_file():
            self.write(**changes)
        load_weights.cache_clear()
        fetch_weights("net.pth", self.file, self.table, PATIENCE)

    def left(self):
        return sorted(path.name for path in self.file.parent.iterdir())

    def ranges(self):
        return [headers.get("Range") for _, headers in self.server.asked]


@pytest.fixture
def place(tmp_path, server):
    return Place(tmp_path, server)


def test_a_file_arrives_whole_and_nothing_else_stays(place):
    place.fetch(ranged)
    assert place.file.read_bytes() == CONTENT
    assert place.left() == ["net.pth"]
    assert place.ranges() == [None]


@pytest.mark.parametrize("act", [weights_server.chunked, weights_server.unannounced, weights_server.without_range])
@pytest.mark.parametrize("size", [0, len(CONTENT)])
def test_servers_without_a_length_or_ranges_will_do(place, act, size):
    place.fetch(act, size=size)
    assert place.file.read_bytes() == CONTENT


def test_a_broken_connection_goes_on_where_it_was(place):
    place.fetch(breaking(10_000), breaking(5_000), ranged)
    assert place.file.read_bytes() == CONTENT
    assert place.ranges() == [None, "bytes=10000-", "bytes=15000-"]
    assert place.server.asked[1][1]["If-Range"] == '"1"'


def test_a_silent_connection_is_left_and_gone_on_with(place):
    place.fetch(stalling(20_000), ranged)
    assert place.file.read_bytes() == CONTENT
    assert place.ranges() == [None, "bytes=20000-"]


def test_a_server_that_ignores_ranges_starts_over(place):
    place.fetch(breaking(10_000), weights_server.without_range)
    assert place.file.read_bytes() == CONTENT


def test_another_range_than_asked_for_is_not_appended(place):
    place.fetch(breaking(10_000), weights_server.wrong_part)
    assert place.file.read_bytes() == CONTENT


def test_a_file_that_changed_on_the_server_starts_over(place):
    old = lambda handler, _: ranged(handler, bytes(len(CONTENT)), mark='"0"', sent=10_000)  # noqa: E731
    place.fetch(old, ranged)
    assert place.file.read_bytes() == CONTENT
    assert place.server.asked[1][1]["If-Range"] == '"0"'


@pytest.mark.parametrize("code", [500, 502, 503, 429])
def test_passing_refusals_are_asked_again(place, code):
    place.fetch(refusing(code), refusing(code, Retry_After="0"), ranged)
    assert place.file.read_bytes() == CONTENT


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_final_refusals_are_named_at_once(place, code):
    with pytest.raises(WeightsError, match=rf"net.pth answers HTTP {code}"):
        place.fetch(refusing(code), ranged)
    assert len(place.server.asked) == 1
    assert place.left() == []


def test_a_server_that_never_recovers_is_given_up(place):
    with pytest.raises(WeightsError, match=r"gave 0 bytes of 50000 and no more in 3 attempts: HTTP 500 .*put it at"):
        place.fetch(refusing(500))
    assert len(place.server.asked) == 3


def test_progress_renews_patience_and_what_came_is_kept(place):
    place.fetch(*[breaking(6_000)] * 8, ranged)
    assert len(place.server.asked) == 9, "more breaks than attempts, but each brought something"


def test_the_next_command_goes_on_where_the_last_one_gave_up(place):
    with pytest.raises(WeightsError, match=r"gave 30000 bytes of 50000 .* goes on with it"):
        place.fetch(breaking(30_000), refusing(500))
    assert place.left() == [".net.pth.download", ".net.pth.download.json"]
    place.fetch(ranged)
    assert place.ranges()[-1] == "bytes=30000-"
    assert place.file.read_bytes() == CONTENT and place.left() == ["net.pth"]


def test_redirects_are_followed_and_keep_the_range(place):
    place.server.content["there"] = CONTENT
    place.server.acts["there"] = [breaking(10_000), ranged]
    place.fetch(moved("there"))
    assert place.file.read_bytes() == CONTENT
    assert [name for name, _ in place.server.asked] == ["net.pth", "there"] * 2
    assert place.ranges()[-1] == "bytes=10000-"


def test_redirects_in_a_circle_end(place):
    with pytest.raises(WeightsError, match="answers HTTP 302"):
        place.fetch(moved("net.pth"))


def test_a_wrong_file_is_kept_aside_with_both_sums_named(place):
    wrong = b"x" + CONTENT[1:]
    sums = [hashlib.sha256(one).hexdigest() for one in (CONTENT, wrong)]
    with pytest.raises(WeightsError, match=rf"expected SHA-256 {sums[0]}.*found SHA-256 {sums[1]}.*net.pth.wrong"):
        place.fetch(lambda handler, _: ranged(handler, wrong))
    assert place.left() == ["net.pth.wrong"]
    assert (place.file.parent / "net.pth.wrong").read_bytes() == wrong
    place.fetch(ranged)
    assert place.file.read_bytes() == CONTENT, "and the same command mends it"


def test_a_web_page_in_the_place_of_the_file_is_called_one(place):
    with pytest.raises(WeightsError, match=r"7 bytes; it starts like a web page"):
        place.fetch(lambda handler, _: ranged(handler, b"<HTML>!"))


@pytest.mark.parametrize("length", [100, 49_999])
def test_a_length_that_is_too_short_is_not_believed(place, length):
    """The server says that is all, but the size is known: what it gives from there on is asked for."""
    place.fetch(claiming(length, length), ranged)
    assert place.file.read_bytes() == CONTENT


def test_a_length_that_is_too_long_is_not_waited_for(place):
    place.fetch(claiming(70_000))
    assert place.file.read_bytes() == CONTENT
    with pytest.raises(WeightsError, match=r"gave 50000 bytes and no more"):
        place.file.unlink()
        place.fetch(claiming(70_000), size=0)


def test_a_file_without_end_is_not_taken_in(place):
    with pytest.raises(WeightsError, match=r"is not that file"):
        place.fetch(lambda handler, _: ranged(handler, CONTENT * 40))
    assert (place.file.parent / "net.pth.wrong").stat().st_size < 3 * len(CONTENT)


def test_what_was_gone_on_with_and_is_wrong_is_fetched_from_its_start(place):
    """A power cut may leave zeros in what seemed written."""
    place.file.parent.mkdir()
    part = place.file.with_name(".net.pth.download")
    part.write_bytes(bytes(10_000))
    part.with_name(f"{part.name}.json").write_text(f'{{"url": "{place.server.address}/net.pth", "mark": ""}}')
    place.fetch(ranged)
    assert place.file.read_bytes() == CONTENT
    assert place.ranges() == ["bytes=10000-", None]


def test_mirrors_are_asked_in_turn(place):
    mirrors = [f"{place.server.address}/{name}" for name in ("wrong", "good", "never")]
    place.server.content |= {"wrong": b"not this", "good": CONTENT}
    place.server.acts |= {name: [ranged] for name in ("wrong", "good", "never")}
    place.fetch(refusing(404), mirrors=mirrors)
    assert place.file.read_bytes() == CONTENT
    assert list(dict.fromkeys(name for name, _ in place.server.asked)) == ["net.pth", "wrong", "good"]
    assert (place.file.parent / "net.pth.wrong").read_bytes() == b"not this"


def test_what_one_address_gave_is_not_gone_on_with_at_another(place):
    place.server.content["good"] = CONTENT
    place.server.acts["good"] = [ranged]
    junk = lambda handler, _: ranged(handler, bytes(len(CONTENT)), sent=10_000)  # noqa: E731
    place.fetch(junk, refusing(404), mirrors=[f"{place.server.address}/good"])
    assert place.file.read_bytes() == CONTENT
    assert place.ranges() == [None, "bytes=10000-", None]


def test_no_server_at_all_is_said(place):
    with pytest.raises(WeightsError, match=r"no more in 3 attempts: URLError: .*refused"):
        place.fetch(url="http://127.0.0.1:9/net.pth")


def test_a_file_that_is_there_is_left_alone_and_nobody_is_asked(place):
    place.file.parent.mkdir()
    place.file.write_bytes(b"my own")
    place.fetch(ranged)
    assert place.file.read_bytes() == b"my own" and place.server.asked == []


def test_an_md5_is_enough(place):
    place.fetch(ranged, sha256="", md5=hashlib.md5(CONTENT).hexdigest())
    assert place.file.read_bytes() == CONTENT
    place.file.unlink()
    with pytest.raises(WeightsError, match=r"expected MD5 0{32}.*found SHA-256 \w+, MD5 "):
        place.fetch(ranged, sha256="", md5="0" * 32)


def test_without_a_sum_the_file_waits_until_one_is_written(place):
    found = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(WeightsError, match=rf"No checksum of .* is known.*write `sha256: {found}` under 'net.pth'"):
        place.fetch(ranged, sha256="")
    assert place.left() == ["net.pth.unchecked"]
    with pytest.raises(WeightsError, match=r"kept from an earlier run, is not the file that"):
        place.fetch(sha256="0" * 64)
    asked = len(place.server.asked)
    place.fetch(sha256=found)
    assert place.file.read_bytes() == CONTENT and len(place.server.asked) == asked, "not fetched twice"


def zipped(members, **options):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def test_the_wanted_file_is_taken_out_of_a_zip_and_nothing_else(place):
    archive = zipped({"models/net-1.pth": CONTENT, "models/other.pth": b"other", "../../evil": b"evil", "models/": b""})
    place.server.content["net.pth"] = archive
    place.fetch(breaking(1000), ranged, member="net-1.pth")
    assert place.file.read_bytes() == CONTENT
    assert place.left() == ["net.pth"]
    assert sorted(path.name for path in place.folder.iterdir()) == ["weights", "weights.yaml"]


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (b"no zip at all", r"is no zip"),
        (zipped({"a.pth": CONTENT})[:-30], r"is no zip"),
        (zipped({"b.pth": CONTENT}), r"holds 0 files called a.pth, expected one; it holds b.pth"),
        (zipped({"1/a.pth": CONTENT, "2/a.pth": CONTENT}), r"holds 2 files called a.pth"),
        (zipped({"a.pth": bytes(10**7)}), r"is longer than 50000 bytes"),
        (zipped({"a.pth": b"x" + CONTENT[1:]}), r"expected SHA-256 .*found SHA-256 "),
    ],
    ids=["no zip", "cut off", "other files", "two of them", "bomb", "wrong"],
)
def test_zips_that_cannot_be_used_are_said_to_be(place, archive, message):
    place.server.content["net.pth"] = archive
    with pytest.raises(WeightsError, match=message):
        place.fetch(ranged, member="a.pth")
    assert not place.file.exists()
    (kept,) = place.file.parent.iterdir()
    assert kept.name in ("net.pth.wrong", "net.pth.zip.wrong") and kept.stat().st_size < 3 * len(CONTENT)
    place.server.content["net.pth"] = zipped({"a.pth": CONTENT})
    place.fetch(ranged)
    assert place.file.read_bytes() == CONTENT, "the same command mends it"


def test_too_little_room_is_said_before_it_is_full(place, monkeypatch):
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr("understudy.download.shutil.disk_usage", lambda _: usage)
    with pytest.raises(WeightsError, match=r"MB free, but 0 MB are to come; make room"):
        place.fetch(ranged)


def test_the_log_shows_a_bar(place, caplog):
    with caplog.at_level(logging.INFO):
        place.fetch(trickling(5_000, 0.005))
    bars = [record.getMessage() for record in caplog.records if record.getMessage().startswith("[")]
    assert len(bars) == 10 and bars[4].startswith("[##########..........]  50 % of 0.1 MB, "), bars


def start(place):
    code = (
        "import sys; from pathlib import Path; from understudy.fetch import fetch_weights; "
        "fetch_weights('net.pth', Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    return subprocess.Popen([sys.executable, "-c", code, str(place.file), str(place.table)], env=environment)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_download_goes_on(place):
    place.write()
    place.server.acts["net.pth"] = [trickling(1000, 0.05), ranged]
    run = start(place)
    part = place.file.with_name(".net.pth.download")
    wait_for(lambda: part.is_file() and part.stat().st_size >= 3000)
    run.send_signal(signal.SIGKILL)
    run.wait()
    have = part.stat().st_size
    assert 3000 <= have < len(CONTENT) and not place.file.exists()
    run = start(place)
    assert run.wait() == 0
    assert place.ranges() == [None, f"bytes={have}-"]
    assert place.file.read_bytes() == CONTENT and place.left() == ["net.pth"]


def test_two_at_once_fetch_it_once(place):
    place.write()
    place.server.acts["net.pth"] = [trickling(5000, 0.05), ranged]
    first = start(place)
    wait_for(lambda: place.server.asked)
    second = start(place)
    assert (first.wait(), second.wait()) == (0, 0)
    assert len(place.server.asked) == 1
    assert place.left() == ["net.pth"]
