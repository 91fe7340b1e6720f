"""Dressing a body: a look is painted on it point by point, and it is inflated where cloth or hair is thick.

Everything is laid out on the reference build, so that a look fits every build.
"""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import map_coordinates

from understudy.body.model import Body, vertex_normals
from understudy.body.parts import GROUPS, group_weights
from understudy.semantics.joints import BODY
from understudy.synthetic.looks import Colour, Look

_NOISE = np.random.default_rng(11).uniform(-1, 1, (32, 32, 32)).astype(np.float32)
MOUTH = (92, 36, 38)  # inside of the mouth, seen between the lips
SHOE_M = 0.10  # top of the shoes above the floor
SOLE_M = 0.022  # thickness of their soles
SOLE = (60, 56, 54)
THICKNESS_M = {"shirt": 0.014, "trousers": 0.018, "shoes": 0.009}


class Wardrobe:
    """One look on one build: the dressed shape at rest, and the colour of any point of it."""

    def __init__(self, body: Body, look: Look):
        self.body = body
        self.look = look
        self.layout = _layout(body)  # (V, 10) float32
        cover = _cover(self.layout, body.reference, look)
        thickness = sum(THICKNESS_M[name] * cover[name] for name in THICKNESS_M) + look.hair_m * cover["hair"]
        outward = vertex_normals(body.rest, body.faces)
        self.dressed = body.reshaped(body.rest + outward * _smooth(thickness, body.faces)[:, None])
        self.eyes = body.regions["eye_front.L"] | body.regions["eye_front.R"]
        self.mouth = body.regions["mouth_cavity"]

    def colour(self, face: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
        """Unlit colour (N, 3) float32, sRGB 0..255, of points on triangles: face (N,), barycentric (N, 3)."""
        corners = self.body.faces[face]  # (N, 3)
        place = np.einsum("nkc,nk->nc", self.body.reference[corners], barycentric)  # (N, 3) metres
        layout = np.einsum("nkc,nk->nc", self.layout[corners], barycentric)  # (N, 10)
        cover = _cover(layout, place, self.look)
        fine = _grain(place, 170) + layout[:, GRAIN]  # (N,), about -1..1
        look = self.look
        colour = np.tile(np.array(look.skin, np.float32), (len(face), 1))
        head = np.flatnonzero(layout[:, HEAD] > 0.5)
        colour[head] = _face(layout[head], place[head], look)
        colour *= (1 + 0.02 * fine)[:, None]

        def dyed(dye: Colour, contrast: float) -> Callable[[np.ndarray], np.ndarray]:
            return lambda on: np.array(dye) * (1 + contrast * fine[on])[:, None]

        def strands(on: np.ndarray) -> np.ndarray:
            return np.array(look.hair) * (1 + 0.22 * _grain(place[on] * [1, 1, 0.25], 260))[:, None]

        def cloth(on: np.ndarray) -> np.ndarray:
            return PATTERNS[look.pattern](place[on], layout[on], look) * (1 + 0.05 * fine[on])[:, None]

        _paint_where(colour, cover["hair"], strands)
        _paint_where(colour, cover["trousers"], dyed(look.trousers, 0.07))
        _paint_where(colour, cover["shirt"], cloth)
        _paint_where(colour, cover["shoes"], dyed(look.shoes, 0.04))
        _paint_where(colour, cover["shoes"] * _step(SOLE_M - layout[:, HEIGHT], 0.004), dyed(SOLE, 0.0))
        eye = self.eyes[face]
        colour[eye] = _eye(layout[eye], self.look)
        colour[self.mouth[face]] = MOUTH
        return colour


# Columns of a layout: coordinates that are linear on every triangle.
ARM, ALONG_ARM, HEAD, HEIGHT, LIPS, LIDS, EARS, EYE_X, EYE_Z, GRAIN = range(10)


def _layout(body: Body) -> np.ndarray:
    """Coordinates of each vertex that clothes and face are laid out by: (V, 10) float32, see the names above.

    Shares of arm and head (0..1), way along the arm from the shoulder (metres), height above the sole (metres),
    areas of lips, lids and ears (0..1), and place relative to the nearer eye (metres; x outwards, z up); coarse
    grain of -1..1.
    """
    share = group_weights(body)
    reference = body.reference
    eyes = (body.joints(reference)[BODY["left_eye"]] + body.joints(reference)[BODY["right_eye"]] * [-1, 1, 1]) / 2
    columns = np.zeros((len(reference), 10), np.float32)
    for index, group in enumerate(GROUPS):
        name = group.split(".")[0]
        if name in ("upperarm", "lowerarm", "hand"):
            columns[:, ARM] += share[:, index]
        elif name == "head":
            columns[:, HEAD] += share[:, index]
    for side in "LR":
        shoulder, wrist = (body.reference_heads[body.bones.index(f"{bone}.{side}")] for bone in ("upperarm01", "wrist"))
        along = (reference - shoulder) @ (wrist - shoulder) / np.linalg.norm(wrist - shoulder)
        mine = reference[:, 0] > 0 if side == "L" else reference[:, 0] <= 0
        columns[mine, ALONG_ARM] = along[mine]
    columns[:, HEIGHT] = reference[:, 2] - reference[:, 2].min()
    columns[:, LIPS], columns[:, LIDS], columns[:, EARS] = (body.paint[name] for name in ("lips", "eyelids", "ears"))
    columns[:, EYE_X] = np.abs(reference[:, 0]) - eyes[0]
    columns[:, EYE_Z] = reference[:, 2] - eyes[2]
    columns[:, GRAIN] = _grain(reference, 12)
    return columns


def _cover(layout: np.ndarray, place: np.ndarray, look: Look) -> dict[str, np.ndarray]:
    """How much of each cloth covers points: name -> (N,) 0..1; borders are two to four millimetres soft."""
    height, arm, head = layout[:, HEIGHT], layout[:, ARM], layout[:, HEAD]
    waist = _step(height - 0.93, 0.004)  # 1 above
    sleeve = _step(look.sleeve_m - layout[:, ALONG_ARM], 0.004)
    collar = _step(1.375 + 0.5 * np.minimum(place[:, 1] + 0.02, 0) - height, 0.004)  # lower in front
    trunk = 1 - _step(arm - 0.5, 0.05)
    shoes = _step(SHOE_M - height, 0.003) * trunk
    trousers = trunk * (1 - waist) * (1 - shoes) * _step(height - look.hem_m, 0.003)
    shirt = trunk * waist * collar + (1 - trunk) * sleeve
    hair = np.zeros(len(head))
    hairy = np.flatnonzero(head > 0.3)
    hair[hairy] = _hair(layout[hairy], place[hairy], look) * _step(head[hairy] - 0.5, 0.2)
    return {
        "shirt": shirt,
        "trousers": trousers,
        "shoes": shoes,
        "hair": hair,
    }


def _hair(layout: np.ndarray, place: np.ndarray, look: Look) -> np.ndarray:
    """How much of the hair covers points (N,): above the hairline, at the temples, and down the back of the head."""
    up, back = layout[:, EYE_Z], place[:, 1] + 0.045  # metres above the eyes, metres behind the front of the ears
    line = look.fringe_m - 6 * place[:, 0] ** 2 - 0.8 * np.clip(back + 0.05, 0, None)
    crown = _step(up - line, 0.005)
    rear = _step(back - 0.022, 0.006) * _step(up + look.nape_m + 0.3 * np.clip(0.02 - back, 0, None), 0.008)
    temple = _step(back + 0.016 - 0.25 * up, 0.005) * _step(up + 0.012, 0.006)
    return np.maximum(np.maximum(crown, rear), temple) * (1 - layout[:, EARS])


def _face(layout: np.ndarray, place: np.ndarray, look: Look) -> np.ndarray:
    """Skin of the head with lips, brows, lids and a little red on the cheeks: (N, 3) float32."""
    colour = np.tile(np.array(look.skin, np.float32), (len(layout), 1))
    x, z = layout[:, EYE_X], layout[:, EYE_Z]
    front = place[:, 1] < -0.09
    red = np.exp(-((x - 0.012) ** 2 + (z + 0.042) ** 2) / 0.018**2) * front
    _paint(colour, 0.22 * red, np.array([205.0, 90, 80]))
    arch = 0.021 - 3.5 * (x - 0.004) ** 2
    brow = np.clip(1 - np.abs(z - arch) / 0.0058, 0, 1) * _step(x + 0.018, 0.002) * _step(0.027 - x, 0.004) * front
    _paint(colour, 0.85 * brow, np.array(look.hair) * 0.8)
    _paint(colour, 0.40 * layout[:, LIDS], np.array(look.skin) * [0.55, 0.45, 0.42])
    _paint(colour, 0.85 * layout[:, LIPS], np.array(look.lips))
    return colour


def _eye(layout: np.ndarray, look: Look) -> np.ndarray:
    """Eyeballs: white, iris, pupil: (N, 3)."""
    away = np.hypot(layout[:, EYE_X], layout[:, EYE_Z])  # metres from the middle of the eye
    colour = np.full((len(away), 3), (236, 232, 228), np.float32)
    _paint(colour, _step(0.0066 - away, 0.0006), np.array(look.iris, np.float64))
    _paint(colour, _step(0.0028 - away, 0.0005), np.array([14.0, 12, 12]))
    return colour


def _check(place: np.ndarray, layout: np.ndarray, look: Look) -> np.ndarray:
    across, up = _cloth_place(place, layout)
    lines = _wave(across, 0.11) + _wave(up, 0.11)  # 0, 1, 2: a woven check has three shades
    return np.array(look.second) + (np.array(look.shirt) - np.array(look.second)) * (lines / 2)[:, None]


def _stripe(place: np.ndarray, layout: np.ndarray, look: Look) -> np.ndarray:
    _, up = _cloth_place(place, layout)
    return np.array(look.second) + (np.array(look.shirt) - np.array(look.second)) * _wave(up, 0.085)[:, None]


def _plain(place: np.ndarray, layout: np.ndarray, look: Look) -> np.ndarray:
    hem = _step(0.97 - layout[:, HEIGHT], 0.003) * (layout[:, ARM] < 0.5)
    return np.array(look.shirt) + (np.array(look.second) - np.array(look.shirt)) * hem[:, None]


def _badge(place: np.ndarray, layout: np.ndarray, look: Look) -> np.ndarray:
    """A bold disc on the chest, a bar on the back, so that front and back are told apart."""
    up = layout[:, HEIGHT] - 1.16
    disc = _step(0.075 - np.hypot(place[:, 0], up), 0.003) * (place[:, 1] < 0)
    bar = _step(0.04 - np.abs(up - 0.05), 0.003) * _step(0.11 - np.abs(place[:, 0]), 0.003) * (place[:, 1] >= 0)
    sign = np.maximum(disc, bar) * (layout[:, ARM] < 0.5)
    return np.array(look.shirt) + (np.array(look.second) - np.array(look.shirt)) * sign[:, None]


PATTERNS = {"check": _check, "stripe": _stripe, "plain": _plain, "badge": _badge}


def _cloth_place(place: np.ndarray, layout: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a point lies on the cloth, metres: round the limb or trunk, and along it."""
    arm = layout[:, ARM] > 0.5
    across = np.where(arm, place[:, 1] * 2, np.arctan2(place[:, 1] + 0.02, place[:, 0]) * 0.14)
    return across, np.where(arm, layout[:, ALONG_ARM], layout[:, HEIGHT])


def _wave(way: np.ndarray, period: float) -> np.ndarray:
    """Stripes 0 or 1 with edges two millimetres soft."""
    return _step(np.sin(2 * np.pi * way / period) * period / (2 * np.pi), 0.002)


def _step(value: np.ndarray, soft: float) -> np.ndarray:
    """0 below -soft, 1 above soft, linear between."""
    return np.clip(value / (2 * soft) + 0.5, 0, 1)


def _paint(colour: np.ndarray, share: np.ndarray, paint: np.ndarray) -> None:
    """Lay paint (3,) or (N, 3) over colour (N, 3) in place, as thick as share (N,) 0..1."""
    colour += share[:, None] * (paint - colour)


def _paint_where(colour: np.ndarray, share: np.ndarray, paint: Callable[[np.ndarray], np.ndarray]) -> None:
    """Lay paint where there is any: `paint` gives the colours (M, 3) of the points (M,) it is asked for."""
    on = np.flatnonzero(share)
    colour[on] += share[on, None] * (paint(on) - colour[on])


def _grain(place: np.ndarray, per_m: float) -> np.ndarray:
    """Irregular texture of about -1..1 at points (N, 3) metres, with `per_m` grains a metre: (N,)."""
    return map_coordinates(_NOISE, place.T * per_m, order=1, mode="grid-wrap", prefilter=False)


def _smooth(value: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Average a value of vertices (V,) over the triangles round each, twice, so that hems do not tear."""
    count = np.maximum(np.bincount(faces.ravel(), minlength=len(value)), 1)
    for _ in range(2):
        middle = value[faces].mean(1)
        value = np.bincount(faces.ravel(), np.repeat(middle, 3), len(value)) / count
    return value
