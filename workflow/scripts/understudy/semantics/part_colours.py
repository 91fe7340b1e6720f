"""Shows a surface to people: a colour for each of the 24 parts, U and V as shades within it."""

import colorsys

import numpy as np

PARTS = 24
GROUND = (24, 24, 28)
SHADES = 8  # steps of U and of V across a part
# Hue of parts 1..24 in steps of 1/24, chosen by a search so that parts that touch differ by at least four steps.
HUES = (21, 2, 18, 9, 12, 0, 10, 3, 22, 13, 23, 15, 11, 1, 8, 17, 16, 7, 20, 5, 4, 19, 14, 6)


def _colours() -> np.ndarray:
    """RGB (25, 3) float32: the ground, then the parts."""
    parts = [colorsys.hsv_to_rgb(hue / PARTS, 0.6, 0.95) for hue in HUES]
    return np.float32([GROUND, *(np.multiply(part, 255) for part in parts)])


PART_COLOURS = _colours()


def colour_parts(part: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Colour a surface.

    Args:
        part: (P, Q) uint8, 0 background, 1..24.
        uv: (P, Q, 2) uint8, 0..255 for 0..1.

    Returns:
        (P, Q, 3) uint8 RGB; a chess pattern of `SHADES` fields along U and V shows how the surface lies.
    """
    fields = (uv.astype(np.uint16) * SHADES // 256).sum(-1) % 2  # (P, Q)
    shade = np.where((fields == 1) & (part > 0), np.float32(0.8), np.float32(1))
    return (PART_COLOURS[part] * shade[..., None]).astype(np.uint8)
