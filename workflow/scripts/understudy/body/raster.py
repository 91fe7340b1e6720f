"""A z-buffer rasteriser in numpy: which triangle each pixel centre shows, and where on it."""

from dataclasses import dataclass

import numpy as np

from understudy.body.parts import Chart

_SLACK = 1e-6  # barycentric; a pixel centre on an edge belongs to both triangles, so no crack opens


@dataclass(frozen=True)
class Raster:
    """What each pixel shows: face (H, W) int64, -1 none; barycentric (H, W, 3) float32; depth (H, W) float32, inf."""

    face: np.ndarray
    barycentric: np.ndarray
    depth: np.ndarray

    @property
    def covered(self) -> np.ndarray:
        """(H, W) bool, True where a triangle is seen."""
        return self.face >= 0


def rasterise(
    points: np.ndarray, depth: np.ndarray, faces: np.ndarray, height: int, width: int, cull: bool = True
) -> Raster:
    """Find the nearest triangle at every pixel centre (integer + 0.5).

    Depth and place are interpolated linearly in the picture, as under a parallel projection; `correct_perspective`
    makes them exact for a central one.

    Args:
        points: (V, 2), x px, y px.
        depth: (V,), grows away from the camera, any unit.
        faces: (F, 3) int, counter-clockwise seen from outside.
        height, width: size of the picture, pixels.
        cull: leave out triangles seen from behind.
    """
    corner = points[faces].astype(np.float64)  # (F, 3, 2)
    planes = _barycentric_planes(corner, cull)  # (F, 2, 3), nan where the triangle is not drawn
    face, row, column = _candidates(corner, np.isfinite(planes[:, 0, 0]), height, width)
    plane = planes[face]  # (N, 2, 3)
    share = plane[..., 0] * (column[:, None] + 0.5) + plane[..., 1] * (row[:, None] + 0.5) + plane[..., 2]
    share = np.concatenate([share, 1 - share.sum(1, keepdims=True)], axis=1)  # (N, 3)
    inside = share.min(axis=1) >= -_SLACK
    face, share = face[inside], share[inside]
    place = row[inside] * width + column[inside]  # (N,)
    away = (depth[faces[face]] * share).sum(1).astype(np.float32)  # (N,)
    nearest = np.full(height * width, np.inf, np.float32)
    np.minimum.at(nearest, place, away)
    seen = away == nearest[place]
    shown = np.full(height * width, -1, np.int64)
    where = np.zeros((height * width, 3), np.float32)
    shown[place[seen]] = face[seen]
    where[place[seen]] = share[seen]
    return Raster(shown.reshape(height, width), where.reshape(height, width, 3), nearest.reshape(height, width))


def correct_perspective(raster: Raster, depth: np.ndarray, faces: np.ndarray) -> Raster:
    """Make barycentric coordinates and depth exact for a central projection.

    Args:
        raster: what `rasterise` found.
        depth: (V,), distance along the camera's axis, above 0.
        faces: (F, 3) int, as rasterised.

    Source: quantities divided by the depth are linear in the picture.
    """
    covered = raster.covered
    nearness = raster.barycentric[covered] / depth[faces[raster.face[covered]]]  # (N, 3)
    total = nearness.sum(1, keepdims=True)
    barycentric, away = raster.barycentric.copy(), raster.depth.copy()
    barycentric[covered] = nearness / total
    away[covered] = 1 / total[:, 0]
    return Raster(raster.face, barycentric, away)


def draw_surface(raster: Raster, chart: Chart) -> tuple[np.ndarray, np.ndarray]:
    """Draw part (H, W) uint8, 0 for none, and U, V (H, W, 2) uint8, 0..255 for 0..1, at every pixel of a raster."""
    covered = raster.covered
    face = raster.face[covered]  # (N,)
    part = np.zeros(raster.face.shape, np.uint8)
    part[covered] = chart.part[face]
    uv = np.zeros((*raster.face.shape, 2), np.uint8)
    place = (chart.uv[face] * raster.barycentric[covered][..., None]).sum(1)  # (N, 2), 0..1
    uv[covered] = np.clip(place * 255 + 0.5, 0, 255)
    return part, uv


def _barycentric_planes(corner: np.ndarray, cull: bool) -> np.ndarray:
    """First two barycentric coordinates as planes a x + b y + c over the picture: (F, 2, 3); nan where not drawn."""
    (ax, ay), (bx, by), (cx, cy) = corner[:, 0].T, corner[:, 1].T, corner[:, 2].T
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)  # twice; below 0 for triangles that face the camera (y down)
    drawn = area < -1e-9 if cull else np.abs(area) > 1e-9
    scale = np.where(drawn, area, np.nan)
    first = np.stack([by - cy, cx - bx, bx * cy - by * cx], axis=1) / scale[:, None]
    second = np.stack([cy - ay, ax - cx, cx * ay - cy * ax], axis=1) / scale[:, None]
    return np.stack([first, second], axis=1)


def _candidates(
    corner: np.ndarray, drawn: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List every pixel centre in every triangle's box: face, row, column, each (N,) int64."""
    low, high = np.ceil(corner.min(1) - 0.5), np.floor(corner.max(1) - 0.5)  # (F, 2)
    low = np.clip(low, 0, [width, height]).astype(np.int64)
    high = np.clip(high, -1, [width - 1, height - 1]).astype(np.int64)
    size = np.maximum(high - low + 1, 0) * drawn[:, None]  # (F, 2), columns and rows
    number = size[:, 0] * size[:, 1]
    face = np.repeat(np.arange(len(corner)), number)
    index = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    columns = size[face, 0]
    return face, low[face, 1] + index // columns, low[face, 0] + index % columns
