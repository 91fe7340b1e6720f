"""Draws a pose as the network sees it: limbs, face lines and hands in colour on black, anti-aliased."""

import colorsys

import cv2
import numpy as np

from understudy.semantics.joints import BODY_LIMBS, FACE_LINES, HAND_LIMBS, LEFT_PUPIL, RIGHT_PUPIL

# Widths as shares of the picture's height, and the least that can be seen, pixels.
LIMB_WIDTH = 0.014
HAND_WIDTH = 0.006
FACE_WIDTH = 0.004
LEAST_WIDTH_PX = 1.0
SHIFT = 5  # fractional bits of OpenCV's drawing coordinates
RIM_PX = 0.78  # by which OpenCV's anti-aliased rim widens an outline on each side (measured)
CAP_POINTS = 6  # points of each round end


def _hues(count: int, first: float, saturation: float) -> list[tuple[int, int, int]]:
    """Return evenly spaced RGB colours of one saturation."""
    colours = (colorsys.hsv_to_rgb((first + index / count) % 1, saturation, 1) for index in range(count))
    return [tuple(round(255 * channel) for channel in colour) for colour in colours]


LIMB_COLOURS = _hues(len(BODY_LIMBS), 0, 1)
# One colour per finger; the hands differ in hue so that crossed hands can be told apart.
HAND_COLOURS = (
    [colour for colour in _hues(5, 0.5, 0.45) for _ in range(4)],
    [colour for colour in _hues(5, 0.6, 0.75) for _ in range(4)],
)
FACE_COLOUR = (255, 255, 255)
PUPIL_COLOUR = (128, 255, 128)


def draw_pose(body: np.ndarray, face: np.ndarray, hands: np.ndarray, height: int, width: int) -> np.ndarray:
    """Draw one pose; joints of score 0 and the limbs that end in them are left out.

    Args:
        body: (25, 3) float, BODY_25: x px, y px, score.
        face: (70, 3) float, FACE_70, likewise.
        hands: (2, 21, 3) float, left and right hand, likewise.
        height: of the drawing, pixels; widths are shares of it.
        width: of the drawing, pixels.

    Returns:
        (H, W, 3) uint8 RGB on black.
    """
    picture = np.zeros((height, width, 3), np.uint8)
    _draw_lines(picture, body, BODY_LIMBS, LIMB_COLOURS, LIMB_WIDTH)
    _draw_lines(picture, face, FACE_LINES, [FACE_COLOUR] * len(FACE_LINES), FACE_WIDTH)
    for pupil in (RIGHT_PUPIL, LEFT_PUPIL):
        _draw_lines(picture, face, [(pupil, pupil)], [PUPIL_COLOUR], FACE_WIDTH)
    for hand, colours in zip(hands, HAND_COLOURS, strict=True):
        _draw_lines(picture, hand, HAND_LIMBS, colours, HAND_WIDTH)
    return picture


def _draw_lines(picture: np.ndarray, points: np.ndarray, lines, colours, share: float) -> None:
    """Draw the lines whose two ends are present; the width is a share of the picture's height."""
    pairs = np.asarray(lines)
    points = np.asarray(points, np.float64)
    present = (points[pairs[:, 0], 2] > 0) & (points[pairs[:, 1], 2] > 0)
    if not present.any():
        return
    width = max(share * len(picture), LEAST_WIDTH_PX)
    outlines = _capsules(points[pairs[present, 0], :2], points[pairs[present, 1], :2], width)
    for outline, index in zip(outlines, np.flatnonzero(present), strict=True):
        cv2.fillConvexPoly(picture, outline, colours[index], cv2.LINE_AA, SHIFT)


def _capsules(starts: np.ndarray, ends: np.ndarray, width: float) -> np.ndarray:
    """Return the outlines of lines with round ends.

    Args:
        starts: (N, 2) float, pixels.
        ends: (N, 2) float, pixels.
        width: of the lines, pixels.

    Returns:
        (N, 2 * CAP_POINTS, 2) int32, OpenCV's fixed-point coordinates (pixel centres at whole numbers).
    """
    radius = max(width / 2 - RIM_PX, 0.05)
    along = np.arctan2(*(ends - starts)[:, ::-1].T)  # (N,), radians
    arc = np.linspace(np.pi / 2, 3 * np.pi / 2, CAP_POINTS)
    angles = along[:, None] + arc  # (N, CAP_POINTS), round the back of the start
    cap = radius * np.stack([np.cos(angles), np.sin(angles)], -1)  # (N, CAP_POINTS, 2)
    outline = np.concatenate([starts[:, None] + cap, ends[:, None] - cap], 1) - 0.5
    return np.round(outline * 2**SHIFT).astype(np.int32)
