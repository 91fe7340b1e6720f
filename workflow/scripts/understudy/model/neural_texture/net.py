"""The generator for people: a texture atlas over a background plate, finished by a small network.

Axes: B batch, H rows, W columns; L latent channels.
Source: Thies, Zollhoefer, Niessner, Deferred Neural Rendering, 2019; Shysheya et al., Textured Neural Avatars, 2019.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy.dataset.batch import FrameTruth, SemanticMap
from understudy.flow.warp import warp
from understudy.model.composer import compose
from understudy.model.contract import Composition, Generator, Past
from understudy.model.neural_texture.atlas import Atlas
from understudy.model.neural_texture.plate import Plate
from understudy.model.neural_texture.registration import OFFSET_SHARE, Registration, displaced, measured_on_plate
from understudy.model.neural_texture.trunk import FLOW_CHANNELS, Refiner, Trunk
from understudy.model.ranks import rank_mean
from understudy.model.samples import pixel_uv
from understudy.settings import ModelSettings

STRIDE = 8  # the trunk halves three times
MASK_FLOOR = (
    0.5  # at least half of a picture is drawn afresh: what is moved from frame to frame blurs a little each time
)
MASK_START = 2.2  # logit: at the start 95 % is drawn afresh
MATTE_GAIN = 4.0
MATTE_FLOOR = 0.02  # a matte starts at the coverage, kept this far from 0 and 1 so that it can be learnt
MEASURED = 0.5  # share of the measured offset in training; the rest is predicted
LIGHT_REACH = 0.5  # logarithm of the most that light makes the texture brighter (1.65 times) or darker
FLOW_SHARE = 0.01  # of the picture's height: a residual flow of 1


class NeuralTexture(Generator):
    """raw = matte * light * texture + (1 - matte) * plate + residual, joined with the past by `compose`."""

    personal = ("atlas", "plate")

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
        self.height_px, self.width_px = plate.size
        latents = settings.latents
        incoming = 17 + latents  # U V 2, coverage 1, drawing 3, colour 3, plate 3, seen 1, past 3, valid 1
        pictures = 7 + min(3, latents)  # colour 3, plate 3, coverage 1, first latents
        self.registration = Registration()
        self.trunk = Trunk(incoming, pictures, settings.width)
        self.refiners = nn.ModuleList(Refiner(incoming, pictures, settings.width) for _ in range(refiners))
        self.registration.to(memory_format=torch.channels_last)
        self.trunk.to(memory_format=torch.channels_last)
        self.refiners.to(memory_format=torch.channels_last)

    def forward(self, maps: Sequence[SemanticMap], past: Past) -> Composition:
        """Draw frame t from maps t-2, t-1, t and own pictures t-2, t-1 (see `Generator`)."""
        before, offset = self._predicted(maps[-2:])
        return self._drawn(maps[-1], offset, before, past.finest[:, -1], past.valid[:, -1])

    def teach(
        self,
        maps: Sequence[SemanticMap],
        past: Past,
        truth: FrameTruth,
        before: Composition | None,
    ) -> tuple[Composition, dict[str, Tensor]]:
        """Draw frame t from a map that lies on the footage, and learn to find its offset (see `Generator`).

        A texture learnt through maps that miss the picture by a pixel is an average over that pixel; it stays sharp
        when the map is moved first. The measured offset is mixed with the predicted one, which is all rendering has.
        """
        offset_before, predicted = self._predicted(maps[-2:])
        measured, near = self._measured(maps[-1], truth)
        distance = (predicted - measured).abs().sum(1, keepdim=True) / (OFFSET_SHARE * self.height_px)
        term = (distance * near).sum() / rank_mean(near.sum()).clamp_min(1)
        offset = MEASURED * measured + (1 - MEASURED) * predicted
        offset_before = before.offset if before else offset_before
        drawn = self._drawn(maps[-1], offset, offset_before, past.finest[:, -1], past.valid[:, -1])
        return drawn, {"registration": term}

    def steadiness(self, semantic: SemanticMap) -> Tensor:
        """Return how little the background of a map changes at each pixel (B or 1, 1, H, W), 0..1."""
        return self.plate.steadiness(semantic.camera)

    def learning_groups(self) -> dict[str, list[nn.Parameter]]:
        """Sort the parameters by how fast they learn."""
        network = [*self.registration.parameters(), *self.trunk.parameters(), *self.refiners.parameters()]
        return {"network": network, "texture": list(self.atlas.parameters()), "plate": [self.plate.picture]}

    def shape(self) -> dict[str, Any]:
        """Return sizes, texels of a part, doublings, and the plate's canvas where the camera moves."""
        sizes: dict[str, Any] = {"height_px": self.height_px, "width_px": self.width_px}
        if self.plate.canvas is not None:
            sizes["canvas"] = asdict(self.plate.canvas)
        return {**sizes, "texels": self.atlas.texels, "refiners": len(self.refiners)}

    def networks(self) -> list[nn.Module]:
        """List what `training.compile` compiles."""
        return [self.trunk, *self.refiners]

    def old_parameters(self) -> list[nn.Parameter]:
        """List the networks below the newest refiner; atlas and plate are new at every height."""
        if not len(self.refiners):
            return []
        return [one for part in (self.registration, self.trunk, self.refiners[:-1]) for one in part.parameters()]

    def grown(self, plate: Plate, texels: int) -> "NeuralTexture":
        """Return a generator for higher pictures that starts with this one's picture.

        Args:
            plate: background found at the new height; height and width are this one's times a power of two.
            texels: of the new atlas.
        """
        height, width = plate.size
        factor = height / self.height_px
        doublings = round(factor).bit_length() - 1
        if 2**doublings != factor or width != self.width_px * factor:
            raise ValueError(f"{self.height_px} x {self.width_px} does not double to {height} x {width}")
        bigger = NeuralTexture(
            self.settings,
            self.atlas.grown(texels),
            self.plate.grown(plate),
            len(self.refiners) + doublings,
        )
        bigger.registration.load_state_dict(self.registration.state_dict())
        bigger.trunk.load_state_dict(self.trunk.state_dict())
        for new, old in zip(bigger.refiners, self.refiners, strict=False):
            new.load_state_dict(old.state_dict())
        return bigger

    def _predicted(self, maps: Sequence[SemanticMap]) -> list[Tensor]:
        """Predict the offset (B, 2, H, W) px of each map."""
        return list(self.registration(SemanticMap.stack(maps), 1 << len(self.refiners)).chunk(len(maps)))

    @torch.no_grad()
    def _measured(self, semantic: SemanticMap, truth: FrameTruth) -> tuple[Tensor, Tensor]:
        """Measure the offset of a map (B, 2, H, W) px, and where it counts (B, 1, H, W) 0/1."""
        texture = self.atlas(semantic)
        return measured_on_plate(texture, self.plate(semantic.camera)[0], truth)

    def _drawn(
        self, semantic: SemanticMap, offset: Tensor, offset_before: Tensor, before: Tensor, past_valid: Tensor
    ) -> Composition:
        """Draw a map, moved by its offset (B, 2, H, W) px, with the picture before it (B, 3, H, W)."""
        offset, offset_before = offset.detach(), offset_before.detach()  # they learn from what was measured alone
        semantic = displaced(semantic, offset, offset_before)
        texture = self.atlas(semantic)
        plate, seen = self.plate(semantic.camera)
        valid = past_valid * semantic.flow_valid  # (B, 1, H, W)
        moved = warp(before, semantic.flow) * valid  # (B, 3, H, W)
        pictures = torch.cat([texture.colour, plate, texture.coverage, texture.latent[:, :3]], dim=1)  # for full size
        surface = [texture.colour, texture.latent, texture.coverage, pixel_uv(semantic), semantic.drawing]
        everything = torch.cat([*surface, plate, seen, moved, valid], dim=1)  # (B, 17 + L, H, W)
        changes, light = self._changes(everything, pictures)
        coverage = texture.coverage.clamp(MATTE_FLOOR, 1 - MATTE_FLOOR)
        matte = torch.sigmoid(MATTE_GAIN * changes[:, 3:4] + torch.logit(coverage))  # (B, 1, H, W)
        raw = matte * lit(texture.colour, light) + (1 - matte) * plate + changes[:, :3]
        flow = semantic.flow + valid * changes[:, FLOW_CHANNELS] * (FLOW_SHARE * self.height_px)
        mask = MASK_FLOOR + (1 - MASK_FLOOR) * torch.sigmoid(changes[:, 4:5] + MASK_START)
        final, warped, used = compose(raw, mask, flow, before, valid)
        return Composition(final, raw, flow, used, matte, warped, offset)

    def _changes(self, everything: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Run the trunk on the shrunken inputs, then each refiner at twice the height.

        Returns:
            changes (B, 7, H, W) and light (B, 3, H, W), both float32.
        """
        height, width = everything.shape[-2:]
        depth = len(self.refiners)
        multiple = STRIDE << depth
        margin = (0, -width % multiple, 0, -height % multiple)
        if any(margin):
            everything = functional.pad(everything, margin, mode="replicate")
            pictures = functional.pad(pictures, margin, mode="replicate")
        drawn = self.trunk(_shrink(everything, depth), _shrink(pictures, depth))
        for level, refiner in enumerate(self.refiners, start=1):
            drawn = refiner(_shrink(everything, depth - level), _shrink(pictures, depth - level), drawn)
        return drawn.changes[..., :height, :width].float(), drawn.light[..., :height, :width].float()


def lit(colour: Tensor, light: Tensor) -> Tensor:
    """Make colours (B, 3, H, W), -1 black to 1, brighter by light (B, 3, H, W), -1..1; light 0 leaves them alone."""
    return (colour + 1) * torch.exp(LIGHT_REACH * light) - 1


def _shrink(picture: Tensor, halvings: int) -> Tensor:
    return functional.avg_pool2d(picture, 1 << halvings) if halvings else picture
