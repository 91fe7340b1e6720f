"""The networks over texture and plate: a trunk at the coarsest height, one refiner per doubling.

Axes: B batch, H rows, W columns at a network's own height, C channels, c the width of the finest level.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy.model.blocks import Down, Residual, Up, rectify, zero_start

CHANGES = 7  # residual colour 3, matte 1, mask 1, flow 2
DETAIL = 8  # channels that leave the half-size network for full size
HIDDEN = 16  # channels between the two full-size convolutions
FLOW_CHANNELS = slice(5, 7)


@dataclass(frozen=True)
class Drawn:
    """What a network adds at its height.

    Attributes:
        changes: (B, 7, H, W).
        hidden: (B, 16, H, W), for the next height.
        light: (B, 3, H, W), -1..1, how much brighter (above 0) or darker the texture is here than on average.
    """

    changes: Tensor
    hidden: Tensor
    light: Tensor


class Trunk(nn.Module):
    """U-Net at half size (pixel-unshuffle in, pixel-shuffle out), then two full-size convolutions; starts as zero."""

    def __init__(self, incoming: int, pictures: int, width: int):
        """
        Args:
            incoming: channels of everything the network sees.
            pictures: channels of what the full-size convolutions see again.
            width: c.
        """
        super().__init__()
        self.enter = nn.Conv2d(4 * incoming, width, 3, padding=1)
        self.at_half = Residual(width)
        self.at_quarter = Down(width, 2 * width, blocks=2)
        self.at_eighth = Down(2 * width, 3 * width, blocks=3)
        self.to_quarter = Up(3 * width, 2 * width)
        self.to_half = Up(2 * width, width)
        self.light = zero_start(nn.Conv2d(2 * width, 3, 3, padding=1))
        self.leave = nn.Conv2d(width, 4 * DETAIL, 3, padding=1)
        self.paint = nn.Conv2d(DETAIL + pictures, HIDDEN, 3, padding=1)
        self.change = zero_start(nn.Conv2d(HIDDEN, CHANGES, 3, padding=1))

    def forward(self, seen: Tensor, pictures: Tensor) -> Drawn:
        """Draw from seen (B, incoming, H, W) and pictures (B, pictures, H, W); H and W multiples of 8."""
        half = self.at_half(rectify(self.enter(unshuffle(seen))))  # (B, c, H/2, W/2)
        quarter = self.at_quarter(half)  # (B, 2c, H/4, W/4)
        eighth = self.at_eighth(quarter)  # (B, 3c, H/8, W/8)
        quarter = self.to_quarter(eighth, quarter)  # (B, 2c, H/4, W/4)
        light = double(double(torch.tanh(self.light(quarter).float())))  # (B, 3, H, W)
        half = self.to_half(quarter, half)  # (B, c, H/2, W/2)
        detail = functional.pixel_shuffle(self.leave(half), 2)  # (B, 8, H, W)
        hidden = rectify(self.paint(torch.cat([detail, pictures], dim=1)))  # (B, 16, H, W)
        return Drawn(self.change(hidden), hidden, light)


class Refiner(nn.Module):
    """Adds detail at twice the height of the network below; starts as that network's picture, upsampled."""

    def __init__(self, incoming: int, pictures: int, width: int):
        super().__init__()
        self.enter = nn.Conv2d(4 * incoming + HIDDEN, width, 3, padding=1)
        self.blocks = nn.Sequential(Residual(width), Residual(width))
        self.leave = nn.Conv2d(width, 4 * DETAIL, 3, padding=1)
        self.paint = nn.Conv2d(DETAIL + HIDDEN + pictures, HIDDEN, 3, padding=1)
        self.change = zero_start(nn.Conv2d(HIDDEN, CHANGES, 3, padding=1))

    def forward(self, seen: Tensor, pictures: Tensor, coarse: Drawn) -> Drawn:
        """Refine what was drawn at (H/2, W/2) with seen and pictures at (H, W)."""
        features = rectify(self.enter(torch.cat([unshuffle(seen), coarse.hidden], dim=1)))  # (B, c, H/2, W/2)
        detail = functional.pixel_shuffle(self.leave(self.blocks(features)), 2)  # (B, 8, H, W)
        hidden = rectify(self.paint(torch.cat([detail, double(coarse.hidden), pictures], dim=1)))
        return Drawn(double(coarse.changes) + self.change(hidden), hidden, double(coarse.light))


def unshuffle(picture: Tensor) -> Tensor:
    """Move each 2 x 2 pixels into channels, laid out as convolutions run fastest."""
    return functional.pixel_unshuffle(picture, 2).contiguous(memory_format=torch.channels_last)


def double(picture: Tensor) -> Tensor:
    """Double height and width, smoothly."""
    return functional.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)
