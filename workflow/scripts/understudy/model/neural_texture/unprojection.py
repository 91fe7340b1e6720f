"""Collects the footage's colours in the atlas; texels that were hardly seen follow their neighbours and mirror side.

Axes: B batch, H rows, W columns of the picture; k texels of one part each way; N = 24 * k * k texels, counted by part,
V, U; C channels; E pairs of neighbours.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional

from understudy.dataset.batch import SemanticMap
from understudy.model.neural_texture.atlas import PARTS, read_texels
from understudy.model.neural_texture.skin import Skin, skin
from understudy.model.samples import Samples, covered_samples, one_part

PERSON_MATTE = 0.9  # share from which a pixel's colour counts as the person's alone
FILL_LEVELS = (1, 3, 6, 12, 24, 48, 96, 192, 384)  # texels of the levels that fill unseen texels, coarse to fine
SURE = 4.0  # samples of a mirror place from which its detail is half believed
MOST_ROUNDS = 300
CLOSE = 1e-3  # residual, as a share of the first, at which the search ends


def unproject(frames: Iterable[tuple[SemanticMap, Tensor, Tensor]], texels: int, chart_name: str = "") -> Tensor:
    """Collect the footage's colours in the atlas: each texel the mean of the samples that showed it.

    Only pixels that lie on one part alone and are all person by the matte count; others mix two colours. What was
    hardly or never seen is filled (see `fill_by_confidence`).

    Args:
        frames: maps with their pictures (B, 3, H, W) -1..1 and mattes (B, 1, H, W) 0..1.
        texels: k.
        chart_name: chart of the maps.

    Returns:
        (24, k, k, 3) float32, -1..1.
    """
    total = torch.zeros(PARTS * texels * texels, 4)
    for semantic, picture, matte in frames:
        samples = covered_samples(semantic)
        clear = one_part(semantic) & (matte[:, 0] > PERSON_MATTE)  # (B, H, W)
        inside = clear.flatten()[samples.pixel]  # (N,)
        colour = picture.permute(0, 2, 3, 1).reshape(-1, 3)[samples.pixel[inside]]  # (M, 3)
        place = (samples.uv[inside] * (texels - 1)).round().long()
        index = (samples.part[inside] * texels + place[:, 1]) * texels + place[:, 0]
        total.index_add_(0, index.cpu(), functional.pad(colour, (0, 1), value=1.0).cpu())
    total = total.view(PARTS, texels, texels, 4)
    return fill_by_confidence(total, fill_coarse(total), skin(chart_name, texels)).clamp(-1, 1)


def fill_coarse(total: Tensor) -> Tensor:
    """Turn sums and counts (24, k, k, 4) into colours (24, k, k, 3), unseen texels filled coarse to fine."""
    texels = total.shape[1]
    sums = total.permute(0, 3, 1, 2)  # (24, 4, k, k)
    colour: Tensor | None = None
    for size in [level for level in FILL_LEVELS if level < texels] + [texels]:
        pooled = functional.adaptive_avg_pool2d(sums, size)
        here = pooled[:, :3] / pooled[:, 3:].clamp_min(1e-9)
        if colour is None:
            colour = here
            continue
        seen = (pooled[:, 3:] * (texels / size) ** 2).clamp(max=1)  # share of one whole sample
        colour = functional.interpolate(colour, size=(size, size), mode="nearest") * (1 - seen) + here * seen
    return colour.permute(0, 2, 3, 1).contiguous()


def fill_by_confidence(total: Tensor, start: Tensor, net: Skin) -> Tensor:
    """Find the texels that fit their samples and, the fewer those are, change from one to the next as the mirror side.

    Minimises over colours c: sum_i n_i (c_i - mean_i)^2 + sum_ij s_ij ((c_i - c_j) - (m_i - m_j))^2, with n_i samples
    of a texel, s_ij the strength of a pair, m the mirror side where that was seen (else no change). Only steps of m
    count, so its detail comes in the colours of this side's seams.

    Args:
        total: (24, k, k, C + 1) float, sums of the samples' values, and their number.
        start: (24, k, k, C) float, where the search begins.
        net: the texels' neighbours.

    Returns:
        (24, k, k, C) float32.

    Source: Perez, Gangnet, Blake, Poisson Image Editing, SIGGRAPH 2003, here on a net.
    """
    flat = total.flatten(0, 2)  # (N, C + 1)
    sums, number = flat[:, :-1], flat[:, -1:]
    strength, (one, other) = net.strength[:, None], net.pairs  # (E, 1), (E,)

    def leaving(steps: Tensor) -> Tensor:  # (E, C) -> (N, C): steps that leave a texel, less those that reach it
        gathered = steps.new_zeros(len(flat), steps.shape[1])
        return gathered.index_add_(0, one, steps).index_add_(0, other, -steps)

    def applied(values: Tensor) -> Tensor:
        return number * values + leaving(strength * (values[one] - values[other]))

    wanted = sums + leaving(strength * _mirror_steps(total, net)) if net.mirror_uv is not None else sums
    ties = torch.zeros(len(flat), 1).index_add_(0, one, strength).index_add_(0, other, strength)
    return solved(applied, wanted, start.flatten(0, 2), number + ties).view_as(start)


def solved(applied: Callable[[Tensor], Tensor], wanted: Tensor, start: Tensor, diagonal: Tensor) -> Tensor:
    """Solve applied(x) = wanted for x, each channel by itself, with conjugate gradients.

    Args:
        applied: a symmetric, positive map of (N, C) to (N, C).
        wanted: (N, C) float.
        start: (N, C) float.
        diagonal: (N, 1) float above 0, of the map.

    Source: Hestenes and Stiefel, 1952; preconditioned by the diagonal.
    """
    found = start.clone()
    rest = wanted - applied(found)
    enough = CLOSE**2 * rest.square().sum(0)  # (C,)
    way, power = rest / diagonal, (rest.square() / diagonal).sum(0)
    for _ in range(MOST_ROUNDS):
        if (rest.square().sum(0) <= enough).all():
            break
        along = applied(way)
        length = power / (way * along).sum(0).clamp_min(1e-20)
        found += length * way
        rest -= length * along
        before, power = power, (rest.square() / diagonal).sum(0)
        way = rest / diagonal + power / before.clamp_min(1e-20) * way
    return found


def _mirror_steps(total: Tensor, net: Skin) -> Tensor:
    """Steps (E, C) that the mirror side makes between neighbours, the smaller the less it was seen."""
    count = len(net.mirror_part)
    there = read_texels(total, Samples(net.mirror_part, net.mirror_uv, torch.arange(count), (1, 1, count, 1)))
    number = there[:, -1:]  # (N, 1)
    mirror, sure = there[:, :-1] / number.clamp_min(1e-6), number / (number + SURE)
    one, other = net.pairs
    return sure[one] * sure[other] * (mirror[one] - mirror[other])
