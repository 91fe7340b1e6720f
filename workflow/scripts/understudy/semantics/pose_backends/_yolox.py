"""People's boxes from a YOLOX detector.

Source: Ge et al., YOLOX, arXiv 2107.08430, section 2 (anchor-free boxes on grids of three strides); thresholds of
DWPose, Yang et al., ICCV workshops 2023.
"""

import cv2
import numpy as np

from understudy.errors import BackendError
from understudy.semantics.pose_backends._onnx_network import Network

STRIDES = (8, 16, 32)
GREY = 114  # of what lies beyond the picture
PERSON = 0  # first of COCO's 80 classes
LOWEST_SCORE = 0.3
OVERLAP = 0.45  # boxes of one person overlap by more, intersection over union


def check_detector(network: Network, key: str) -> None:
    """Ask for outputs of a YOLOX network, with or without its own suppression of overlapping boxes.

    Raises:
        BackendError: it gives something else.
    """
    first = network.outputs[0]
    cells = sum((network.height // stride) * (network.width // stride) for stride in STRIDES)
    suppressed = len(first) == 3 and first[2] == 5
    if not suppressed and (len(first) != 3 or first[2] is None or first[2] < 6 or first[1] not in (cells, None)):
        raise BackendError(
            f"{key} names {network.path}, whose first output has the shape {first}; a YOLOX detector for "
            f"{network.width} x {network.height} pixels gives (batch, {cells}, 85), or (batch, boxes, 5) and classes. "
            f"Take one that docs/estimators.md names."
        )


def find_boxes(network: Network, picture: np.ndarray) -> np.ndarray:
    """Find people's boxes in a picture (H, W, 3) uint8 RGB: (P, 4) float64, left, top, right, bottom px, best first."""
    given, scale = letterbox(picture, (network.height, network.width))
    outputs = network(given[None])
    if outputs[0].shape[2] == 5:
        classes = outputs[1][0] if len(outputs) > 1 else np.full(outputs[0].shape[1], PERSON)
        found = outputs[0][0][classes == PERSON].astype(np.float64)  # (N, 5)
        boxes, scores = found[:, :4], found[:, 4]
    else:
        boxes, scores = decode_grid(outputs[0][0], network.height, network.width)
    return suppress(boxes / scale, scores)


def letterbox(picture: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """Scale a picture into the top left corner of a grey one.

    Args:
        picture: (H, W, 3) uint8 RGB.
        size: height and width to fill, pixels.

    Returns:
        (3, height, width) float32 BGR, 0..255, and the scale.
    """
    height, width = picture.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    inner = max(int(height * scale), 1), max(int(width * scale), 1)
    filled = np.full((*size, 3), GREY, np.uint8)
    filled[: inner[0], : inner[1]] = cv2.resize(picture, inner[::-1], interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(filled[..., ::-1].transpose(2, 0, 1), np.float32), scale


def decode_grid(rows: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Turn a detector's raw rows into boxes and people's scores.

    Args:
        rows: (N, 5 + classes) float32, one per cell of the three grids: middle x, y in cells from the cell's corner,
            logarithm of width and height in cells, score of an object, score of each class.
        height, width: of the detector's input, pixels.

    Returns:
        (N, 4) float64, left, top, right, bottom px of the input, and (N,) float64 scores 0..1.
    """
    cells, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([x, y], -1).reshape(-1, 2))
        strides.append(np.full((cells[-1].shape[0], 1), stride))
    stride = np.concatenate(strides)
    middle = (rows[:, :2] + np.concatenate(cells)) * stride
    half = np.exp(rows[:, 2:4].astype(np.float64)) * stride / 2
    return np.concatenate([middle - half, middle + half], 1), rows[:, 4].astype(np.float64) * rows[:, 5 + PERSON]


def suppress(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Keep the best box (P, 4) of each group that overlaps, best first; low scores are left out."""
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order[scores[order] > LOWEST_SCORE]]
    kept = []
    while len(boxes):
        kept.append(boxes[0])
        boxes = boxes[1:][_overlap(boxes[0], boxes[1:]) <= OVERLAP]
    return np.array(kept).reshape(-1, 4)


def _overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union (N,) of a box (4,) with others (N, 4)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = (high - low).clip(0).prod(1)
    areas = [(some[..., 2:] - some[..., :2]).prod(-1) for some in (box, others)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-9)
