"""What a flow backend is; a file in this folder with a class `Backend` of this shape is one."""

from typing import Protocol

import numpy as np

from understudy.settings import FlowSettings


class FlowBackend(Protocol):
    """Estimates the motion between two frames.

    Attributes:
        name: the file's name.
        version: version of the software that does the work, for the record.
    """

    name: str
    version: str

    def __init__(self, settings: FlowSettings):
        """Prepare for a quality, "medium" or "fine"; a backend with one quality accepts both."""
        ...

    def __call__(self, here: np.ndarray, there: np.ndarray) -> np.ndarray:
        """Estimate where each pixel of one frame is in another.

        Args:
            here: (H, W, 3) uint8 RGB.
            there: (H, W, 3) uint8 RGB, of the same size, 16 px or more each way.

        Returns:
            (H, W, 2) float32, x right, y down, pixels: the content of pixel p of `here` is at p + flow of `there`.
        """
        ...
