"""Moves semantic maps by the few pixels that estimators are wrong, so that the texture lies on the picture.

In training the error is measured: the flow between the footage and the map's texture on the plate. A small network
learns to predict it from the map alone, which is what rendering has.
Axes: B batch, H rows, W columns of the picture; P, Q rows and columns of the surface's samples.
"""

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy.dataset.batch import FrameTruth, SemanticMap
from understudy.flow.warp import warp
from understudy.model.blocks import Down, Residual, rectify, zero_start
from understudy.model.neural_texture.atlas import PARTS, Texture
from understudy.model.samples import pixel_coverage, pixel_uv

OFFSET_SHARE = 0.01  # of the picture's height: unit of the network and of its loss
REACH_SHARE = 0.04  # of the picture's height: longest measured offset that is believed
SMOOTH_SHARE = 0.02  # of the picture's height: offsets vary no faster than this
MEASURE_HEIGHT_PX = 128  # offsets are smooth, so finer pictures need not be compared
PERSON_SHARE = 0.3  # of a pixel, from which it counts as the person
NAMES = 6  # learnt channels that tell the network which part it sees


class Registration(nn.Module):
    """Predicts a map's offset at a quarter of the trunk's size; starts as none."""

    def __init__(self, width: int = 32):
        super().__init__()
        self.names = nn.Embedding(PARTS + 1, NAMES)
        self.enter = nn.Conv2d(16 * (6 + NAMES), width, 3, padding=1)  # drawing 3, U V 2, coverage 1
        self.fine = Residual(width)
        self.below = Down(width, 2 * width, blocks=2)
        self.join = nn.Conv2d(2 * width, width, 1)
        self.last = Residual(width)
        self.offset = zero_start(nn.Conv2d(width, 2, 3, padding=1))

    def forward(self, semantic: SemanticMap, shrink: int) -> Tensor:
        """Predict where a map should be read: map'(x) = map(x + offset).

        Args:
            semantic: the map as it was estimated.
            shrink: the picture's height over the trunk's.

        Returns:
            (B, 2, H, W) float32, x right, y down, pixels.
        """
        step = semantic.samples
        names = self.names(semantic.part[:, ::step, ::step]).permute(0, 3, 1, 2)  # (B, 6, H, W)
        seen = torch.cat([semantic.drawing, pixel_uv(semantic), pixel_coverage(semantic), names], dim=1)
        height, width = seen.shape[-2:]
        multiple = 8 * shrink
        seen = functional.pad(seen, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        size = seen.shape[-2:]
        seen = functional.avg_pool2d(seen, shrink) if shrink > 1 else seen
        fine = self.fine(rectify(self.enter(functional.pixel_unshuffle(seen, 4))))  # a quarter of the trunk's size
        below = functional.interpolate(self.join(self.below(fine)), scale_factor=2, mode="bilinear")
        reach = REACH_SHARE * height  # nothing longer is ever measured
        offset = reach * torch.tanh(self.offset(self.last(fine + below)).float() * (OFFSET_SHARE / REACH_SHARE))
        return functional.interpolate(offset, size=size, mode="bilinear")[..., :height, :width]


def displaced(semantic: SemanticMap, offset: Tensor, offset_before: Tensor) -> SemanticMap:
    """Read a map at other places: map'(x) = map(x + offset); no offset gives the same map, to the bit.

    Args:
        semantic: the map.
        offset: (B, 2, H, W) float px.
        offset_before: (B, 2, H, W) float px, by which the map of the frame before is moved; the flow follows both.
    """
    rows, columns = semantic.part.shape[-2:]
    fine = functional.interpolate(offset, size=(rows, columns), mode="bilinear") * semantic.samples  # (B, 2, P, Q)
    row = torch.arange(rows, device=offset.device)[:, None] + fine[:, 1].round().long()  # (B, P, Q)
    column = torch.arange(columns, device=offset.device) + fine[:, 0].round().long()
    index = (row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)).flatten(1)  # (B, P * Q)
    part = semantic.part.flatten(1).gather(1, index).view_as(semantic.part)
    uv = semantic.uv.flatten(2).gather(2, index[:, None].expand(-1, 2, -1)).view_as(semantic.uv)
    share = warp(semantic.flow_valid, offset)  # (B, 1, H, W)
    valid = (share > 0.5).float()
    there = offset + warp(semantic.flow * semantic.flow_valid, offset) / share.clamp_min(0.5)  # in the map before
    drawing, flow = warp(semantic.drawing, offset), (there - warp(offset_before, there)) * valid
    return SemanticMap(part, uv, drawing, flow, valid, semantic.boxes, semantic.camera)


def measured_offset(rendered: Tensor, real: Tensor, near: Tensor) -> Tensor:
    """Measure by how much a map is wrong: real(x) is rendered(x + offset), smoothly.

    Args:
        rendered: (B, 3, H, W) float, -1..1, texture on plate through the map.
        real: (B, 3, H, W) float, -1..1, the footage.
        near: (B, 1, H, W) float 0/1, where the person is, in either.

    Returns:
        (B, 2, H, W) float32 px, fading to 0 away from the person.

    Source: flow by Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
    """
    size = real.shape[-2:]
    shrink = max(1, size[0] // MEASURE_HEIGHT_PX)
    greys = [_grey(functional.avg_pool2d(one, shrink)) for one in (real, rendered)]
    weights = functional.avg_pool2d(near, shrink)[:, 0].cpu().numpy()  # (B, h, w)
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search.setFinestScale(0)
    offsets = [_smooth(search.calc(one, two, None), weight) for one, two, weight in zip(*greys, weights, strict=True)]
    offset = torch.from_numpy(np.stack(offsets)).permute(0, 3, 1, 2).to(real.device) * shrink
    return functional.interpolate(offset, size=size, mode="bilinear")


def measured_on_plate(texture: Texture, plate: Tensor, truth: FrameTruth) -> tuple[Tensor, Tensor]:
    """Measure a map's offset by its texture on the plate; where the footage does not count it says nothing.

    Args:
        texture: seen through the map.
        plate: (B or 1, 3, H, W) float, -1..1.
        truth: the footage.

    Returns:
        offset (B, 2, H, W) float32 px, and where it counts (B, 1, H, W) float 0/1.
    """
    covered = torch.maximum(texture.coverage, truth.matte) > PERSON_SHARE
    near = functional.max_pool2d(covered.float(), 5, stride=1, padding=2) * truth.counted
    rendered = texture.coverage * texture.colour + (1 - texture.coverage) * plate
    real = torch.where(truth.counted > 0, truth.picture, rendered)
    return measured_offset(rendered, real, near), near


def _smooth(flow: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Average a flow (h, w, 2) over the person's surroundings (h, w), and limit it."""
    height = flow.shape[0]
    sigma = SMOOTH_SHARE * height
    share = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
    mean = cv2.GaussianBlur(flow * weight[..., None], (0, 0), sigma) / (share + 1e-3)
    reach = REACH_SHARE * height
    return np.clip(mean * np.clip(2 * share, 0, 1), -reach, reach).astype(np.float32)


def _grey(pictures: Tensor) -> np.ndarray:
    """Turn pictures (B, 3, h, w) into (B, h, w) uint8."""
    return ((pictures.detach().clamp(-1, 1).mean(1) + 1) * 127.5).round().byte().cpu().numpy()
