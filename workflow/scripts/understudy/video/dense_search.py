"""Dense inverse search (OpenCV): motion between two grey pictures on the CPU, without weights."""

import cv2
import numpy as np

# patch stride px, gradient descent iterations per patch, iterations of the variational refinement
QUALITY = {"medium": (4, 12, 5), "fine": (2, 25, 10)}
_PATCH_PX = 6  # OpenCV's 8 errs by a fifth more on limbs; 4 is more exact on clean pictures, less sure on noise
_BRIGHTNESS = 1.0  # weight in the variational refinement; OpenCV's 5 follows shading that slides over cloth
_FINEST_SCALE = 0  # down to single pixels: OpenCV's presets stop at half size, which doubles the error


class DenseSearch:
    """Kroeger, Timofte, Dai, Van Gool: Fast Optical Flow using Dense Inverse Search, ECCV 2016."""

    def __init__(self, quality: str = "medium"):
        cv2.setNumThreads(1)  # OpenCV cuts the picture into a stripe per thread: flow would depend on the machine
        stride, descent, variational = QUALITY[quality]
        self._search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._search.setFinestScale(_FINEST_SCALE)
        self._search.setPatchSize(_PATCH_PX)
        self._search.setPatchStride(stride)
        self._search.setGradientDescentIterations(descent)
        self._search.setVariationalRefinementIterations(variational)
        self._search.setVariationalRefinementDelta(_BRIGHTNESS)

    def __call__(self, here: np.ndarray, there: np.ndarray) -> np.ndarray:
        """Estimate the motion from one picture (H, W, 3) uint8 RGB to another: (H, W, 2) float32 px."""
        first, second = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (here, there))
        return self._search.calc(first, second, None)
