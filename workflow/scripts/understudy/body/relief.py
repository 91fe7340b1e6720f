"""The relief of a person over the rest body: how far clothes and hair lie off it, given at a few hundred points.

A point stands for a place and the way its skin faces, so that two surfaces that lie close together (the inner sides
of the thighs, an arm and the trunk) have points of their own. Between points the relief is blended smoothly. Left and
right points mirror each other.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from understudy.body.figure import TO_CAMERA
from understudy.body.model import Body, vertex_normals
from understudy.body.parts import GROUPS, group_weights

SPACING_M = 0.05  # between points
TURN_M = 0.05  # skins that face ways at right angles are about so far apart, times 1.4
NEIGHBOURS = 8  # points that shape a vertex
LINKS = 6  # points held together with a point
FACE = slice(17, 68)  # landmarks of brows, nose, eyes, lips
FACE_M = (0.015, 0.045)  # nearer to a landmark is the face, further is not


@dataclass(frozen=True)
class Points:
    """Points that carry the relief; K points, V vertices.

    Attributes:
        near: (V, N) int64, the points that shape each vertex.
        shares: (V, N) float32, their shares; rows sum to 1, but to 0 on hands, which have no relief.
        mirror: (K,) int64, the point on the other side; itself in the middle.
        links: (L, 2) int64, pairs of neighbours.
        bare: (K,) float64, 1 on face and feet, which clothes and hair leave nearly as they are, 0 elsewhere.
    """

    near: np.ndarray
    shares: np.ndarray
    mirror: np.ndarray
    links: np.ndarray
    bare: np.ndarray

    def spread(self, relief: np.ndarray) -> np.ndarray:
        """Blend values at points (K,) over the vertices: (V,) float32."""
        return (np.asarray(relief, np.float32)[self.near] * self.shares).sum(1)


@lru_cache(maxsize=2)
def relief_points(build: str = "neutral") -> Points:
    """Choose the points on a build of the body; the same ones every time."""
    body = Body(build)
    skin = _skin(body)  # (V, 6)
    places, mirror = _mirrored(_spread_out(skin[np.unique(body.faces)]))
    groups = group_weights(body)

    def share_of(name: str) -> np.ndarray:
        return groups[:, [group.startswith(name) for group in GROUPS]].sum(1)

    face = body.face(body.rest)[FACE]
    away = np.sqrt(_squares(body.rest.astype(np.float64), face.astype(np.float64)).min(1))
    bare = np.maximum(share_of("foot"), np.clip((FACE_M[1] - away) / (FACE_M[1] - FACE_M[0]), 0, 1))
    near, shares = _nearest(skin, places)
    vertex = _squares(places, skin).argmin(1)  # (K,), the vertex each point lies on
    hand = share_of("hand")
    free = np.where(hand > 0.99, 0, 1 - hand)
    return Points(
        near=near,
        shares=(shares * free[:, None]).astype(np.float32),
        mirror=mirror,
        links=_links(places),
        bare=np.maximum(bare[vertex], bare[vertex][mirror]),
    )


def outward(build: str = "neutral") -> np.ndarray:
    """Directions (V, 3) float32 along which the relief rises, unit length, in the camera's axes."""
    body = Body(build)
    return (vertex_normals(body.rest, body.faces) @ TO_CAMERA.T).astype(np.float32)


def _skin(body: Body) -> np.ndarray:
    """Place and way of facing of every vertex: (V, 6) float64, metres."""
    return np.concatenate([body.rest, TURN_M * vertex_normals(body.rest, body.faces)], 1).astype(np.float64)


def _spread_out(skin: np.ndarray) -> np.ndarray:
    """Choose places (N, 6) of the left half, no two nearer than the spacing; those near the middle stand in it.

    Source: farthest point sampling.
    """
    half = skin[skin[:, 0] >= 0]
    half = np.where(half[:, :1] < SPACING_M / 3, half * [0, 1, 1, 0, 1, 1], half)
    chosen = [int(half[:, 2].argmax())]
    away = np.full(len(half), np.inf)
    while True:
        away = np.minimum(away, ((half - half[chosen[-1]]) ** 2).sum(1))
        furthest = int(away.argmax())
        if away[furthest] < SPACING_M**2:
            return half[chosen]
        chosen.append(furthest)


def _mirrored(left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add the mirror images of places (N, 6): (K, 6), and the number of each one's image (K,)."""
    paired = np.flatnonzero(left[:, 0] > 0)
    places = np.concatenate([left, left[paired] * [-1, 1, 1, -1, 1, 1]])
    mirror = np.arange(len(places))
    images = len(left) + np.arange(len(paired))
    mirror[paired], mirror[images] = images, paired
    return places, mirror


def _nearest(skin: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points near each vertex (V, N) and their shares (V, N), which fade to 0 at the first point that has none."""
    squares = _squares(skin, places)
    near = np.argpartition(squares, NEIGHBOURS, axis=1)[:, : NEIGHBOURS + 1]
    square = np.take_along_axis(squares, near, 1)
    shares = (1 - square / square.max(1, keepdims=True)) ** 2
    return near, shares / shares.sum(1, keepdims=True)


def _links(places: np.ndarray) -> np.ndarray:
    """Pairs (L, 2) of points of which one is among the nearest of the other."""
    squares = _squares(places, places)
    near = np.argsort(squares, axis=1, kind="stable")[:, 1 : LINKS + 1]
    pairs = np.stack([np.repeat(np.arange(len(places)), LINKS), near.ravel()], 1)
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _squares(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Squared distances (N, M) of points (N, D) and (M, D)."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.maximum(squares, 0)
