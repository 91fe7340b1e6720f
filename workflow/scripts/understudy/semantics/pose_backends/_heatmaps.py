"""From a picture to the input of OpenPose's body network, and from its heat maps to candidate joints.

Source: Cao et al., OpenPose, TPAMI 2021, section 3.2 (peaks by non-maximum suppression), and the sizes, offsets and
windows that OpenPose 1.7 uses.
"""

import cv2
import numpy as np

from understudy.errors import SettingsError

STRIDE = 8  # pixels of the network's input per cell of its output
MULTIPLE = 16  # the input's height and width are multiples of it
WIDEST = 16 / 9  # a free width (or height) stops at this aspect
PEAK_SCORE = 0.05  # lower maxima are noise
WINDOW = 3  # pixels each side of a maximum that its centroid counts
MOST_PEAKS = 127  # of one joint


def net_size(resolution: str, height: int, width: int) -> tuple[int, int]:
    """Size of the network's input for a picture.

    Args:
        resolution: WIDTHxHEIGHT, pixels, multiples of 16; one of the two may be -1 and follows the picture's aspect.
        height, width: of the picture, pixels.

    Returns:
        Height and width, pixels, multiples of 16.

    Raises:
        SettingsError: the resolution is not of that form.
    """
    given = [int(number) for number in resolution.split("x")]
    if max(given) <= 0 or any(number > 0 and number % MULTIPLE for number in given):
        raise SettingsError(
            f"pose.openpose_caffe.net_resolution is '{resolution}', expected WIDTHxHEIGHT in multiples of {MULTIPLE}, "
            f"one of the two may be -1, such as -1x368 or 656x368. Correct it."
        )
    wide, high = given
    if wide <= 0:
        wide = MULTIPLE * _rounded(min(high * WIDEST, high * width / height) / MULTIPLE)
    elif high <= 0:
        high = MULTIPLE * _rounded(min(wide / WIDEST, wide * height / width) / MULTIPLE)
    return max(high, MULTIPLE), max(wide, MULTIPLE)


def fit_scale(size: tuple[int, int], height: int, width: int) -> float:
    """Scale that fits a picture of height x width pixels into a size (height, width), corner centres on each other."""
    return min((size[0] - 1) / max(height - 1, 1), (size[1] - 1) / max(width - 1, 1))


def net_input(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale a picture into the top left corner of the network's input, black beyond it.

    Args:
        picture: (H, W, 3) uint8 RGB.
        size: height and width of the input, pixels.

    Returns:
        (1, 3, height, width) float32, BGR, -0.5..0.5.
    """
    scale = fit_scale(size, *picture.shape[:2])
    if scale != 1 or picture.shape[:2] != size:
        means = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
        picture = cv2.warpAffine(picture, np.float64([[scale, 0, 0], [0, scale, 0]]), size[::-1], flags=means)
    return normalised(picture)


def normalised(picture: np.ndarray) -> np.ndarray:
    """Turn (H, W, 3) uint8 RGB into (1, 3, H, W) float32 BGR, -0.5..0.5."""
    return np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)[None], np.float32) / 256 - 0.5


def upsample(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarge maps (C, h, w) float32 to (C, height, width) by cubic interpolation."""
    return np.stack([cv2.resize(one, size[::-1], interpolation=cv2.INTER_CUBIC) for one in maps])


def find_peaks(maps: np.ndarray, offset_px: float) -> list[np.ndarray]:
    """Find the local maxima of every heat map, placed by the centroid of the 7 x 7 pixels round each.

    A maximum that two pixels share counts once, as the first of them.

    Args:
        maps: (K, H, W) float32, score of joint k at each pixel.
        offset_px: added to both coordinates, pixels of the map.

    Returns:
        K arrays (N, 3) float64, x px, y px of the map, score; in order of rows, then columns.
    """
    number, height, width = maps.shape
    joint, pixel = np.divmod(np.flatnonzero(maps > PEAK_SCORE), height * width)
    y, x = np.divmod(pixel, width)
    inside = (y > 0) & (y < height - 1) & (x > 0) & (x < width - 1)
    joint, y, x = joint[inside], y[inside], x[inside]
    for dy, dx in ((0, -1), (-1, 0), (-1, -1), (-1, 1)):
        value = maps[joint, y, x]
        highest = (value > maps[joint, y + dy, x + dx]) & (value >= maps[joint, y - dy, x - dx])
        joint, y, x = joint[highest], y[highest], x[highest]
    place = _centroids(maps, joint, y, x) + offset_px  # (N, 2)
    peaks = np.column_stack([place, maps[joint, y, x]])
    return [peaks[joint == one][:MOST_PEAKS] for one in range(number)]


def _centroids(maps: np.ndarray, joint: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Mean place (N, 2), x and y, of the positive scores in the window round each maximum; outside counts nothing."""
    reach = np.arange(-WINDOW, WINDOW + 1)
    rows, columns = y[:, None, None] + reach[:, None], x[:, None, None] + reach  # (N, 7, 1), (N, 1, 7)
    height, width = maps.shape[1:]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)  # (N, 7, 7)
    found = maps[joint[:, None, None], rows.clip(0, height - 1), columns.clip(0, width - 1)]
    weight = np.where(inside, found, 0).clip(0).astype(np.float64)
    total = weight.sum((1, 2))
    return np.stack([(weight * columns).sum((1, 2)) / total, (weight * rows).sum((1, 2)) / total], 1)


def _rounded(value: float) -> int:
    """Round halves up, as C does by adding a half and truncating."""
    return int(value + 0.5)
