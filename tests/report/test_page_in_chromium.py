"""The report in a browser: films in step, keys, links, the width of a phone."""

import shutil
import time

import cv2
import pytest

from browser import Browser, find_chromium
from results_folder import FRAMES, PLAN, make_results, shown_number
from understudy.report.page import build_report
from understudy.settings import ReportSettings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_chromium() is None,
        reason="no Chromium on this machine: install Debian's package chromium, or name one in UNDERSTUDY_CHROMIUM",
    ),
]
READY = "[...document.querySelectorAll('video')].every(one => one.readyState >= 3 && !one.seeking)"
SHOWN = "players[0].painted"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report of two runs, opened from its file."""
    results = make_results(tmp_path_factory.mktemp("page") / "results")
    path = results / "report" / "index.html"
    for digest, name in (("5" * 64, "first try"), ("6" * 64, "")):
        build_report(
            path,
            results,
            [PLAN | {"settings_sha256": digest}],
            {"rendering": {"crf": 16}},
            ReportSettings("Test", name, 4),
        )
    return path


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as one:
        one.size(1280, 900)
        one.open(page.as_uri())
        one.wait(READY)
        yield one


@pytest.fixture(autouse=True)
def still(browser):
    """Each test begins with the first frame, side by side."""
    browser.size(1280, 900)
    browser.run("document.querySelector('[data-speed]').value = '1'")
    browser.run("document.querySelector('select[data-side=run]').value = ''")
    browser.run("(players[0].pause(), players[0].setView('grid'), players[0].seek(0), document.activeElement.blur())")
    browser.wait(READY)


def drawn(browser, tmp_path):
    """The numbers that the pictures of the stage show, read off a screenshot."""
    browser.run("scrollTo(0, 0)")
    time.sleep(0.3)
    browser.picture(tmp_path / "shown.png", whole=False)
    picture = cv2.imread(str(tmp_path / "shown.png"))
    places = browser.run(
        "[...document.querySelectorAll('.stage canvas')].map(one => { const r = one.getBoundingClientRect();"
        " return [r.left, r.top, r.right, r.bottom].map(Math.round); })"
    )
    return [shown_number(picture[top:bottom, left:right]) for left, top, right, bottom in places]


def frame(browser):
    return browser.run("players[0].frame")


def test_nothing_on_the_page_fails(browser):
    assert browser.run("[...document.images].filter(one => one.complete && !one.naturalWidth).length") == 0
    assert browser.run("[...document.querySelectorAll('video')].filter(one => one.error).length") == 0
    failed = [one for one in browser.events if one["method"] in ("Runtime.exceptionThrown", "Network.loadingFailed")]
    errors = [one for one in browser.events if one["method"] == "Log.entryAdded"]
    assert failed == [] and errors == [], (failed + errors)[:3]
    asked = [one["params"]["request"]["url"] for one in browser.events if one["method"] == "Network.requestWillBeSent"]
    assert asked and all(url.startswith(("file:", "data:")) for url in asked)


@pytest.mark.parametrize("wanted", [0, 1, 17, 30, FRAMES - 1])
def test_every_pane_shows_the_frame_that_is_asked_for(browser, tmp_path, wanted):
    browser.run(f"players[0].seek({wanted})")
    browser.wait(READY)
    assert drawn(browser, tmp_path) == [wanted] * 4
    assert f"frame {wanted + 1} of {FRAMES}" in browser.run("document.querySelector('.where').textContent")


def test_films_stay_in_step_within_a_frame(browser):
    browser.run("document.querySelector('select[data-side=run]').selectedIndex = 1")
    browser.run("document.querySelector('select[data-side=run]').dispatchEvent(new Event('change'))")
    browser.wait(READY)
    apart = []
    for speed in (1, 0.5):
        browser.run(f"document.querySelector('[data-speed]').value = '{speed}'")
        browser.run("(players[0].seek(0), players[0].play())")
        for _ in range(12):
            time.sleep(0.1)
            numbers = browser.run(SHOWN)
            assert len(numbers) == 3
            apart.append(max(numbers.values()) - min(numbers.values()))
        assert frame(browser) > 3
        browser.run("players[0].pause()")
        browser.wait(READY)
        time.sleep(0.3)
        assert len(set(browser.run(SHOWN).values())) == 1, "at rest all show one frame"
    assert max(apart) <= 1, apart


def test_keys_do_what_the_page_says(browser):
    def after(key):
        browser.press(key)
        return frame(browser)

    assert [after("."), after("."), after(",")] == [1, 2, 1]
    assert [after("ArrowRight"), after("ArrowLeft")] == [25, 1]
    assert [after("End"), after("Home")] == [FRAMES - 1, 0]
    assert after("n") == 24, "the frame least like the footage"
    browser.press("s")
    assert browser.run("players[0].speed") == 0.5
    for view, panes in (("wipe", 1), ("one", 1), ("grid", 4)):
        browser.press("v")
        assert browser.run("players[0].view") == view
        assert browser.run("document.querySelectorAll('.stage canvas').length") == panes
    for _ in range(3):
        browser.press("s")
    browser.press(" ")
    browser.wait("players[0].playing && players[0].frame > 26")
    browser.press(" ")
    assert browser.run("players[0].playing") is False


def test_a_button_that_was_clicked_does_not_keep_the_keys(browser):
    place = browser.run(
        "(() => { const r = document.querySelector('[data-act=on]').getBoundingClientRect();"
        " return [r.left + 5, r.top + 5]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        browser.ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)
    assert frame(browser) == 1
    browser.press(" ")
    browser.wait("players[0].playing")


def test_the_wipe_shows_one_film_on_each_side(browser, tmp_path):
    browser.run("players[0].setView('wipe')")
    browser.run("document.querySelector('select[data-side=a]').value = 'driving'")
    browser.run("document.querySelector('select[data-side=b]').value = 'truth'")
    browser.run("(players[0].lay(), players[0].seek(9))")
    browser.wait(READY)
    assert drawn(browser, tmp_path) == [9]
    picture = cv2.imread(str(tmp_path / "shown.png"))
    left, top, right = browser.run(
        "(() => { const r = document.querySelector('.stage canvas').getBoundingClientRect();"
        " return [r.left, r.top, r.right].map(Math.round); })()"
    )
    colours = [picture[top + 20, left + round(share * (right - left))][::-1].astype(int) for share in (0.2, 0.8)]
    assert abs(colours[0] - (90, 140, 60)).max() < 25 and abs(colours[1] - (40, 120, 160)).max() < 25
    browser.press("]")
    assert browser.run("players[0].edge") == pytest.approx(0.52)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_reaches_beyond_the_screen(browser, width):
    browser.size(width, 844)
    for view in ("grid", "wipe", "one"):
        browser.run(f"players[0].setView('{view}')")
        browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert browser.run("document.documentElement.scrollWidth <= innerWidth"), f"{view} at {width} px"
    boxes = "section, figure, .chart, dl, ul, ol, table, p"
    flat = "one => one.offsetHeight < 8 && !one.closest('[hidden]')"
    empty = f"[...document.querySelectorAll('{boxes}')].filter({flat}).length"
    assert browser.run(empty) == 0


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out_from_their_ground(browser, dark):
    """Contrast of 4.5 and more (WCAG 2.2, 1.4.3) for every word."""
    browser.size(1280, 900, dark)
    worst = browser.run(
        """(() => {
        const WORDS = 'h1,h2,h3,h4,p,th,td,em,small,dt,dd,li,a,button,label,summary,span,i,output';
        const light = c => { const v = c.match(/[0-9.]+/g).slice(0, 3).map(x => x / 255)
            .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
            return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
        const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
            if (!/, 0\\)$/.test(c) && c !== 'transparent') return c; } return 'rgb(255, 255, 255)'; };
        let least = [99, ''];
        for (const e of document.querySelectorAll(WORDS)) {
            if (!e.innerText || !e.offsetParent) continue;
            const a = light(getComputedStyle(e).color), b = light(ground(e));
            const c = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (c < least[0]) least = [c, e.tagName + ' ' + e.innerText.slice(0, 40)];
        } return least; })()"""
    )
    assert worst[0] >= 4.5, worst


def test_keys_act_on_the_film_touched_last(page, browser, tmp_path_factory):
    """Of two transfers on one page, the second is made ready when it comes near."""
    results = make_results(tmp_path_factory.mktemp("two") / "results")
    shutil.copytree(results / "transfers" / "ada", results / "transfers" / "eve")
    path = results / "report" / "index.html"
    plans = [PLAN, PLAN | {"performer": "eve"}]
    build_report(path, results, plans, {}, ReportSettings("Two", "", 4))
    try:
        browser.open(path.as_uri())
        assert browser.run("[...document.querySelectorAll('nav a')].map(one => one.textContent)") == [
            "ada performs ben", "eve performs ben",
        ]  # fmt: skip
        browser.run("document.querySelector('#eve-ben').scrollIntoView({behavior: 'instant'})")
        browser.wait("players.length === 2")
        browser.press(".")
        assert browser.run("players.map(one => one.frame)") == [1, 0]
        browser.run("document.querySelector('#eve-ben [data-act=on]').click()")
        browser.press(".")
        assert browser.run("players.map(one => one.frame)") == [1, 2]
    finally:
        browser.open(page.as_uri())
        browser.wait(READY)
