"""Looks: clothes, hair and skin, painted on the body point by point and inflated where cloth or hair is thick.

Everything is laid out on the reference build, so that a look fits every build.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from understudy.body.model import Body, vertex_normals
from understudy.body.parts import GROUPS, group_weights
from understudy.semantics.joints import BODY

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """Colours are sRGB 0..255; lengths are metres on the reference build.

    Attributes:
        skin, hair, lips, iris: colours of the person.
        shirt, second: colours of the shirt and of its pattern.
        pattern: a key of `PATTERNS`.
        trousers, shoes: their colours.
        sleeve_m: length of the sleeves from the shoulder's joint.
        hem_m: height of the trousers' hem above the sole; 0.12 reaches the shoe.
        hair_m: thickness of the hair.
        fringe_m: height of the hairline above the eyes.
        nape_m: how far below the ears the hair reaches.
    """

    skin: Colour
    hair: Colour
    lips: Colour
    iris: Colour
    shirt: Colour
    second: Colour
    pattern: str
    trousers: Colour
    shoes: Colour
    sleeve_m: float
    hem_m: float
    hair_m: float
    fringe_m: float
    nape_m: float


LOOKS = {
    "check": Look(
        skin=(226, 180, 152),
        hair=(74, 46, 30),
        lips=(178, 84, 84),
        iris=(70, 92, 70),
        shirt=(206, 52, 48),
        second=(242, 226, 214),
        pattern="check",
        trousers=(48, 66, 120),
        shoes=(232, 232, 236),
        sleeve_m=0.425,
        hem_m=0.12,
        hair_m=0.022,
        fringe_m=0.062,
        nape_m=0.075,
    ),
    "stripe": Look(
        skin=(150, 102, 74),
        hair=(24, 20, 20),
        lips=(132, 66, 62),
        iris=(48, 32, 24),
        shirt=(30, 44, 96),
        second=(240, 206, 92),
        pattern="stripe",
        trousers=(186, 166, 132),
        shoes=(92, 50, 34),
        sleeve_m=0.20,
        hem_m=0.12,
        hair_m=0.010,
        fringe_m=0.070,
        nape_m=0.030,
    ),
    "plain": Look(
        skin=(240, 200, 174),
        hair=(206, 164, 96),
        lips=(196, 96, 96),
        iris=(74, 110, 150),
        shirt=(28, 138, 122),
        second=(22, 112, 100),
        pattern="plain",
        trousers=(222, 208, 190),
        shoes=(196, 70, 96),
        sleeve_m=0.33,
        hem_m=0.42,
        hair_m=0.026,
        fringe_m=0.055,
        nape_m=0.100,
    ),
    "dark": Look(
        skin=(212, 160, 128),
        hair=(126, 58, 28),
        lips=(160, 78, 74),
        iris=(96, 70, 40),
        shirt=(44, 44, 50),
        second=(196, 92, 44),
        pattern="badge",
        trousers=(72, 72, 68),
        shoes=(24, 24, 26),
        sleeve_m=0.425,
        hem_m=0.12,
        hair_m=0.016,
        fringe_m=0.058,
        nape_m=0.045,
    ),
}

_NOISE = np.random.default_rng(11).uniform(-1, 1, (32, 32, 32)).astype(np.float32)
MOUTH = (92, 36, 38)  # inside of the mouth, seen between the lips
SHOE_M = 0.10  # top of the shoes above the sole
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
        colour = _skin(layout, place, self.look) * (1 + 0.02 * fine)[:, None]
        strands = _grain(place * [1, 1, 0.25], 260)
        _paint(colour, cover["hair"], np.array(self.look.hair) * (1 + 0.22 * strands)[:, None])
        _paint(colour, cover["trousers"], np.array(self.look.trousers) * (1 + 0.07 * fine)[:, None])
        cloth = PATTERNS[self.look.pattern](place, layout, self.look) * (1 + 0.05 * fine)[:, None]
        _paint(colour, cover["shirt"], cloth)
        _paint(colour, cover["shoes"], np.array(self.look.shoes) * (1 + 0.04 * fine)[:, None])
        sole = cover["shoes"] * _step(0.022 - layout[:, HEIGHT], 0.004)
        _paint(colour, sole, np.array([60.0, 56, 54]) * np.ones((len(face), 1)))
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
    return {
        "shirt": shirt,
        "trousers": trousers,
        "shoes": shoes,
        "hair": _hair(layout, place, look) * _step(head - 0.5, 0.2),
    }


def _hair(layout: np.ndarray, place: np.ndarray, look: Look) -> np.ndarray:
    """How much of the hair covers points (N,): above the hairline, at the temples, and down the back of the head."""
    up, back = layout[:, EYE_Z], place[:, 1] + 0.045  # metres above the eyes, metres behind the front of the ears
    line = look.fringe_m - 6 * place[:, 0] ** 2 - 0.8 * np.clip(back + 0.05, 0, None)
    crown = _step(up - line, 0.005)
    rear = _step(back - 0.022, 0.006) * _step(up + look.nape_m + 0.3 * np.clip(0.02 - back, 0, None), 0.008)
    temple = _step(back + 0.016 - 0.25 * up, 0.005) * _step(up + 0.012, 0.006)
    return np.maximum(np.maximum(crown, rear), temple) * (1 - layout[:, EARS])


def _skin(layout: np.ndarray, place: np.ndarray, look: Look) -> np.ndarray:
    """Skin with lips, brows, lids and a little red on the cheeks: (N, 3) float32."""
    colour = np.tile(np.array(look.skin, np.float64), (len(layout), 1))
    head = layout[:, HEAD] > 0.5
    x, z = layout[:, EYE_X], layout[:, EYE_Z]
    front = head & (place[:, 1] < -0.09)
    red = np.exp(-((x - 0.012) ** 2 + (z + 0.042) ** 2) / 0.018**2) * front
    _paint(colour, 0.22 * red, np.array([205.0, 90, 80]))
    arch = 0.021 - 3.5 * (x - 0.004) ** 2
    brow = np.clip(1 - np.abs(z - arch) / 0.0058, 0, 1) * _step(x + 0.018, 0.002) * _step(0.027 - x, 0.004) * front
    _paint(colour, 0.85 * brow, np.array(look.hair, np.float64) * 0.8)
    _paint(colour, 0.40 * layout[:, LIDS] * head, np.array(look.skin) * [0.55, 0.45, 0.42])
    _paint(colour, 0.85 * layout[:, LIPS] * head, np.array(look.lips, np.float64))
    return colour.astype(np.float32)


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
