"""Semantic maps at a network's resolution: prepared once per frame, kept compact, joined into batches on demand.

Part indices and U, V are chosen from the surface's samples, never averaged: a network pixel keeps `samples` x `samples`
of them, so that its borders are shares of parts (anti-aliased) and not mixtures of part numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from understudy.dataset.batch import SemanticMap
from understudy.errors import LayoutError, TrainingError
from understudy.flow.correspondence import surface_correspondence
from understudy.flow.homography import scaled
from understudy.semantics.drawing import draw_pose

FACTORS = (1, 2, 4, 8)  # frame height over network height
PARTS = 24
MOST_SAMPLES = 2  # per network pixel and axis
SEEN_SHARE = 0.5  # of its landmarks: a face or hand with fewer has no box


@dataclass(frozen=True)
class NetworkSize:
    """A network's picture beside the frames it is made from.

    Attributes:
        height, width: of the network's picture, pixels.
        factor: frame pixels per network pixel, each way.
    """

    height: int
    width: int
    factor: int


@dataclass(frozen=True)
class Figure:
    """A pose and a surface: as a file's row holds them, or brought to a network's picture by `network_figure`.

    Attributes:
        body, face, hands: (25, 3), (70, 3), (2, 21, 3) float, x px, y px, score.
        part: (P, Q) uint8.
        uv: (P, Q, 2) uint8.
    """

    body: np.ndarray
    face: np.ndarray
    hands: np.ndarray
    part: np.ndarray
    uv: np.ndarray


@dataclass(frozen=True)
class CompactMap:
    """The numbers of one `SemanticMap` as small as they can be kept.

    Attributes:
        part: (P, Q) uint8.
        uv: (2, P, Q) uint8.
        drawing: (3, H, W) uint8.
        flow: (2, H, W) float16 px.
        flow_valid: (1, H, W) bool.
        boxes: (3, 4) float32 px, as in `SemanticMap`.
        camera: (3, 3) float32, as in `SemanticMap`.
    """

    part: np.ndarray
    uv: np.ndarray
    drawing: np.ndarray
    flow: np.ndarray
    flow_valid: np.ndarray
    boxes: np.ndarray
    camera: np.ndarray


def network_size(height_px: int, frame_height: int, frame_width: int) -> NetworkSize:
    """Fit a network height to the frames.

    Raises:
        TrainingError: the frames' height is not 1, 2, 4 or 8 times the network's, or their width does not divide.
    """
    factors = [each for each in FACTORS if frame_height % each == 0 and frame_width % each == 0]
    for factor in factors:
        if height_px * factor == frame_height:
            return NetworkSize(height_px, frame_width // factor, factor)
    allowed = ", ".join(str(frame_height // each) for each in factors)
    raise TrainingError(
        f"A network {height_px} px high was asked for, but the frames are {frame_height} px high; "
        f"height_px of a stage may be {allowed} for them, or change decode.height_px."
    )


def chosen_samples(surface: np.ndarray, height: int) -> np.ndarray:
    """Choose the samples a network pixel keeps: a regular 2 x 2 of them, or the only one.

    Args:
        surface: (P, Q, ...) part or U, V at any number of samples per network pixel.
        height: of the network's picture, pixels.

    Returns:
        (2 * H, 2 * W, ...), or (H, W, ...) where the surface has one sample per network pixel.
    """
    there = surface.shape[0] // height  # samples per network pixel
    kept = min(MOST_SAMPLES, there)
    if kept == there:
        return surface
    inside = [there * (2 * each + 1) // (2 * kept) for each in range(kept)]  # nearest to the even places
    width, rest = surface.shape[1] // there, surface.shape[2:]
    blocks = surface.reshape(height, there, width, there, *rest)
    return blocks[:, inside][:, :, :, inside].reshape(height * kept, width * kept, *rest)


def check_parts(part: np.ndarray, path: Path, row: int) -> None:
    """Hold the parts (P, Q) uint8 of a file's row to the parts there are.

    Raises:
        LayoutError: there is another one.
    """
    if part.max() > PARTS:
        raise LayoutError(
            f"{path}: row {row} names part {part.max()}, expected 0 to {PARTS}; delete it and run again so that it is "
            "made anew."
        )


def check_samples(drawn: Sequence[int], frame: Sequence[int], path: Path) -> None:
    """Hold the rows and columns of a surface to those of the frame, of which they are a whole multiple.

    Raises:
        LayoutError: they are not.
    """
    samples = drawn[0] // frame[0]
    if samples < 1 or tuple(drawn) != (samples * frame[0], samples * frame[1]):
        raise LayoutError(
            f"{path} holds surfaces of {drawn[1]} x {drawn[0]} samples for frames of {frame[1]} x {frame[0]} px (width "
            "x height), expected a whole number of samples per pixel, the same both ways; delete it and run again."
        )


def network_figure(figure: Figure, size: NetworkSize) -> Figure:
    """Bring a file's figure to the network's picture: joints in its pixels, two samples per pixel and axis."""
    joints = (scaled_joints(each, size.factor) for each in (figure.body, figure.face, figure.hands))
    return Figure(*joints, *(chosen_samples(each, size.height) for each in (figure.part, figure.uv)))


def compact_map(
    figure: Figure, before: Figure | None, size: NetworkSize, to_reference: np.ndarray | None = None
) -> CompactMap:
    """Draw one frame's map at the network's resolution.

    Args:
        figure: the frame, by `network_figure`.
        before: the frame before it; None at the start of a run and after a cut, where no point has a past.
        size: the network's picture.
        to_reference: (3, 3) float64, from the frame's pixels to the reference frame's; None for a camera at rest.
    """
    if before is None:
        flow = np.zeros((size.height, size.width, 2), np.float32)
        valid = np.zeros((size.height, size.width), bool)
    else:
        samples = figure.part.shape[0] // size.height
        flow, valid = surface_correspondence(figure.part, figure.uv, before.part, before.uv, samples)
    return CompactMap(
        part=figure.part,
        uv=_channels_first(figure.uv),
        drawing=_channels_first(draw_pose(figure.body, figure.face, figure.hands, size.height, size.width)),
        flow=_channels_first(flow.astype(np.float16)),
        flow_valid=valid[None],
        boxes=np.stack([landmark_box(each, size) for each in (figure.face, *figure.hands)]),
        camera=network_camera(to_reference, size.factor),
    )


def landmark_box(points: np.ndarray, size: NetworkSize) -> np.ndarray:
    """Frame the landmarks of a face or a hand.

    Args:
        points: (K, 3) float, x px, y px, score; absent ones have score 0.
        size: the network's picture.

    Returns:
        (4,) float32 px, left, top, right, bottom; zeros where less than half of the landmarks are there, or where
        the middle lies outside the picture.
    """
    there = points[points[:, 2] > 0, :2]  # (k, 2)
    if len(there) < SEEN_SHARE * len(points):
        return np.zeros(4, np.float32)
    box = np.concatenate([there.min(axis=0), there.max(axis=0)]).astype(np.float32)
    middle = (box[:2] + box[2:]) / 2
    inside = (middle > 0).all() and middle[0] < size.width and middle[1] < size.height
    return box if inside else np.zeros(4, np.float32)


def scaled_joints(joints: np.ndarray, factor: int) -> np.ndarray:
    """Carry joints (..., 3) from frame pixels to network pixels; pixel edges fall together, so a ratio is enough."""
    return joints / np.array([factor, factor, 1], np.float32)


def network_camera(to_reference: np.ndarray | None, factor: int) -> np.ndarray:
    """Bring a homography (3, 3) between frames to network pictures, `factor` times smaller: float32."""
    return (np.eye(3) if to_reference is None else scaled(to_reference, factor)).astype(np.float32)


def join_maps(maps: Sequence[CompactMap]) -> SemanticMap:
    """Join maps along B into what the generator sees."""
    return SemanticMap(
        part=joined([each.part for each in maps]).long(),
        uv=joined([each.uv for each in maps]).float() / 255,
        drawing=joined([each.drawing for each in maps]).float() / 127.5 - 1,
        flow=joined([each.flow for each in maps]).float(),
        flow_valid=joined([each.flow_valid for each in maps]).float(),
        boxes=joined([each.boxes for each in maps]),
        camera=joined([each.camera for each in maps]),
    )


def joined(arrays: Sequence[np.ndarray]) -> Tensor:
    """Stack arrays along a new axis B, as a tensor of the same number type."""
    return torch.from_numpy(np.stack(arrays))


def _channels_first(array: np.ndarray) -> np.ndarray:
    """Turn (H, W, C) into contiguous (C, H, W)."""
    return np.ascontiguousarray(np.moveaxis(array, -1, 0))
