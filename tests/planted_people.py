"""People planted in the output of OpenPose's body network: heat maps and part affinity fields with a known answer."""

from dataclasses import dataclass

import numpy as np

from handmade import STANDING
from understudy.semantics.joints import BODY, BODY_25
from understudy.semantics.pose_backends._affinity_fields import FIELDS, PAIRS
from understudy.semantics.pose_backends._heatmaps import STRIDE

LABEL_PX = 7  # deviation of a joint's peak that OpenPose is trained with
LIMB_PX = 8  # half the width of a limb's field
BORDER_PX = 12  # nearer the border, enlarging the maps displaces a peak


def standing_body(height_px: float, x: float, y: float) -> np.ndarray:
    """BODY_25 (25, 2) px of a person who faces the camera, `height_px` tall, the feet's middle at x, y."""
    place = np.zeros((25, 2))
    for name, row in BODY.items():
        side, _, joint = name.partition("_")
        paired = side in ("left", "right")
        away, down = STANDING[joint if paired else name]
        place[row] = (away if side == "left" else -away if paired else away), down
    return place * height_px / 100 + np.array([x, y - height_px])


def bent_body(random: np.random.Generator, height_px: float, x: float, y: float) -> np.ndarray:
    """A standing body whose arms, legs and lean are turned at random."""
    place = standing_body(height_px, 0, 0)
    for side in ("left", "right"):
        arm = [f"{side}_{joint}" for joint in ("elbow", "wrist")]
        _turn(place, f"{side}_shoulder", arm, random.uniform(-1.2, 1.2))
        _turn(place, f"{side}_elbow", arm[1:], random.uniform(-1, 1))
        leg = [f"{side}_{joint}" for joint in ("knee", "ankle", "big_toe", "small_toe", "heel")]
        _turn(place, f"{side}_hip", leg, random.uniform(-0.5, 0.5))
        _turn(place, f"{side}_knee", leg[1:], random.uniform(-0.5, 0.5))
    head = ["nose", *(f"{side}_{part}" for side in ("left", "right") for part in ("eye", "ear"))]
    _turn(place, "neck", head, random.uniform(-0.3, 0.3))
    _turn(place, "mid_hip", list(BODY_25), random.uniform(-0.3, 0.3))
    return place + np.array([x, y])


def _turn(place: np.ndarray, pivot: str, joints: list[str], angle: float) -> None:
    rows, middle = [BODY[name] for name in joints], place[BODY[pivot]].copy()
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    place[rows] = (place[rows] - middle) @ turn + middle


@dataclass(frozen=True)
class Maps:
    """What the network gives for planted people."""

    heat: np.ndarray  # (25, h, w) float32
    fields: np.ndarray  # (52, h, w) float32


def plant(bodies: np.ndarray, size: tuple[int, int], doubt_px: float = 4.0, noise: float = 0.0, random=None) -> Maps:
    """Draw people into maps as the network gives them.

    Args:
        bodies: (P, 25, 2) float, x px, y px of the network's input, pixel centres at integers; NaN: not seen.
        size: height and width of the network's input, pixels.
        doubt_px: how far the network is unsure of a joint; its peak is the label blurred by that. 0: the labels.
        noise: deviation of what is added to every value; then `random` is its generator.
    """
    variance = LABEL_PX**2 + doubt_px**2
    rows, columns = size[0] // STRIDE, size[1] // STRIDE
    y, x = (np.mgrid[:rows, :columns] + 0.5) * STRIDE - 0.5
    grid = np.stack([x, y], -1)  # (h, w, 2), px of the network's input
    heat, fields, crossed = np.zeros((25, rows, columns)), np.zeros((52, rows, columns)), np.zeros((26, rows, columns))
    for body in bodies:
        for joint in np.flatnonzero(np.isfinite(body[:, 0])):
            distance = ((grid - body[joint]) ** 2).sum(-1)
            heat[joint] = np.maximum(heat[joint], LABEL_PX**2 / variance * np.exp(-distance / (2 * variance)))
        for pair, ((first, second), channel) in enumerate(zip(PAIRS, FIELDS, strict=True)):
            way = body[second] - body[first]
            length = np.linalg.norm(way)
            if not length > 0:  # not seen
                continue
            along = (grid - body[first]) @ way / length
            across = np.abs((grid - body[first]) @ [-way[1], way[0]]) / length
            on = (along > -LIMB_PX) & (along < length + LIMB_PX) & (across < LIMB_PX)
            fields[channel : channel + 2, on] += (way / length)[:, None]
            crossed[pair, on] += 1
    for pair, channel in enumerate(FIELDS):
        fields[channel : channel + 2] /= np.maximum(crossed[pair], 1)
    if noise:
        heat, fields = (maps + random.normal(0, noise, maps.shape) for maps in (heat, fields))
    return Maps(heat.astype(np.float32), fields.astype(np.float32))


def random_scene(random: np.random.Generator, size: tuple[int, int], apart_px: float = 30.0) -> np.ndarray:
    """One to four people (P, 25, 2) px; equal joints of two people are at least `apart_px` from each other.

    Joints outside the picture or at its very border, and joints that hang on the rest of the body by such a one, are
    NaN.
    """
    height, width = size
    number, bodies = random.integers(1, 5), []
    while len(bodies) < number:
        tall = random.uniform(0.45, 0.95) * height
        body = bent_body(random, tall, random.uniform(0.02, 0.98) * width, random.uniform(0.75, 1.15) * height)
        body[((body < BORDER_PX) | (body > [width - BORDER_PX, height - BORDER_PX])).any(1)] = np.nan
        body[~_largest_piece(np.isfinite(body[:, 0]))] = np.nan
        if np.isfinite(body[:, 0]).sum() >= 8 and not any(_near(body, other, apart_px) for other in bodies):
            bodies.append(body)
    return np.stack(bodies)


def _largest_piece(seen: np.ndarray) -> np.ndarray:
    """Of the seen joints (25,) those of the largest piece that limbs between seen joints hold together."""
    piece = np.where(seen, np.arange(25), -1)
    for _ in range(25):
        for first, second in PAIRS[seen[PAIRS].all(1)]:
            piece[[first, second]] = piece[[first, second]].min()
    return seen & (piece == np.bincount(piece[seen], minlength=1).argmax()) if seen.any() else seen


def _near(body: np.ndarray, other: np.ndarray, apart_px: float) -> bool:
    distance = np.linalg.norm(body - other, axis=1)
    return bool((distance[np.isfinite(distance)] < apart_px).any())


def match(found: np.ndarray, planted: np.ndarray) -> list[int]:
    """For each planted body (P, 25, 2) the found one (F, 25, 3) with the most joints within 8 px, -1 where none has."""
    if len(found) == 0:
        return [-1] * len(planted)
    near = [((np.linalg.norm(found[..., :2] - body, axis=-1) < 8) & (found[..., 2] > 0)).sum(1) for body in planted]
    return [int(number.argmax()) if number.max() else -1 for number in near]
