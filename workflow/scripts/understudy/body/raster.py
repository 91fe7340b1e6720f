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
    face, place, first, second = _fragments(points, faces, height, width, cull)
    third = 1 - first - second  # (N,)
    corner = depth[faces]  # (F, 3)
    away = first * corner[face, 0] + second * corner[face, 1] + third * corner[face, 2]
    away = away.astype(np.float32)
    nearest = np.full(height * width, np.inf, np.float32)
    np.minimum.at(nearest, place, away)
    seen = np.flatnonzero(away == nearest[place])
    shown = np.full(height * width, -1, np.int64)
    where = np.zeros((height * width, 3), np.float32)
    shown[place[seen]] = face[seen]
    where[place[seen]] = np.stack([first[seen], second[seen], third[seen]], axis=1)
    return Raster(shown.reshape(height, width), where.reshape(height, width, 3), nearest.reshape(height, width))


def silhouette(points: np.ndarray, faces: np.ndarray, height: int, width: int) -> np.ndarray:
    """Whether each pixel centre is covered by a closed body (H, W) bool; quicker than `rasterise`, same arguments."""
    covered = np.zeros(height * width, bool)
    covered[_fragments(points, faces, height, width, cull=True)[1]] = True
    return covered.reshape(height, width)


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
    total = np.einsum("nk->n", nearness)
    barycentric, away = raster.barycentric.copy(), raster.depth.copy()
    barycentric[covered] = nearness / total[:, None]
    away[covered] = 1 / total
    return Raster(raster.face, barycentric, away)


def draw_surface(raster: Raster, chart: Chart) -> tuple[np.ndarray, np.ndarray]:
    """Draw part (H, W) uint8, 0 for none, and U, V (H, W, 2) uint8, 0..255 for 0..1, at every pixel of a raster."""
    covered = raster.covered
    face = raster.face[covered]  # (N,)
    part = np.zeros(raster.face.shape, np.uint8)
    part[covered] = chart.part[face]
    uv = np.zeros((*raster.face.shape, 2), np.uint8)
    place = np.einsum("nkc,nk->nc", chart.uv[face], raster.barycentric[covered])  # (N, 2), 0..1
    uv[covered] = np.clip(place * 255 + 0.5, 0, 255)
    return part, uv


def _fragments(
    points: np.ndarray, faces: np.ndarray, height: int, width: int, cull: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every pixel centre in every triangle: face, row * width + column, first two barycentric shares, each (N,)."""
    corner = points[faces].astype(np.float64)  # (F, 3, 2)
    (ax, ay), (bx, by), (cx, cy) = corner[:, 0].T, corner[:, 1].T, corner[:, 2].T
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)  # twice; below 0 for triangles that face the camera (y down)
    drawn = area < -1e-9 if cull else np.abs(area) > 1e-9
    scale = 1 / np.where(drawn, area, 1.0)
    face, row, column = _candidates(corner, drawn, height, width)
    x, y = column + 0.5, row + 0.5  # (N,), pixel centres
    first = ((by - cy) * scale)[face] * x + ((cx - bx) * scale)[face] * y + ((bx * cy - by * cx) * scale)[face]
    second = ((cy - ay) * scale)[face] * x + ((ax - cx) * scale)[face] * y + ((cx * ay - cy * ax) * scale)[face]
    inside = np.flatnonzero((first >= -_SLACK) & (second >= -_SLACK) & (first + second <= 1 + _SLACK))
    return face[inside], row[inside] * width + column[inside], first[inside], second[inside]


def _candidates(
    corner: np.ndarray, drawn: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List every pixel centre in every triangle's box: face, row, column, each (N,) int64."""
    x, y = corner[..., 0], corner[..., 1]
    left, top = (np.minimum(np.minimum(axis[:, 0], axis[:, 1]), axis[:, 2]) for axis in (x, y))
    right, bottom = (np.maximum(np.maximum(axis[:, 0], axis[:, 1]), axis[:, 2]) for axis in (x, y))
    left, top = (np.maximum(np.ceil(edge - 0.5), 0).astype(np.int64) for edge in (left, top))
    columns = np.minimum(np.floor(right - 0.5), width - 1).astype(np.int64) - left + 1
    rows = np.minimum(np.floor(bottom - 0.5), height - 1).astype(np.int64) - top + 1
    kept = np.flatnonzero(drawn & (columns > 0) & (rows > 0))
    columns, number = columns[kept], columns[kept] * rows[kept]
    box = np.repeat(np.arange(len(kept)), number)
    index = np.arange(len(box)) - (np.cumsum(number) - number)[box]
    down = index // columns[box]
    return kept[box], top[kept][box] + down, left[kept][box] + index - down * columns[box]
