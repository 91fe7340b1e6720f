"""Joints as weighted sums of vertices; part of `bake_body.py`."""

from typing import Any

import numpy as np

from understudy.semantics.joints import BODY_25

NEIGHBOURS = 250  # vertices that may carry one joint of a hand
RIDGE = 1e-2


def joint_regressor(keypoints: dict[str, np.ndarray]) -> np.ndarray:
    """BODY_25 from anny's 23 keypoints (V,) each: (25, V); neck and mid-hip are the middles of shoulders and hips."""
    middles = {
        "neck": (keypoints["left_shoulder"] + keypoints["right_shoulder"]) / 2,
        "mid_hip": (keypoints["left_hip"] + keypoints["right_hip"]) / 2,
    }
    rows = np.stack([(keypoints | middles)[name] for name in BODY_25]).astype(np.float64)
    return rows / rows.sum(1, keepdims=True)


def hand_regressor(mesh: Any) -> np.ndarray:
    """Left and right hand joints in the order wrist, thumb root to tip, ..., little finger: (42, V)."""
    rows = []
    for side in (".L", ".R"):
        rows.append(_joint_row(mesh, "wrist" + side))
        for finger in range(1, 6):
            rows += [_joint_row(mesh, f"finger{finger}-{joint}{side}") for joint in (1, 2, 3)]
            rows.append(_tip_row(mesh, f"finger{finger}-3{side}", f"finger{finger}-2{side}"))
    return np.stack(rows)


def _joint_row(mesh: Any, bone: str) -> np.ndarray:
    """Weights (V,) whose sum is the head of a bone in every build and however the bones round it are turned.

    A skinned vertex is sum_j w_j (R_j v + b_j). The two bones of a joint agree on where its head h goes, others do
    not. So the weighted sum c follows the head exactly when sum_i c_i w_ij (v_i - h) = 0 for every bone j,
    sum_i c_i w_ij = 0 for all but those two, and sum_i c_i = 1. Solved with a ridge, which spreads the load over many
    vertices and keeps the joint still where the skin is moved by less regular maps; it costs under 1 mm.
    """
    rigid = _rigid_shares(mesh)  # (V, J)
    own = mesh.bones.index(bone)
    pair = [own, _rigid_bones(mesh)[mesh.parents[own]]]
    away = np.linalg.norm(mesh.vertices["neutral"] - mesh.heads["neutral"][own], axis=1)
    away[rigid[:, pair].sum(1) < 0.5] = np.inf
    near = np.argsort(away)[:NEIGHBOURS]
    near = near[np.isfinite(away[near])]
    conditions = [np.full(len(near), 0.1)]  # 0.1: the scale of the offsets below, metres
    for number in np.flatnonzero(rigid[near].max(0) > 0):
        share = rigid[near, number]
        conditions += [(vertices[near] - mesh.heads[build][own]).T * share for build, vertices in mesh.vertices.items()]
        if number not in pair:
            conditions.append(0.1 * share)
    left = np.concatenate([*map(np.atleast_2d, conditions), RIDGE * np.eye(len(near))])
    row = np.zeros(len(away))
    row[near] = np.linalg.lstsq(left, np.eye(len(left))[0] * 0.1, rcond=None)[0]
    return row / row.sum()


def _rigid_bones(mesh: Any) -> np.ndarray:
    """Each bone's own number (J,), the wrist's for the bones of the palm, which nobody turns."""
    return np.array(
        [mesh.parents[bone] if name.startswith("metacarpal") else bone for bone, name in enumerate(mesh.bones)]
    )


def _rigid_shares(mesh: Any) -> np.ndarray:
    """Share of each bone in each vertex (V, J), the palm's bones counted as the wrist."""
    shares = np.zeros((len(mesh.weights), len(mesh.bones)))
    np.add.at(shares, (np.arange(len(shares))[:, None], _rigid_bones(mesh)[mesh.weight_bones]), mesh.weights)
    return shares


def _tip_row(mesh: Any, last: str, before: str) -> np.ndarray:
    """Weights (V,) of a finger's tip: the mean of the last fifth of the last bone's skin."""
    bone = mesh.bones.index(last)
    share = (mesh.weights * (mesh.weight_bones == bone)).sum(1)
    head = mesh.heads["neutral"]
    along = head[bone] - head[mesh.bones.index(before)]
    reach = (mesh.vertices["neutral"] - head[bone]) @ along
    reach[share < 0.5] = -np.inf
    row = (reach > 0.8 * reach.max()).astype(np.float64)
    return row / row.sum()


def nearest_on_mesh(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Carry points onto the skin.

    Args:
        points: (N, 3), metres, close to the skin.
        vertices: (V, 3), metres.
        faces: (F, 3) int.

    Returns:
        corners (N, 3) int, vertex numbers of the triangle, and shares (N, 3) of them, not below 0, rows sum to 1.
    """
    middles = vertices[faces].mean(1)
    corners, shares = np.zeros((len(points), 3), np.int64), np.zeros((len(points), 3))
    for index, point in enumerate(points):
        near = faces[np.argsort(np.linalg.norm(middles - point, axis=1))[:48]]  # (48, 3)
        first, second, third = np.swapaxes(vertices[near], 0, 1)
        edges = np.stack([second - first, third - first], axis=2)  # (48, 3, 2)
        place = (np.linalg.pinv(edges) @ (point - first)[..., None])[..., 0]  # (48, 2)
        share = np.clip(np.concatenate([1 - place.sum(1, keepdims=True), place], axis=1), 0, None)
        share /= share.sum(1, keepdims=True)
        distance = np.linalg.norm((vertices[near] * share[..., None]).sum(1) - point, axis=1)
        best = distance.argmin()
        corners[index], shares[index] = near[best], share[best]
    return corners, shares
