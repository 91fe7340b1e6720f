"""The contract every generator keeps: maps and its own past in, a composed frame out.

Axes: B batch, H rows, W columns.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy.dataset.batch import FrameTruth, SemanticMap

CONTEXT = 2  # past frames a generator sees, maps and own pictures alike


@dataclass(frozen=True)
class Composition:
    """One frame as the generator draws it; final = mask * raw + (1 - mask) * warped.

    Attributes:
        final: (B, 3, H, W) float32, RGB, about -1..1 (clamped when it is shown or fed back).
        raw: (B, 3, H, W) float32, the frame drawn afresh.
        flow: (B, 2, H, W) float32 px, from this frame back to the one before.
        mask: (B, 1, H, W) float32, 1 where the frame is drawn afresh, 0 where the past is moved.
        matte: (B, 1, H, W) float32, share of the pixel that is the person, 0..1.
        warped: (B, 3, H, W) float32, the past picture moved along `flow`.
        offset: (B, 2, H, W) float32 px, by how much the map was moved before it was drawn; None: taken as it is.
        coarser: `final` of each coarser scale that has a past of its own, coarsest first, (B, 3, h, w).
    """

    final: Tensor
    raw: Tensor
    flow: Tensor
    mask: Tensor
    matte: Tensor
    warped: Tensor
    offset: Tensor | None = None
    coarser: tuple[Tensor, ...] = ()

    def detach(self) -> "Composition":
        """Cut every tensor from the graph."""
        values = (getattr(self, one.name) for one in fields(self))
        return Composition(*map(_detached, values))


@dataclass(frozen=True)
class Past:
    """A generator's own two last pictures at every scale that draws one.

    Attributes:
        pictures: coarsest scale first; each (B, 2, 3, h, w) float32, t-2 and t-1, -1..1; zeros where there is none.
        valid: (B, 2, 1, 1, 1) float32, 1 where that picture exists.
    """

    pictures: tuple[Tensor, ...]
    valid: Tensor

    @classmethod
    def of(cls, pictures: Tensor, valid: Tensor, scales: int = 1) -> Self:
        """Take given pictures (B, 2, 3, H, W) for the past; coarser scales see them shrunk by halves."""
        levels = [pictures]
        for _ in range(scales - 1):
            levels.insert(0, functional.avg_pool3d(levels[0].transpose(1, 2), (1, 2, 2)).transpose(1, 2))
        return cls(tuple(levels), valid)

    @classmethod
    def nothing(cls, batch: int, generator: "Generator", device: torch.device) -> Self:
        """Make the past of a first frame."""
        pictures = torch.zeros(batch, CONTEXT, 3, generator.height_px, generator.width_px, device=device)
        return cls.of(pictures, torch.zeros(batch, CONTEXT, 1, 1, 1, device=device), generator.scales)

    @property
    def finest(self) -> Tensor:
        """Own pictures at full size, (B, 2, 3, H, W)."""
        return self.pictures[-1]

    def then(self, drawn: Composition) -> "Past":
        """Return the past of the next frame; pictures are clamped as the film clamps them."""
        latest = [picture.clamp(-1, 1) for picture in (*drawn.coarser, drawn.final)]
        pictures = (torch.stack([old[:, -1], new], dim=1) for old, new in zip(self.pictures, latest, strict=True))
        return Past(tuple(pictures), torch.stack([self.valid[:, -1], torch.ones_like(self.valid[:, -1])], dim=1))

    def detach(self) -> "Past":
        """Cut every picture from the graph."""
        return Past(tuple(picture.detach() for picture in self.pictures), self.valid)


class Generator(ABC, nn.Module):
    """Draws a frame from semantic maps and its own two last pictures.

    Attributes:
        height_px, width_px: size of the pictures it draws, pixels.
        scales: heights at which it draws a picture and keeps a past of its own, each twice the one before.
        personal: first words of the names of weights that belong to one person, never carried to another.
    """

    height_px: int
    width_px: int
    scales: int = 1
    personal: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, maps: Sequence[SemanticMap], past: Past) -> Composition:
        """Draw frame t from the semantic maps of frames t-2, t-1, t and own pictures t-2, t-1."""

    def teach(
        self,
        maps: Sequence[SemanticMap],
        past: Past,
        truth: FrameTruth,
        before: Composition | None,
    ) -> tuple[Composition, dict[str, Tensor]]:
        """Draw frame t in training, where the footage may tell what only training can know.

        Args:
            maps, past: as in `forward`.
            truth: the footage's frame t.
            before: what was drawn of frame t-1 in the same roll-out; None at its start.

        Returns:
            the frame, and terms of the generator's own to lower beside the losses of `training`.
        """
        return self(maps, past), {}

    def steadiness(self, semantic: SemanticMap) -> Tensor | None:
        """Return how far each pixel can be known from a map (B or 1, 1, H, W), 0..1; losses count it so. None is 1."""
        return None

    @abstractmethod
    def learning_groups(self) -> dict[str, list[nn.Parameter]]:
        """Sort the parameters by how fast they learn: `network`, `texture` (five times faster), `plate`."""

    @abstractmethod
    def shape(self) -> dict[str, Any]:
        """Return the numbers beside the settings that are needed to build it again: sizes, scales."""

    def networks(self) -> list[nn.Module]:
        """List the networks that do the work, called with tensors alone; `training.compile` compiles them."""
        return []

    def placed(self, device: torch.device) -> Self:
        """Move to a device, in the order of channels that is fast there, and return the generator."""
        return self.to(device)

    def old_parameters(self) -> list[nn.Parameter]:
        """List what was there before the last growth; it may rest while what is new learns. Empty in a first stage."""
        return []


def channel_order(device: torch.device) -> torch.memory_format:
    """Choose the order of channels of plain convolutions: last on a GPU; first on a CPU, in 0.8 to 0.9 of the time."""
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def _detached(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_detached(one) for one in value)
    return value.detach() if isinstance(value, Tensor) else value
