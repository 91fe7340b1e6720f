"""Pictures, mattes and optical flows at a network's resolution: averaged by area, kept compact, joined into batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from torch import Tensor

from understudy.dataset.batch import FrameTruth
from understudy.dataset.maps import joined

FLOW_UNIT_PX = 1 / 16  # of flow.h5
GREY = np.uint8(128)  # stands where a picture does not count


@dataclass(frozen=True)
class StoredTruth:
    """One frame as the files hold it.

    Attributes:
        rgb: (H, W, 3) uint8.
        matte: (H, W) uint8.
        flows: stride -> flow (H, W, 2) int16 and confidence (H, W) uint8.
        ignored: boxes in which the picture does not count: left, top, right, bottom, frame px.
    """

    rgb: np.ndarray
    matte: np.ndarray
    flows: Mapping[int, tuple[np.ndarray, np.ndarray]]
    ignored: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class CompactTruth:
    """The numbers of one `FrameTruth`, and of its flows over longer strides, as small as they can be kept.

    Attributes:
        picture: (3, H, W) uint8 RGB, grey where it does not count.
        matte: (1, H, W) uint8.
        flows: stride -> flow (2, H, W) float16 px and confidence (1, H, W) uint8; 0 where it leads out of the run.
        counted: (1, H, W) bool.
    """

    picture: np.ndarray
    matte: np.ndarray
    flows: dict[int, tuple[np.ndarray, np.ndarray]]
    counted: np.ndarray


def compact_truth(stored: StoredTruth, within: int, factor: int) -> CompactTruth:
    """Bring one frame's truth down to the network's resolution.

    Args:
        stored: the frame.
        within: its number within its run; no flow of a longer stride is trusted, because it leads out of the run.
        factor: frame pixels per network pixel.
    """
    flows = {
        stride: network_flow(flow, confidence if within >= stride else np.zeros_like(confidence), factor)
        for stride, (flow, confidence) in stored.flows.items()
    }
    picture = np.ascontiguousarray(area_mean(stored.rgb, factor).transpose(2, 0, 1))
    counted = counted_pixels(stored.ignored, *picture.shape[1:], factor)
    if stored.ignored:
        picture = np.where(counted, picture, GREY)  # nothing can be learnt of what is not there
        flows = {stride: (flow, _between_counted(flow, trust, counted)) for stride, (flow, trust) in flows.items()}
    return CompactTruth(picture, area_mean(stored.matte, factor)[None], flows, counted[None])


def counted_pixels(ignored: Sequence[Sequence[float]], height: int, width: int, factor: int) -> np.ndarray:
    """Mark the pixels that no ignored box touches.

    Args:
        ignored: left, top, right, bottom of each box, frame px.
        height, width: of the network's picture.
        factor: frame pixels per network pixel.

    Returns:
        (H, W) bool.
    """
    counted = np.ones((height, width), bool)
    for box in ignored:
        (left, top), (right, bottom) = np.floor(np.divide(box[:2], factor)), np.ceil(np.divide(box[2:], factor))
        counted[int(top) : int(bottom), int(left) : int(right)] = False
    return counted


def _between_counted(flow: np.ndarray, trust: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Distrust flows (2, H, W) px that start at a pixel that does not count, or end on or beside one."""
    height, width = counted.shape
    y, x = np.mgrid[:height, :width]
    columns, rows = (
        [end(flow[axis].astype(np.float32) + start).clip(0, size - 1).astype(int) for end in (np.floor, np.ceil)]
        for axis, start, size in ((0, x, width), (1, y, height))
    )  # the four pixels about each flow's end
    far = np.logical_and.reduce([counted[row, column] for row in rows for column in columns])  # (H, W)
    return trust * (counted & far).astype(np.uint8)


def network_flow(flow: np.ndarray, confidence: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Bring a stored flow down to the network's resolution; each vector counts by its confidence.

    Args:
        flow: (H, W, 2) int16, 1/16 frame px.
        confidence: (H, W) uint8.
        factor: frame pixels per network pixel.

    Returns:
        (2, H, W) float16 network px, 0 where no vector is trusted; (1, H, W) uint8.
    """
    trust = confidence.astype(np.float32)  # (H, W)
    weighted = area_mean(flow.astype(np.float32) * trust[..., None], factor)
    share = area_mean(trust, factor)
    mean = weighted / np.maximum(share, 1e-6)[..., None] * np.float32(FLOW_UNIT_PX / factor)
    return np.ascontiguousarray(mean.transpose(2, 0, 1)).astype(np.float16), np.round(share).astype(np.uint8)[None]


def area_mean(array: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of factor x factor pixels of (H, W[, C])."""
    if factor == 1:
        return array
    height, width = array.shape[:2]
    return cv2.resize(array, (width // factor, height // factor), interpolation=cv2.INTER_AREA)


def join_truth(truths: Sequence[CompactTruth]) -> FrameTruth:
    flow, confidence = join_flow([each.flows[1] for each in truths])
    return FrameTruth(
        picture=joined([each.picture for each in truths]).float() / 127.5 - 1,
        matte=joined([each.matte for each in truths]).float() / 255,
        flow=flow,
        confidence=confidence,
        counted=joined([each.counted for each in truths]).float(),
    )


def join_flow(flows: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[Tensor, Tensor]:
    """Join flows and confidences along B: (B, 2, H, W) px and (B, 1, H, W) 0..1."""
    return joined([flow for flow, _ in flows]).float(), joined([trust for _, trust in flows]).float() / 255
