"""A z-buffer rasteriser in numpy: which triangle each pixel centre shows, and where on it."""

from dataclasses import dataclass

import numpy as np

from understudy.body.parts import Chart

_SLACK = 1e-6  # barycentric; a pixel centre on an edge belongs to both triangles, so no crack opens
LEAST_AREA = 1e-9  # px^2, twice: smaller triangles are seen from the side


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


def doubled_area(x: np.ndarray, y: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Twice the area (F,) of triangles with corners at x, y (V,); below 0 where they face the camera (y down)."""
    first, second, third = faces.T
    x_first, y_first = x[first], y[first]
    return (x[second] - x_first) * (y[third] - y_first) - (y[second] - y_first) * (x[third] - x_first)


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
    height, width = raster.face.shape
    covered = np.flatnonzero(raster.face >= 0)
    face = raster.face.ravel()[covered]  # (N,)
    share = raster.barycentric.reshape(-1, 3)[covered]
    part, uv = np.zeros(height * width, np.uint8), np.zeros((height * width, 2), np.uint8)
    part[covered] = chart.part[face]
    corner = chart.uv[face]  # (N, 3, 2)
    place = sum(corner[:, k] * share[:, k, None] for k in range(3))  # (N, 2), 0..1
    uv[covered] = np.clip(place * 255 + 0.5, 0, 255).astype(np.uint8)
    return part.reshape(height, width), uv.reshape(height, width, 2)


def _fragments(
    points: np.ndarray, faces: np.ndarray, height: int, width: int, cull: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every pixel centre in every triangle: face, row * width + column, first two barycentric shares, each (N,)."""
    x, y = points.T.astype(np.float64)
    area = doubled_area(x, y, faces)
    drawn = np.flatnonzero(area < -LEAST_AREA if cull else np.abs(area) > LEAST_AREA)
    corners = np.ascontiguousarray(faces[drawn].T)  # (3, D); much quicker than with steps in memory
    x, y = x[corners], y[corners]
    box, row, column = _candidates(x, y, height, width)
    (ax, bx, cx), (ay, by, cy), scale = x, y, 1 / area[drawn]
    right, below = column + 0.5, row + 0.5  # (N,), pixel centres
    shares = []
    for near, far in (((bx, by), (cx, cy)), ((cx, cy), (ax, ay))):
        per_x, per_y = (near[1] - far[1]) * scale, (far[0] - near[0]) * scale
        rest = (near[0] * far[1] - far[0] * near[1]) * scale
        shares.append(per_x[box] * right + per_y[box] * below + rest[box])
    first, second = shares
    inside = np.flatnonzero((first >= -_SLACK) & (second >= -_SLACK) & (first + second <= 1 + _SLACK))
    return drawn[box[inside]], (row * width + column)[inside], first[inside], second[inside]


def _candidates(x: np.ndarray, y: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List every pixel centre in the box of each triangle with corners x, y (3, D): triangle, row, column, all (N,)."""
    left, top = (np.maximum(np.ceil(axis.min(0) - 0.5), 0).astype(np.int64) for axis in (x, y))
    columns = np.minimum(np.floor(x.max(0) - 0.5), width - 1).astype(np.int64) - left + 1
    rows = np.minimum(np.floor(y.max(0) - 0.5), height - 1).astype(np.int64) - top + 1
    number = np.maximum(columns, 0) * np.maximum(rows, 0)  # (D,)
    box = np.repeat(np.arange(len(number)), number)
    index = np.arange(len(box)) - (np.cumsum(number) - number)[box]
    wide = columns[box]
    down = index // wide
    return box, top[box] + down, left[box] + index - down * wide
