"""A performer in a room before a camera: poses, and the picture of one."""

from dataclasses import dataclass

import cv2
import numpy as np

from understudy.body.model import Body, vertex_normals
from understudy.body.raster import Raster, correct_perspective, rasterise
from understudy.settings import SyntheticSettings
from understudy.synthetic.camera import frame_person
from understudy.synthetic.choreography import dance, place_on_floor
from understudy.synthetic.looks import LOOKS
from understudy.synthetic.room import room_picture
from understudy.synthetic.shadow import Shadow
from understudy.synthetic.wardrobe import Wardrobe

SAMPLES = 2  # of picture and surface, per pixel and axis
_KEY = np.array([-0.45, -0.70, 0.56])  # towards the key light: left of the camera and above it
KEY = _KEY / np.linalg.norm(_KEY)
FILL = np.array([0.8, -0.5, 0.3]) / np.linalg.norm([0.8, -0.5, 0.3])


@dataclass(frozen=True)
class Shot:
    """One moment: bare and dressed vertices (V, 3) metres; the dressed ones' px (V, 2) and depth (V,) metres."""

    bare: np.ndarray
    dressed: np.ndarray
    points: np.ndarray
    depth: np.ndarray


class Scene:
    """A dressed performer, a room and a camera; made once for a clip."""

    def __init__(self, settings: SyntheticSettings):
        self.settings = settings
        self.body = Body(settings.build)
        self.wardrobe = Wardrobe(self.body, LOOKS[settings.look])
        self.camera = frame_person(settings)
        self.room = room_picture(settings.background, self.camera)
        self.shadow = Shadow(self.camera, self.wardrobe.dressed, KEY)

    def shot(self, time_s: float) -> Shot:
        """Pose the performer.

        Args:
            time_s: seconds from the choreography's start.
        """
        moment = dance(self.settings.choreography, time_s)
        translation = place_on_floor(self.body, moment) + np.array([self.settings.shift, 0, 0])
        bare = self.body.posed(moment.rotations, translation).vertices
        dressed = self.wardrobe.dressed.posed(moment.rotations, translation).vertices
        return Shot(bare, dressed, *self.camera.project(dressed))

    def raster(self, shot: Shot, samples: int) -> Raster:
        """What the camera sees of the performer at `samples` points per pixel and axis."""
        height, width = self.camera.height * samples, self.camera.width * samples
        flat = rasterise(shot.points * samples, shot.depth, self.body.faces, height, width)
        return correct_perspective(flat, shot.depth, self.body.faces)

    def picture(self, shot: Shot, raster: Raster) -> np.ndarray:
        """Draw (H, W, 3) uint8 sRGB from the raster at `SAMPLES` points per pixel and axis."""
        empty = self.room * self.shadow.cast(shot.dressed)[..., None]  # (H, W, 3)
        covered = raster.covered
        drawn = np.zeros((*covered.shape, 3), np.float32)
        drawn[covered] = self._lit(shot, raster.face[covered], raster.barycentric[covered])
        size = self.camera.width, self.camera.height
        share = cv2.resize(covered.astype(np.float32), size, interpolation=cv2.INTER_AREA)  # (H, W)
        mixed = empty * (1 - share[..., None]) + cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
        return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)

    def _lit(self, shot: Shot, face: np.ndarray, barycentric: np.ndarray) -> np.ndarray:
        """Colour (N, 3) of points under a soft key light, a weak fill from the other side, and light from above."""
        normals = vertex_normals(shot.dressed, self.body.faces)
        normal = np.einsum("nkc,nk->nc", normals[self.body.faces[face]], barycentric)  # (N, 3)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
        key = np.clip(0.75 * (normal @ KEY) + 0.25, 0, 1)  # wraps round: the lamp is large
        fill = np.clip(normal @ FILL, 0, 1)
        light = 0.50 + 0.56 * key + 0.10 * fill + 0.07 * normal[:, 2]
        return np.clip(self.wardrobe.colour(face, barycentric) * light[:, None], 0, 255).astype(np.float32)
