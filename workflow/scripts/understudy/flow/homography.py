"""Homographies of a camera that turns or zooms: how they carry points, how far they move a picture, what lies between.

A homography is a (3, 3) float64 matrix for columns (x, y, 1), x right, y down, pixels, pixel centres at integer + 0.5.
"""

import cv2
import numpy as np

# A matrix for cv2, which counts pixels from their centres, is _SHIFT @ H @ inverse of _SHIFT.
_SHIFT = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])


def carried(points: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """Carry points (..., 2) by homographies (..., 3, 3), whose leading axes stand before the points' own: (..., 2)."""
    whole = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
    moved = whole @ np.swapaxes(homography, -1, -2)
    return moved[..., :2] / moved[..., 2:]


def local_scale(points: np.ndarray, homographies: np.ndarray) -> np.ndarray:
    """Return how much larger (T,) homographies (T, 3, 3) show what lies around a point each (T, 2)."""
    depth = (np.concatenate([points, np.ones_like(points[:, :1])], axis=1) * homographies[:, 2]).sum(1)  # (T,)
    return np.sqrt(np.abs(np.linalg.det(homographies) / depth**3))


def corners(height: int, width: int) -> np.ndarray:
    """Corners (4, 2) of a picture, clockwise from the left upper one, pixels."""
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def corner_motion(homographies: np.ndarray, height: int, width: int) -> np.ndarray:
    """Farthest way (T,) px that (T, 3, 3) carry a corner of a picture."""
    rest = corners(height, width)
    return np.linalg.norm(carried(rest, homographies) - rest, axis=-1).max(-1)


def from_corners(moved: np.ndarray, height: int, width: int) -> np.ndarray:
    """Find the homography (3, 3) that carries a picture's corners to `moved` (4, 2) px.

    Source: the eight linear equations of four points, Hartley and Zisserman, Multiple View Geometry, section 4.1.
    """
    rows, wanted = [], []
    for (x, y), (u, v) in zip(corners(height, width), moved, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(wanted)), 1.0).reshape(3, 3)


def bridged(homographies: np.ndarray, valid: np.ndarray, height: int, width: int) -> np.ndarray:
    """Replace those (T, 3, 3) that are not valid (T,): corners move evenly between valid neighbours, else rest."""
    if valid.all() or not valid.any():
        return homographies
    places = carried(corners(height, width), homographies).reshape(len(valid), 8)
    time = np.arange(len(valid))
    even = np.stack([np.interp(time, time[valid], column[valid]) for column in places.T], axis=1)
    filled = homographies.copy()
    for row in np.flatnonzero(~valid):
        filled[row] = from_corners(even[row].reshape(4, 2), height, width)
    return filled


def smoothed(homographies: np.ndarray, frames: float, height: int, width: int) -> np.ndarray:
    """Average the ways of a picture's corners over time, by a Gaussian of so many frames: (T, 3, 3)."""
    places = carried(corners(height, width), homographies).reshape(-1, 8)
    even = cv2.GaussianBlur(places, (1, 0), sigmaX=1e-3, sigmaY=frames, borderType=cv2.BORDER_REPLICATE)
    return np.stack([from_corners(each.reshape(4, 2), height, width) for each in even])


def scaled(homographies: np.ndarray, factor: float) -> np.ndarray:
    """Bring (..., 3, 3) to pictures whose pixels are `factor` times as large; pixel edges fall together."""
    smaller = np.diag([1 / factor, 1 / factor, 1.0])
    return smaller @ homographies @ np.linalg.inv(smaller)


def for_opencv(homography: np.ndarray) -> np.ndarray:
    """Return the same motion (3, 3) for functions that put pixel (0, 0)'s centre at 0, 0."""
    return _SHIFT @ homography @ np.linalg.inv(_SHIFT)
