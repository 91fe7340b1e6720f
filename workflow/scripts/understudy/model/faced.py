"""Draws the face a second time: a residual over the coarse picture, inside a square about the face.

It wraps any generator, as the last stage of training; the wrapped one usually rests.
Axes: B batch, H rows, W columns, S rows and columns of the square.
Source: Chan, Ginosar, Zhou, Efros, Everybody Dance Now, ICCV 2019, section 4.3. Departure: the residual fades out to
the square's border, so that no seam shows.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from understudy.dataset.batch import FrameTruth, SemanticMap
from understudy.model.blocks import zero_start
from understudy.model.contract import Composition, Generator, Past
from understudy.model.crops import crop, crop_size, paste, seen_boxes
from understudy.model.vid2vid.layers import decoder, draw_first_weights, encoder, head

HALVINGS, BLOCKS = 3, 5
LAYERS = "face"  # first word of the names of the face's own weights


class FaceNet(nn.Module):
    """Residual (B, 3, S, S) from a coarse crop and the landmarks drawn in it; starts as zero."""

    def __init__(self, width: int):
        super().__init__()
        self.read = encoder(6, width, HALVINGS, BLOCKS)
        self.draw = decoder(width, HALVINGS, blocks=0)
        self.residual = head(width, 3)
        draw_first_weights(self)
        zero_start(self.residual)

    def forward(self, coarse: Tensor, drawing: Tensor) -> Tensor:
        """Draw from the coarse crop and the crop of the drawing, each (B, 3, S, S); S a multiple of 8."""
        return self.residual(self.draw(self.read(torch.cat([coarse, drawing], dim=1)))).tanh()


class Faced(Generator):
    """final = coarse + residual inside the square about the face; frames without a face stay as they are."""

    def __init__(self, body: Generator, width: int):
        """
        Args:
            body: draws the coarse picture.
            width: channels of the face network's first layer.
        """
        super().__init__()
        self.body = body
        self.face = FaceNet(width).to(memory_format=torch.channels_last)
        self.width = width
        self.settings, self.scales = body.settings, body.scales
        self.height_px, self.width_px = body.height_px, body.width_px
        self.personal = ("body", LAYERS)

    def placed(self, device: torch.device) -> Self:
        """Move to a device (see `Generator`)."""
        self.body.placed(device)
        return self.to(device)

    def forward(self, maps: Sequence[SemanticMap], past: Past) -> Composition:
        """Draw frame t, then its face (see `Generator`)."""
        return self._with_face(self.body(maps, past), maps[-1])

    def teach(
        self, maps: Sequence[SemanticMap], past: Past, truth: FrameTruth, before: Composition | None
    ) -> tuple[Composition, dict[str, Tensor]]:
        """Draw frame t in training (see `Generator`)."""
        drawn, terms = self.body.teach(maps, past, truth, before)
        return self._with_face(drawn, maps[-1]), terms

    def steadiness(self, semantic: SemanticMap) -> Tensor | None:
        """Return how far each pixel can be known from a map (see `Generator`)."""
        return self.body.steadiness(semantic)

    def learning_groups(self) -> dict[str, list[nn.Parameter]]:
        """Sort the parameters by how fast they learn."""
        groups = self.body.learning_groups()
        return {**groups, "network": [*groups["network"], *self.face.parameters()]}

    def shape(self) -> dict[str, Any]:
        """Return the wrapped generator's numbers and the face's width."""
        return {**self.body.shape(), "face": self.width}

    def networks(self) -> list[nn.Module]:
        """List what `training.compile` compiles."""
        return [*self.body.networks(), self.face]

    def old_parameters(self) -> list[nn.Parameter]:
        """List what is not the face's own."""
        return list(self.body.parameters())

    def _with_face(self, drawn: Composition, semantic: SemanticMap) -> Composition:
        box, size = semantic.boxes[:, 0], crop_size(self.height_px)
        seen = seen_boxes(box)  # (B,)
        if not seen.any():
            return drawn
        coarse = crop(drawn.final, box, size)  # (B, 3, S, S)
        residual = self.face(coarse, crop(semantic.drawing, box, size)).float()
        shown = paste(residual, box, drawn.final.shape[-2:]) * seen.view(-1, 1, 1, 1)
        return replace(drawn, final=drawn.final + shown, raw=drawn.raw + shown)
