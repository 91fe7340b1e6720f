"""Shows a surface to people: a colour for each of the 24 parts, U and V as shades within it."""

import colorsys

import numpy as np

PARTS = 24
GROUND = (24, 24, 28)
SHADES = 8  # steps of U and of V across a part


def _colours() -> np.ndarray:
    """RGB (25, 3) float32: the ground, then parts whose neighbours in number lie far apart in hue."""
    hues = [(part * 7 % PARTS) / PARTS for part in range(PARTS)]
    parts = [colorsys.hsv_to_rgb(hue, 0.55 + 0.2 * (part % 2), 0.95) for part, hue in enumerate(hues)]
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
