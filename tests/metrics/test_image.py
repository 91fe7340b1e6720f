"""Known answers: identical pictures, offsets, shifts, blur; then slow plain versions."""

import math

import cv2
import numpy as np
import pytest

from understudy.metrics.image import (
    IDENTICAL_DB,
    laplacian_energy,
    person_mask,
    psnr,
    scaled_px,
    shift_tolerant_psnr,
)


def texture(seed: int, height: int = 24, width: int = 20) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((height, width, 3)) * 60 + 128
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 1), 0, 255).astype(np.uint8)


def test_identical_pictures_are_perfect():
    picture = texture(1)
    assert psnr(picture, picture) == IDENTICAL_DB
    assert shift_tolerant_psnr(picture, picture, 6) == IDENTICAL_DB


@pytest.mark.parametrize("offset", [1, 10, 255])
def test_a_constant_offset_has_the_psnr_of_the_formula(offset):
    black = np.zeros((8, 8, 3), np.uint8)
    assert psnr(black + np.uint8(offset), black) == pytest.approx(20 * math.log10(255 / offset))


def test_psnr_counts_masked_pixels_only():
    truth, picture = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)
    picture[:, 4:] = 51  # a fifth of the range
    left = np.zeros((8, 8), bool)
    left[:, :4] = True
    assert psnr(picture, truth, left) == IDENTICAL_DB
    assert psnr(picture, truth, ~left) == pytest.approx(20 * math.log10(5))
    assert psnr(picture, truth) == pytest.approx(20 * math.log10(5) + 10 * math.log10(2))


def test_an_empty_mask_is_refused():
    picture, empty = texture(1), np.zeros((24, 20), bool)
    for figure in (psnr, lambda a, b, mask: shift_tolerant_psnr(a, b, 2, mask)):
        with pytest.raises(ValueError, match="mask is empty"):
            figure(picture, picture, empty)


@pytest.mark.parametrize(("down", "along"), [(0, 1), (-3, 2), (6, -6)])
def test_a_shift_within_the_tolerance_counts_as_equal(down, along):
    wide = texture(5, 168, 84)
    truth, moved = wide[20:148, 20:64], wide[20 + down : 148 + down, 20 + along : 64 + along]
    inner = np.zeros((128, 44), bool)
    inner[16:-16, 16:-16] = True
    assert shift_tolerant_psnr(moved, truth, 6, inner) == IDENTICAL_DB
    assert psnr(moved, truth, inner) < 28
    assert shift_tolerant_psnr(moved, truth, max(abs(down), abs(along)) - 1, inner) < 45


def test_without_tolerance_it_is_psnr_with_smoothed_errors():
    a, b = texture(6, 128, 40), texture(7, 128, 40)
    assert shift_tolerant_psnr(a, b, 0) == pytest.approx(psnr(a, b), abs=0.1)


def test_shift_tolerance_agrees_with_a_slow_plain_version():
    height, tolerance = 128, 2
    picture, truth = texture(8, height, 30), texture(9, height, 30)
    mask = np.zeros((height, 30), bool)
    mask[40:52, 9:22] = True
    errors = []
    for row, column in np.argwhere(mask):
        window = truth[row - 4 : row + 5, column - 4 : column + 5].astype(float)
        candidates = []
        for y in range(-tolerance, tolerance + 1):
            for x in range(-tolerance, tolerance + 1):
                moved = picture[row + y - 4 : row + y + 5, column + x - 4 : column + x + 5]
                candidates.append(((moved - window) ** 2).mean() / 255**2)
        errors.append(min(candidates))
    plain = -10 * math.log10(np.mean(errors))
    assert shift_tolerant_psnr(picture, truth, tolerance, mask) == pytest.approx(plain, abs=1e-3)


def test_tolerance_grows_with_the_height():
    wide = texture(10, 296, 100)
    truth, moved = wide[20:276, 20:80], wide[20:276, 30:90]  # 10 px at 256 are 5 at 128
    inner = np.zeros((256, 60), bool)
    inner[:, 20:40] = True
    assert shift_tolerant_psnr(moved, truth, 5, inner) == IDENTICAL_DB
    assert shift_tolerant_psnr(moved, truth, 4, inner) < 45


def test_blur_takes_laplacian_energy_and_flat_has_none():
    truth = texture(11, 48, 48)
    assert laplacian_energy(np.full((8, 8, 3), 77, np.uint8)) == pytest.approx(0, abs=1e-9)
    assert laplacian_energy(cv2.GaussianBlur(truth, (0, 0), 1.5)) < 0.2 * laplacian_energy(truth)
    dot = np.zeros((9, 9, 3), np.uint8)
    dot[4, 4] = 255
    assert laplacian_energy(dot) == pytest.approx((16 + 4) / 81)


def test_the_person_has_a_margin_that_grows_with_the_height():
    for height, margin in ((128, 4), (256, 8)):
        matte = np.zeros((height, 64), np.uint8)
        matte[60, 30] = 90
        matte[5, 5] = 60  # below 0.3
        mask = person_mask(matte)
        assert mask.sum() == (2 * margin + 1) ** 2
        assert mask[60 - margin, 30 + margin]
    assert scaled_px(4, 192) == 6
