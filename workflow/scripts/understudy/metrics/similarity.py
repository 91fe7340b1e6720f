"""Structural similarity of two pictures at one scale and at several, on masks.

Source: Wang, Bovik, Sheikh, Simoncelli, IEEE Trans. Image Processing 13(4), 2004 (SSIM); Wang, Simoncelli, Bovik,
Asilomar 2003 (MS-SSIM). Libraries take the mean of a whole picture only; the tests hold ours to theirs there.
"""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from understudy.metrics.image import mean, over_colours

WINDOW_PX, SIGMA_PX = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # finest first; Source: Wang 2003


@dataclass(frozen=True)
class Similarity:
    """Maps of the similarity of two pictures; made by `of`, read on as many masks as wanted.

    Attributes:
        whole: (H, W) float32 of each scale, finest first: SSIM around each pixel, -1..1.
        structure: of each scale likewise: its contrast and structure without the luminance.
    """

    whole: tuple[np.ndarray, ...]
    structure: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, picture: np.ndarray, truth: np.ndarray) -> Self:
        """Compare two pictures (H, W, 3) uint8 at as many scales, each half the one before, as the window fits in."""
        a, b = picture.astype(np.float32) / 255, truth.astype(np.float32) / 255
        maps = [_maps(a, b)]
        while len(maps) < len(SCALE_WEIGHTS) and min(a.shape[:2]) // 2 >= WINDOW_PX:
            a, b = _halved(a), _halved(b)
            maps.append(_maps(a, b))
        return cls(*zip(*maps, strict=True))

    def ssim(self, mask: np.ndarray | None = None) -> float:
        """Structural similarity, -1..1, 1 for identical pictures: the mean over the mask (H, W) bool."""
        return mean(self.whole[0], mask)

    def ms_ssim(self, mask: np.ndarray | None = None) -> float:
        """Multi-scale structural similarity, 0..1: the product over scales of their means, each to its weight's power.

        Scales that a small picture lacks leave their weight to the others, and a mean below 0 counts as 0. A mask
        shrinks with the scales; a pixel counts by the share of it that lies inside.
        """
        count = len(self.whole)
        weights = np.array(SCALE_WEIGHTS[:count]) / sum(SCALE_WEIGHTS[:count])
        maps = (*self.structure[:-1], self.whole[-1])
        shares = None if mask is None else mask.astype(np.float32)
        value = 1.0
        for each, weight in zip(maps, weights, strict=True):
            value *= max(_weighted(each, shares), 0.0) ** weight
            shares = None if shares is None else _halved(shares)
        return float(value)


def _maps(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SSIM and its contrast-structure part (H, W) of pictures (H, W, 3) 0..1, means over colours, mirrored borders."""
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a, variance_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    structure = (2 * covariance + C2) / (variance_a + variance_b + C2)
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return over_colours(luminance * structure), over_colours(structure)


def _blur(picture: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(picture, (WINDOW_PX, WINDOW_PX), SIGMA_PX, borderType=cv2.BORDER_REFLECT_101)


def _halved(picture: np.ndarray) -> np.ndarray:
    """Average 2 x 2 pixels; an odd last row or column is left out."""
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    return cv2.resize(picture[:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA)


def _weighted(values: np.ndarray, shares: np.ndarray | None) -> float:
    if shares is None or not shares.any():  # a mask smaller than a pixel of this scale
        return float(values.mean(dtype=np.float64))
    return float((values * shares).sum(dtype=np.float64) / shares.sum(dtype=np.float64))
