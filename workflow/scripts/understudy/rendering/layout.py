"""Films that show pictures side by side: driver, maps and result."""

from collections.abc import Sequence

import cv2
import numpy as np

from understudy.dataset.batch import SemanticMap
from understudy.semantics.part_colours import colour_parts

LABELS = ("driving clip", "semantic maps", "performer")
STRIP = 0.08  # height of the labels' strip, share of the pictures' height
GAP_PX = 4
GROUND = (24, 24, 28)
INK = (235, 235, 235)


def join_panels(driving: np.ndarray, maps: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Set three pictures beside each other, with labels above; all get the height of the highest.

    Args:
        driving, maps, result: (H, W, 3) uint8 RGB, of any sizes.

    Returns:
        (H', W', 3) uint8 RGB, sides even.
    """
    return join_labelled((driving, maps, result), LABELS)


def join_labelled(pictures: Sequence[np.ndarray], labels: Sequence[str]) -> np.ndarray:
    """Set pictures (H, W, 3) uint8 of any sizes beside each other under their labels: (H', W', 3) uint8, sides even."""
    height = max(each.shape[0] for each in pictures)
    panels = [_labelled(_to_height(each, height), label) for each, label in zip(pictures, labels, strict=True)]
    gap = np.full((panels[0].shape[0], GAP_PX, 3), GROUND, np.uint8)
    return _to_even(np.concatenate([part for panel in panels for part in (gap, panel)][1:], 1))


def panel_boxes(
    film: tuple[int, int], driving: tuple[int, int], result: tuple[int, int]
) -> tuple[tuple[int, int, int, int], ...]:
    """Say where the three panels stand in a film that `join_panels` made, without their labels.

    Args:
        film: (height, width) of the film.
        driving, result: (height, width) of those pictures before they were joined.

    Returns:
        (left, top, width, height) px of driving clip, maps and result.
    """
    height = next(h for h in range(film[0], 0, -1) if h + _strip_px(h) <= film[0])
    first, last = (round(width * height / high) for high, width in (driving, result))
    middle = film[1] - first - last - 2 * GAP_PX  # and a column of padding, where the sum is odd
    top = _strip_px(height)
    places = ((0, first), (first + GAP_PX, middle), (first + middle + 2 * GAP_PX, last))
    return tuple((left, top, width, height) for left, width in places)


def draw_map(semantic: SemanticMap) -> np.ndarray:
    """Show what the generator sees: parts in colours, U and V as a pattern, limbs, face and hands above them.

    Args:
        semantic: one map, B = 1.

    Returns:
        (P, Q, 3) uint8 RGB.
    """
    part = semantic.part[0].cpu().numpy().astype(np.uint8)  # (P, Q)
    uv = (semantic.uv[0] * 255).round().byte().cpu().numpy().transpose(1, 2, 0)  # (P, Q, 2)
    drawing = ((semantic.drawing[0] + 1) * 127.5).round().byte().cpu().numpy().transpose(1, 2, 0)  # (H, W, 3)
    drawing = cv2.resize(drawing, part.shape[::-1], interpolation=cv2.INTER_LINEAR)
    cover = drawing.max(2, keepdims=True) / 255  # (P, Q, 1)
    return np.round(colour_parts(part, uv) * (1 - cover) + drawing * cover).astype(np.uint8)


def _to_height(picture: np.ndarray, height: int) -> np.ndarray:
    if picture.shape[0] == height:
        return picture
    width = round(picture.shape[1] * height / picture.shape[0])
    smaller = height < picture.shape[0]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def _strip_px(height: int) -> int:
    return max(16, round(STRIP * height))


def _labelled(picture: np.ndarray, label: str) -> np.ndarray:
    """Put a strip with a label above a picture."""
    height, width = picture.shape[:2]
    strip = np.full((_strip_px(height), width, 3), GROUND, np.uint8)
    size = 0.55 * len(strip) / 22  # Hershey capitals are 22 px high at size 1
    (across, _), _ = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    size *= min(1, 0.94 * width / across)
    place = (round(0.03 * width), round(0.72 * len(strip)))
    cv2.putText(strip, label, place, cv2.FONT_HERSHEY_SIMPLEX, size, INK, 1, cv2.LINE_AA)
    return np.concatenate([strip, picture])


def _to_even(picture: np.ndarray) -> np.ndarray:
    """Pad both sides to even lengths with the ground's colour, because H.264 takes no others."""
    height, width = picture.shape[:2]
    padded = np.full((height + height % 2, width + width % 2, 3), GROUND, np.uint8)
    padded[:height, :width] = picture
    return padded
