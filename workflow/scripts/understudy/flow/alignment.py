"""Lays a picture's background on another one by their grey values: a homography found by least squares.

Points alone would not do: before plain walls there are few corners, and edges tell of one direction only. Every edge
counts here, and what the background does not tell stays as it was supposed.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.flow.homography import carried

LEVELS = (4, 2, 1)  # pictures are shrunk so many times, one after the other
ROUNDS = 12  # of least squares at each level
SETTLED = 2e-5  # a smaller step, in half heights, ends a level
MOST_POINTS = 6000
EDGE = 0.015  # least gradient, in grey 0..1 per pixel, of a point that counts
BLUR_PX = 1.0
WHOLE = 0.99  # share of what is known about a point, from which it counts
NOISE = 0.02  # of grey values 0..1, beyond which a point counts less
ALIKE = 30  # points so near each other that they tell no more than one
MISPLACED_PX = 0.7  # a point agrees where so much of its slope, and some noise, explain the difference of grey

# How far each way of moving may leave what was supposed, in half heights: x, y, zoom, turn freely; aspect, shear and
# the two perspectives little, because short edges say little about them.
SLACK = np.array([1, 1, 0.06, 0.06, 0.01, 0.01, 0.01, 0.01])
LIGHT_SLACK = np.array([0.1, 0.1])  # gain and bias from 1 and 0


@dataclass(frozen=True)
class Alignment:
    """A picture laid on a ground.

    Attributes:
        homography: (3, 3) float64, from the picture's pixels to the ground's.
        gain, bias: ground = gain * picture + bias, in grey 0..1.
        points: number of edge points compared.
        fit: share of them that agree with the ground, 0..1.
        error_px: expected error of a shift in its worst direction, pixels.
    """

    homography: np.ndarray
    gain: float
    bias: float
    points: int
    fit: float
    error_px: float


@dataclass(frozen=True)
class Ground:
    """What pictures are laid on: grey (H, W) float32 0..1, and where it is known, (H, W) float32 0/1."""

    grey: np.ndarray
    known: np.ndarray


def align(
    picture: np.ndarray,
    background: np.ndarray,
    ground: Ground,
    supposed: np.ndarray,
    levels: tuple[int, ...] = LEVELS,
) -> Alignment:
    """Lay a picture's background on the ground.

    Args:
        picture: (h, w) float32 grey, 0..1.
        background: (h, w) bool, pixels that show the background.
        ground: what it is laid on, its pixels as large as the picture's.
        supposed: (3, 3) from the picture's pixels to the ground's, where the search starts.
        levels: how often the pictures are shrunk, one level after the other.

    Source: inverse compositional alignment, Baker and Matthews, IJCV 2004; what moves by itself is weighted down as by
        Geman and McClure, 1987.
    """
    homography, gain_bias = supposed, np.array([1.0, 0.0])
    way = np.zeros(8)
    for level in levels:
        points = _edge_points(picture, background, level)
        if len(points.grey) < 16:
            continue
        known = cv2.erode(ground.known, np.ones((3, 3))) if level > 1 else ground.known
        lowered = cv2.GaussianBlur(ground.grey, (0, 0), BLUR_PX * level)
        layers = (lowered, *_slopes(lowered), known)
        for _ in range(ROUNDS):
            there = _read(layers, points.place, homography)
            seen = there[:, 3] > WHOLE
            if seen.sum() < 16:
                break
            step, gain_bias = _step(points, there, seen, gain_bias, way)
            way += step
            homography = homography @ np.linalg.inv(_motion(step, picture.shape))
            homography = homography / homography[2, 2]
            if np.abs(step).max() < SETTLED:
                break
    return _judged(homography, gain_bias, picture, background, ground)


@dataclass(frozen=True)
class _Points:
    """Edge points: place (N, 2) px, grey (N,), and what each way of moving does to the grey (N, 8)."""

    place: np.ndarray
    grey: np.ndarray
    change: np.ndarray
    slope: np.ndarray  # (N, 2) grey per pixel


def _edge_points(picture: np.ndarray, background: np.ndarray, level: int) -> _Points:
    """Choose the points of strongest gradient of a picture blurred for a level."""
    blurred = cv2.GaussianBlur(picture, (0, 0), BLUR_PX * level)
    slope_x, slope_y = _slopes(blurred)
    strength = np.hypot(slope_x, slope_y) * background
    strength[:2], strength[-2:], strength[:, :2], strength[:, -2:] = 0, 0, 0, 0
    rows, columns = np.nonzero(strength > EDGE / level)
    most = MOST_POINTS // level
    if len(rows) > most:
        chosen = np.linspace(0, len(rows) - 1, most).astype(int)  # evenly over the picture, not the strongest alone
        rows, columns = rows[chosen], columns[chosen]
    place = np.stack([columns, rows], axis=1) + 0.5  # (N, 2)
    slope = np.stack([slope_x[rows, columns], slope_y[rows, columns]], axis=1)
    return _Points(place, blurred[rows, columns], _changes(place, slope, picture.shape), slope)


def _changes(place: np.ndarray, slope: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Change of grey (N, 8) at points for each way of moving, per half height."""
    half = size[0] / 2
    u, v = ((place - np.array([size[1], size[0]]) / 2) / half).T
    across, down = (half * slope).T
    along = u * across + v * down  # outwards
    ways = (across, down, along, u * down - v * across, u * across - v * down, v * across + u * down)
    return np.stack([*ways, u * along, v * along], axis=1)


def _motion(way: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Homography (3, 3) px of small ways of moving (8,), as `_changes` counts them."""
    x, y, zoom, turn, aspect, shear, tilt_x, tilt_y = way
    inner = np.array(
        [[1 + zoom + aspect, shear - turn, x], [shear + turn, 1 + zoom - aspect, y], [-tilt_x, -tilt_y, 1]]
    )
    half = size[0] / 2
    outer = np.array([[half, 0, size[1] / 2], [0, half, size[0] / 2], [0, 0, 1]])
    return outer @ inner @ np.linalg.inv(outer)


def _slopes(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Change of grey (h, w) per pixel to the right and down."""
    return tuple(cv2.Scharr(grey, cv2.CV_32F, *axes) / 32 for axes in ((1, 0), (0, 1)))


def _read(layers: tuple[np.ndarray, ...], place: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """Read layers of the ground, each (H, W), at points (N, 2) of a picture: (N, L); 0 beyond it."""
    there = (carried(place, homography) - 0.5).astype(np.float32)  # from the centre of pixel (0, 0)
    x, y = np.ascontiguousarray(there[:, 0]), np.ascontiguousarray(there[:, 1])
    return np.column_stack([cv2.remap(one, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT) for one in layers])


def _step(
    points: _Points, there: np.ndarray, seen: np.ndarray, gain_bias: np.ndarray, way: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find the next small motion (8,) and the light (2,) by weighted least squares.

    Args:
        points: of the picture.
        there: (N, 4) what the ground shows there: grey, its slopes, known.
        seen: (N,) bool, points that count.
        gain_bias: (2,) the light so far.
        way: (8,) the motion so far.
    """
    here, found = points.grey[seen], there[seen, 0]
    rest = found - (gain_bias[0] * here + gain_bias[1])
    weight = _weights(rest) * _shared(points.slope[seen], there[seen, 1:3])
    # the ground at the moved point is the picture at the point moved on: found = gain * (here + change . step) + bias
    columns = np.column_stack([gain_bias[0] * points.change[seen], here, np.ones_like(here)])  # (N, 10)
    weighted = columns * weight[:, None]
    square, right = weighted.T @ columns, weighted.T @ rest
    hold = ALIKE * (NOISE / np.concatenate([SLACK, LIGHT_SLACK])) ** 2
    left = square + np.diag(hold)
    right[:8] -= hold[:8] * way
    right[8:] -= hold[8:] * (gain_bias - (1, 0))
    found_step = np.linalg.solve(left, right)
    limit = np.clip(found_step[:8], -0.1, 0.1)
    return limit, gain_bias + found_step[8:]


def _shared(slope: np.ndarray, slope_there: np.ndarray) -> np.ndarray:
    """Weights (N,) of points by how much of their edge the ground shows too; else what passes before it would pull."""
    share = (slope * slope_there).sum(1) / (slope**2).sum(1)
    return np.clip(share, 0, 1) ** 2


def _weights(rest: np.ndarray) -> np.ndarray:
    """Weights (N,) of points by what is left of their difference: those that move by themselves hardly count."""
    scale = max(NOISE, 1.5 * float(np.median(np.abs(rest))))
    return 1 / (1 + (rest / scale) ** 2) ** 2


def _judged(
    homography: np.ndarray, gain_bias: np.ndarray, picture: np.ndarray, background: np.ndarray, ground: Ground
) -> Alignment:
    """Say how well a picture lies on the ground."""
    points = _edge_points(picture, background, 1)
    grey = cv2.GaussianBlur(ground.grey, (0, 0), BLUR_PX)
    there = _read((grey, *_slopes(grey), ground.known), points.place, homography)
    seen = there[:, 3] > WHOLE
    if seen.sum() < 16:
        return Alignment(homography, *gain_bias, points=int(seen.sum()), fit=0.0, error_px=np.inf)
    rest = there[seen, 0] - (gain_bias[0] * points.grey[seen] + gain_bias[1])
    weight = _weights(rest) * _shared(points.slope[seen], there[seen, 1:3])
    slope = points.slope[seen] * np.sqrt(weight)[:, None]
    least = max(float(np.linalg.eigvalsh(slope.T @ slope)[0]), 1e-12)
    fit = float((np.abs(rest) < MISPLACED_PX * np.linalg.norm(points.slope[seen], axis=1) + NOISE).mean())
    return Alignment(homography, *map(float, gain_bias), int(seen.sum()), fit, NOISE / least**0.5)
