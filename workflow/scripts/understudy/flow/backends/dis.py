"""Dense inverse search (OpenCV): flow on the CPU without weights."""

import cv2
import numpy as np

from understudy.settings import FlowSettings
from understudy.video.dense_search import DenseSearch


class Backend:
    """Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense Inverse Search, ECCV 2016."""

    name = "dis"
    version = cv2.__version__

    def __init__(self, settings: FlowSettings):
        self._search = DenseSearch(settings.quality)

    def __call__(self, here: np.ndarray, there: np.ndarray) -> np.ndarray:
        """Estimate the flow from one frame (H, W, 3) uint8 RGB to another: (H, W, 2) float32 px."""
        return self._search(here, there)
