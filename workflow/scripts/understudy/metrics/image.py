"""How like its truth a picture is: PSNR, shift-tolerant PSNR, sharpness; of single frames and on masks.

Pictures are (H, W, 3) uint8 RGB, masks (H, W) bool. Figures of a clip are means over frames of the frames' own figures.
"""

import math

import cv2
import numpy as np

IDENTICAL_DB = 99.0  # PSNR of identical pictures, which has no finite value
REFERENCE_HEIGHT_PX = 128  # widths below are given at this height and grow with it
PERSON_MATTE = 0.3  # a pixel belongs to the person from this share on
PERSON_MARGIN_PX = 4
WINDOW_PX = 9
_LAPLACIAN = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)


def person_mask(matte: np.ndarray) -> np.ndarray:
    """Mark the person and a margin around, so that ghosts at the outline count too.

    Args:
        matte: (H, W) uint8, share of the pixel that is the person, 0..255.

    Returns:
        (H, W) bool, matte above 0.3, grown by 4 px (at 128 px height) each way.
    """
    side = 2 * scaled_px(PERSON_MARGIN_PX, len(matte)) + 1
    body = (matte > PERSON_MATTE * 255).astype(np.uint8)
    return cv2.dilate(body, np.ones((side, side), np.uint8)) > 0


def scaled_px(length_px: float, height_px: int) -> int:
    """Carry a length given at 128 px height to another height, whole pixels."""
    return round(length_px * height_px / REFERENCE_HEIGHT_PX)


def psnr(picture: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio, dB, higher is better; 99 for identical pictures.

    Args:
        picture, truth: (H, W, 3) uint8.
        mask: (H, W) bool, the pixels that count; None takes all.

    Returns:
        -10 log10 of the mean squared error over pixels and colours, the range of values being 1.
    """
    return decibels(mean(_squared_error(picture, truth), mask))


def decibels(squared_error: float) -> float:
    """Turn a mean squared error, as a share of the squared range, into dB; at most 99."""
    return IDENTICAL_DB if squared_error <= 0 else min(-10 * math.log10(squared_error), IDENTICAL_DB)


def shift_tolerant_psnr(
    picture: np.ndarray, truth: np.ndarray, tolerance_px: float, mask: np.ndarray | None = None
) -> float:
    """PSNR after each small window of the picture has moved to where it fits best, dB; at most 99.

    It forgives a limb that is a few pixels off, which PSNR punishes as hard as a missing one; it cannot be compared
    with PSNR, and a wrong but sharp picture scores well too: read it beside the yardsticks.

    Args:
        picture, truth: (H, W, 3) uint8.
        tolerance_px: largest shift each way, pixels at 128 px height.
        mask: (H, W) bool, the pixels that count.

    Returns:
        PSNR of the mean over the mask of each pixel's smallest error: over all whole shifts of the picture up to the
        tolerance each way, the squared error averaged over the 9 x 9 window (at 128 px height) around the pixel.
    """
    mask = np.ones(picture.shape[:2], bool) if mask is None else mask
    return decibels(mean(shift_tolerant_error(picture, truth, tolerance_px, mask), mask))


def shift_tolerant_error(picture: np.ndarray, truth: np.ndarray, tolerance_px: float, mask: np.ndarray) -> np.ndarray:
    """Each pixel's smallest error within the tolerance, as `shift_tolerant_psnr` has it.

    Returns:
        (H, W) float32, share of the squared range; infinite far from the mask, where it is not computed.
    """
    height, width, _ = picture.shape
    reach, side = scaled_px(tolerance_px, height), 2 * scaled_px((WINDOW_PX - 1) / 2, height) + 1
    top, bottom, left, right = _bounds(mask, side // 2 + 1)
    wide = cv2.copyMakeBorder(picture, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    near = np.ascontiguousarray(truth[top:bottom, left:right])
    least = np.full(near.shape[:2], np.inf, np.float32)
    for down in range(2 * reach + 1):
        for along in range(2 * reach + 1):
            moved = wide[top + down : bottom + down, left + along : right + along]
            error = _window_error(cv2.absdiff(moved, near), side)
            np.minimum(least, error, out=least)
    errors = np.full((height, width), np.inf, np.float32)
    errors[top:bottom, left:right] = least / 255**2
    return errors


def laplacian_energy(picture: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean squared Laplacian of the grey picture (values 0..1) over the mask; a blurred picture has little."""
    grey = over_colours(picture.astype(np.float32) / 255)
    return mean(cv2.filter2D(grey, cv2.CV_32F, _LAPLACIAN, borderType=cv2.BORDER_REFLECT_101) ** 2, mask)


def _window_error(difference: np.ndarray, side: int) -> np.ndarray:
    """Average the square of a difference (H, W, 3) uint8 over colours and side x side windows: (H, W) float32."""
    square = over_colours(cv2.multiply(difference, difference, dtype=cv2.CV_32F))
    return cv2.boxFilter(square, -1, (side, side), normalize=True, borderType=cv2.BORDER_REFLECT_101)


def _squared_error(picture: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Squared error (H, W) float64, mean over colours, as a share of the squared range."""
    return over_colours((picture.astype(np.float64) - truth) ** 2) / 255**2


def over_colours(picture: np.ndarray) -> np.ndarray:
    """Average a picture (H, W, 3) of floats over its colours: (H, W); NumPy's own mean takes 30 times as long."""
    return cv2.transform(picture, np.full((1, 3), 1 / 3))


def mean(values: np.ndarray, mask: np.ndarray | None) -> float:
    """Mean over the mask; an empty mask is the caller's mistake."""
    if mask is not None and not mask.any():
        raise ValueError("the mask is empty, so there is nothing to average; leave such a frame out")
    return float(values.mean(dtype=np.float64) if mask is None else values[mask].mean(dtype=np.float64))


def _bounds(mask: np.ndarray, margin: int) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of the box around a mask, grown by a margin and kept within the picture."""
    if not mask.any():
        raise ValueError("the mask is empty, so there is nothing to average; leave such a frame out")
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    return top, min(rows[-1] + margin + 1, mask.shape[0]), left, min(columns[-1] + margin + 1, mask.shape[1])
