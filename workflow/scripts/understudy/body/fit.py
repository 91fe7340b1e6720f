"""A body fitted to one frame's joints in closed form: one affine map per group of bones, blended by the skin weights.

Each limb's map carries the rest bone exactly onto the seen bone; thickness is fixed for a clip, because single joints
are too noisy to tell it. The projection is parallel: x and y of a fitted vertex are its pixels.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np

from understudy.body.figure import (
    BODY,
    TO_CAMERA,
    Figure,
    complete_torso,
    cross,
    cross_matrix,
    frame,
    length,
    similarity,
    smallest_turn,
    unit,
)
from understudy.body.model import Body
from understudy.body.parts import Chart, chart
from understudy.body.raster import draw_surface, rasterise
from understudy.body.relief import outward, relief_points

# Group -> beginnings of the names of its bones; the first match counts.
_PREFIXES = {
    "upper": ("spine01", "spine02", "spine03", "clavicle", "shoulder"),
    "lower": ("root", "pelvis", "spine"),
    "upperarm": ("upperarm",),
    "lowerarm": ("lowerarm",),
    "hand": ("wrist", "finger", "metacarpal"),
    "upperleg": ("upperleg",),
    "lowerleg": ("lowerleg",),
    "foot": ("foot", "toe"),
    "head": ("neck", "head", "eye"),
}
_LIMBS = ("upperarm", "lowerarm", "hand", "upperleg", "lowerleg", "foot")
GROUPS = ("upper", "lower", "head", *(f"{limb}.{side}" for side in "LR" for limb in _LIMBS))
_GROUP = {name: index for index, name in enumerate(GROUPS)}

FACE_POINTS = slice(17, 68)  # brows, nose, eyes, lips: the jaw slides along the silhouette, pupils move
FACE_LEAST_POINTS = 20
WIDTH_SPREAD = 0.25  # shoulders and hips are as wide as their joints say, within this share of the clip's size
FOOT_SPREAD = (0.5, 1.3)  # likewise the foot's length
TWIST_LEAST = 0.15  # of the palm's width: knuckles nearer to each other than this do not tell how the hand is turned
MOST_SIZE, MOST_RELIEF_M = 1e5, 1.0  # of a shape that a file holds; far beyond any body's
INDEX, LITTLE = 5, 17  # first knuckles in a hand's 21 joints


@dataclass(frozen=True)
class BodyShape:
    """Sizes that hold for a whole clip: a person's build before one camera."""

    px_per_m: float  # size of hands and feet, pixels for a metre of the rest body
    thickness: float  # torso and limbs are so many times thicker than that (build and clothes)
    head_px_per_m: float  # size of the head
    arms: float = 1.0  # thickness of limbs over that of the torso: a wide coat over thin legs
    thighs: float = 1.0
    shins: float = 1.0
    relief: tuple[float, ...] = ()  # how far clothes and hair lie off the rest body, metres; empty for the bare body

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls.from_values(json.loads(text))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Build a shape from the plain values that JSON keeps.

        Raises:
            ValueError, TypeError, AttributeError: they are no shape's.
        """
        shape = cls(**{**values, "relief": tuple(values.get("relief", ()))})
        sizes = {name: value for name, value in vars(shape).items() if name != "relief"}
        for name, value in sizes.items():
            if not (isinstance(value, (int, float)) and 0 < value < MOST_SIZE):
                raise ValueError(f"{name} is {value!r}, expected a number above 0")
        if not all(isinstance(value, (int, float)) and abs(value) < MOST_RELIEF_M for value in shape.relief):
            raise ValueError(f"relief holds something else than metres below {MOST_RELIEF_M:g}")
        return shape


@dataclass(frozen=True)
class Template:
    """What the fit needs of the rest body, in the camera's axes, metres; V vertices, F faces, G groups."""

    body: Body
    vertices: np.ndarray  # (V, 3) float32
    shares: np.ndarray  # (V, G) float32, share of each group in each vertex
    carried: tuple[tuple[np.ndarray, np.ndarray], ...]  # of each group: its vertices (N,), share * (x, y, z, 1) (N, 4)
    faces: np.ndarray  # (F, 3)
    face_group: np.ndarray  # (F,)
    chart: Chart
    joints: np.ndarray  # (25, 3)
    face: np.ndarray  # (70, 3)
    hands: np.ndarray  # (2, 21, 3)


@dataclass(frozen=True)
class FittedBody:
    """Vertices (V, 3) float32, x right, y down, z away px; groups (G,) bool that are to be drawn."""

    vertices: np.ndarray
    present: np.ndarray


def template(build: str = "neutral", relief: tuple[float, ...] = ()) -> Template:
    """Prepare a build of the body for fitting; a relief moves its skin, but not its joints."""
    return _dressed(build, relief) if relief else _bare(build)


@lru_cache(maxsize=2)
def _dressed(build: str, relief: tuple[float, ...]) -> Template:
    bare, points = _bare(build), relief_points(build)
    if len(relief) != len(points.mirror):
        raise ValueError(f"a relief has {len(points.mirror)} heights, one for each point; got {len(relief)}")
    vertices = bare.vertices + outward(build) * points.spread(np.array(relief))[:, None]
    return replace(bare, vertices=vertices, carried=carried_by(vertices, bare.shares))


@lru_cache(maxsize=4)
def _bare(build: str) -> Template:
    body = Body(build)
    groups = [_group_of(bone) for bone in body.bones]
    member = (np.array(groups)[:, None] == np.arange(len(GROUPS))).astype(np.float32)  # (J, G)
    shares = body.weights @ member
    vertices = (body.rest @ TO_CAMERA.T).astype(np.float32)
    return Template(
        body=body,
        vertices=vertices,
        shares=shares,
        carried=carried_by(vertices, shares),
        faces=body.faces,
        face_group=shares[body.faces].sum(1).argmax(1),
        chart=chart(body),
        joints=body.joints(body.rest) @ TO_CAMERA.T,
        face=body.face(body.rest) @ TO_CAMERA.T,
        hands=body.hands(body.rest) @ TO_CAMERA.T,
    )


def carried_by(
    vertices: np.ndarray, shares: np.ndarray, shift: float = 1.0
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """What `carry` needs of vertices (V, 3) and their groups' shares (V, G), as in `Template`; `shift` 0 for ways."""
    carried = []
    for share in shares.T:
        numbers = np.flatnonzero(share)
        places = np.column_stack([vertices[numbers], np.full(len(numbers), shift, np.float32)])
        carried.append((numbers, share[numbers, None] * places))
    return tuple(carried)


def _group_of(bone: str) -> int:
    name = next(group for group, prefixes in _PREFIXES.items() if bone.startswith(prefixes))
    return _GROUP[f"{name}.{bone[-1]}" if name in _LIMBS else name]


def fit_body(figure: Figure, shape: BodyShape, build: str = "neutral") -> FittedBody:
    """Fit the body to one frame's joints.

    Args:
        figure: joints of the frame, pixels; absent ones are allowed.
        shape: sizes of the clip.
        build: which rest body.

    Returns:
        The fitted body; groups whose joints are absent are marked as not present.
    """
    rest = template(build, shape.relief)
    maps, present = fit_groups(figure, shape, rest)
    return FittedBody(carry(maps, rest.carried, len(rest.vertices)), present)


def fit_groups(figure: Figure, shape: BodyShape, rest: Template) -> tuple[np.ndarray, np.ndarray]:
    """Maps (G, 3, 4) that carry each group from the rest pose into the picture, and which groups are present (G,)."""
    return _Fit(figure, shape, rest).solve()


def carry(maps: np.ndarray, carried: Sequence[tuple[np.ndarray, np.ndarray]], number: int) -> np.ndarray:
    """Move `number` vertices by the maps (G, 3, 4) of their groups: (V, 3) float32; `carried` as in `Template`."""
    vertices = np.zeros((number, 3), np.float32)
    for (numbers, places), group in zip(carried, maps.astype(np.float32), strict=True):
        vertices[numbers] += places @ group.T  # a vertex has few groups: much less work than all shares of all
    return vertices


def draw_fitted(
    fitted: FittedBody, height: int, width: int, samples: int = 1, build: str = "neutral"
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a fitted body's parts and U, V.

    Args:
        fitted: the body, in pixels of the frame.
        height, width: of the frame, pixels.
        samples: surface samples per pixel and axis.
        build: which rest body.

    Returns:
        (P, Q) uint8 part, 0 for none, and (P, Q, 2) uint8 U, V 0..255; P and Q are `samples` times height and width.
    """
    rest = template(build)
    part = np.zeros((height * samples, width * samples), np.uint8)
    uv = np.zeros((height * samples, width * samples, 2), np.uint8)
    drawn = fitted.present[rest.face_group]  # (F,)
    if drawn.all():  # as in most frames; copies cost time
        faces, atlas = rest.faces, rest.chart
    else:
        faces, atlas = rest.faces[drawn], Chart(rest.chart.part[drawn], rest.chart.uv[drawn])
    if not len(faces):
        return part, uv
    points = fitted.vertices[:, :2] * samples
    used = np.zeros(len(points), bool)
    used[faces] = True
    used = points[used]
    left, top = np.clip(np.floor(used.min(0)), 0, part.shape[::-1]).astype(int)
    right, bottom = np.clip(np.ceil(used.max(0)), 0, part.shape[::-1]).astype(int)
    if left < right and top < bottom:  # the rest of the picture is empty and costs time
        raster = rasterise(points - [left, top], fitted.vertices[:, 2], faces, bottom - top, right - left)
        window = slice(top, bottom), slice(left, right)
        part[window], uv[window] = draw_surface(raster, atlas)
    return part, uv


class _Fit:
    """The maps of all groups, from the torso outwards."""

    def __init__(self, figure: Figure, shape: BodyShape, rest: Template):
        self.figure, self.shape, self.rest = figure, shape, rest
        thick = shape.px_per_m * shape.thickness
        self.torso_thick = thick
        self.limb_thick = {
            "upperarm": thick * shape.arms,
            "lowerarm": thick * shape.arms,
            "upperleg": thick * shape.thighs,
            "lowerleg": thick * shape.shins,
        }
        self.maps = np.zeros((len(GROUPS), 3, 4))  # x' = A x + b
        self.present = np.zeros(len(GROUPS), bool)
        self.turns: dict[str, np.ndarray] = {}  # rotation of each group

    def solve(self) -> tuple[np.ndarray, np.ndarray]:
        """Return maps (G, 3, 4) and which groups are present (G,)."""
        points = complete_torso(self.figure, self.rest.joints, self.shape.px_per_m)
        if points is None:
            return self.maps, self.present
        self.points, self.seen = points, self.figure.body_score > 0
        self._torso()
        self._head()
        for side, word in (("L", "left"), ("R", "right")):
            self._limb(f"upperarm.{side}", f"{word}_shoulder", f"{word}_elbow", "upper")
            self._limb(f"lowerarm.{side}", f"{word}_elbow", f"{word}_wrist", f"upperarm.{side}")
            self._hand(side, word)
            self._limb(f"upperleg.{side}", f"{word}_hip", f"{word}_knee", "lower")
            self._limb(f"lowerleg.{side}", f"{word}_knee", f"{word}_ankle", f"upperleg.{side}")
            self._foot(side, word)
        return self.maps, self.present

    def _set(self, group: str, linear: np.ndarray, start: np.ndarray, end: np.ndarray, present: bool = True) -> None:
        """Store the map with this linear part that carries the rest point `start` to the picture's point `end`."""
        index = _GROUP[group]
        self.maps[index, :, :3], self.maps[index, :, 3] = linear, end - linear @ start
        self.present[index] = present

    def _torso(self) -> None:
        """Chest by shoulders, pelvis by hips; both are as long as the way from hips to shoulders."""
        rest, points, thick = self.rest.joints, self.points, self.torso_thick
        ends = {
            "upper": (BODY["right_shoulder"], BODY["left_shoulder"]),
            "lower": (BODY["right_hip"], BODY["left_hip"]),
        }
        middle = {group: (rest[list(pair)].mean(0), points[list(pair)].mean(0)) for group, pair in ends.items()}
        up_rest, up = (middle["upper"][which] - middle["lower"][which] for which in (0, 1))
        long = length(up) / length(up_rest)
        for group, (right, left) in ends.items():
            across_rest, across = rest[left] - rest[right], points[left] - points[right]
            axes_rest, axes = frame(up_rest, across_rest), frame(up, across)
            low, high = (1 - WIDTH_SPREAD) * thick, (1 + WIDTH_SPREAD) * thick
            width = np.clip(length(across) / length(across_rest), low, high)
            if group == "lower":  # hip joints lie deep inside; they tell little of the pelvis' width
                width = (width + thick) / 2
            self.turns[group] = axes @ axes_rest.T
            self._set(group, axes @ np.diag([width, long, thick]) @ axes_rest.T, *middle[group])

    def _head(self) -> None:
        """The head by the face's points; without a face by ears and nose, held near the torso."""
        scale, rest = self.shape.head_px_per_m, self.rest
        seen = self.figure.face_score[FACE_POINTS] > 0
        if seen.sum() >= FACE_LEAST_POINTS:
            points, model = self.figure.face[FACE_POINTS][seen], rest.face[FACE_POINTS][seen]
            _, self.turns["head"] = face_turn(model, points)
            self._set("head", scale * self.turns["head"], model.mean(0), points.mean(0))
            return
        names = [name for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear") if self.seen[BODY[name]]]
        joints = [BODY[name] for name in names]
        turn = self.turns["upper"]
        if {"left_ear", "right_ear"} <= set(names):
            ears_rest = rest.joints[BODY["left_ear"]] - rest.joints[BODY["right_ear"]]
            ears = self.points[BODY["left_ear"]] - self.points[BODY["right_ear"]]
            turn = smallest_turn(turn @ ears_rest, unit(turn @ ears_rest) + unit(ears)) @ turn  # half way
        self.turns["head"] = turn
        if joints:
            self._set("head", scale * turn, rest.joints[joints].mean(0), self.points[joints].mean(0))
        else:
            neck = [BODY["right_shoulder"], BODY["left_shoulder"]]
            self._set("head", scale * turn, rest.joints[neck].mean(0), self.points[neck].mean(0), present=False)

    def _limb(self, group: str, start: str, end: str, parent: str) -> None:
        """Carry the rest bone onto the seen one, by the smallest turn from where the parent would leave it."""
        first, last = BODY[start], BODY[end]
        bone_rest = self.rest.joints[last] - self.rest.joints[first]
        turn, thick = self.turns[parent], self.limb_thick[group[:-2]]
        torso = parent in ("upper", "lower")
        present = bool(self.present[_GROUP[parent]] and self.seen[last] and (torso or self.seen[first]))
        if present:
            bone = self.points[last] - self.points[first]
            turn = smallest_turn(turn @ bone_rest, bone) @ turn
            along = unit(bone_rest)
            stretch = length(bone) / length(bone_rest) - thick
            linear = turn @ (thick * np.eye(3) + stretch * np.outer(along, along))
            place = self.points[first]
        else:
            linear = thick * turn
            place = self._carried(parent, self.rest.joints[first])
        self.turns[group] = turn
        self._set(group, linear, self.rest.joints[first], place, present)

    def _hand(self, side: str, word: str) -> None:
        """The hand along the palm, twisted as index and little knuckle say."""
        parent, which, wrist = f"lowerarm.{side}", "LR".index(side), BODY[f"{word}_wrist"]
        rest, hand, turn = self.rest.hands[which], self.figure.hands[which], self.turns[parent]
        present = bool(self.present[_GROUP[parent]])
        knuckles = [INDEX, LITTLE]
        if present and (self.figure.hands_score[which, knuckles] > 0).all():
            palm_rest = rest[knuckles].mean(0) - rest[0]
            palm = hand[knuckles].mean(0) - (hand[0] if self.figure.hands_score[which, 0] > 0 else self.points[wrist])
            turn = smallest_turn(turn @ palm_rest, palm) @ turn
            across_rest = rest[INDEX] - rest[LITTLE]
            least = TWIST_LEAST * self.shape.px_per_m * length(across_rest)
            turn = _twist(turn @ across_rest, hand[INDEX] - hand[LITTLE], unit(palm), least) @ turn
        place = self._carried(parent, self.rest.joints[wrist])
        self.turns[f"hand.{side}"] = turn
        self._set(f"hand.{side}", self.shape.px_per_m * turn, self.rest.joints[wrist], place, present)

    def _foot(self, side: str, word: str) -> None:
        """The foot from heel to big toe, standing under the shin; without them as the rest pose has it."""
        parent, ankle = f"lowerleg.{side}", BODY[f"{word}_ankle"]
        toe, heel, knee = (BODY[f"{word}_{joint}"] for joint in ("big_toe", "heel", "knee"))
        rest, points, size = self.rest.joints, self.points, self.shape.px_per_m
        present = bool(self.present[_GROUP[parent]])
        linear = size * self.turns[parent]
        if present and self.seen[toe] and self.seen[heel]:
            axes_rest = frame(rest[toe] - rest[heel], rest[knee] - rest[ankle])
            axes = frame(points[toe] - points[heel], points[knee] - points[ankle])
            long = length(points[toe] - points[heel]) / length(rest[toe] - rest[heel])
            long = np.clip(long, *(share * size for share in FOOT_SPREAD))
            linear = axes @ np.diag([size, long, size]) @ axes_rest.T
        self._set(f"foot.{side}", linear, rest[ankle], self._carried(parent, rest[ankle]), present)

    def _carried(self, group: str, point: np.ndarray) -> np.ndarray:
        """Where a group's map carries a point of the rest body."""
        linear, shift = self.maps[_GROUP[group], :, :3], self.maps[_GROUP[group], :, 3]
        return linear @ point + shift


def face_turn(model: np.ndarray, points: np.ndarray) -> tuple[float, np.ndarray]:
    """Size, pixels per metre, and rotation (3, 3) of a face from its points (N, 3) and those of the rest pose (N, 3).

    A second fit gives points far off (an open mouth, a raised brow) less weight.
    """
    weights = np.ones(len(points))
    scale, turn = similarity(model, points, weights)
    offset = points - points.mean(0) - scale * (model - model.mean(0)) @ turn.T
    error = np.linalg.norm(offset, axis=1)
    return similarity(model, points, 1 / (1 + (error / max(np.median(error), 1e-9)) ** 2))


def _twist(start: np.ndarray, end: np.ndarray, axis: np.ndarray, least: float) -> np.ndarray:
    """Rotation (3, 3) about a unit axis that turns `start` towards `end`; none where `end` is shorter than `least`."""
    start, end = start - (start @ axis) * axis, end - (end @ axis) * axis
    if length(end) <= least:
        return np.eye(3)
    angle = np.arctan2(cross(start, end) @ axis, start @ end)
    skew = cross_matrix(axis)
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
