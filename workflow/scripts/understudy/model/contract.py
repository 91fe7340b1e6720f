"""The contract every generator keeps: maps and its own past in, a composed frame out.

Axes: B batch, H rows, W columns.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields

from torch import Tensor, nn

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
    """

    final: Tensor
    raw: Tensor
    flow: Tensor
    mask: Tensor
    matte: Tensor
    warped: Tensor
    offset: Tensor | None = None

    def detach(self) -> "Composition":
        """Cut every tensor from the graph."""
        values = (getattr(self, one.name) for one in fields(self))
        return Composition(*(value.detach() if value is not None else None for value in values))


class Generator(ABC, nn.Module):
    """Draws a frame from semantic maps and its own two last pictures.

    Attributes:
        height_px, width_px: size of the pictures it draws, pixels.
    """

    height_px: int
    width_px: int

    @abstractmethod
    def forward(self, maps: Sequence[SemanticMap], past: Tensor, past_valid: Tensor) -> Composition:
        """Draw frame t.

        Args:
            maps: semantic maps of frames t-2, t-1, t.
            past: (B, 2, 3, H, W) float32, own pictures t-2, t-1, -1..1; zeros where there is none.
            past_valid: (B, 2, 1, 1, 1) float32, 1 where that picture exists.
        """

    def teach(
        self,
        maps: Sequence[SemanticMap],
        past: Tensor,
        past_valid: Tensor,
        truth: FrameTruth,
        before: Composition | None,
    ) -> tuple[Composition, dict[str, Tensor]]:
        """Draw frame t in training, where the footage may tell what only training can know.

        Args:
            maps, past, past_valid: as in `forward`.
            truth: the footage's frame t.
            before: what was drawn of frame t-1 in the same roll-out; None at its start.

        Returns:
            the frame, and terms of the generator's own to lower beside the losses of `training`.
        """
        return self(maps, past, past_valid), {}

    def steadiness(self) -> Tensor | None:
        """Return how far each pixel can be known from the maps (1, 1, H, W), 0..1; losses count it so. None is 1."""
        return None

    @abstractmethod
    def learning_groups(self) -> dict[str, list[nn.Parameter]]:
        """Sort the parameters by how fast they learn: `network`, `texture` (five times faster), `plate`."""
