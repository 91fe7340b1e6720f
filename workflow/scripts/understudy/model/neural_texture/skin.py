"""Where the atlas's texels lie on the body: which are neighbours, across the seams of parts too, and their mirror side.

Axes: k texels of one part each way; N = 24 * k * k texels, counted by part, V, U; E pairs of neighbours; F triangles.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from understudy.body.model import Body
from understudy.body.parts import CHART, PARTS, Chart, chart
from understudy.body.raster import rasterise

MIRROR_PART = (0, 1, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14, 17, 16, 19, 18, 21, 20, 23, 22)  # from 0
FLAT_PARTS = (2, 3, 4, 5)  # hands and feet, laid flat: palm stays palm, each of its halves is turned round
SEAM_STEPS = 5  # points at which the two sides of a seam's edge are joined
OFF_BODY = 0.05  # strength between texels of which no triangle covers one
REACH_M = 0.5  # metres over k: the distance on the body at which neighbours have strength 1; 10 mm of 48 texels
STRONGEST = 30.0


@dataclass(frozen=True)
class Skin:
    """The texels of a body as a net of neighbours.

    Attributes:
        pairs: (2, E) int64, texels that lie beside each other.
        strength: (E,) float32, how much they should be alike: by the inverse square of their distance on the body.
        mirror_part: (N,) int64, 0..23, and
        mirror_uv: (N, 2) float32, 0..1: the same place on the other side of the body; None where it is not known.
    """

    pairs: Tensor
    strength: Tensor
    mirror_part: Tensor | None = None
    mirror_uv: Tensor | None = None


@lru_cache(maxsize=4)
def skin(chart_name: str, texels: int) -> Skin:
    """Find neighbours and mirror places of an atlas of k texels each way.

    Args:
        chart_name: of the surfaces; of a chart that is not ours only the neighbours within a part are known.
        texels: k.
    """
    within = _chart_neighbours(texels)
    if chart_name != CHART:
        return Skin(torch.from_numpy(within), torch.ones(within.shape[1]))
    body = Body()
    surface = chart(body)  # the same for every build
    beside = np.concatenate([within, _seam_neighbours(body, surface, texels)], axis=1)
    points = texel_points(body, surface, texels).reshape(-1, 3)  # (N, 3)
    distance = np.linalg.norm(points[beside[0]] - points[beside[1]], axis=1)  # (E,), NaN off the body
    strength = np.minimum((REACH_M / texels / np.maximum(distance, 1e-6)) ** 2, STRONGEST)
    strength = np.nan_to_num(strength, nan=OFF_BODY).astype(np.float32)
    part, v, u = np.meshgrid(np.arange(PARTS), *[np.linspace(0, 1, texels)] * 2, indexing="ij")  # (24, k, k)
    places = torch.from_numpy(part.ravel()), torch.from_numpy(np.stack([u.ravel(), v.ravel()], 1)).float()
    return Skin(torch.from_numpy(beside), torch.from_numpy(strength), *mirrored(*places))


def mirrored(part: Tensor, uv: Tensor) -> tuple[Tensor, Tensor]:
    """Find the same place on the other side of the body, in chart `understudy-1`.

    Args:
        part: (N,) int64, 0..23.
        uv: (N, 2) float, 0..1.

    Returns:
        part and U, V of the mirrored places, of the same shapes.
    """
    u, v = uv.unbind(1)
    turned = torch.where(u <= 0.5, 0.5 - u, 1.5 - u)
    flat = torch.isin(part, torch.tensor(FLAT_PARTS))
    return torch.tensor(MIRROR_PART)[part], torch.stack([torch.where(flat, turned, 1 - u), v], dim=1)


def texel_points(body: Body, surface: Chart, texels: int) -> np.ndarray:
    """Place of every texel on the resting body: (24, k, k, 3) float32 metres, NaN where no triangle covers it."""
    points = np.full((PARTS, texels, texels, 3), np.nan, np.float32)
    for part in range(PARTS):
        mine = np.flatnonzero(surface.part == part + 1)
        corners = body.rest[body.faces[mine]]  # (n, 3, 3)
        place = surface.uv[mine].reshape(-1, 2) * (texels - 1) + 0.5  # a texel's centre as a pixel's
        apart = np.arange(len(place)).reshape(-1, 3)  # every triangle has corners of its own in the chart
        raster = rasterise(place, np.zeros(len(place)), apart, texels, texels, cull=False)
        shown = raster.covered
        points[part][shown] = np.einsum("nk,nkc->nc", raster.barycentric[shown], corners[raster.face[shown]])
    return points


def _chart_neighbours(texels: int) -> np.ndarray:
    """Pairs (2, E) of texels beside each other in the chart of one part."""
    number = np.arange(PARTS * texels * texels).reshape(PARTS, texels, texels)
    right = number[:, :, :-1].ravel(), number[:, :, 1:].ravel()
    down = number[:, :-1].ravel(), number[:, 1:].ravel()
    return np.concatenate([np.stack(right), np.stack(down)], axis=1)


def _seam_neighbours(body: Body, surface: Chart, texels: int) -> np.ndarray:
    """Pairs (2, E) of texels that meet where two triangles share an edge but not its place in the chart."""
    sides = [(corner, (corner + 1) % 3) for corner in range(3)]
    ends = np.concatenate([body.faces[:, side] for side in sides])  # (3 F, 2) vertices
    place = np.concatenate([surface.uv[:, side] for side in sides])  # (3 F, 2, 2): end, U and V
    part = np.tile(surface.part.astype(np.int64) - 1, 3)
    turned = ends[:, 0] > ends[:, 1]  # both triangles of an edge name its ends in the same order
    ends[turned], place[turned] = ends[turned, ::-1], place[turned, ::-1]
    order = np.lexsort(ends.T)
    one, other = order[:-1], order[1:]
    shared = (ends[one] == ends[other]).all(1)
    one, other = one[shared], other[shared]
    apart = (part[one] != part[other]) | (np.abs(place[one] - place[other]).max((1, 2)) > 1e-3)
    one, other = one[apart], other[apart]
    found = []
    for share in np.linspace(0, 1, SEAM_STEPS):
        along = place[:, 0] * (1 - share) + place[:, 1] * share  # (3 F, 2), U and V
        found.append(np.stack([_texel_number(part[side], along[side], texels) for side in (one, other)]))
    pairs = np.unique(np.sort(np.concatenate(found, axis=1), axis=0), axis=1)
    return pairs[:, pairs[0] != pairs[1]]


def _texel_number(part: np.ndarray, uv: np.ndarray, texels: int) -> np.ndarray:
    """Number (N,) of the texel nearest to U, V (N, 2) on a part (N,)."""
    near = np.rint(uv * (texels - 1)).astype(np.int64)
    return (part * texels + near[:, 1]) * texels + near[:, 0]
