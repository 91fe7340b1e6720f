"""The networks of vid2vid: one at the coarsest height, a small one for each doubling.

Axes: B batch, H rows, W columns at the network's own height; N the width of the coarsest network's first layer.
Source: Wang et al., Video-to-Video Synthesis, NeurIPS 2018, section 3 and appendix.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy.model.blocks import zero_start
from understudy.model.vid2vid.layers import decoder, down, draw_first_weights, encoder, entrance, head

HALVINGS = 3
ENCODER_BLOCKS, TRUNK_BLOCKS, REFINER_BLOCKS = 5, 4, 3
FLOW_PX = 20.0  # a flow head's 1, pixels at the coarsest height; doubles with every doubling of the height


@dataclass(frozen=True)
class Sketch:
    """What a network draws at its height, before it is joined with the past.

    Attributes:
        picture: (B, 3, H, W), before the tanh.
        flow: (B, 2, H, W) px.
        mask: (B, 1, H, W), before the sigmoid; large where the frame is drawn afresh.
        picture_features, flow_features: (B, N / 2^scale, H, W), what the heads read.
    """

    picture: Tensor
    flow: Tensor
    mask: Tensor
    picture_features: Tensor
    flow_features: Tensor


class Trunk(nn.Module):
    """Draws at the coarsest height: two encoders whose features are added, two decoders with own weights."""

    def __init__(self, map_channels: int, past_channels: int, width: int):
        """
        Args:
            map_channels, past_channels: of all the frames a picture is drawn from, together.
            width: N.
        """
        super().__init__()
        self.read_maps = encoder(map_channels, width, HALVINGS, ENCODER_BLOCKS)
        self.read_past = encoder(past_channels, width, HALVINGS, ENCODER_BLOCKS)
        self.draw_picture = decoder(width, HALVINGS, TRUNK_BLOCKS)
        self.draw_flow = decoder(width, HALVINGS, TRUNK_BLOCKS)
        self.picture, self.flow, self.mask = head(width, 3), head(width, 2), head(width, 1)
        draw_first_weights(self)

    def forward(self, maps: Tensor, past: Tensor) -> Sketch:
        """Draw from maps (B, map_channels, H, W) and past (B, past_channels, H, W); H and W multiples of 8."""
        seen = self.read_maps(maps) + self.read_past(past)  # (B, 8N, H/8, W/8)
        picture, flow = self.draw_picture(seen), self.draw_flow(seen)  # (B, N, H, W) each
        return Sketch(self.picture(picture), FLOW_PX * self.flow(flow), self.mask(flow), picture, flow)


class Refiner(nn.Module):
    """Draws at twice the height of the network below, from its last features and what is new at this height.

    The heads start as zero over the upsampled sketch below, so that a grown model starts with the picture of the old
    one; the original's finest network draws anew.
    """

    def __init__(self, map_channels: int, past_channels: int, width: int, flow_px: float):
        """
        Args:
            map_channels, past_channels: as in `Trunk`.
            width: N / 2^scale.
            flow_px: a flow head's 1, pixels.
        """
        super().__init__()
        self.flow_px = flow_px
        self.read_maps = nn.Sequential(entrance(map_channels, width), down(width))
        self.read_past = nn.Sequential(entrance(past_channels, width), down(width))
        self.draw_picture = decoder(width, 1, REFINER_BLOCKS)
        self.draw_flow = decoder(width, 1, REFINER_BLOCKS)
        self.picture, self.flow, self.mask = head(width, 3), head(width, 2), head(width, 1)
        draw_first_weights(self)
        for one in (self.picture, self.flow, self.mask):
            zero_start(one)

    def forward(self, maps: Tensor, past: Tensor, below: Sketch) -> Sketch:
        """Refine the sketch of (H/2, W/2) with maps and past of (H, W)."""
        seen = self.read_maps(maps) + self.read_past(past)  # (B, 2 * width, H/2, W/2)
        picture = self.draw_picture(seen + below.picture_features)  # (B, width, H, W)
        flow = self.draw_flow(seen + below.flow_features)  # (B, width, H, W)
        return Sketch(
            picture=_double(below.picture) + self.picture(picture),
            flow=2 * _double(below.flow) + self.flow_px * self.flow(flow),
            mask=_double(below.mask) + self.mask(flow),
            picture_features=picture,
            flow_features=flow,
        )


def _double(values: Tensor) -> Tensor:
    """Double height and width, smoothly."""
    return functional.interpolate(values.to(torch.float32), scale_factor=2, mode="bilinear", align_corners=False)
