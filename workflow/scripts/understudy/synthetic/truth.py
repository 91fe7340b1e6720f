"""The truth of a synthetic frame: joints, surface, matte and flow, computed from the scene, not estimated."""

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.body.parts import Chart
from understudy.body.raster import Raster, draw_surface
from understudy.body.silhouette import body_edges, silhouette
from understudy.synthetic.scene import Scene, Shot

MATTE_SAMPLES = 3
FLOW_UNIT = 16  # parts of a pixel, as the layout says
HIDDEN_M = 0.02  # a point so far behind what was seen is hidden; less is the slope between two pixel centres


@dataclass(frozen=True)
class View:
    """A shot and its raster at `scene.SAMPLES` points per pixel and axis."""

    shot: Shot
    raster: Raster


def pose_rows(scene: Scene, shot: Shot) -> dict[str, np.ndarray]:
    """Joints in px and their depth: one row of body, face, hands, body_z, face_z, hands_z, joints_world, person_box.

    A joint within the frame scores 1, hidden by the person or not; one outside it is absent (zeros). Depth is in px
    at the mid-hip's distance, away from the camera, 0 at the mid-hip. The box holds the dressed person.
    """
    world = scene.body.joints(shot.bare)  # (25, 3) metres
    hip_depth = scene.camera.project(world[8:9])[1][0]
    rows: dict[str, np.ndarray] = {"joints_world": world.astype(np.float32)}
    points = {"body": world, "face": scene.body.face(shot.bare), "hands": scene.body.hands(shot.bare)}
    size = np.array([scene.camera.width, scene.camera.height])
    for name, place in points.items():
        pixels, depth = scene.camera.project(place.reshape(-1, 3))
        inside = ((pixels >= 0) & (pixels < size)).all(1)
        joints = np.concatenate([pixels, np.ones((len(pixels), 1), np.float32)], axis=1) * inside[:, None]
        away = (depth - hip_depth) * scene.camera.focal_px / hip_depth * inside
        rows[name] = joints.reshape(*place.shape[:-1], 3).astype(np.float32)
        rows[f"{name}_z"] = away.reshape(place.shape[:-1]).astype(np.float32)
    used = shot.points[scene.body.faces.ravel()]
    box = np.concatenate([np.clip(used.min(0), 0, size), np.clip(used.max(0), 0, size)])
    seen = (box[2:] > box[:2]).all()
    return rows | {"person_box": box.astype(np.float32) * seen, "valid": np.bool_(seen)}


def surface_rows(scene: Scene, view: View, chart: Chart) -> dict[str, np.ndarray]:
    """One row of part, uv (at the raster's samples) and matte."""
    part, uv = draw_surface(view.raster, chart)
    height, width = scene.camera.height, scene.camera.width
    size = (height * MATTE_SAMPLES, width * MATTE_SAMPLES)
    covered = silhouette(view.shot.points * MATTE_SAMPLES, scene.body.faces, body_edges(), *size)
    share = cv2.resize(covered.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return {"part": part, "uv": uv, "matte": np.round(255 * share).astype(np.uint8)}


def flow_rows(scene: Scene, shot: Shot, before: View | None) -> dict[str, np.ndarray]:
    """One row of backward flow and of its visibility.

    Args:
        scene: who and where.
        shot: frame t.
        before: frame t - 1; None for the first frame, which gets zero flow and full visibility.

    Returns:
        backward (H, W, 2) int16, 1/16 px: where each pixel centre was in frame t - 1; the room does not move.
        visible (H, W) uint8: 255 where that point could be seen in frame t - 1.
    """
    height, width = scene.camera.height, scene.camera.width
    backward, visible = np.zeros((height, width, 2), np.int16), np.full((height, width), 255, np.uint8)
    if before is None:
        return {"backward": backward, "visible": visible}
    raster = scene.raster(shot, 1)
    covered = raster.covered
    corners = scene.body.faces[raster.face[covered]]  # (N, 3)
    place = np.einsum("nkc,nk->nc", before.shot.dressed[corners], raster.barycentric[covered])  # (N, 3) metres
    pixels, depth = scene.camera.project(place)
    row, column = np.nonzero(covered)
    backward[covered] = np.round(FLOW_UNIT * (pixels - np.stack([column + 0.5, row + 0.5], axis=1)))
    visible[covered] = 255 * _seen(before.raster, pixels * (before.raster.face.shape[0] / height), depth)
    was_room = ~before.raster.covered.reshape(height, -1, width, before.raster.face.shape[1] // width).any((1, 3))
    visible[~covered] = 255 * was_room[~covered]
    return {"backward": backward, "visible": visible}


def _seen(raster: Raster, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Whether points (N, 2) px at depth (N,) metres are inside a raster and not behind what it shows: (N,) bool."""
    height, width = raster.face.shape
    column, row = np.floor(pixels).astype(np.int64).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    nearest = raster.depth[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
    return inside & (depth < nearest + HIDDEN_M)
