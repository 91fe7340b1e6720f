"""Known answers of a series: perfection, an offset, flicker, runs, and frames that do not count."""

from dataclasses import replace

import numpy as np
import pytest

from understudy.metrics.series import Series, TrueFrame

HEIGHT, WIDTH = 32, 24


def frames(count: int, first: int = 0, seed: int = 1) -> list[TrueFrame]:
    """Frames of noise that changes a little from each to the next, at rest."""
    noise = np.random.default_rng(seed)
    ground = noise.integers(40, 200, (HEIGHT, WIDTH, 3))
    person = np.zeros((HEIGHT, WIDTH), bool)
    person[8:24, 6:18] = True
    return [
        TrueFrame(
            number=first + number,
            picture=(ground + noise.integers(0, 10, ground.shape)).astype(np.uint8),
            person=person,
            flow=np.zeros((HEIGHT, WIDTH, 2), np.float32),
            trusted=np.ones((HEIGHT, WIDTH), bool),
        )
        for number in range(count)
    ]


def measured(pictures: list[np.ndarray], true: list[TrueFrame], every: int = 1) -> dict:
    series = Series(6, every)
    for picture, frame in zip(pictures, true, strict=True):
        series.add(picture, frame)
    return series.figures()


def test_the_truth_itself_is_perfect():
    true = frames(8)
    figures = measured([frame.picture for frame in true], true)
    assert (figures.pop("frames"), figures.pop("drift_person_db")) == (8, 0)
    assert figures.pop("quarters_person_db") == [99] * 4
    for name, value in figures.items():
        assert value == (99 if name.endswith("db") else 1), name


def test_an_offset_on_the_person_shows_there_and_less_in_the_whole():
    true = frames(4)
    pictures = []
    for frame in true:
        pictures.append(frame.picture.copy())
        pictures[-1][frame.person] += 25
    figures = measured(pictures, true)
    share = true[0].person.mean()
    assert figures["psnr_person_db"] == pytest.approx(20 * np.log10(255 / 25), abs=0.01)
    assert figures["psnr_db"] == pytest.approx(figures["psnr_person_db"] - 10 * np.log10(share), abs=0.01)
    assert figures["warp_error_person_ratio"] == pytest.approx(1, abs=0.001)


def test_flicker_raises_the_warp_error_and_decay_drifts():
    true = frames(8)
    flicker = [frame.picture + np.uint8(20 * (number % 2)) for number, frame in enumerate(true)]
    assert measured(flicker, true)["warp_error_person_ratio"] > 3
    decay = [frame.picture + np.uint8(4 * number + 1) for number, frame in enumerate(true)]
    assert measured(decay, true)["drift_person_db"] < -10


def test_a_jump_in_the_numbers_is_no_step():
    first, second = frames(1, first=0, seed=1), frames(1, first=5, seed=2)  # two runs of one frame
    figures = measured([frame.picture for frame in first + second], first + second)
    assert figures["frames"] == 2
    assert figures["warp_error_person_ratio"] is None


def test_only_some_frames_are_measured_but_all_are_pasts():
    true = frames(10)
    figures = measured([frame.picture for frame in true], true, every=4)  # 0, 4, 8
    assert figures["frames"] == 3
    assert figures["warp_error_person_ratio"] == 1


def test_frames_without_a_person_do_not_count():
    true = frames(2)
    nobody = TrueFrame(2, true[0].picture, np.zeros((HEIGHT, WIDTH), bool), true[0].flow, true[0].trusted)
    assert measured([frame.picture for frame in [*true, nobody]], [*true, nobody])["frames"] == 2


def test_nothing_measured_gives_no_figures():
    figures = measured([], [])
    assert figures.pop("frames") == 0
    assert figures.pop("quarters_person_db") == []
    assert set(figures.values()) == {None}


def test_what_is_in_an_ignored_box_changes_no_figure():
    noise = np.random.default_rng(5)
    counted = np.ones((HEIGHT, WIDTH), bool)
    counted[18:, :12] = False
    true = frames(6)
    drawn = [
        np.clip(frame.picture.astype(int) + noise.integers(-9, 9, frame.picture.shape), 0, 255).astype(np.uint8)
        for frame in true
    ]
    found = []
    for content in (0, 255):
        pictures = [np.where(counted[..., None], one, content).astype(np.uint8) for one in drawn]
        pasted = [np.where(counted[..., None], one.picture, 255 - content).astype(np.uint8) for one in true]
        rows = [replace(one, picture=new, counted=counted) for one, new in zip(true, pasted, strict=True)]
        found.append(measured(pictures, rows))
    assert found[0] == found[1]
    assert found[0]["ignored_share"] == pytest.approx(14 * 12 / (HEIGHT * WIDTH), abs=1e-4)
    assert found[0]["ignored_person_share"] == pytest.approx(6 * 6 / (16 * 12), abs=1e-4)
    assert found[0]["psnr_person_db"] < 40
    assert "ignored_share" not in measured(drawn, true)
