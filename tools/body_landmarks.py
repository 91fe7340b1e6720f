"""FACE_70 on the body's skin: the head is drawn, MediaPipe's face mesh finds its landmarks; part of `bake_body.py`."""

import logging

import cv2
import mediapipe
import numpy as np

from understudy.body.model import Body, vertex_normals
from understudy.body.raster import Raster, correct_perspective, rasterise
from understudy.semantics.joints import BODY, FACE_MIRROR
from understudy.semantics.pose_backends.mediapipe import FACE_SOURCES
from understudy.synthetic.camera import Camera
from understudy.synthetic.looks import LOOKS
from understudy.synthetic.wardrobe import Wardrobe

logger = logging.getLogger(__name__)

SIZE = 768  # px, both ways
FOCAL_PX = 1600.0
NEAR_M = 1.3  # from the camera to the middle of the body
OFFSETS_M = ((0, 0), (0, 0.05), (0, -0.05), (0.06, 0), (-0.06, 0))  # of the camera: sideways, up
GROUND = 170  # grey behind the head
SEARCH_PX = 12  # landmarks of the jaw may fall so far beside the head


def detect_landmarks() -> np.ndarray:
    """Median of five views of the neutral head: FACE_70 (70, 3) at rest, metres."""
    body = Body("neutral")
    found = np.stack([_landmarks_of_view(body, sideways, up) for sideways, up in OFFSETS_M])  # (5, 70, 3)
    spread = 1e3 * np.median(np.linalg.norm(found - np.median(found, axis=0), axis=2))
    logger.info("face landmarks lie within %.2f mm of their median over five views", spread)
    middle = np.median(found, axis=0)
    mirrored = middle[FACE_MIRROR] * [-1, 1, 1]  # the mesh is symmetric, the network is not quite
    logger.info(
        "left and right differ by %.2f mm in the median", 1e3 * np.median(np.linalg.norm(middle - mirrored, axis=1))
    )
    return (middle + mirrored) / 2


def _landmarks_of_view(body: Body, sideways: float, up: float) -> np.ndarray:
    """FACE_70 (70, 3) on the skin at rest, metres, from one place of the camera, metres beside the eyes' middle."""
    eyes = body.joints(body.rest)[[BODY["left_eye"], BODY["right_eye"]]].mean(0)
    camera = Camera(FOCAL_PX, (sideways, -NEAR_M, float(eyes[2]) - 0.03 + up), SIZE, SIZE)
    points, depth = camera.project(body.rest)
    raster = correct_perspective(rasterise(points, depth, body.faces, SIZE, SIZE), depth, body.faces)
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, refine_landmarks=True) as mesh:
        result = mesh.process(_portrait(body, raster))
    if result.multi_face_landmarks is None:
        raise RuntimeError(f"no face was found on the head seen from {sideways} m, {up} m; look at its picture")
    landmarks = np.array([[point.x, point.y] for point in result.multi_face_landmarks[0].landmark]) * SIZE
    skin = np.stack([_skin_point(body, raster, x, y) for x, y in landmarks])  # (478, 3)
    return np.stack([skin[list(sources)].mean(0) for sources in FACE_SOURCES])


def _portrait(body: Body, raster: Raster) -> np.ndarray:
    """Picture (SIZE, SIZE, 3) uint8 of the painted head in soft light."""
    covered = raster.covered
    face, share = raster.face[covered], raster.barycentric[covered]
    normal = np.einsum("nkc,nk->nc", vertex_normals(body.rest, body.faces)[body.faces[face]], share)
    light = 0.62 + 0.45 * np.clip(normal @ [-0.45, -0.75, 0.5], 0, 1) + 0.08 * normal[:, 2]
    picture = np.full((SIZE, SIZE, 3), GROUND, np.float32)
    picture[covered] = Wardrobe(body, LOOKS["check"]).colour(face, share) * light[:, None]
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 0.7), 0, 255).astype(np.uint8)


def _skin_point(body: Body, raster: Raster, x: float, y: float) -> np.ndarray:
    """Point (3,) at rest that the picture shows at x, y px, or nearest to it."""
    top, left = (max(int(place) - SEARCH_PX, 0) for place in (y, x))
    row, column = np.nonzero(raster.covered[top : top + 2 * SEARCH_PX + 1, left : left + 2 * SEARCH_PX + 1])
    if not len(row):
        raise RuntimeError(f"the landmark at {x:.0f}, {y:.0f} px lies more than {SEARCH_PX} px beside the head")
    nearest = np.hypot(row + top + 0.5 - y, column + left + 0.5 - x).argmin()
    place = row[nearest] + top, column[nearest] + left
    return raster.barycentric[place] @ body.rest[body.faces[raster.face[place]]]
