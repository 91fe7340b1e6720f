"""Judges that learn to tell drawn pictures from footage: of single pictures, of three in time, of faces and hands.

They see the semantic maps as well, so a sharp picture of the wrong pose does not pass. Each looks at one or more sizes.
Axes: B batch, H rows, W columns, C channels.
Source: patches, sizes and feature matching by Wang et al., pix2pixHD, CVPR 2018; judges in time by Wang et al.,
Video-to-Video Synthesis, NeurIPS 2018.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy.dataset.batch import SemanticMap
from understudy.model.samples import pixel_coverage, pixel_uv

SLOPE = 0.2
CONDITION = 6  # drawing 3, U V 2, coverage 1
CHART = slice(-3, -1)  # U and V in what a judge sees, the condition being last: chosen, a mean would mix parts
FLOW_UNIT = 0.05  # of the picture's height: a flow of 1 to the temporal judge
LEAST_PX = 16  # shorter side of the coarsest level
START_SPREAD = 0.02  # standard deviation of the patch judge's first weights


@dataclass(frozen=True)
class Verdict:
    """What a judge makes of a picture, finest level first.

    Attributes:
        scores: of each level (B, 1, h, w), any number, higher where it looks real.
        features: of each level the outputs of its inner layers, (B, C, h, w) each.
    """

    scores: tuple[Tensor, ...]
    features: tuple[tuple[Tensor, ...], ...]

    def split(self, count: int) -> "list[Verdict]":
        """Part a verdict of several pictures that were judged as one batch, one behind the other."""
        scores = zip(*(one.chunk(count) for one in self.scores), strict=True)
        features = zip(
            *(zip(*(one.chunk(count) for one in level), strict=True) for level in self.features), strict=True
        )
        return [Verdict(*parts) for parts in zip(scores, features, strict=True)]


@dataclass(frozen=True)
class JudgeShape:
    """How judges are built.

    Attributes:
        kind: `compact` or `patch`.
        width: channels of the first layer; 0 takes the kind's own.
        heights: of the levels, px, finest first, each half the one before.
    """

    kind: str
    width: int
    heights: tuple[int, ...]


class CompactLevel(nn.Module):
    """Begins at half size (pixel-unshuffle), ends at an eighth: an eighth of the work of a patch judge of two sizes.

    Instance norm, so batches do not mix.
    """

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

    def forward(self, seen: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Score seen (B, incoming, H, W); returns score and inner features."""
        odd_rows, odd_columns = (size % 2 for size in seen.shape[-2:])
        if odd_rows or odd_columns:
            seen = functional.pad(seen, (0, odd_columns, 0, odd_rows), mode="replicate")
        return _passed(functional.pixel_unshuffle(seen, 2), self.layers, self.decide)


class PatchLevel(nn.Module):
    """The original's judge of 70 x 70 px patches: 2.77 million weights at its 9 input channels and width 64.

    Ours sees other channels (our maps), and has instance norm in place of batch norm, so that batches do not mix and
    a judge of one clip and of many is the same.
    """

    def __init__(self, incoming: int, width: int = 64):
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(incoming, width, 4, stride=2, padding=2),
                _normed(nn.Conv2d(width, 2 * width, 4, stride=2, padding=2)),
                _normed(nn.Conv2d(2 * width, 4 * width, 4, stride=2, padding=2)),
                _normed(nn.Conv2d(4 * width, 8 * width, 4, stride=1, padding=2)),
            ]
        )
        self.decide = nn.Conv2d(8 * width, 1, 4, padding=2)
        self.apply(_start_small)

    def forward(self, seen: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Score seen (B, incoming, H, W); returns score and inner features."""
        return _passed(seen, self.layers, self.decide)


LEVELS: dict[str, Callable[..., nn.Module]] = {"compact": CompactLevel, "patch": PatchLevel}


class Judge(nn.Module):
    """Judges a stack of pictures and conditions at every level; levels are named by their height, so that weights
    can follow the resolution when a later stage has more of them."""

    def __init__(self, incoming: int, shape: JudgeShape):
        super().__init__()
        width = {"width": shape.width} if shape.width else {}
        self.levels = nn.ModuleDict(
            {f"height_{height}": LEVELS[shape.kind](incoming, **width) for height in shape.heights}
        )

    def forward(self, seen: Tensor) -> Verdict:
        """Judge seen (B, incoming, H, W), whose last six channels are the condition."""
        verdicts = []
        for number, level in enumerate(self.levels.values()):
            seen = halved(seen) if number else seen
            verdicts.append(level(seen))
        scores, features = zip(*verdicts, strict=True)
        return Verdict(scores, features)


class ImageJudge(Judge):
    """Judges one picture, or the crop of one, together with its map."""

    def __init__(self, shape: JudgeShape):
        super().__init__(3 + CONDITION, shape)

    def look(self, picture: Tensor, condition: Tensor) -> Verdict:
        """Judge a picture (B, 3, H, W) of the map `condition` (B, 6, H, W)."""
        return self(torch.cat([picture, condition], dim=1))


class TemporalJudge(Judge):
    """Judges three pictures, `stride` frames apart, together with the two flows between them and the last map."""

    def __init__(self, stride: int, shape: JudgeShape):
        super().__init__(9 + 4 + CONDITION, shape)
        self.stride = stride

    def look(self, pictures: list[Tensor], flows: list[Tensor], condition: Tensor) -> Verdict:
        """Judge pictures t, t-k, t-2k (B, 3, H, W), flows t to t-k and t-k to t-2k (B, 2, H, W) px, map of t."""
        unit = FLOW_UNIT * pictures[0].shape[-2]
        return self(torch.cat([*pictures, *(flow / unit for flow in flows), condition], dim=1))


def judge_condition(semantic: SemanticMap) -> Tensor:
    """Stack what judges see of a map: drawing, U and V, coverage: (B, 6, H, W), -1..1."""
    return torch.cat([semantic.drawing, pixel_uv(semantic), pixel_coverage(semantic)], dim=1)


def halved(seen: Tensor) -> Tensor:
    """Bring what a judge sees (B, C, H, W) to half size: means over 3 x 3 px; of U and V every second pixel."""
    half = functional.avg_pool2d(seen, 3, stride=2, padding=1, count_include_pad=False)
    chart = seen[:, CHART, ::2, ::2]
    return torch.cat([half[:, : CHART.start], chart, half[:, CHART.stop :]], dim=1)


def level_heights(height: int, width: int, levels: int) -> tuple[int, ...]:
    """List the heights of a judge's levels, finest first, px; fewer than asked for where one would be too small."""
    heights = [height]
    while len(heights) < levels and min(_half(height), _half(width)) >= LEAST_PX:
        height, width = _half(height), _half(width)
        heights.append(height)
    return tuple(heights)


def _half(size: int) -> int:
    return (size + 1) // 2  # as `halved` has it


def _passed(seen: Tensor, layers: nn.ModuleList, decide: nn.Module) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a level's layers; returns score and the output of each layer."""
    features = [seen]
    for layer in layers:
        features.append(functional.leaky_relu(layer(features[-1]), SLOPE))
    return decide(features[-1]), tuple(features[1:])


def _normed(layer: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(layer, nn.InstanceNorm2d(layer.out_channels, affine=True))


def _start_small(layer: nn.Module) -> None:
    """Start weights as the original does: N(0, 0.02), norms N(1, 0.02), no bias."""
    if isinstance(layer, nn.Conv2d | nn.InstanceNorm2d):
        nn.init.normal_(layer.weight, float(isinstance(layer, nn.InstanceNorm2d)), START_SPREAD)
        nn.init.zeros_(layer.bias)
