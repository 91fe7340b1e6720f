"""Known answers, a slow plain version, and what libraries gave for the same pictures."""

import cv2
import numpy as np
import pytest

from understudy.metrics.similarity import SCALE_WEIGHTS, Similarity


def texture(seed: int, height: int = 24, width: int = 20) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((height, width, 3)) * 60 + 128
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 1), 0, 255).astype(np.uint8)


def wavy(size: int = 192) -> tuple[np.ndarray, np.ndarray]:
    """A picture and another one that is brighter, shifted and noisy; by arithmetic alone, so the same everywhere."""
    y, x, c = np.mgrid[:size, :size, :3]
    noise = (x * 7919 + y * 104729 + c * 1299709 + (x * y) % 251 * 31) % 41 - 20
    truth = 128 + 60 * np.sin(x / 5 + c) * np.cos(y / 7) + (x // 16 + y // 16) % 2 * 30 - 15
    picture = 8 + np.roll(truth, 1, axis=1) + noise
    return tuple(np.clip(np.rint(each), 0, 255).astype(np.uint8) for each in (picture, truth))


def test_ssim_of_flat_pictures_has_the_value_of_the_formula():
    a, b = np.full((16, 16, 3), 51, np.uint8), np.full((16, 16, 3), 204, np.uint8)  # 0.2 and 0.8
    assert Similarity.of(a, b).ssim() == pytest.approx((2 * 0.2 * 0.8 + 1e-4) / (0.04 + 0.64 + 1e-4), abs=1e-4)


def test_ssim_agrees_with_a_slow_plain_version():
    a, b = texture(1) / 255, np.clip(texture(1) / 255 + np.random.default_rng(3).normal(0, 0.05, (24, 20, 3)), 0, 1)
    a, b = np.rint(a * 255) / 255, np.rint(b * 255) / 255
    offsets = np.arange(-5, 6)
    weight = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weight = (weight / weight.sum())[..., None]
    got = Similarity.of((a * 255).round().astype(np.uint8), (b * 255).round().astype(np.uint8)).whole[0]
    for row, column in [(5, 5), (12, 9), (18, 14)]:
        window = np.s_[row - 5 : row + 6, column - 5 : column + 6]
        x, y = a[window], b[window]
        mx, my = (weight * x).sum((0, 1)), (weight * y).sum((0, 1))
        vx, vy = (weight * (x - mx) ** 2).sum((0, 1)), (weight * (y - my) ** 2).sum((0, 1))
        cov = (weight * (x - mx) * (y - my)).sum((0, 1))
        plain = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
        assert got[row, column] == pytest.approx(plain.mean(), abs=1e-4)


def test_noise_and_blur_lower_ssim():
    truth = texture(4, 48, 48)
    assert Similarity.of(cv2.GaussianBlur(truth, (0, 0), 2), truth).ssim() < 0.9
    assert -1 <= Similarity.of(255 - truth, truth).ssim() < 0


def test_identical_pictures_are_one_and_a_small_picture_has_fewer_scales():
    for size, scales in ((192, 5), (96, 4), (16, 1)):
        picture = texture(1, size, size)
        similarity = Similarity.of(picture, picture)
        assert len(similarity.whole) == scales
        assert similarity.ssim() == pytest.approx(1) and similarity.ms_ssim() == pytest.approx(1)


def test_agrees_with_scikit_image_and_torchmetrics():
    """Their values for these pictures: scikit-image 0.26.0 (as Wang 2004, borders cut), torchmetrics 1.9.0."""
    similarity = Similarity.of(*wavy())
    inner = np.zeros((192, 192), bool)
    inner[5:-5, 5:-5] = True
    assert similarity.ssim(inner) == pytest.approx(0.63537664, abs=2e-6)  # structural_similarity, Gaussian weights
    assert similarity.ssim() == pytest.approx(0.62885255, abs=2e-6)  # structural_similarity_index_measure
    # multiscale_structural_similarity_index_measure leaves out each scale's border, but for the coarsest's
    parts = [each[5:-5, 5:-5].mean() for each in similarity.structure[:-1]] + [similarity.whole[-1].mean()]
    assert np.prod(np.power(parts, SCALE_WEIGHTS)) == pytest.approx(0.93863235, abs=5e-5)
    assert similarity.ms_ssim() == pytest.approx(0.93863235, abs=3e-3)


def test_a_mask_takes_its_own_pixels_at_every_scale():
    truth = texture(7, 192, 192)
    picture = truth.copy()
    picture[:, 96:] = 255 - picture[:, 96:]
    left = np.zeros((192, 192), bool)
    left[:, :60] = True
    similarity = Similarity.of(picture, truth)
    assert similarity.ms_ssim(left) > 0.98 and similarity.ssim(left) == pytest.approx(1, abs=1e-5)
    assert similarity.ms_ssim(~left) < 0.6
