"""The background plate: what stands behind the performer, learnable, with the mask of pixels that were ever seen.

Before a camera that stands still the plate is as large as the picture; one that moves looks at a larger canvas.
Axes: T frames, B batch, H rows, W columns of a picture; R rows, S columns of the plate.
"""

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from understudy.model.neural_texture.canvas import Canvas, canvas_about

CLEAR_MATTE = 0.05  # a pixel shows background where the grown matte is below this share
GROW_SHARE = 0.02  # of the picture's height: how far the matte is grown, because estimated mattes are tight
FILLED_PX = 12  # an unseen pixel is so far from a seen one at most on the smaller picture where it is filled
EMPTY = 0.01  # share of a pixel of the smaller picture that may be unseen
CONTEXT_PX = 48  # of what is seen around them that the filling looks at
UNSTEADY = 0.2  # mean distance from the median, of colours -1..1, at which a background counts half as steady


class Plate(nn.Module):
    """A learnable picture of the background.

    `start` is where it began, `seen` which pixels the footage showed, `steady` (0..1) how little they changed: captions
    and screens come and go as no map can tell.
    """

    def __init__(self, start: Tensor, seen: Tensor, steady: Tensor | None = None, canvas: Canvas | None = None):
        """
        Args:
            start: (3, R, S) float, -1..1.
            seen: (1, R, S) float, 0/1.
            steady: (1, R, S) float, 0..1; None is 1.
            canvas: where pictures look at the plate; None: all of them see it as it is.
        """
        super().__init__()
        # one order of axes, whatever made the picture: kernels round by it, and a resumed training is equal to the bit
        start, seen = (one[None].contiguous() for one in (start, seen))
        self.picture = nn.Parameter(start.clone())
        self.register_buffer("start", start.clone())
        self.register_buffer("seen", seen.clone())
        self.register_buffer("steady", torch.ones_like(seen) if steady is None else steady[None].contiguous().clone())
        self.canvas = canvas

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures that see it."""
        return (self.canvas.height, self.canvas.width) if self.canvas else tuple(self.picture.shape[-2:])

    def forward(self, camera: Tensor) -> tuple[Tensor, Tensor]:
        """Return what cameras (B, 3, 3) see: the picture (B, 3, H, W) and the mask (B, 1, H, W)."""
        if self.canvas is None:
            return self.picture.expand(len(camera), -1, -1, -1), self.seen.expand(len(camera), -1, -1, -1)
        return self.canvas.see(self.picture, camera), self.canvas.covers(self.seen, camera)

    def steadiness(self, camera: Tensor) -> Tensor:
        """Return how steady what cameras (B, 3, 3) see is: (B or 1, 1, H, W), 0..1."""
        return self.steady if self.canvas is None else self.canvas.see(self.steady, camera)

    def grown(self, fresh: "Plate") -> "Plate":
        """Return a plate that starts from the footage at a new height, plus what this one has learnt, upsampled."""
        with torch.no_grad():
            change = (self.picture - self.start).cpu()
            fresh.picture += functional.interpolate(change, size=fresh.picture.shape[-2:], mode="bilinear")
        return fresh


def start_plate(pictures: Tensor, mattes: Tensor, camera: Tensor | None = None, canvas: Canvas | None = None) -> Plate:
    """Find the background behind a moving person: the median of the frames that show it, where it stays as it is.

    Where it changes, the mean: the median of a caption is a wrong caption. Pixels that no frame shows go on as those
    around them do; a plain median would paint the person there.

    Args:
        pictures: (T, 3, H, W) float32, -1..1.
        mattes: (T, 1, H, W) float32, share of the person, 0..1.
        camera: (T, 3, 3) float, from each picture's px to the reference picture's; None stands still.
        canvas: to lay them on; None finds one where the camera moves.
    """
    height, width = pictures.shape[-2:]
    reach = max(1, round(GROW_SHARE * height))
    grown = functional.max_pool2d(mattes, 2 * reach + 1, stride=1, padding=reach)  # (T, 1, H, W)
    clear = grown < CLEAR_MATTE
    canvas = canvas or (None if camera is None else canvas_about(camera, height, width))
    if canvas is None:
        known, unseen, steady = _steady_background(pictures, clear)
    else:
        strips = [_steady_background(*strip) for strip in canvas.strips(pictures, clear.float(), camera)]
        known, unseen, steady = (torch.cat(parts, dim=-2) for parts in zip(*strips, strict=True))
    if unseen.all():
        return Plate(torch.zeros_like(known), torch.zeros_like(known[:1]), canvas=canvas)
    picture = np.ascontiguousarray(((known.nan_to_num(0) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy())
    filled = _filled(picture, unseen.numpy())  # (R, S, 3)
    filled = torch.from_numpy(filled).permute(2, 0, 1).float() / 127.5 - 1
    return Plate(torch.where(unseen, filled, known), (~unseen)[None].float(), steady, canvas)


def _steady_background(pictures: Tensor, clear: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Average what pictures (T, 3, R, S) show where they are clear (T, 1, R, S) bool.

    Returns:
        the background (3, R, S), NaN where no picture shows it; where that is (R, S) bool; its steadiness (1, R, S).
    """
    clear = clear.expand_as(pictures)
    median = pictures.masked_fill(~clear, float("nan")).nanmedian(0).values  # (3, R, S)
    unseen = median.isnan().any(0)  # (R, S)
    shown = clear.sum(0).clamp_min(1)  # (3, R, S)
    spread = ((pictures - median).abs() * clear).nan_to_num(0).sum(0) / shown  # (3, R, S)
    steady = 1 / (1 + (spread.amax(0, keepdim=True) / UNSTEADY) ** 2)  # (1, R, S)
    return steady * median + (1 - steady) * (pictures * clear).sum(0) / shown, unseen, steady


def _filled(picture: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Continue a picture (R, S, 3) uint8 where it is unseen (R, S) bool: boards and lines go on behind the person.

    Source: frequency selective reconstruction, Genser, Seiler, Schilling, Kaup, Picture Coding Symposium 2018.
    """
    if not unseen.any():
        return picture
    rows, columns = (np.flatnonzero(unseen.any(axis)) for axis in (1, 0))
    box = tuple(slice(max(0, one[0] - CONTEXT_PX), one[-1] + 1 + CONTEXT_PX) for one in (rows, columns))
    part, hole = picture[box], unseen[box]
    scale = min(1.0, FILLED_PX / cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3).max())
    size = [max(16, round(scale * length)) for length in (part.shape[1], part.shape[0])]
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    known = (cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) < EMPTY).astype(np.uint8) * 255
    small[known == 0] = 0
    whole = np.zeros_like(small)
    cv2.xphoto.inpaint(small, known, whole, cv2.xphoto.INPAINT_FSR_FAST)
    filled = picture.copy()
    filled[box] = cv2.resize(whole, part.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.where(unseen[..., None], filled, picture)
