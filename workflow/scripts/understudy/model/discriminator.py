"""Judges that learn to tell drawn pictures from footage: one for single pictures, one per time stride for three.

They see the semantic maps as well, so a sharp picture of the wrong pose does not pass.
Axes: B batch, H rows, W columns, C channels.
Source: least squares by Mao et al., ICCV 2017; patches and feature matching by Wang et al., pix2pixHD, CVPR 2018.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy.dataset.batch import SemanticMap
from understudy.model.samples import pixel_coverage, pixel_uv

SLOPE = 0.2
CONDITION = 6  # drawing 3, U V 2, coverage 1
FLOW_UNIT = 0.05  # of the picture's height: a flow of 1 to the temporal judge


@dataclass(frozen=True)
class Verdict:
    """What a judge makes of a picture: `score` (B, 1, h, w), 1 real, 0 drawn, and its inner `features`."""

    score: Tensor
    features: list[Tensor]

    def detach(self) -> "Verdict":
        return Verdict(self.score.detach(), [feature.detach() for feature in self.features])


class Judge(nn.Module):
    """Patch judge at half size (pixel-unshuffle), an eighth at its end; instance norm, so batches do not mix."""

    def __init__(self, incoming: int, width: int = 32):
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(4 * incoming, width, 3, padding=1),
                _normed(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
                _normed(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=1)),
                _normed(nn.Conv2d(4 * width, 4 * width, 3, padding=1)),
            ]
        )
        self.decide = nn.Conv2d(4 * width, 1, 3, padding=1)

    def forward(self, seen: Tensor) -> Verdict:
        """Judge seen (B, incoming, H, W); H and W even."""
        features = [functional.pixel_unshuffle(seen, 2)]
        for layer in self.layers:
            features.append(functional.leaky_relu(layer(features[-1]), SLOPE))
        return Verdict(self.decide(features[-1]), features[1:])


class ImageJudge(Judge):
    """Judges one picture together with its map."""

    def __init__(self, width: int = 32):
        super().__init__(3 + CONDITION, width)

    def look(self, picture: Tensor, condition: Tensor) -> Verdict:
        """Judge a picture (B, 3, H, W) of the map `condition` (B, 6, H, W)."""
        return self(torch.cat([picture, condition], dim=1))


class TemporalJudge(Judge):
    """Judges three pictures, `stride` frames apart, together with the two flows between them and the last map."""

    def __init__(self, stride: int, width: int = 32):
        super().__init__(9 + 4 + CONDITION, width)
        self.stride = stride

    def look(self, pictures: list[Tensor], flows: list[Tensor], condition: Tensor) -> Verdict:
        """Judge pictures t, t-k, t-2k (B, 3, H, W), flows t to t-k and t-k to t-2k (B, 2, H, W) px, map of t."""
        unit = FLOW_UNIT * pictures[0].shape[-2]
        return self(torch.cat([*pictures, *(flow / unit for flow in flows), condition], dim=1))


def judge_condition(semantic: SemanticMap) -> Tensor:
    """Stack what judges see of a map: drawing, U and V, coverage: (B, 6, H, W), -1..1."""
    return torch.cat([semantic.drawing, pixel_uv(semantic), pixel_coverage(semantic)], dim=1)


def _normed(layer: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(layer, nn.InstanceNorm2d(layer.out_channels, affine=True))
