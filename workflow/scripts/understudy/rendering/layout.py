"""The film that shows driver, maps and result side by side."""

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
    height = max(each.shape[0] for each in (driving, maps, result))
    panels = [_labelled(_to_height(each, height), label) for each, label in zip((driving, maps, result), LABELS)]
    gap = np.full((panels[0].shape[0], GAP_PX, 3), GROUND, np.uint8)
    return _to_even(np.concatenate([panels[0], gap, panels[1], gap, panels[2]], 1))


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


def _labelled(picture: np.ndarray, label: str) -> np.ndarray:
    """Put a strip with a label above a picture."""
    height, width = picture.shape[:2]
    strip = np.full((max(16, round(STRIP * height)), width, 3), GROUND, np.uint8)
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
