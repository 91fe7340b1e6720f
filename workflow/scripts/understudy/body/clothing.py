"""Clothes and hair of a person: the relief over the body with which drawn silhouettes fill the seen ones.

Every vertex on the outline of the drawn body looks along the outline's normal for the border of the person: how far
it lies off tells how much higher or lower the skin should be there. All frames together, robustly weighted, with
neighbours and mirror images alike and no relief where nothing is seen, give the relief by least squares.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import cv2
import numpy as np
from scipy.sparse import csr_array

from understudy.body.figure import Figure
from understudy.body.fit import GROUPS, BodyShape, Template, carried_by, carry, fit_groups, template
from understudy.body.outline import border_ways, gradient, sampled, signed_distance
from understudy.body.relief import NEIGHBOURS, Points, outward, relief_points
from understudy.body.silhouette import body_edges, silhouette

FRAMES = 32  # whose silhouettes are compared at most
WORK_PX = 256  # at this height at most
ROUNDS = (0.10, 0.06, 0.06)  # metres: distances beyond this count less and less, stricter in every round
REWEIGHTED = 3  # times in every round
RELIEF_M = (-0.035, 0.30)  # lowest and highest relief
RIM = 600  # vertices of an outline that are looked at, at most
REACH_M = (0.06, 0.30)  # the person's border is looked for so far inwards and outwards
FACING = 0.6  # cosine between the outline's normal and the way in which the skin rises; less is no rim
# Weights, as percents of one frame's outline.
PULL = 0.2  # towards no relief
BARE_PULL = 0.3  # the same on face and feet
SMOOTH = 0.05  # neighbours alike
MIRROR = 2.0  # left and right alike
LEGS = tuple(name for name in GROUPS if name.startswith(("upperleg", "lowerleg")))


@dataclass(frozen=True)
class _View:
    """One frame: the person at work size, the bare body in it, and how each vertex moves by a metre of relief."""

    person: np.ndarray  # (h, w) float32, 0..1
    points: np.ndarray  # (V, 2) px
    rise: np.ndarray  # (V, 2) px per metre
    present: np.ndarray  # (F,) bool


def fit_relief(
    shape: BodyShape,
    figures: Sequence[Figure],
    mattes: Sequence[np.ndarray],
    build: str = "neutral",
    mapped: Callable[..., Iterable] = map,
) -> BodyShape:
    """Fit the relief of clothes and hair of a clip.

    Args:
        shape: the sizes of the clip.
        figures: frames of the clip in which a person is seen.
        mattes: (H, W) uint8 of the same frames, 0..255; all zero where there is none. It is asked for a few only.
        build: which rest body.
        mapped: works like `map`; one that uses several threads is quicker.

    Returns:
        The shape with its relief; without one where no frame has a matte.
    """
    rest = template(build)
    chosen = np.unique(np.linspace(0, len(figures) - 1, min(FRAMES, len(figures))).astype(int))
    pairs = [(figures[index], mattes[index]) for index in chosen]
    pairs = [(figure, matte) for figure, matte in pairs if (matte > 127).any()]
    views = [view for view in mapped(lambda pair: _view(*pair, shape, rest, build), pairs) if view.present.any()]
    if not views:
        return shape
    points = relief_points(build)
    prior = _prior(points)
    relief = np.zeros(len(points.mirror))
    for soft in ROUNDS:
        observed = partial(_observed, height=points.spread(relief), rest=rest)
        rows = list(mapped(observed, views))
        relief = _solve(rows, points, prior * len(views), soft)
    return replace(shape, relief=tuple(np.round(relief, 4).tolist()))


def _view(figure: Figure, matte: np.ndarray, shape: BodyShape, rest: Template, build: str) -> _View:
    maps, present = fit_groups(figure, shape, rest)
    scale = min(1.0, WORK_PX / len(matte))
    person = cv2.resize(matte, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else matte
    number = len(rest.vertices)
    return _View(
        person=person.astype(np.float32) / 255,
        points=scale * carry(maps, rest.carried, number)[:, :2],
        rise=scale * carry(maps, _risen(build), number)[:, :2],
        present=present[rest.face_group],
    )


@lru_cache(maxsize=2)
def _risen(build: str) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Like `Template.carried`, for the directions in which the relief rises."""
    return carried_by(outward(build), template(build).shares, shift=0)


@dataclass(frozen=True)
class _Rows:
    """What one frame says: vertices (N,), the heights (N,) they should have, metres, and weights (N,)."""

    vertices: np.ndarray
    wanted: np.ndarray
    weights: np.ndarray


def _observed(view: _View, height: np.ndarray, rest: Template) -> _Rows:
    """Compare the outline of the body under a relief of `height` (V,) metres with that of the person."""
    points = view.points + view.rise * height[:, None]
    drawn = silhouette(points, rest.faces, body_edges(), *view.person.shape, view.present)
    rim, normal = _rim(view, points, signed_distance(drawn), rest)
    long = np.linalg.norm(view.rise[rim], axis=1)
    climb = (view.rise[rim] * normal).sum(1)  # px outwards per metre of relief
    facing = climb > FACING * long
    rim, normal, climb = rim[facing], normal[facing], climb[facing]
    reach = np.array(REACH_M) * (np.median(long) if len(long) else 1)
    leg, long_of = _vertices()
    way = border_ways(view.person, drawn.astype(np.float32), points[rim], normal, reach, leg[rim])  # (N,) px
    told = np.isfinite(way)
    rim, weights = rim[told], long_of[rim[told]]
    return _Rows(rim, height[rim] + way[told] / climb[told], 100 * weights / max(weights.sum(), 1e-9))


def _rim(view: _View, points: np.ndarray, outside: np.ndarray, rest: Template) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (N,) that lie at the outline, and the outline's normals there (N, 2).

    Args:
        view: the frame.
        points: (V, 2) px, the vertices in it.
        outside: (h, w) float32, signed distance to the drawn silhouette, px.
        rest: the body.
    """
    shown = np.zeros(len(points), bool)
    shown[rest.faces[view.present]] = True
    size = np.array(view.person.shape[::-1])
    rim = np.flatnonzero(shown & ((points > 0) & (points < size)).all(1))
    rim = rim[np.abs(sampled(outside, points[rim])) < 1]
    rim = rim[:: max(1, -(-len(rim) // RIM))]
    return rim, gradient(outside, points[rim])


def _prior(points: Points) -> np.ndarray:
    """Matrix (K, K) of the squares that neighbours, mirror images and heights add; for one frame."""
    number = len(points.mirror)
    square = np.diag(PULL + BARE_PULL * points.bare) / FRAMES
    images = np.stack([np.arange(number), points.mirror], 1)
    for pairs, weight in ((points.links, SMOOTH), (images[images[:, 0] < images[:, 1]], MIRROR)):
        first, second = pairs.T
        np.add.at(square, (first, first), weight / FRAMES)
        np.add.at(square, (second, second), weight / FRAMES)
        np.add.at(square, (first, second), -weight / FRAMES)
        np.add.at(square, (second, first), -weight / FRAMES)
    return square


def _solve(rows: Sequence[_Rows], points: Points, prior: np.ndarray, soft: float) -> np.ndarray:
    """Relief (K,) by robust least squares, metres; `prior` (K, K) is added to the squares."""
    vertices, wanted, weights = (
        np.concatenate([getattr(one, name) for one in rows]) for name in ("vertices", "wanted", "weights")
    )
    where = np.arange(len(vertices)).repeat(NEIGHBOURS + 1)
    blend = csr_array(
        (points.shares[vertices].ravel().astype(np.float64), (where, points.near[vertices].ravel())),
        shape=(len(vertices), len(prior)),
    )
    relief, trust = np.zeros(len(prior)), weights
    for _ in range(REWEIGHTED):
        weighted = (blend * trust[:, None]).T.tocsr()
        relief = np.linalg.solve((weighted @ blend).toarray() + prior, weighted @ wanted)
        trust = weights / (1 + ((blend @ relief - wanted) / soft) ** 2) ** 2
    return np.clip(relief, *RELIEF_M)


@lru_cache(maxsize=1)
def _vertices() -> tuple[np.ndarray, np.ndarray]:
    """Of every vertex: whether it is a leg's (V,) bool, and the length of outline it stands for (V,)."""
    rest = template()
    corner = rest.vertices[rest.faces]
    across = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1)
    area = np.bincount(rest.faces.ravel(), np.repeat(across, 3), len(rest.vertices))
    leg = rest.shares[:, [GROUPS.index(name) for name in LEGS]].sum(1) > 0.5
    return leg, np.sqrt(area)
