"""The camera of synthetic clips: a central projection that looks straight ahead at a person on the floor."""

from dataclasses import asdict, dataclass

import numpy as np

from understudy.body.model import Body
from understudy.settings import SyntheticSettings

DISTANCE_M = 4.5  # far enough for natural proportions, near enough for perspective to be seen
FOOT_MARGIN = 1 / 3  # share of the empty height that lies below the feet; raised arms need the rest


@dataclass(frozen=True)
class Camera:
    """Stands at `position` (metres, floor at z = 0) and looks along +y; x right is +x, y down is -z.

    focal_px: pixels per unit of sideways over depth; height, width: size of the picture, pixels.
    """

    focal_px: float
    position: tuple[float, float, float]
    height: int
    width: int

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project points (N, 3) in metres.

        Returns:
            (N, 2) float32, x px, y px, pixel centres at integer + 0.5; (N,) float32, depth in metres.
        """
        x, depth, z = (np.asarray(points, np.float64) - self.position).T
        scale = self.focal_px / depth
        pixels = np.stack([self.width / 2 + x * scale, self.height / 2 - z * scale], axis=1)
        return pixels.astype(np.float32), depth.astype(np.float32)

    def rays(self, samples: int) -> np.ndarray:
        """Directions (samples * H, samples * W, 3) through the sample centres, depth component 1."""
        row = (np.arange(self.height * samples) + 0.5) / samples - self.height / 2
        column = (np.arange(self.width * samples) + 0.5) / samples - self.width / 2
        z, x = np.meshgrid(-row / self.focal_px, column / self.focal_px, indexing="ij")
        return np.stack([x, np.ones_like(x), z], axis=2)

    def enlarged(self, samples: int) -> "Camera":
        """The same view with `samples` times as many pixels each way."""
        return Camera(self.focal_px * samples, self.position, self.height * samples, self.width * samples)

    def described(self) -> dict:
        """Plain values for a file: focal_px, position and look_at in metres, height, width."""
        x, _, z = self.position
        return asdict(self) | {"look_at": [x, 0.0, z]}


def frame_person(settings: SyntheticSettings) -> Camera:
    """Place the camera so that a neutral body that stands upright is `body_share` of the picture's height."""
    tall = float(np.ptp(Body("neutral").rest[:, 2]))  # metres
    px_per_m = settings.body_share * settings.height_px / tall
    below = FOOT_MARGIN * (1 - settings.body_share) * settings.height_px  # px under the feet
    eye = (settings.height_px / 2 - below) / px_per_m  # metres above the floor
    return Camera(px_per_m * DISTANCE_M, (0.0, -DISTANCE_M, eye), settings.height_px, settings.width_px)
