"""Squares cut out of pictures: faces and hands, each frame at its own place, at one size whatever theirs.

Axes: B batch, C channels, H rows, W columns, S rows and columns of the crop.
"""

import torch
from torch import Tensor
from torch.nn import functional

from understudy.model.discriminator import CHART

MARGIN = 1.6  # side of the square over the longer side of the landmarks' box: hair, chin and some of what is behind
CROP_SHARE = 0.25  # of the picture's height; Source: Wang et al., Video-to-Video Synthesis, NeurIPS 2018 (its code)
LEAST_CROP_PX = 16
FADE_SHARE = 0.35  # of half the square: over it a pasted square fades out


def crop_size(height: int) -> int:
    """Side S of the crops of pictures `height` px high: a quarter of it, a multiple of 8."""
    return max(LEAST_CROP_PX, 8 * round(CROP_SHARE * height / 8))


def seen_boxes(boxes: Tensor) -> Tensor:
    """Mark the boxes (B, 4) that frame something: (B,) bool."""
    return (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def crop(picture: Tensor, boxes: Tensor, size: int, mode: str = "bilinear") -> Tensor:
    """Cut the square about each box out of its picture; gradients pass to the picture.

    Args:
        picture: (B, C, H, W) float.
        boxes: (B, 4) float px, left, top, right, bottom.
        size: S.
        mode: `bilinear`, or `nearest` for what must not be averaged.

    Returns:
        (B, C, S, S) of the picture's number type; beyond the picture its border is repeated.
    """
    height, width = picture.shape[-2:]
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2  # (B, 2) px
    side = MARGIN * (boxes[:, 2:] - boxes[:, :2]).amax(dim=1)  # (B,) px
    along = (torch.arange(size, device=boxes.device) + 0.5) / size - 0.5  # (S,) shares of the side
    places = middle[:, :, None] + side[:, None, None] * along  # (B, 2, S) px, x and y
    x = 2 * places[:, 0] / width - 1  # (B, S), -1..1 from edge to edge
    y = 2 * places[:, 1] / height - 1
    grid = torch.stack([x[:, None].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], dim=-1)  # (B, S, S, 2)
    with torch.autocast(picture.device.type, enabled=False):
        cut = functional.grid_sample(picture.float(), grid, mode=mode, padding_mode="border", align_corners=False)
    return cut.to(picture.dtype)


def crop_condition(condition: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Cut squares out of what judges see of a map (B, 6, H, W); U and V are chosen, not averaged."""
    cut = crop(condition, boxes, size)
    chart = crop(condition[:, CHART], boxes, size, mode="nearest")
    return torch.cat([cut[:, : CHART.start], chart, cut[:, CHART.stop :]], dim=1)


def paste(cut: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Lay squares back over empty pictures, fading out to their borders.

    Args:
        cut: (B, C, S, S) float, as `crop` cuts them.
        boxes: (B, 4) float px, those they were cut about.
        size: H and W of the pictures.

    Returns:
        (B, C, H, W) float32; 0 outside the squares.
    """
    height, width = size
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2  # (B, 2) px
    side = MARGIN * (boxes[:, 2:] - boxes[:, :2]).amax(dim=1).clamp_min(1e-3)  # (B,) px
    x = (torch.arange(width, device=boxes.device) + 0.5 - middle[:, :1]) / side[:, None] * 2  # (B, W), -1..1 inside
    y = (torch.arange(height, device=boxes.device) + 0.5 - middle[:, 1:]) / side[:, None] * 2  # (B, H)
    grid = torch.stack([x[:, None].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1)
    with torch.autocast(cut.device.type, enabled=False):
        laid = functional.grid_sample(cut.float(), grid, padding_mode="zeros", align_corners=False)
    return laid * (_fade(y)[:, None, :, None] * _fade(x)[:, None, None, :])


def _fade(place: Tensor) -> Tensor:
    """Weight of places -1..1 across a square: 1 in the middle, smoothly 0 at the border and beyond."""
    inside = ((1 - place.abs()) / FADE_SHARE).clamp(0, 1)
    return inside * inside * (3 - 2 * inside)
