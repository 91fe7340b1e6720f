"""Points of a person from a network that classifies their columns and rows (SimCC), in a cut-out round a box.

Source: Li et al., SimCC, ECCV 2022; Jiang et al., RTMPose, arXiv 2303.07399 (cut-out, means and deviations as trained).
"""

import cv2
import numpy as np

from understudy.errors import BackendError
from understudy.semantics.pose_backends._onnx_network import Network

POINTS = 133  # of COCO-WholeBody
MARGIN = 1.25  # the cut-out is so much larger than the box
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # RGB
BATCH = 8  # people at once


def check_pose_network(network: Network, key: str) -> None:
    """Ask for a whole-body network with SimCC outputs.

    Raises:
        BackendError: it gives other points or other outputs.
    """
    shapes = network.outputs
    simcc = len(shapes) == 2 and all(len(shape) == 3 and shape[2] for shape in shapes)
    if not simcc or any(size % side for (_, _, size), side in zip(shapes, (network.width, network.height))):
        raise BackendError(
            f"{key} names {network.path}, which gives {shapes}; an RTMW or DWPose network gives (batch, {POINTS}, "
            f"columns) and (batch, {POINTS}, rows), whole multiples of its input. Take one of docs/estimators.md."
        )
    points = {shape[1] for shape in shapes}
    if points - {POINTS, None}:
        raise BackendError(
            f"{key} names {network.path}, which gives {max(points - {None})} points; a whole-body network gives "
            f"{POINTS}. Take one whose name says wholebody, rtmw or dw."
        )


def find_points(network: Network, picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Find everybody's points.

    Args:
        network: a checked one.
        picture: (H, W, 3) uint8 RGB.
        boxes: (P, 4) float, left, top, right, bottom px.

    Returns:
        (P, 133, 3) float64, x px, y px (pixel centres at +0.5), score.
    """
    found = [np.empty((0, POINTS, 3))]
    for first in range(0, len(boxes), BATCH):
        regions = [region_round(box, network.width / network.height) for box in boxes[first : first + BATCH]]
        given = np.stack([cut(picture, region, (network.height, network.width)) for region in regions])
        columns, rows = network(given)
        found.append(decode(columns, rows, np.array(regions)))
    return np.concatenate(found)


def region_round(box: np.ndarray, aspect: float) -> tuple[float, float, float, float]:
    """Widen a box by the margin and to an aspect (width over height): middle x, y, width, height, px."""
    x, y = (box[:2] + box[2:]) / 2
    width, height = MARGIN * np.maximum(box[2:] - box[:2], 1)
    return float(x), float(y), float(max(width, height * aspect)), float(max(height, width / aspect))


def cut(picture: np.ndarray, region: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    """Cut a region out of a picture (H, W, 3) uint8 RGB: (3, height, width) float32 RGB, mean 0, deviation 1."""
    x, y, width, _ = region
    scale = size[1] / width
    onto = np.float64([[scale, 0, size[1] / 2 - scale * x], [0, scale, size[0] / 2 - scale * y]])
    small = cv2.warpAffine(picture, onto, size[::-1], flags=cv2.INTER_LINEAR)
    return ((small - np.float32(MEAN)) / np.float32(DEVIATION)).transpose(2, 0, 1).astype(np.float32)


def decode(columns: np.ndarray, rows: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Find the likeliest column and row of each point and carry them into the picture.

    Args:
        columns: (P, 133, bins) float32, likelihood of each column; the bins share the region's width.
        rows: (P, 133, bins) float32, likelihood of each row.
        regions: (P, 4) float, middle x, y, width, height px.

    Returns:
        (P, 133, 3) float64, x px, y px (pixel centres at +0.5), score: the lower of the two likelihoods.
    """
    place = [
        likelihood.argmax(2) / likelihood.shape[2] * regions[:, None, 2 + axis]
        + (regions[:, axis] - regions[:, 2 + axis] / 2)[:, None]
        for axis, likelihood in enumerate((columns, rows))
    ]
    score = np.minimum(columns.max(2), rows.max(2))
    return np.stack([place[0] + 0.5, place[1] + 0.5, score], -1)  # its indices start at 0
