"""The terms training lowers: LI compares pictures, LV their change in time, LW the flow; all are pure functions.

Axes: B batch, C channels, H rows, W columns. Pictures are RGB, -1..1; flows are pixels, from a frame to the one before.
Source: terms after Wang et al., Video-to-Video Synthesis, NeurIPS 2018; every masked mean is divided by the sum of its
weights (theirs divide by all pixels, so that a term fades where little can be trusted).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from understudy.flow.warp import warp
from understudy.model.crops import crop, crop_size
from understudy.model.discriminator import Verdict
from understudy.model.ranks import rank_mean

PERSON_MATTE = 0.3  # share of a pixel from which it counts as the person
DETAIL_SHARE = 0.05  # of the picture's height: window within which detail may lie anywhere
PERSON_GROW_SHARE = 0.03  # of the picture's height: the person's surroundings count as much


def person_weight(matte: Tensor, person: float) -> Tensor:
    """Weigh pixels: 1 on the background, 1 + person on and near the person, divided by the mean of each picture.

    Args:
        matte: (B, 1, H, W) float, share of the pixel that is the person, 0..1.
        person: how much more a pixel of the person counts.

    Returns:
        (B, 1, H, W) float, mean 1 over each picture.
    """
    reach = max(1, round(PERSON_GROW_SHARE * matte.shape[-2]))
    near = functional.max_pool2d((matte > PERSON_MATTE).float(), 2 * reach + 1, stride=1, padding=reach)
    weight = 1 + person * near
    return weight / weight.mean(dim=(1, 2, 3), keepdim=True)


def filled(picture: Tensor, counted: Tensor, filling: Tensor) -> Tensor:
    """Put a filling (B, 3, H, W), never learnt from, where a picture like it does not count, by (B, 1, H, W) 0/1."""
    return torch.where(counted > 0, picture, filling.detach())


def trusted_mean(values: Tensor, trust: Tensor) -> Tensor:
    """Mean of values (B, C, H, W) weighted by trust (B, 1, H, W) of at least 0; 0 where nothing is trusted.

    Where several ranks train, the mean over them is the weighted mean over the whole batch.
    """
    total = rank_mean(trust.sum()) * values.shape[1]
    return (values * trust).sum() / total.clamp_min(1e-6)


def picture_distance(drawn: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """LI: mean absolute difference of two pictures (B, 3, H, W), weighted by (B, 1, H, W)."""
    return trusted_mean((drawn - real).abs(), weight)


def face_distance(drawn: Tensor, real: Tensor, boxes: Tensor) -> Tensor:
    """LI: mean absolute difference of two pictures (B, 3, H, W) in squares about the boxes (B, 4) px."""
    size = crop_size(drawn.shape[-2])
    cut, true = (crop(one, boxes, size) for one in (drawn, real))
    return (cut - true).abs().mean()


def gradient_distance(drawn: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """LI: mean absolute difference of the steps to the right and down, each weighted; keeps edges sharp."""
    difference = drawn - real
    right = (difference[..., 1:] - difference[..., :-1]).abs()  # (B, 3, H, W - 1)
    down = (difference[..., 1:, :] - difference[..., :-1, :]).abs()  # (B, 3, H - 1, W)
    from_left, from_above = (
        weight[..., :-1] > 0,
        weight[..., :-1, :] > 0,
    )  # a step from what does not count tells nothing
    return trusted_mean(right, weight[..., 1:] * from_left) + trusted_mean(down, weight[..., 1:, :] * from_above)


def detail_distance(drawn: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """LI: mean absolute difference of how much fine detail two pictures (B, 3, H, W) hold round each pixel.

    Detail is the root mean square of the grey Laplacian over a window; where in the window it lies does not matter, so
    that a map which misses the picture by a pixel does not teach to draw nothing there.
    """
    side = max(3, 2 * round(DETAIL_SHARE * real.shape[-2] / 2) + 1)
    counts = 1 - functional.max_pool2d((weight <= 0).float(), 3, stride=1)  # (B, 1, H - 2, W - 2), with what it reads
    amounts = [_detail(one, counts, side) for one in (drawn, real)]  # (B, 1, h, w)
    trust = functional.avg_pool2d(weight[..., 1:-1, 1:-1] * counts, side, side // 2)
    return trusted_mean((amounts[0] - amounts[1]).abs(), trust)


def least_squares_wish(score: Tensor) -> Tensor:
    """LI, LV: how far a judge's scores of a drawn picture are from real (1): mean square, 0 and up.

    Source: Mao et al., Least Squares Generative Adversarial Networks, ICCV 2017.
    """
    return (score.float() - 1).square().mean()


def least_squares_error(real: Tensor, drawn: Tensor) -> Tensor:
    """What a judge learns to lower: footage should score 1, drawn pictures 0; mean squares, halved, 0 and up.

    Source: Mao et al., ICCV 2017.
    """
    return 0.5 * ((real.float() - 1).square().mean() + drawn.float().square().mean())


def hinge_wish(score: Tensor) -> Tensor:
    """LI, LV: minus the mean score of a drawn picture, any number; there is no score that is high enough.

    Source: Lim and Ye, Geometric GAN, 2017.
    """
    return -score.float().mean()


def hinge_error(real: Tensor, drawn: Tensor) -> Tensor:
    """What a judge learns to lower: footage should score 1 or more, drawn pictures -1 or less; halved, 0 and up.

    Source: Lim and Ye, Geometric GAN, 2017.
    """
    return 0.5 * (functional.relu(1 - real.float()).mean() + functional.relu(1 + drawn.float()).mean())


def feature_distance(drawn: Verdict, real: Verdict) -> Tensor:
    """LI, LV: mean absolute difference of a judge's inner features, 0 and up; `real` is a constant.

    Averaged over the judge's own levels and the layers of each (a weight of 10 on the sum over four layers is 40 here).

    Source: Wang et al., pix2pixHD, CVPR 2018.
    """
    levels = []
    for mine, theirs in zip(drawn.features, real.features, strict=True):
        layers = zip(mine, theirs, strict=True)
        levels.append(
            torch.stack([(one.float() - other.detach().float()).abs().mean() for one, other in layers]).mean()
        )
    return torch.stack(levels).mean()


def temporal_difference(drawn: Sequence[Tensor], real: Sequence[Tensor], flow: Tensor, trust: Tensor) -> Tensor:
    """LV: difference between how the drawn and how the real pictures change along the flow.

    Args:
        drawn: own pictures of t and t-1, each (B, 3, H, W).
        real: footage of t and t-1.
        flow: (B, 2, H, W) px, from t to t-1.
        trust: (B, 1, H, W) float of at least 0, in the flow.
    """
    now = drawn[0] - real[0]
    before = warp(drawn[1] - real[1], flow)
    return trusted_mean((now - before).abs(), trust)


def flow_distance(flow: Tensor, truth: Tensor, trust: Tensor) -> Tensor:
    """LW: mean distance between two flows (B, 2, H, W), in hundredths of the picture's height."""
    percent = 100 / flow.shape[-2]
    squares = (flow - truth).square().sum(dim=1, keepdim=True)
    return percent * trusted_mean((squares + 1e-6).sqrt(), trust)


def warp_distance(before: Tensor, flow: Tensor, now: Tensor, trust: Tensor) -> Tensor:
    """LW: mean absolute difference between a picture moved along a flow and the picture it should give."""
    return trusted_mean((warp(before, flow) - now).abs(), trust)


def _detail(picture: Tensor, counts: Tensor, side: int) -> Tensor:
    """Root mean square of a picture's grey Laplacian over windows of `side` px, half a window apart: (B, 1, h, w).

    Only pixels that count (B, 1, H - 2, W - 2), 0 or 1, are looked at.
    """
    grey = picture.float().mean(1, keepdim=True)
    around = grey[..., :-2, 1:-1] + grey[..., 2:, 1:-1] + grey[..., 1:-1, :-2] + grey[..., 1:-1, 2:]
    squares = (around - 4 * grey[..., 1:-1, 1:-1]).square() * counts
    share = functional.avg_pool2d(counts, side, side // 2).clamp_min(1e-6)
    return (functional.avg_pool2d(squares, side, side // 2) / share + 1e-4).sqrt()


def mask_share(mask: Tensor, trust: Tensor) -> Tensor:
    """LW: mean mask (B, 1, H, W) where the flow is trusted; lowering it lets more of the past through."""
    return trusted_mean(mask, trust)
