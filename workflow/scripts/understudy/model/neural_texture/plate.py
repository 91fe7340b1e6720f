"""The background plate: what stands behind the performer, learnable, with the mask of pixels that were ever seen.

Axes: T frames, B batch, H rows, W columns.
"""

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

CLEAR_MATTE = 0.05  # a pixel shows background where the grown matte is below this share
GROW_SHARE = 0.02  # of the picture's height: how far the matte is grown, because estimated mattes are tight
INPAINT_RADIUS_SHARE = 0.03  # of the picture's height
UNSTEADY = 0.2  # mean distance from the median, of colours -1..1, at which a background counts half as steady


class Plate(nn.Module):
    """A learnable picture of the background.

    `start` is where it began, `seen` which pixels the footage showed, `steady` (0..1) how little they changed: captions
    and screens come and go as no map can tell.
    """

    def __init__(self, start: Tensor, seen: Tensor, steady: Tensor | None = None):
        """Start from a picture (3, H, W) -1..1, a mask (1, H, W) 0/1 and steadiness (1, H, W) 0..1, else 1."""
        super().__init__()
        # one order of axes, whatever made the picture: kernels round by it, and a resumed training is equal to the bit
        start, seen = (one[None].contiguous() for one in (start, seen))
        self.picture = nn.Parameter(start.clone())
        self.register_buffer("start", start.clone())
        self.register_buffer("seen", seen.clone())
        self.register_buffer("steady", torch.ones_like(seen) if steady is None else steady[None].contiguous().clone())

    def forward(self, batch: int) -> tuple[Tensor, Tensor]:
        """Return the picture (B, 3, H, W) and the mask (B, 1, H, W)."""
        return self.picture.expand(batch, -1, -1, -1), self.seen.expand(batch, -1, -1, -1)

    def grown(self, fresh: "Plate") -> "Plate":
        """Return a plate that starts from the footage at a new height, plus what this one has learnt, upsampled."""
        with torch.no_grad():
            change = (self.picture - self.start).cpu()
            fresh.picture += functional.interpolate(change, size=fresh.picture.shape[-2:], mode="bilinear")
        return fresh


def start_plate(pictures: Tensor, mattes: Tensor) -> Plate:
    """Find the background behind a moving person: the median of the frames that show it, where it stays as it is.

    Where it changes, the mean: the median of a caption is a wrong caption. Pixels that no frame shows are inpainted; a
    plain median would paint the person there.

    Args:
        pictures: (T, 3, H, W) float32, -1..1.
        mattes: (T, 1, H, W) float32, share of the person, 0..1.

    Source: inpainting by Telea, Journal of Graphics Tools 2004.
    """
    height = pictures.shape[-2]
    reach = max(1, round(GROW_SHARE * height))
    grown = functional.max_pool2d(mattes, 2 * reach + 1, stride=1, padding=reach)  # (T, 1, H, W)
    clear = (grown < CLEAR_MATTE).expand_as(pictures)
    median = pictures.masked_fill(~clear, float("nan")).nanmedian(0).values  # (3, H, W)
    unseen = median.isnan().any(0)  # (H, W)
    if unseen.all():
        return Plate(torch.zeros_like(median), torch.zeros_like(median[:1]))
    shown = clear.sum(0).clamp_min(1)  # (3, H, W)
    spread = ((pictures - median).abs() * clear).nan_to_num(0).sum(0) / shown  # (3, H, W)
    steady = 1 / (1 + (spread.amax(0, keepdim=True) / UNSTEADY) ** 2)  # (1, H, W)
    known = steady * median + (1 - steady) * (pictures * clear).sum(0) / shown
    picture = np.ascontiguousarray(((known.nan_to_num(0) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())
    radius = max(2.0, INPAINT_RADIUS_SHARE * height)
    filled = cv2.inpaint(picture, unseen.byte().numpy(), radius, cv2.INPAINT_TELEA)  # (H, W, 3)
    filled = torch.from_numpy(filled).permute(2, 0, 1).float() / 127.5 - 1
    return Plate(torch.where(unseen, filled, known), (~unseen)[None].float(), steady)
