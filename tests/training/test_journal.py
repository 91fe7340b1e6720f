import json
import re
import threading
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from planted import DATASET, MODEL, stage, training, write_planted_clip
from understudy.layouts import PROGRESS
from understudy.training import stage as staging
from understudy.training.checkpoint import Progress
from understudy.training.curves import MOST_POINTS, Curves, thin
from understudy.training.journal import Journal
from understudy.training.page import curve_path, duration
from understudy.training.schedule import Schedule
from understudy.training.stage import train_stage
from understudy.training.strip import choose_moments, preview_files

COLOURS = {"footage": 40, "final": 80, "raw": 120, "mask": 160}


class Watch:
    """A journal whose stage is driven by hand: 10 steps take 1 s, previews are flat pictures."""

    def __init__(self, folder: Path, step: int = 0, steps: int = 100, name: str = "s0t0"):
        self.folder, self.state = folder, folder / "state-0123"
        self.state.mkdir(parents=True, exist_ok=True)
        self.progress = Progress(step, step / 10)
        self.journal = Journal(folder, self.state, stage(name=name), Schedule(steps, 0.0), self.progress)

    def step_to(self, step: int, **figures: float) -> None:
        self.journal.learn(figures)
        self.progress.step, self.progress.seconds = step, step / 10

    def preview(self, psnr: float, brightness: int = 0) -> None:
        values = [value + brightness * (name != "footage") for name, value in COLOURS.items()]
        picture = np.repeat(values, 50)[:, None, None]
        picture = np.broadcast_to(picture, (200, 60, 3)).astype(np.uint8)
        cv2.imwrite(str(self.state / f"preview-{self.progress.step:08d}.png"), picture)
        self.journal.show(SimpleNamespace(psnr=psnr))

    def facts(self) -> dict:
        return json.loads((self.folder / "progress.json").read_text())

    def page(self) -> str:
        return (self.folder / "index.html").read_text()


def board(folder: Path) -> EventAccumulator:
    """What TensorBoard shows of a state folder."""
    events = EventAccumulator(str(folder / "board"), size_guidance={"scalars": 0, "images": 0})
    return events.Reload()


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    return [(one.step, pytest.approx(one.value)) for one in board(folder).Scalars(name)]


def links(page: str) -> list[str]:
    """Every address in a page."""
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.extend(value for name, value in attrs if name in ("href", "src"))

    Reader().feed(page)
    return [unquote(urlsplit(one).path) for one in found]


def test_board_holds_the_means_since_the_last_report_at_their_steps(tmp_path):
    watch = Watch(tmp_path)
    watch.step_to(1, picture=0.5, total=1.0)
    watch.step_to(2, picture=0.3, total=2.0)
    watch.journal.report(10.0, 1e-3)
    watch.step_to(3, picture=0.1, total=4.0, image_gan=0.7)
    watch.journal.report(11.0, 5e-4)
    assert scalars(watch.state, "loss/picture") == [(2, 0.4), (3, 0.1)]
    assert scalars(watch.state, "loss/total") == [(2, 1.5), (3, 4.0)]
    assert scalars(watch.state, "loss/image_gan") == [(3, 0.7)]
    assert scalars(watch.state, "rate/steps_per_second") == [(2, 10.0), (3, 11.0)]
    assert scalars(watch.state, "rate/learning_rate") == [(2, 1e-3), (3, 5e-4)]


def test_board_holds_the_previews_as_pictures(tmp_path):
    watch = Watch(tmp_path)
    watch.preview(20.0)
    watch.step_to(5, total=1.0)
    watch.preview(21.0, brightness=9)
    assert scalars(watch.state, "held_out/person_psnr_db") == [(0, 20.0), (5, 21.0)]
    events = board(watch.state)
    drawn = [(one.step, one.width, one.height) for one in events.Images("held_out/final")]
    assert drawn == [(0, 60, 50), (5, 60, 50)]
    newest = cv2.imdecode(np.frombuffer(events.Images("held_out/final")[1].encoded_image_string, np.uint8), 1)
    assert (newest == COLOURS["final"] + 9).all()
    assert [one.step for one in events.Images("held_out/footage")] == [0]


def test_a_run_that_goes_on_repeats_no_step(tmp_path):
    first = Watch(tmp_path)
    first.preview(20.0)
    for step in (2, 4, 6):
        first.step_to(step, total=float(step))
        first.journal.report(10.0, 1e-3)
        first.preview(20.0 + step)
    started = first.facts()["started"]
    # killed here: nothing is closed, and the last line of the curves is torn
    curves = first.state / "curves.tsv"
    curves.write_text(curves.read_text() + "8\tloss/to")
    second = Watch(tmp_path, step=4)
    assert sorted(preview_files(second.state)) == [0, 2, 4]
    assert second.facts()["started"] == started
    assert second.facts()["losses"] == {"total": 4.0} and second.facts()["person_psnr_db"] == 24.0
    second.preview(24.0)  # drawn once more at the step of the state
    second.step_to(5, total=50.0)
    second.journal.report(10.0, 1e-3)
    second.journal.__exit__(None, None, None)
    assert scalars(second.state, "loss/total") == [(2, 2.0), (4, 4.0), (5, 50.0)]
    assert scalars(second.state, "held_out/person_psnr_db") == [(0, 20.0), (2, 22.0), (4, 24.0)]
    assert [one.step for one in board(second.state).Images("held_out/final")] == [0, 2, 4]
    assert Curves(curves, 99).curves["loss/total"] == [(2, 2.0), (4, 4.0), (5, 50.0)]


def test_a_run_that_starts_afresh_forgets_the_one_before(tmp_path):
    first = Watch(tmp_path)
    first.preview(20.0)
    first.step_to(3, total=3.0)
    first.journal.report(10.0, 1e-3)
    first.preview(21.0)
    second = Watch(tmp_path)
    assert preview_files(second.state) == {} and not (second.state / "strip.png").exists()
    second.step_to(1, total=9.0)
    second.journal.report(10.0, 1e-3)
    assert scalars(second.state, "loss/total") == [(1, 9.0)]
    assert second.facts()["person_psnr_db"] is None


def test_progress_says_where_the_stage_stands(tmp_path):
    watch = Watch(tmp_path / "ada" / "s0t0")
    facts = watch.facts()
    assert list(facts) == list(PROGRESS)
    assert (facts["state"], facts["seconds_left"], facts["losses"]) == ("running", None, {})
    with watch.journal:
        watch.step_to(25, total=1.5)
        watch.journal.report(10.0, 1e-3)
        facts = watch.facts()
        assert (facts["performer"], facts["stage"], facts["step"], facts["steps"]) == ("ada", "s0t0", 25, 100)
        assert (facts["share"], facts["seconds"], facts["seconds_left"]) == (0.25, 2.5, 7.5)
        assert (facts["height_px"], facts["clip_frames"], facts["of_seconds"]) == (32, 1, None)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", facts["updated"])
        watch.step_to(26, total=1.5)
    assert (watch.facts()["state"], watch.facts()["step"]) == ("done", 26)


def test_an_end_by_error_or_signal_is_a_stop(tmp_path):
    watch = Watch(tmp_path)
    with pytest.raises(SystemExit), watch.journal:
        raise SystemExit(143)
    assert watch.facts()["state"] == "stopped"


def test_progress_and_page_are_whole_at_any_moment(tmp_path):
    watch, seen, ended = Watch(tmp_path), [], threading.Event()

    def read():
        while not ended.is_set():
            seen.append(watch.facts()["step"])
            assert watch.page().endswith("</html>\n")

    broken = []
    reader = threading.Thread(target=lambda: broken.extend(_failure(read)))
    reader.start()
    for step in range(1, 60):
        watch.step_to(step, total=1.0)
        watch.journal.report(10.0, 1e-3)
    ended.set()
    reader.join()
    assert broken == [] and seen == sorted(seen) and len(set(seen)) > 3


def _failure(act) -> list[Exception]:
    try:
        act()
    except Exception as error:  # handed to the thread that tests
        return [error]
    return []


def test_page_refreshes_itself_until_the_stage_is_done(tmp_path):
    watch = Watch(tmp_path)
    assert '<meta http-equiv="refresh" content="10">' in watch.page()
    watch.journal.__exit__(None, None, None)
    assert "http-equiv" not in watch.page() and "<script" not in watch.page()


def test_page_shows_every_preview_and_no_link_is_broken(tmp_path):
    watch = Watch(tmp_path)
    for step in range(0, 30, 2):
        watch.step_to(step, total=1.0)
        watch.preview(20.0 + step)
    found = links(watch.page())
    previews = [path.relative_to(tmp_path).as_posix() for path in preview_files(watch.state).values()]
    assert len(previews) == 15 and set(previews) < set(found)
    assert all((tmp_path / one).is_file() for one in found)
    assert "https:" not in watch.page() and "http:" not in watch.page()
    assert "step 28 <i>48.00 dB</i>" in watch.page()


def test_foreign_words_are_escaped(tmp_path):
    watch = Watch(tmp_path / "<b>x&y" / "s0t0", name="<script>s</script>")
    watch.step_to(3, **{"<img src=x>&": 1.0})
    watch.journal.report(10.0, 1e-3)
    watch.preview(20.0)
    page = watch.page()
    assert "<img src=x>" not in page and "<b>x" not in page and "<script>s" not in page
    assert "&lt;img src=x&gt;&amp;" in page and "&lt;b&gt;x&amp;y" in page


def test_strip_has_the_footage_above_the_chosen_moments(tmp_path):
    watch = Watch(tmp_path)
    for number in range(20):
        watch.step_to(number, total=1.0)
        watch.preview(20.0, brightness=number)
    strip = cv2.imread(str(watch.state / "strip.png"))
    assert watch.journal.shape.steps == [0, 4, 8, 12, 16, 19]
    colours = [strip[50 * row + 40, 55, 0] for row in range(strip.shape[0] // 50)]
    assert colours == [COLOURS["footage"], *(COLOURS["final"] + step for step in (0, 4, 8, 12, 16, 19))]
    again = Watch(tmp_path, step=19)  # reads the rows from the files
    assert (cv2.imread(str(again.state / "strip.png")) == strip).all()


def test_strip_is_bounded(tmp_path):
    watch = Watch(tmp_path)
    cv2.imwrite(str(watch.state / "preview-00000000.png"), np.zeros((4 * 700, 4000, 3), np.uint8))
    watch.journal.show(SimpleNamespace(psnr=20.0))
    assert cv2.imread(str(watch.state / "strip.png")).shape == (560, 1600, 3)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 15, 100, 1000])
def test_moments_are_few_and_spread(count):
    chosen = choose_moments(range(count))
    assert len(chosen) == min(count, len(chosen)) <= 8
    if count:
        assert (chosen[0], chosen[-1]) == (0, count - 1)
        assert set(choose_moments(range(count + 1))) <= {*chosen, count}


def test_curves_stay_small_and_keep_their_ends(tmp_path):
    curves = Curves(tmp_path / "curves.tsv", 0)
    for step in range(5000):
        curves.add(step, {"total": float(step)})
    kept = curves.curves["total"]
    assert MOST_POINTS // 4 <= len(kept) <= MOST_POINTS and (kept[0], kept[-1]) == ((0, 0.0), (4999, 4999.0))
    assert max(np.diff([step for step, _ in kept])) <= 32
    assert Curves(tmp_path / "curves.tsv", 5000).curves["total"] == kept


def test_thinning_is_even_and_keeps_the_newest():
    assert thin([(step, 0.0) for step in range(10)], 5) == [(step, 0.0) for step in (0, 2, 4, 6, 8, 9)]
    assert thin([(7, 1.0)], 5) == [(7, 1.0)]


def test_curve_path():
    assert curve_path([(0, 1.0), (5, 3.0), (10, 2.0)], log=False) == "M0.0 100.0L50.0 0.0L100.0 50.0"
    assert curve_path([(0, 1.0), (1, 10.0), (2, 100.0)], log=True) == "M0.0 100.0L50.0 50.0L100.0 0.0"
    assert curve_path([(4, 2.0)], log=False) == "M0.0 100.0h0.01"


def test_duration():
    said = [duration(seconds) for seconds in (None, 0, 59.6, 3725, 180000)]
    assert said == ["–", "0 s", "1 min", "1 h 2 min", "2 d 2 h"]


def test_a_trained_stage_leaves_everything_a_person_watches(tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "REPORT_SECONDS", 0.0)
    windows = write_planted_clip(tmp_path / "clip")
    folder = tmp_path / "ada" / "s0t0"
    state = folder / "state-0123"
    row = stage(height_px=16)
    train_stage(windows, None, folder / "generator.safetensors", state, MODEL, training(row), DATASET, threads=1)
    facts = json.loads((folder / "progress.json").read_text())
    assert (facts["state"], facts["step"], facts["share"]) == ("done", 4, 1.0)
    assert facts["losses"]["picture"] > 0 and facts["person_psnr_db"] > 10
    totals = board(state).Scalars("loss/total")
    assert [one.step for one in totals] == [1, 2, 3, 4]
    assert [one.step for one in board(state).Images("held_out/final")] == [0, 4]
    assert all((folder / one).is_file() for one in links((folder / "index.html").read_text()))
