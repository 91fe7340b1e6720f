"""The generator for people: a texture atlas over a background plate, finished by a small network.

Axes: B batch, H rows, W columns; L latent channels.
Source: Thies, Zollhoefer, Niessner, Deferred Neural Rendering, 2019; Shysheya et al., Textured Neural Avatars, 2019.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy.dataset.batch import SemanticMap
from understudy.flow.warp import warp
from understudy.model.composer import compose
from understudy.model.contract import Composition, Generator
from understudy.model.neural_texture.atlas import Atlas, Texture
from understudy.model.neural_texture.plate import Plate
from understudy.model.neural_texture.trunk import FLOW_CHANNELS, Drawn, Refiner, Trunk
from understudy.model.samples import pixel_uv
from understudy.settings import ModelSettings

STRIDE = 8  # the trunk halves three times
MASK_START = 3.0  # logit: at the start 95 % of a picture is drawn afresh
MATTE_GAIN = 4.0
MATTE_FLOOR = 0.02  # a matte starts at the coverage, kept this far from 0 and 1 so that it can be learnt
FLOW_SHARE = 0.01  # of the picture's height: a residual flow of 1


class NeuralTexture(Generator):
    """raw = matte * texture + (1 - matte) * plate + residual, joined with the past by `compose`."""

    def __init__(self, settings: ModelSettings, atlas: Atlas, plate: Plate, refiners: int = 0):
        """
        Args:
            settings: widths.
            atlas: texture, with its start in it.
            plate: background; its height and width are the pictures'.
            refiners: doublings between the trunk's height and the pictures'.
        """
        super().__init__()
        self.settings = settings
        self.atlas = atlas
        self.plate = plate
        self.height_px, self.width_px = plate.picture.shape[-2:]
        latents = settings.latents
        incoming = 17 + latents  # U V 2, coverage 1, drawing 3, colour 3, plate 3, seen 1, past 3, valid 1
        pictures = 7 + min(3, latents)  # colour 3, plate 3, coverage 1, first latents
        self.trunk = Trunk(incoming, pictures, settings.width)
        self.refiners = nn.ModuleList(Refiner(incoming, pictures, settings.width) for _ in range(refiners))
        self.trunk.to(memory_format=torch.channels_last)
        self.refiners.to(memory_format=torch.channels_last)

    def forward(self, maps: Sequence[SemanticMap], past: Tensor, past_valid: Tensor) -> Composition:
        """Draw frame t from maps t-2, t-1, t and own pictures t-2, t-1 (see `Generator`)."""
        semantic, before = maps[-1], past[:, -1]  # before (B, 3, H, W)
        texture = self.atlas(semantic)
        plate, seen = self.plate(len(before))
        valid = past_valid[:, -1] * semantic.flow_valid  # (B, 1, H, W)
        along = semantic.flow * semantic.flow_valid  # (B, 2, H, W), px
        moved = warp(before, along) * valid  # (B, 3, H, W)
        pictures = torch.cat([texture.colour, plate, texture.coverage, texture.latent[:, :3]], dim=1)  # for full size
        surface = [texture.colour, texture.latent, texture.coverage, pixel_uv(semantic), semantic.drawing]
        everything = torch.cat([*surface, plate, seen, moved, valid], dim=1)  # (B, 17 + L, H, W)
        changes = self._draw(everything, pictures).changes.float()
        return self._composition(changes, texture, plate, along, valid, before)

    def learning_groups(self) -> dict[str, list[nn.Parameter]]:
        """Sort the parameters by how fast they learn."""
        network = [*self.trunk.parameters(), *self.refiners.parameters()]
        return {"network": network, "texture": list(self.atlas.parameters()), "plate": [self.plate.picture]}

    def grown(self, start: Tensor, seen: Tensor, texels: int) -> "NeuralTexture":
        """Return a generator for higher pictures that starts with this one's picture.

        Args:
            start: (3, H, W) background found at the new height; H and W are this one's times a power of two.
            seen: (1, H, W) where it was seen.
            texels: of the new atlas.
        """
        factor = start.shape[-2] / self.height_px
        doublings = round(factor).bit_length() - 1
        if 2**doublings != factor or start.shape[-1] != self.width_px * factor:
            raise ValueError(f"{self.height_px} x {self.width_px} does not double to {tuple(start.shape[-2:])}")
        bigger = NeuralTexture(
            self.settings,
            self.atlas.grown(texels),
            self.plate.grown(start, seen),
            len(self.refiners) + doublings,
        )
        bigger.trunk.load_state_dict(self.trunk.state_dict())
        for new, old in zip(bigger.refiners, self.refiners, strict=False):
            new.load_state_dict(old.state_dict())
        return bigger

    def _draw(self, everything: Tensor, pictures: Tensor) -> Drawn:
        """Run the trunk on the shrunken inputs, then each refiner at twice the height."""
        height, width = everything.shape[-2:]
        multiple = STRIDE << len(self.refiners)
        margin = (0, -width % multiple, 0, -height % multiple)
        if any(margin):
            everything = functional.pad(everything, margin, mode="replicate")
            pictures = functional.pad(pictures, margin, mode="replicate")
        depth = len(self.refiners)
        drawn = self.trunk(_shrink(everything, depth), _shrink(pictures, depth))
        for level, refiner in enumerate(self.refiners, start=1):
            drawn = refiner(_shrink(everything, depth - level), _shrink(pictures, depth - level), drawn)
        return Drawn(drawn.changes[..., :height, :width], drawn.hidden[..., :height, :width])

    def _composition(
        self, changes: Tensor, texture: Texture, plate: Tensor, along: Tensor, valid: Tensor, before: Tensor
    ) -> Composition:
        """Turn the changes (B, 7, H, W) into a frame."""
        coverage = texture.coverage.clamp(MATTE_FLOOR, 1 - MATTE_FLOOR)
        matte = torch.sigmoid(MATTE_GAIN * changes[:, 3:4] + torch.logit(coverage))  # (B, 1, H, W)
        raw = matte * texture.colour + (1 - matte) * plate + changes[:, :3]
        flow = along + valid * changes[:, FLOW_CHANNELS] * (FLOW_SHARE * self.height_px)
        mask = torch.sigmoid(changes[:, 4:5] + MASK_START)
        final, warped, used = compose(raw, mask, flow, before, valid)
        return Composition(final, raw, flow, used, matte, warped)


def _shrink(picture: Tensor, halvings: int) -> Tensor:
    return functional.avg_pool2d(picture, 1 << halvings) if halvings else picture
