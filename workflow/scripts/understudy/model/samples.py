"""The samples of a semantic map that lie on the body, and the pixels they belong to.

Axes: B batch, H rows, W columns of the picture; P, Q rows and columns of the surface's samples; N covered samples.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from understudy.dataset.batch import SemanticMap


@dataclass(frozen=True)
class Samples:
    """The covered samples of a batch of maps.

    Attributes:
        part: (N,) int64, 0..23.
        uv: (N, 2) float32, 0..1.
        pixel: (N,) int64, place of the sample's pixel in a flattened (B, H, W).
        size: B, H, W, and samples of one pixel.
    """

    part: Tensor
    uv: Tensor
    pixel: Tensor
    size: tuple[int, int, int, int]


def covered_samples(semantic: SemanticMap) -> Samples:
    """List the samples of a map (B, P, Q) that lie on the body."""
    count = semantic.samples
    batch, rows, columns = semantic.part.shape
    height, width = rows // count, columns // count
    image, row, column = torch.nonzero(semantic.part, as_tuple=True)  # each (N,)
    uv = semantic.uv[image, :, row, column]  # (N, 2)
    pixel = (image * height + row // count) * width + column // count
    part = semantic.part[image, row, column] - 1
    return Samples(part, uv, pixel, (batch, height, width, count))


def hits_per_pixel(samples: Samples) -> Tensor:
    """Count the covered samples of each pixel: (B * H * W,) int64."""
    batch, height, width, _ = samples.size
    return torch.bincount(samples.pixel, minlength=batch * height * width)


def one_part(semantic: SemanticMap) -> Tensor:
    """Mark the pixels whose samples all lie on the same part, or all beside the body: (B, H, W) bool."""
    count = semantic.samples
    batch, rows, columns = semantic.part.shape
    blocks = semantic.part.view(batch, rows // count, count, columns // count, count)
    return (blocks == blocks[:, :, :1, :, :1]).all(4).all(2)


def pixel_coverage(semantic: SemanticMap) -> Tensor:
    """Share of each pixel's samples that lie on the body: (B, 1, H, W) float32, 0..1."""
    samples = covered_samples(semantic)
    batch, height, width, count = samples.size
    return (hits_per_pixel(samples) / count**2).view(batch, 1, height, width)


def pixel_uv(semantic: SemanticMap) -> Tensor:
    """Take one sample's U and V of each pixel, (B, 2, H, W), -1..1, 0 off the body; a mean would mix parts."""
    step = semantic.samples
    on_body = (semantic.part[:, None, ::step, ::step] > 0).float()
    return (2 * semantic.uv[:, :, ::step, ::step] - 1) * on_body
