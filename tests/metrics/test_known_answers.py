"""Every figure of a series on films whose answer is known: identical, shifted, noisy, standing still, run backwards."""

import math
from dataclasses import replace

import numpy as np
import pytest

from understudy.metrics.motion import drift, flicker, pck, quarters
from understudy.metrics.series import Series, TrueFrame

HEIGHT, WIDTH, FRAMES = 128, 96, 8
NOISE = 12.0  # deviation, of 255
STEP = 2  # px a frame, to the right


def ground() -> np.ndarray:
    """A wide scene of smooth texture, (H, W, 3) float, in the middle of the range so that noise is not cut off."""
    y, x, c = np.mgrid[:HEIGHT, : WIDTH + 100, :3]
    return 128 + 30 * np.sin(x / 4 + c) * np.cos(y / 6) + 15 * np.sin((x + y) / 9)


def light(t: int) -> int:
    """Light that comes and goes, so that the truth has changes too."""
    return 3 * (t % 3)


def film(lit: bool = False) -> list[TrueFrame]:
    """A scene that moves two pixels to the right a frame, as its flow says, with person, face and hands known."""
    person, face, hands = (np.zeros((HEIGHT, WIDTH), bool) for _ in range(3))
    person[20:110, 24:72], face[24:50, 34:60], hands[70:86, 30:42] = True, True, True
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[..., 0] = -STEP
    trusted = np.ones((HEIGHT, WIDTH), bool)
    trusted[:, : STEP + 1] = False
    scene = ground()
    pictures = [scene[:, 60 - STEP * t : 60 - STEP * t + WIDTH].round().astype(np.uint8) for t in range(FRAMES)]
    if lit:
        pictures = [picture + np.uint8(light(t)) for t, picture in enumerate(pictures)]
    return [TrueFrame(t, pictures[t], person, flow, trusted, face, hands) for t in range(FRAMES)]


def measured(pictures: list[np.ndarray], true: list[TrueFrame]) -> dict:
    series = Series(6)
    for picture, frame in zip(pictures, true, strict=True):
        series.add(picture, frame)
    return series.figures()


REGIONS = ("", "_person", "_face", "_hands")


def test_identical():
    figures = measured([frame.picture for frame in film(lit=True)], film(lit=True))
    for region in REGIONS:
        assert figures[f"psnr{region}_db"] == figures[f"shift_tolerant_psnr{region}_db"] == 99
        assert figures[f"ssim{region}"] == figures[f"ms_ssim{region}"] == 1
        assert figures[f"sharpness{region}_ratio"] == 1
    assert figures["warp_error_ratio"] == figures["warp_error_person_ratio"] == figures["flicker_person_ratio"] == 1
    assert figures["drift_person_db"] == 0 and figures["quarters_person_db"] == [99] * 4


def test_shifted_by_one_pixel():
    """A shift costs PSNR and SSIM; the tolerant figure forgives it, and nothing in time tells it."""
    scene, true = ground(), film(lit=True)
    starts = [59 - STEP * t for t in range(FRAMES)]
    shifted = [(scene[:, x : x + WIDTH].round() + light(t)).astype(np.uint8) for t, x in enumerate(starts)]
    figures = measured(shifted, true)
    for region in REGIONS[1:]:
        assert figures[f"psnr{region}_db"] < 40
        assert figures[f"shift_tolerant_psnr{region}_db"] == 99
        assert 0.5 < figures[f"ms_ssim{region}"] < 1 and 0.5 < figures[f"ssim{region}"] < 1
        assert figures[f"sharpness{region}_ratio"] == pytest.approx(1, abs=0.1)
    expected = np.mean((shifted[0].astype(float) - true[0].picture) ** 2)
    assert figures["psnr_db"] == pytest.approx(10 * math.log10(255**2 / expected), abs=0.1)
    assert figures["warp_error_person_ratio"] == pytest.approx(1, abs=0.1)


def test_noise_of_known_variance():
    random, true = np.random.default_rng(1), film()
    noise = [random.normal(0, NOISE, frame.picture.shape) for frame in true]
    pictures = [
        np.clip(np.rint(frame.picture + n), 0, 255).astype(np.uint8) for frame, n in zip(true, noise, strict=True)
    ]
    series = Series(6)
    for picture, frame in zip(pictures, true, strict=True):
        series.add(picture, frame)
    figures, rows = series.figures(), series.rows[1:]
    for region in REGIONS:
        assert figures[f"psnr{region}_db"] == pytest.approx(20 * math.log10(255 / NOISE), abs=0.25)
    # mean absolute difference of two noises: 2 sigma / sqrt(pi); nothing else changes along the motion
    change = np.mean([row["_warp_error_person"] for row in rows])
    assert change == pytest.approx(2 * NOISE / math.sqrt(math.pi) / 255, rel=0.03)
    # half the second difference of three noises: sqrt(6) sigma / 2 * sqrt(2 / pi)
    amplitude = np.mean([row["_flicker_person"] for row in rows[1:]])
    assert amplitude == pytest.approx(math.sqrt(6) * NOISE / 2 * math.sqrt(2 / math.pi) / 255, rel=0.03)
    # the grey Laplacian of noise has 20 times its variance, over three colours a third of it
    true_energy, energy = (np.mean([row[name] for row in rows]) for name in ("_true_sharpness", "_sharpness"))
    assert energy - true_energy == pytest.approx(20 * (NOISE / 255) ** 2 / 3, rel=0.05)
    assert figures["ssim_person"] < 0.9 and figures["ms_ssim_person"] > figures["ssim_person"]


def test_a_repeated_frame_stands_still_where_the_truth_moves():
    """The first frame again and again: its first figures are perfect, then ever worse; along the motion it changes."""
    true = film()
    figures = measured([true[0].picture] * FRAMES, true)
    assert figures["drift_person_db"] < -40 and figures["quarters_person_db"][0] > figures["quarters_person_db"][1]
    assert figures["warp_error_person_ratio"] is None or figures["warp_error_person_ratio"] > 5
    assert figures["sharpness_person_ratio"] == pytest.approx(1, abs=0.05)


def test_a_reversed_film_has_the_same_pictures_and_another_motion():
    true = film()
    backwards = [frame.picture for frame in reversed(true)]
    forwards = [replace(frame, picture=each.picture) for frame, each in zip(true, reversed(true), strict=True)]
    assert measured(backwards, forwards)["psnr_person_db"] == 99, "against its own frames it is identical"
    series = Series(6)
    for picture, frame in zip(backwards, true, strict=True):
        series.add(picture, frame)
    psnrs = [row["psnr_person_db"] for row in series.rows]
    assert psnrs == pytest.approx(psnrs[::-1], abs=0.2), "as far from the truth at both ends"
    assert series.rows[1]["_warp_error_person"] > 5 * series.rows[1]["_true_warp_error_person"]


def test_drift_changes_its_sign_when_a_film_runs_backwards():
    figures = np.linspace(30, 20, 40)
    assert drift(figures) == pytest.approx(-drift(figures[::-1])) and drift(figures) < 0
    assert quarters(figures) == pytest.approx(quarters(figures[::-1])[::-1])
    assert quarters(figures[:3]) == []


@pytest.mark.parametrize(
    ("values", "amplitude", "index"),
    [
        ((100, 100, 100), 0, 0),  # repeated
        ((100, 110, 120), 0, 0),  # goes on
        ((100, 120, 100), 20, 1),  # taken back
        ((100, 100, 120), 10, 1),  # begins
    ],
)
def test_flicker_of_flat_pictures(values, amplitude, index):
    first, last, now = (np.full((4, 4, 3), value, np.float32) for value in values)
    everywhere = np.ones((4, 4), bool)
    assert flicker(now, last, first, everywhere) == pytest.approx((amplitude / 255, index))
    assert flicker(first, last, now, everywhere) == pytest.approx((amplitude / 255, index)), "backwards it is the same"
    assert np.isnan(flicker(now, last, first, ~everywhere)).all()


def test_flicker_index_of_noise():
    noise = np.random.default_rng(2).normal(128, 10, (3, 64, 64, 3)).astype(np.float32)
    assert flicker(*noise, np.ones((64, 64), bool))[1] == pytest.approx(math.sqrt(6) / (2 * math.sqrt(2)), abs=0.01)


def test_joints_of_a_reversed_film_are_those_of_other_frames():
    true = np.zeros((9, 17, 3))
    true[..., 0], true[..., 2] = 10 * np.arange(9)[:, None], 1
    assert pck(true[::-1], true, 0.05, 100) == pytest.approx(1 / 9), "only the middle frame is where it was"
    assert pck(true[[0] * 9], true, 0.05, 100) == pytest.approx(1 / 9), "repeated: only the first"
    assert pck(true + np.array((1, 0, 0)), true, 0.05, 100) == 1, "a pixel of a hundred is within five per cent"


def test_every_measured_frame_keeps_its_figures():
    true = [replace(frame, clip=3, frame=50 + frame.number) for frame in film(lit=True)]
    series = Series(6, every=2)
    for frame in true:
        series.add(frame.picture, frame)
    kept = series.per_frame()
    assert kept["frame"] == [50, 52, 54, 56] and kept["clip"] == [3] * 4
    assert kept["psnr_person_db"] == [99] * 4 and kept["ssim_hands"] == [1] * 4
    assert kept["shift_tolerant_psnr_db"] == [99, None, None, None], "the whole picture's is taken of one in four"
    assert kept["warp_error_person_ratio"][0] is None and kept["warp_error_person_ratio"][1] == 1
