"""The 24 parts of the body in DensePose's numbering, each with its own U and V: chart `understudy-1`.

Numbers: 1 torso back, 2 torso front, 3 right hand, 4 left hand, 5 left foot, 6 right foot, 7/9 right upper leg
back/front, 8/10 left, 11/13 right lower leg back/front, 12/14 left, 15/17 left upper arm inside/outside, 16/18 right,
19/21 left lower arm inside/outside, 20/22 right, 23 right half of the head and neck, 24 left half.

U and V are this project's own, not those of DensePose's SMPL atlas: V runs along the limb from its near to its far
end, U is the angle about it within the half; hands and feet are laid flat, palm and sole in U < 0.5, back above.
"""

from dataclasses import dataclass

import numpy as np

from understudy.body.model import Body, vertex_normals

CHART = "understudy-1"
PARTS = 24

# group of bones -> (part of the half away from the reference direction, part of the half towards it)
NUMBERS = {
    "torso": (1, 2),
    "hand.R": (3, 3),
    "hand.L": (4, 4),
    "foot.L": (5, 5),
    "foot.R": (6, 6),
    "upperleg.R": (7, 9),
    "upperleg.L": (8, 10),
    "lowerleg.R": (11, 13),
    "lowerleg.L": (12, 14),
    "upperarm.L": (17, 15),
    "upperarm.R": (18, 16),
    "lowerarm.L": (21, 19),
    "lowerarm.R": (22, 20),
    "head": (23, 24),
}
GROUPS = tuple(NUMBERS)

_PREFIXES = {
    "torso": ("root", "pelvis", "spine", "clavicle", "shoulder"),
    "upperleg": ("upperleg",),
    "lowerleg": ("lowerleg",),
    "foot": ("foot", "toe"),
    "upperarm": ("upperarm",),
    "lowerarm": ("lowerarm",),
    "hand": ("wrist", "finger", "metacarpal"),
    "head": ("neck", "head", "eye"),
}
_AXES = {  # bone heads where a limb starts and ends
    "upperarm": ("upperarm01", "lowerarm01"),
    "lowerarm": ("lowerarm01", "wrist"),
    "upperleg": ("upperleg01", "lowerleg01"),
    "lowerleg": ("lowerleg01", "foot"),
    "hand": ("wrist", "finger3-3"),
    "foot": ("foot", "toe2-2"),
}


@dataclass(frozen=True)
class Chart:
    """Part of each triangle (F,) uint8 1..24, and U, V of its corners (F, 3, 2) float32 0..1."""

    part: np.ndarray
    uv: np.ndarray


def chart(body: Body) -> Chart:
    """Chart of a body; the same for every build, because it is made on the reference build."""
    groups = face_groups(body)
    part = np.zeros(len(body.faces), np.uint8)
    uv = np.zeros((len(body.faces), 3, 2), np.float32)
    normals = vertex_normals(body.reference, body.faces)
    for index, group in enumerate(GROUPS):
        mine = groups == index
        faces = body.faces[mine]
        local = limb_coordinates(body, group)[faces]  # (N, 3, 3)
        if group.startswith(("hand", "foot")):
            towards = (normals[faces] @ _limb_axes(body, group)[0][0]).mean(1) > 0  # palm or sole
            uv[mine, :, 0] = _flat_u(local[..., 1], towards)
        else:
            uv[mine, :, 0], towards = _angle_u(local[..., :2])
        uv[mine, :, 1] = _stretch(local[..., 2])
        away, near = NUMBERS[group]
        part[mine] = np.where(towards, near, away)
    return Chart(part, uv)


def bone_groups(body: Body) -> np.ndarray:
    """Group of each bone: (J,) int64, index into `GROUPS`."""
    numbers = []
    for bone in body.bones:
        name = next(name for name, prefixes in _PREFIXES.items() if bone.startswith(prefixes))
        numbers.append(GROUPS.index(name if name in GROUPS else name + bone[-2:]))
    return np.array(numbers)


def group_weights(body: Body) -> np.ndarray:
    """Share of each group in each vertex: (V, len(GROUPS)) float32, rows sum to 1."""
    member = bone_groups(body)[:, None] == np.arange(len(GROUPS))  # (J, G)
    return body.weights @ member.astype(np.float32)


def face_groups(body: Body) -> np.ndarray:
    """Group each triangle belongs to by its skin weights: (F,) int64, index into `GROUPS`."""
    return group_weights(body)[body.faces].sum(1).argmax(1)


def limb_coordinates(body: Body, group: str) -> np.ndarray:
    """Place of every vertex (V, 3) in the axes of a group, metres: towards its reference direction, across, along.

    The two halves of a group meet where the first coordinate is 0: in front and behind of legs, inside and outside of
    arms, left and right of the head.
    """
    axes, start = _limb_axes(body, group)
    local = (body.reference - start) @ axes.T
    if group == "torso":
        trunk = local[group_weights(body)[:, GROUPS.index(group)] > 0.5, 0]
        local[:, 0] -= (trunk.min() + trunk.max()) / 2
    return local


def _limb_axes(body: Body, group: str) -> tuple[np.ndarray, np.ndarray]:
    """Axes (3, 3) of a group, rows: reference direction, across, along; and the point (3,) where it starts."""

    def head(bone: str) -> np.ndarray:
        return body.reference_heads[body.bones.index(bone)].astype(np.float64)

    name, side = group[:-2], group[-2:]
    medial = -1.0 if side == ".L" else 1.0  # towards the middle of the body
    if group == "torso":
        start, end, reference = head("neck01"), head("root") + np.array([0, 0, -0.1]), [0, -1, 0]
    elif group == "head":
        start, end, reference = head("neck01"), head("head") + np.array([0, 0, 0.15]), [1, 0, 0]
    else:
        start, end = (head(bone + side) for bone in _AXES[name])
        reference = [0, -1, 0]
        if name in ("upperarm", "lowerarm"):
            reference = [medial * 0.85, -0.5, 0]
        elif name == "foot":
            reference = [0, 0, -1]
        elif name == "hand":  # the palm: away from the knuckles, over which the hand closes
            reference = -medial * np.cross(end - start, head("finger2-1" + side) - head("finger5-1" + side))
    along = (end - start) / np.linalg.norm(end - start)
    towards = reference - (reference @ along) * along
    towards /= np.linalg.norm(towards)
    return np.stack([towards, np.cross(along, towards), along]), start


def _angle_u(local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """U (N, 3) from the angle about the limb, and whether each triangle lies in the half towards the reference (N,).

    Args:
        local: (N, 3, 2), corners in the plane across the limb: towards the reference, across.
    """
    middle = local.mean(1)  # (N, 2)
    centre = np.arctan2(middle[:, 1], middle[:, 0])  # (N,), 0 at the reference
    towards = middle[:, 0] >= 0
    angle = np.arctan2(local[..., 1], local[..., 0])  # (N, 3)
    angle += 2 * np.pi * np.round((centre[:, None] - angle) / (2 * np.pi))  # on the branch of the triangle's middle
    away = angle - np.pi * np.sign(centre[:, None])
    return np.clip(np.where(towards[:, None], angle, away) / np.pi + 0.5, 0, 1), towards


def _flat_u(across: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """U (N, 3) of a hand or foot laid flat: 0..0.5 on the side towards the reference, mirrored to 1..0.5 beyond."""
    flat = (across - across.min()) / np.ptp(across) / 2
    return np.where(towards[:, None], flat, 1 - flat)


def _stretch(along: np.ndarray) -> np.ndarray:
    """V (N, 3): 0 at the near, 1 at the far end; the outermost hundredths are cut so that a stray tip counts little."""
    low, high = np.percentile(along, (1, 99))
    return np.clip((along - low) / (high - low), 0, 1)
