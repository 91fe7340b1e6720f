"""The background of a clip laid together: each picture is laid on what the pictures before it showed, and added to it.

So a camera that comes back finds what it saw, and errors do not add up from picture to picture.
"""

from dataclasses import replace

import cv2
import numpy as np

from understudy.flow.alignment import LEVELS, Alignment, Ground, align
from understudy.flow.homography import carried, corners, for_opencv

REACH = 1.0  # the ground holds so many pictures' sizes beyond the first one, each way
MARGIN = 0.15  # of a picture's size: how far beyond its supposed place the ground is compared
ADDED_FROM = 0.999  # of a warped pixel that must be background, so that no border of the person is added
LEAST_FIT = 0.7  # share of edge points that agree with the ground
LEAST_POINTS = 100
MOST_ERROR_PX = 0.5
GAIN_RANGE = (0.5, 2.0)
MOST_FEATURES = 400
LEAST_FEATURES = 12  # that must agree on how the camera moved since the picture before


class Panorama:
    """The ground laid together so far. Its pixels are the first picture's, `shift` beyond its own borders."""

    def __init__(self, height: int, width: int):
        self.shift = np.array([[1, 0, round(REACH * width)], [0, 1, round(REACH * height)], [0, 0, 1.0]])
        size = height + 2 * round(REACH * height), width + 2 * round(REACH * width)
        self.total = np.zeros(size, np.float32)
        self.count = np.zeros(size, np.float32)

    def add(self, picture: np.ndarray, background: np.ndarray, alignment: Alignment) -> None:
        """Add a picture's background (h, w) where the alignment lays it."""
        matrix = for_opencv(alignment.homography)
        size = self.total.shape[::-1]
        known = cv2.warpPerspective(background.astype(np.float32), matrix, size) > ADDED_FROM
        light = alignment.gain * picture + np.float32(alignment.bias)
        self.total += cv2.warpPerspective(light, matrix, size, flags=cv2.INTER_CUBIC) * known
        self.count += known

    def lay(
        self, picture: np.ndarray, background: np.ndarray, supposed: np.ndarray, levels: tuple[int, ...] = LEVELS
    ) -> Alignment:
        """Align a picture's background (h, w) with the mean of what was added; `supposed` leads to the ground."""
        size = np.array(picture.shape[::-1])
        reach = carried(corners(*picture.shape), supposed)  # (4, 2) px of the ground
        most = np.array(self.total.shape[::-1])
        low = np.clip(np.floor(reach.min(0) - MARGIN * size), 0, most).astype(int)
        high = np.clip(np.ceil(reach.max(0) + MARGIN * size), 0, most).astype(int)
        if (high - low < size / 2).any():  # the camera looks beyond the ground
            return Alignment(supposed, 1.0, 0.0, points=0, fit=0.0, error_px=np.inf)
        place = slice(low[1], high[1]), slice(low[0], high[0])
        count = self.count[place]
        ground = Ground(self.total[place] / np.maximum(count, 1), (count > 0).astype(np.float32))
        cut = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1.0]])
        found = align(picture, background, ground, cut @ supposed, levels)
        return replace(found, homography=np.linalg.inv(cut) @ found.homography)


def trusted(alignment: Alignment) -> bool:
    """Say whether an alignment may be believed: enough edges, in more than one direction, that agree."""
    return (
        alignment.points >= LEAST_POINTS
        and alignment.fit >= LEAST_FIT
        and alignment.error_px <= MOST_ERROR_PX
        and GAIN_RANGE[0] <= alignment.gain <= GAIN_RANGE[1]
    )


def step_between(before: np.ndarray, picture: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Find roughly how the background moved: from a picture's pixels to those of the picture before, (3, 3).

    Args:
        before, picture: (h, w) float32 grey, 0..1.
        background: (h, w) bool, of `picture`.

    Source: Lucas and Kanade's tracks, a similarity by RANSAC; too few that agree give rest.
    """
    here, there = (np.round(255 * one).astype(np.uint8) for one in (picture, before))
    features = cv2.goodFeaturesToTrack(here, MOST_FEATURES, 0.005, 5, mask=background.astype(np.uint8))
    if features is None or len(features) < LEAST_FEATURES:
        return np.eye(3)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(here, there, features, None, winSize=(15, 15), maxLevel=4)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(there, here, moved, None, winSize=(15, 15), maxLevel=4)
    home = (np.linalg.norm(back - features, axis=-1) < 0.5)[:, 0] & (found * found_back > 0)[:, 0]
    if home.sum() < LEAST_FEATURES:
        return np.eye(3)
    affine, agree = cv2.estimateAffinePartial2D(
        features[home] + 0.5, moved[home] + 0.5, method=cv2.RANSAC, ransacReprojThreshold=1.0
    )
    if affine is None or agree.sum() < max(LEAST_FEATURES, home.sum() / 2):
        return np.eye(3)
    return np.vstack([affine, [0, 0, 1]])
