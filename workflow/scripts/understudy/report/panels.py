"""What the estimators saw, drawn over the footage: pose, parts, matte and flow."""

from collections.abc import Sequence

import cv2
import numpy as np

from understudy.semantics.drawing import draw_pose
from understudy.semantics.joints import BODY_LIMBS
from understudy.semantics.part_colours import colour_parts

DIMMED = 0.55  # brightness of the footage under drawings
PARTS_SHARE = 0.7  # opacity of the parts
FLOW_FULL = 0.03  # motion of this share of the picture's height per frame has full colour
HATCH_PX = 8
CHESS_PX = 16
GREYS = (96, 128)
INK, OTHERS, FOLLOWED = (28, 28, 32), (190, 190, 190), (255, 230, 90)


def pose_panel(picture: np.ndarray, body: np.ndarray, face: np.ndarray, hands: np.ndarray, scale: float) -> np.ndarray:
    """Draw limbs, face lines and hands over the dimmed footage.

    Args:
        picture: (H, W, 3) uint8, footage at the panel's size.
        body, face, hands: (25, 3), (70, 3), (2, 21, 3) float in pixels of the frame.
        scale: panel pixels per frame pixel.
    """
    grow = np.array([scale, scale, 1])
    height, width, _ = picture.shape
    drawing = draw_pose(body * grow, face * grow, hands * grow, height, width)
    brightest = np.maximum(np.maximum(drawing[..., 0], drawing[..., 1]), drawing[..., 2])
    opacity = brightest[..., None] / np.float32(255)
    return _blend(picture * np.float32(DIMMED), drawing, np.minimum(1, 1.5 * opacity))


def mark_people(
    panel: np.ndarray, body: np.ndarray, labels: Sequence[str], followed: Sequence[bool], scale: float
) -> None:
    """Draw people who are not followed as thin grey limbs, and everyone's number at the head, in place.

    Args:
        panel: (H, W, 3) uint8.
        body: (N, 25, 3) float, in pixels of the frame.
        labels: what stands at each head; empty for nothing.
        followed: whose pose is drawn already.
        scale: panel pixels per frame pixel.
    """
    for joints, label, drawn in zip(body, labels, followed, strict=True):
        present = joints[:, 2] > 0
        points = np.round(joints[:, :2] * scale - 0.5).astype(int)
        for start, end in BODY_LIMBS:
            if not drawn and present[start] and present[end]:
                cv2.line(panel, points[start].tolist(), points[end].tolist(), OTHERS, 1, cv2.LINE_AA)
        left, top = points[present].min(0)
        at = (int(left), max(int(top) - 4, 12))
        for colour, width in ((INK, 5), (FOLLOWED if drawn else OTHERS, 2)):
            cv2.putText(panel, label, at, cv2.FONT_HERSHEY_SIMPLEX, 0.65, colour, width, cv2.LINE_AA)


def parts_panel(picture: np.ndarray, part: np.ndarray, uv: np.ndarray, bare: np.ndarray | None) -> np.ndarray:
    """Colour the parts over the footage; a white line shows the bare body where that is known.

    Args:
        picture: (H, W, 3) uint8, footage at the panel's size.
        part: (P, Q) uint8; uv: (P, Q, 2) uint8.
        bare: (P, Q) uint8, part index of the body that is not cut by the matte, or None.
    """
    height, width, _ = picture.shape
    step = max(len(part) // height, 1)  # colours need no more samples than the panel has pixels
    colours = cv2.resize(colour_parts(part[::step, ::step], uv[::step, ::step]), (width, height))
    opacity = _resize_mask(part > 0, height, width)[..., None] * PARTS_SHARE
    panel = _blend(picture, colours, opacity)
    if bare is not None:
        inside = (_resize_mask(bare > 0, height, width) > 0.5).astype(np.uint8)
        outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(panel, outlines, -1, (255, 255, 255), 1, cv2.LINE_AA)
    return panel


def matte_panel(picture: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """Cut the person out and lay them on a grey chess board.

    Args:
        picture: (H, W, 3) uint8, footage at the panel's size.
        matte: (h, w) uint8, 255 where the pixel is the person.
    """
    height, width, _ = picture.shape
    rows, columns = np.mgrid[:height, :width] // CHESS_PX
    board = np.where((rows + columns) % 2, *GREYS)[..., None].repeat(3, 2).astype(np.uint8)
    opacity = cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR)[..., None] / np.float32(255)
    return _blend(board, picture, opacity)


def flow_panel(picture: np.ndarray, backward: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Colour the motion from the frame before to this one; hatched grey where it is not trusted.

    Args:
        picture: (H, W, 3) uint8, footage at the panel's size.
        backward: (h, w, 2) float, flow to the frame before, pixels of the frame.
        confidence: (h, w) uint8, 255 where trusted.

    Returns:
        (H, W, 3) uint8; hue is the direction in which a point moves (red right, then clockwise as on screen),
        strength its speed. A wheel in the corner is the key.
    """
    height, width, _ = picture.shape
    colours, strength = motion_colours(-backward / (FLOW_FULL * backward.shape[0]))
    colours = cv2.resize(colours, (width, height), interpolation=cv2.INTER_LINEAR)
    strength = cv2.resize(strength, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None] * np.float32(DIMMED)
    panel = _blend(grey, colours, strength)
    rows, columns = np.mgrid[:height, :width]
    hatch = ((rows + columns) % HATCH_PX < HATCH_PX // 4) & (_resize_mask(confidence == 0, height, width) > 0.5)
    panel[hatch] = 170
    _draw_key(panel)
    return panel


def motion_colours(motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give each motion a colour.

    Args:
        motion: (H, W, 2) float, x and y, 1 for full strength.

    Returns:
        (H, W, 3) uint8 RGB, pure hues by direction; (H, W) float32 strength 0..1.
    """
    degrees = np.rad2deg(np.arctan2(motion[..., 1], motion[..., 0])) % 360
    full = np.full_like(degrees, 255)
    hues = np.stack([degrees / 2 % 180, full, full], -1).astype(np.uint8)
    strength = np.minimum(np.linalg.norm(motion, axis=-1), 1).astype(np.float32)
    return cv2.cvtColor(hues, cv2.COLOR_HSV2RGB), strength


def _draw_key(panel: np.ndarray) -> None:
    """Draw the colour wheel into the lower right corner."""
    radius = max(len(panel) // 14, 8)
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1] / radius
    colours, strength = motion_colours(np.stack([columns, rows], -1))
    corner = panel[-2 * radius - 5 : -4, -2 * radius - 5 : -4]
    wheel = _blend(np.full_like(corner, 40), colours, strength[..., None])
    inside = rows**2 + columns**2 <= 1
    corner[inside] = wheel[inside]


def _resize_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale (P, Q) bool to (height, width) float32, the share that is True."""
    return cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)


def _blend(under: np.ndarray, over: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Lay one picture over another; opacity (H, W, 1) 0..1."""
    return (under * (1 - opacity) + over * opacity + 0.5).astype(np.uint8)
