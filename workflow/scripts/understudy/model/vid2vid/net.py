"""The vid2vid generator: draws every picture anew from maps and its own past, coarse to fine.

It needs no body: maps without a surface have part 0 everywhere.
Axes: B batch, H rows, W columns.
Source: Wang et al., Video-to-Video Synthesis, NeurIPS 2018. Departures: norm per picture (see `layers`); parts are
24 shares brought to six channels by a learnt legend, not one number; a grown network starts with the picture below
(see `scales.Refiner`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy.dataset.batch import SemanticMap
from understudy.model.composer import compose
from understudy.model.contract import CONTEXT, Composition, Generator, Past, channel_order
from understudy.model.samples import pixel_uv
from understudy.model.vid2vid.scales import FLOW_PX, HALVINGS, Refiner, Sketch, Trunk
from understudy.settings import ModelSettings

PARTS = 24
MAP_CHANNELS = PARTS + 2 + 3  # shares of the parts, U and V, drawing: of one frame
LEGEND = 6  # channels the networks see of one frame, as many as the original's


class Vid2Vid(Generator):
    """At every scale: final = mask * raw + (1 - mask) * warp(own past at that scale, flow)."""

    def __init__(self, settings: ModelSettings, height_px: int, width_px: int, scales: int = 1):
        """
        Args:
            settings: `width` is N, channels of the first layer.
            height_px, width_px: of the finest pictures.
            scales: heights, each twice the one before.
        """
        super().__init__()
        self.settings = settings
        self.height_px, self.width_px, self.scales = height_px, width_px, scales
        channels = LEGEND * (CONTEXT + 1), 3 * CONTEXT
        self.legend = nn.Conv2d(MAP_CHANNELS, LEGEND, 1)
        self.trunk = Trunk(*channels, settings.width)
        self.refiners = nn.ModuleList(
            Refiner(*channels, settings.width >> scale, FLOW_PX * 2**scale) for scale in range(1, scales)
        )

    def placed(self, device: torch.device) -> Self:
        """Move to a device (see `Generator`)."""
        return self.to(device, memory_format=channel_order(device))

    def forward(self, maps: Sequence[SemanticMap], past: Past) -> Composition:
        """Draw frame t from maps t-2, t-1, t and own pictures t-2, t-1 of every scale (see `Generator`)."""
        channels = [map_channels(one) for one in maps]  # (B, 29, H, W) each
        seen = torch.cat([self.legend(one) for one in channels], dim=1)  # (B, 18, H, W)
        sketch: Sketch | None = None
        drawn: list[Composition] = []
        for scale, pictures in enumerate(past.pictures):
            halvings = self.scales - 1 - scale
            sketch = self._sketch(scale, _shrink(seen, halvings), pictures.flatten(1, 2), sketch)
            drawn.append(_joined(sketch, pictures[:, -1], past.valid[:, -1]))
        *coarser, finest = drawn
        return replace(finest, matte=coverage(channels[-1]), coarser=tuple(one.final for one in coarser))

    def learning_groups(self) -> dict[str, list[nn.Parameter]]:
        """All weights learn at one rate."""
        return {"network": list(self.parameters())}

    def shape(self) -> dict[str, Any]:
        """Return sizes and scales."""
        return {"height_px": self.height_px, "width_px": self.width_px, "scales": self.scales}

    def networks(self) -> list[nn.Module]:
        """List what `training.compile` compiles."""
        return [self.trunk, *self.refiners]

    def old_parameters(self) -> list[nn.Parameter]:
        """List the networks below the finest."""
        if self.scales == 1:
            return []
        return [one for part in (self.legend, self.trunk, self.refiners[:-1]) for one in part.parameters()]

    def grown(self, height_px: int, width_px: int) -> "Vid2Vid":
        """Return a generator for pictures larger by a power of two that starts with this one's pictures."""
        doublings = (height_px // self.height_px).bit_length() - 1
        if (self.height_px << doublings, self.width_px << doublings) != (height_px, width_px):
            raise ValueError(f"{self.height_px} x {self.width_px} does not double to {height_px} x {width_px}")
        bigger = Vid2Vid(self.settings, height_px, width_px, self.scales + doublings)
        bigger.legend.load_state_dict(self.legend.state_dict())
        bigger.trunk.load_state_dict(self.trunk.state_dict())
        for new, old in zip(bigger.refiners, self.refiners, strict=False):
            new.load_state_dict(old.state_dict())
        return bigger

    def _sketch(self, scale: int, maps: Tensor, past: Tensor, below: Sketch | None) -> Sketch:
        """Run one scale's network on (B, ., h, w); sizes that do not halve evenly are drawn larger."""
        height, width = maps.shape[-2:]
        multiple = 1 << (HALVINGS + scale)  # the same share is added at every scale
        margin = (0, -width % multiple, 0, -height % multiple)
        maps, past = (functional.pad(one, margin, mode="replicate") if any(margin) else one for one in (maps, past))
        if below is None:
            return self.trunk(maps, past)
        return self.refiners[scale - 1](maps, past, below)


def map_channels(semantic: SemanticMap) -> Tensor:
    """Lay a map out for convolutions: shares of the 24 parts, U, V, drawing: (B, 29, H, W) float32.

    A part number is a name, not a quantity: each part has a channel, and a coarser scale averages shares, not numbers.
    """
    batch, rows, columns = semantic.part.shape
    shares = torch.zeros(batch, PARTS + 1, rows, columns, device=semantic.device)
    shares.scatter_(1, semantic.part[:, None], 1.0)
    shares = functional.avg_pool2d(shares[:, 1:], semantic.samples) * 2 - 1  # (B, 24, H, W)
    return torch.cat([shares, pixel_uv(semantic), semantic.drawing], dim=1)


def _joined(sketch: Sketch, before: Tensor, valid: Tensor) -> Composition:
    """Cut a sketch to the size of the past picture (B, 3, h, w) and join the two; the matte is left 0."""
    height, width = before.shape[-2:]
    picture, flow, mask = (one[..., :height, :width].float() for one in (sketch.picture, sketch.flow, sketch.mask))
    raw = picture.tanh()
    valid = valid.expand(-1, 1, height, width)
    final, warped, used = compose(raw, mask.sigmoid(), flow, before, valid)
    return Composition(final, raw, flow, used, torch.zeros_like(used), warped)


def coverage(maps: Tensor) -> Tensor:
    """Share of each pixel that lies on the body (B, 1, H, W), 0..1, read from a map's channels."""
    return ((maps[:, :PARTS] + 1) / 2).sum(dim=1, keepdim=True)


def _shrink(maps: Tensor, halvings: int) -> Tensor:
    return functional.avg_pool2d(maps, 1 << halvings) if halvings else maps
