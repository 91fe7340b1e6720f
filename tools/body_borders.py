"""Cut the mesh along the borders of the parts, so that each triangle lies in one part; part of `bake_body.py`."""

from dataclasses import replace
from typing import Any

import numpy as np

from understudy.body.model import Body
from understudy.body.parts import GROUPS, group_weights, limb_coordinates

NOTHING = 1e-3  # a vertex whose field is so small lies on the border already


def cut_borders(mesh: Any, body: Body) -> Any:
    """Cut where two groups of bones have the same share in the skin, then where the halves of a group meet.

    Args:
        mesh: what is baked.
        body: the neutral build with this mesh.
    """
    groups = range(len(GROUPS))
    sides = np.stack([limb_coordinates(body, group)[:, 0] for group in GROUPS], axis=1)  # (V, G), metres
    # Two fields for each group that cuts carry on: shares of the skin, and place before or behind the halves' border.
    mesh = replace(mesh, fields=np.concatenate([group_weights(body), 10 * sides], axis=1))
    for group in groups:
        share = mesh.fields[:, : len(GROUPS)]
        others = np.delete(share, group, axis=1).max(1)
        mesh = cut(mesh, share[:, group] - others, np.ones(len(mesh.faces), bool))
    for group, name in enumerate(GROUPS):
        if name.startswith(("hand", "foot")):
            continue  # their sides are told by the normals
        mine = mesh.fields[mesh.faces, : len(GROUPS)].sum(1).argmax(1) == group
        mesh = cut(mesh, mesh.fields[:, len(GROUPS) + group], mine)
    return mesh


def cut(mesh: Any, field: np.ndarray, within: np.ndarray) -> Any:
    """Split the edges of some triangles where a field changes its sign, and all triangles at such an edge.

    Args:
        mesh: faces (F, 3), and for every vertex weights, positions, keypoints, paint, fields.
        field: (V,), linear along edges.
        within: (F,) bool, triangles whose edges are split.
    """
    count = len(field)
    edges = np.sort(mesh.faces[within][:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges = np.unique(edges, axis=0)
    start, end = field[edges].T
    edges = edges[(start * end < 0) & (np.minimum(np.abs(start), np.abs(end)) > NOTHING)]
    share = field[edges[:, 0]] / (field[edges[:, 0]] - field[edges[:, 1]])  # (E,), of the way from start to end
    keys = edges[:, 0] * count + edges[:, 1]  # sorted, because the edges are
    sides = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2)  # (F, 3, 2)
    wanted = sides[..., 0] * count + sides[..., 1]
    found = np.searchsorted(keys, wanted).clip(max=max(len(keys) - 1, 0))
    middle = np.where(keys[found] == wanted, count + found, -1) if len(keys) else np.full(wanted.shape, -1)
    faces, source = _split(mesh.faces, middle)
    return _extended(replace(mesh, faces=faces, region=mesh.region[source]), edges, share)


def _split(faces: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (F', 3) after some edges got a vertex (F, 3), -1 for none; and the old triangle of each (F',)."""
    new, source = [], []
    for index, (corner, on) in enumerate(zip(faces, middle, strict=True)):
        number = int((on >= 0).sum())
        if number == 0:
            pieces = [corner]
        elif number == 3:
            pieces = [(corner[k], on[k], on[k - 1]) for k in range(3)] + [tuple(on)]
        else:
            # turn the triangle so that its first edge is the split one, or its last edge the whole one
            turn = int(np.argmax(on >= 0)) if number == 1 else (int(np.argmin(on)) + 1) % 3
            (a, b, c), (ab, bc, _) = np.roll(corner, -turn), np.roll(on, -turn)
            pieces = [(a, ab, c), (ab, b, c)] if number == 1 else [(ab, b, bc), (a, ab, c), (ab, bc, c)]
        new += pieces
        source += [index] * len(pieces)
    return np.array(new), np.array(source)


def _extended(mesh: Any, edges: np.ndarray, share: np.ndarray) -> Any:
    """Give the new vertices, `share` (E,) of the way along `edges` (E, 2), all that vertices have."""

    def between(value: np.ndarray) -> np.ndarray:
        part = share.reshape(-1, *[1] * (value.ndim - 1))
        new = value[edges[:, 0]] * (1 - part) + value[edges[:, 1]] * part
        return np.concatenate([value, new.astype(value.dtype)])

    dense = np.zeros((len(mesh.weights), len(mesh.bones)))
    np.add.at(dense, (np.arange(len(dense))[:, None], mesh.weight_bones), mesh.weights)
    mixed = between(dense)[len(dense) :]
    strongest = np.argsort(-mixed, axis=1)[:, : mesh.weights.shape[1]]
    weights = np.take_along_axis(mixed, strongest, axis=1)
    unread = np.zeros(len(edges))
    return replace(
        mesh,
        weights=np.concatenate([mesh.weights, weights / weights.sum(1, keepdims=True)]),
        weight_bones=np.concatenate([mesh.weight_bones, strongest]),
        vertices={build: between(rest) for build, rest in mesh.vertices.items()},
        keypoints={name: np.concatenate([row, unread]) for name, row in mesh.keypoints.items()},
        paint={name: between(area) for name, area in mesh.paint.items()},
        fields=between(mesh.fields),
    )
