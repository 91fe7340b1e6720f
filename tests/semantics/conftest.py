"""Exact joints of the rest body, for tests of drawings and fits."""

import numpy as np
import pytest

from understudy.body.figure import TO_CAMERA
from understudy.body.model import Body


@pytest.fixture(scope="session")
def exact_face() -> np.ndarray:
    """FACE_70 (70, 3), x px, y px, score, of a face in the middle of a picture of 200 px, 60 px high."""
    body = Body("neutral")
    points = body.face(body.rest) @ TO_CAMERA.T
    points = (points - points.mean(0)) * 60 / np.ptp(points[:, 1])
    return np.column_stack([points[:, 0] + 100, points[:, 1] + 80, np.ones(70)])
