"""The report's page: what it shows, that it stands alone, that texts are letters, and that earlier runs stay."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from results_folder import PLAN, TRANSFER, make_results
from understudy.errors import DamageError
from understudy.metrics.record import write_record
from understudy.rendering.layout import GAP_PX
from understudy.report.page import build_report
from understudy.report.terms import figure_term
from understudy.settings import ReportSettings

SETTINGS = ReportSettings(title="Motion transfers", name="", runs=3)
EVIL = "</script><script>window.evil = 1</script><img src=x onerror=window.evil=1> & \"'"


class Links(HTMLParser):
    """Every address on a page, and the elements that hold it."""

    def __init__(self, text):
        super().__init__()
        self.found, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.found += [value for name, value in attrs if name in ("src", "href", "poster")]


@pytest.fixture
def results(tmp_path):
    return make_results(tmp_path / "results")


def build(results, plan=PLAN, settings=SETTINGS, **configuration):
    page = results / "report" / "index.html"
    build_report(page, results, [plan], {"rendering": {"crf": 16}, **configuration}, settings)
    return page.read_text(encoding="utf-8")


def addresses(text):
    films = re.findall(r'"film": "([^"]+)"', text) + re.findall(r'"films": \["([^"]+)"', text)
    return {*Links(text).found, *films}


def test_everything_it_shows_lies_in_its_folder(results):
    text = build(results)
    folder = results / "report"
    files = [address for address in addresses(text) if not address.startswith("#")]
    assert len(files) >= 5
    for address in files:
        assert not re.match(r"[a-z]+:|/|\.\.", address), address
        assert (folder / unquote(address)).is_file(), address
    assert not re.search(r"""(src|href|url)[=(]["']?(https?:|//)""", text), "nothing is loaded from elsewhere"


def test_figures_stand_beside_yardsticks_and_every_one_is_explained(results):
    text = build(results)
    for words in ("This film", "Nearest training frame", "Frame before", "Likeness, shifts forgiven, person"):
        assert words in text
    assert "23.77" in text and "20.83" in text
    assert "the film is 2.9 dB better" in text
    assert "<summary>Against the true film: face, hands, whole picture</summary>" in text
    assert "-1.54 dB" in text
    names = re.findall(r"<b>([^<]+)</b>: ", text)
    assert {"This film", "Nearest training frame", "Trained"} <= set(names)


@pytest.mark.parametrize("record", [TRANSFER])
def test_every_figure_of_metrics_has_words(record):
    figures = [*record["figures"].values(), record["joints"], *record["steadiness"].values()]
    for key in {key for one in figures for key, value in one.items() if not isinstance(value, list)}:
        term = figure_term(key)
        assert term is not None and len(term.meaning) > 10, key


def test_what_is_not_there_is_said(results):
    (results / "transfers" / "ada" / "ben" / "coverage.json").unlink()
    text = build(results)
    assert "there is no coverage.json for this transfer" in text
    assert "carries no mark that it is synthetic" in text
    (results / "transfers" / "ada" / "ben" / "metrics.json").write_text("{}")
    text = build(results, PLAN | {"truth": ""})
    assert "no true film to compare with" in text and "your eye says" in text


def test_coverage_is_shown_with_what_to_film(results):
    text = build(results)
    assert "What to film next" in text and "Film the performer turned" in text
    assert "83 % of the frames" in text
    assert "films/ada/ben/coverage.png" in text


def test_figures_of_single_frames_make_the_curve_and_the_worst_frames(results):
    place = results / "transfers" / "ada" / "ben" / "metrics.json"
    likeness = [25.0 - (number in (7, 8, 30)) for number in range(48)]
    frames = {
        "frame": list(range(48)),
        "shift_tolerant_psnr_person_db": likeness,
        "psnr_person_db": [None, *likeness[1:]],
    }
    more = {
        "per_frame": {"transfer": frames},
        "relation": {"rank_correlation": 0.61, "frames": 48, "of": "frames of the film"},
    }
    place.write_text(json.dumps(TRANSFER | more))
    text = build(results)
    assert re.findall(r'data-frame="(\d+)"', text)[:2] == ["7", "30"]
    assert "Worst frames by likeness" in text
    assert "Rank correlation of distance and error: 0.61 over 48 frames of the film" in text
    assert text.count('data-frames="48"') == 3, "likeness under the film, distance, and the drift of PSNR"
    assert "The four quarters: 20.0, 19.5, 19.0, 18.5 dB" in text
    listed = [{"frame": 12, "figure": "shift_tolerant_psnr_person_db", "value": 20.5}]
    place.write_text(json.dumps(TRANSFER | more | {"worst_frames": listed}))
    assert re.findall(r'data-frame="(\d+)" title="([^"]+)"', build(results)) == [("12", "likeness 20.5 dB")]


def test_consent_is_shown_and_its_absence_too(results):
    clips = {
        "ada": {"video": "ada.mp4", "consent": "Ada, in writing, 3 May, folder 7", "synthetic": False},
        "ben": {"video": "ben.mp4", "consent": "", "synthetic": False},
    }
    text = build(results, PLAN | {"clips": clips})
    assert "Ada, in writing, 3 May, folder 7" in text and "not stated; write it into the column consent" in text
    assert "nobody real is shown" in build(results)


@pytest.mark.parametrize("name", ["metrics.json", "coverage.json"])
def test_a_cut_record_is_named_and_no_page_is_made_of_half_of_it(results, name):
    path = results / "transfers" / "ada" / "ben" / name
    path.write_text(path.read_text()[:200])
    with pytest.raises(DamageError, match=rf"{name} is damaged.*delete it"):
        build(results)


def test_a_record_with_a_wrong_digit_is_named(results):
    path = results / "transfers" / "ada" / "ben" / "metrics.json"
    write_record(path, json.loads(path.read_text()))
    build(results)
    text = path.read_text()
    path.write_text(re.sub(r"(\d)(,?\n)", lambda found: f"{(int(found[1]) + 1) % 10}{found[2]}", text, count=1))
    assert path.read_text() != text
    with pytest.raises(DamageError, match=r"metrics\.json is damaged"):
        build(results)


def test_texts_are_letters(results):
    coverage = results / "transfers" / "ada" / "ben" / "coverage.json"
    values = json.loads(coverage.read_text())
    values["shot_list"] = [EVIL]
    values["uncovered"][0]["words"] = EVIL
    coverage.write_text(json.dumps(values))
    (results / "transfers" / "ada" / "ben" / "metrics.json").write_text(
        json.dumps({"protocol": [EVIL], "figures": {EVIL: {"psnr_db": 1.0}}})
    )
    clips = {"ben": {"video": EVIL, "consent": EVIL, "synthetic": False}}
    text = build(results, PLAN | {"clips": clips}, ReportSettings(EVIL, EVIL, 2), odd={EVIL: EVIL})
    assert Links(text).tags.count("script") == 2, "the film's data and our own"
    assert "onerror=window" not in " ".join(Links(text).found)
    assert text.count("<img") == 1, "the contact sheet's"


def test_a_run_of_other_settings_stays_and_is_compared(results):
    build(results, settings=ReportSettings("t", "first try", 3))
    video = results / "transfers" / "ada" / "ben" / "video.mp4"
    old = video.read_bytes()
    fresh = results / "again.mp4"
    fresh.write_bytes(old)
    fresh.replace(video)  # as a job does
    text = build(results, PLAN | {"settings_sha256": "f" * 64}, rendering={"crf": 20}, texels=[1])
    assert "first try" in text and '"Run first try"' in text
    assert re.search(r"What differs from first try: 2 settings", text)
    assert "rendering.crf" in text
    runs = [path for path in (results / "report" / "films" / "ada" / "ben").iterdir() if path.is_dir()]
    assert len(runs) == 2 and all((run / "video.mp4").read_bytes() == old for run in runs)
    assert "only run so far" not in text


def test_no_more_runs_are_kept_than_asked_for(results):
    for number in range(5):
        build(results, PLAN | {"settings_sha256": str(number) * 64})
    folder = results / "report" / "films" / "ada" / "ben"
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 3
    (folder / "mine").mkdir()
    build(results)
    assert (folder / "mine").is_dir(), "what is no run of ours stays"


def test_the_same_run_is_kept_once(results):
    assert build(results).count('"run": true') == build(results).count('"run": true') == 0


def test_a_damaged_film_is_told(results):
    video = results / "transfers" / "ada" / "ben" / "side_by_side.mp4"
    data = bytearray(video.read_bytes())
    data[len(data) // 2] ^= 1
    video.write_bytes(data)
    with pytest.raises(DamageError, match=r"side_by_side.mp4 is damaged"):
        build(results)


def test_an_empty_report_says_so(tmp_path):
    page = tmp_path / "report" / "index.html"
    build_report(page, tmp_path, [], {}, SETTINGS)
    assert "the configuration names no transfer" in page.read_text()


def test_panels_are_cut_where_they_stand(results):
    text = build(results)
    player = json.loads(re.search(r'<script type="application/json">(.+?)</script>', text, re.DOTALL)[1])
    boxes = [one["box"] for one in player["sources"] if one["box"]]
    assert boxes == [[0, 16, 96, 128], [96 + GAP_PX, 16, 96, 128], [192 + 2 * GAP_PX, 16, 96, 128]]
    assert player["grid"] == ["driving", "maps", "result", "truth"]
    assert player["frames"] == 48 and player["rate"] == [24, 1]


def test_the_folder_moves_as_a_whole(results, tmp_path):
    text = build(results)
    moved = (results / "report").rename(tmp_path / "sent")
    for address in addresses(text):
        assert address.startswith("#") or Path(moved / unquote(address)).is_file()
