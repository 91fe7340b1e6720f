"""The shadow a performer throws on the floor: dark where the feet touch, soft where the body is far above."""

import cv2
import numpy as np

from understudy.body.model import Body
from understudy.synthetic.camera import Camera
from understudy.synthetic.room import WALL_M

CELL_M = 0.02
REACH_M = (3.0, 1.8)  # the floor is kept this far to either side, and this far to the front


class Shadow:
    """The floor seen from above as a grid of cells, and where each pixel of the picture looks into it."""

    def __init__(self, camera: Camera, body: Body, light: np.ndarray):
        """Prepare for one camera, one dressed body and the direction (3,) towards the light."""
        rays = camera.rays(1)
        with np.errstate(divide="ignore"):
            way = np.where(rays[..., 2] < 0, camera.position[2] / np.maximum(-rays[..., 2], 1e-9), 1e6)
        x = camera.position[0] + way * rays[..., 0]  # (H, W) metres
        y = camera.position[1] + way
        self._column = ((x + REACH_M[0]) / CELL_M - 0.5).astype(np.float32)
        self._row = np.where(y < WALL_M, (y + REACH_M[1]) / CELL_M - 0.5, -1e4).astype(np.float32)
        self._light = light
        self._size = int((WALL_M + REACH_M[1]) / CELL_M), int(2 * REACH_M[0] / CELL_M)
        corner = body.rest[body.faces].astype(np.float64)
        area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1) / 2
        self._area = np.bincount(body.faces.ravel(), np.repeat(area / 3, 3), len(body.rest))  # (V,) square metres

    def cast(self, vertices: np.ndarray) -> np.ndarray:
        """Light that is left on each pixel (H, W) float32, 0..1, for dressed vertices (V, 3) in metres."""
        thrown = self._thrown(vertices)  # rows, columns: seen along the light
        near = self._dropped(vertices, np.clip(1 - vertices[:, 2] / 0.12, 0, 1))
        dark = 0.30 * np.clip(thrown, 0, 1) + 0.42 * np.clip(near, 0, 1)
        return 1 - cv2.remap(dark.astype(np.float32), self._column, self._row, cv2.INTER_LINEAR)

    def _thrown(self, vertices: np.ndarray) -> np.ndarray:
        """Share of the key light that is taken from each cell; half of the skin faces the light."""
        place = vertices[:, :2] - vertices[:, 2:] * (self._light[:2] / self._light[2])
        layers = [
            cv2.GaussianBlur(self._splat(place, self._area * share), (0, 0), blur / CELL_M)
            for share, blur in zip(_by_height(vertices[:, 2]), (0.03, 0.07, 0.12), strict=True)
        ]
        return sum(layers) / 2.4

    def _dropped(self, vertices: np.ndarray, share: np.ndarray) -> np.ndarray:
        """How closely each cell is covered by what is right above it."""
        return cv2.GaussianBlur(self._splat(vertices[:, :2], self._area * share), (0, 0), 0.022 / CELL_M) / 1.2

    def _splat(self, place: np.ndarray, area: np.ndarray) -> np.ndarray:
        """Add areas (V,) at places (V, 2) into the grid, as a share of a cell: (rows, columns) float32."""
        column = np.floor((place[:, 0] + REACH_M[0]) / CELL_M).astype(np.int64)
        row = np.floor((place[:, 1] + REACH_M[1]) / CELL_M).astype(np.int64)
        rows, columns = self._size
        kept = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        grid = np.bincount(row[kept] * columns + column[kept], area[kept], rows * columns)
        return (grid / CELL_M**2).reshape(rows, columns).astype(np.float32)


def _by_height(height: np.ndarray) -> list[np.ndarray]:
    """Shares (V,) of three layers: feet, legs, what is above; they add up to 1 and change smoothly."""
    legs = np.clip((height - 0.1) / 0.4, 0, 1)
    above = np.clip((height - 0.6) / 0.6, 0, 1)
    return [1 - legs, legs - above, above]
