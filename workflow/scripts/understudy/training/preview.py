"""Previews: fixed held-out frames as the running average draws them, beside the footage, and how close they come.

Axes: B batch, H rows, W columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from understudy.dataset.batch import FrameTruth, SemanticMap
from understudy.dataset.reader import Footage
from understudy.job import atomic_path
from understudy.model.contract import CONTEXT, Composition, Generator, Past
from understudy.training.losses import person_weight

LEAD = 2  # frames drawn before a preview frame, so that it has a past of the generator's own
ROWS = ("footage", "final", "raw", "mask")  # of a preview picture, from top to bottom


@dataclass(frozen=True)
class PreviewFrame:
    """A held-out frame with the maps that lead up to it, oldest first, and its truth; B = 1."""

    maps: list[SemanticMap]
    truth: FrameTruth


@dataclass(frozen=True)
class Preview:
    """Preview frames as drawn, and `psnr`, the mean over them of the person's PSNR, dB."""

    frames: list[PreviewFrame]
    drawn: list[Composition]
    psnr: float


def choose_frames(footage: Footage, count: int) -> list[PreviewFrame]:
    """Spread `count` preview frames evenly over held-out footage."""
    wanted = np.linspace(0, len(footage) - 1, min(count, len(footage))).round().astype(int)
    return [PreviewFrame(*footage.lead_up(number, LEAD)) for number in wanted.tolist()]


@torch.no_grad()
def draw_preview(generator: Generator, frames: list[PreviewFrame]) -> Preview:
    """Draw every preview frame from a short roll-out that ends in it."""
    drawn = [_draw(generator, frame) for frame in frames]
    figures = [person_psnr(one.final, frame.truth) for one, frame in zip(drawn, frames, strict=True)]
    return Preview(frames, drawn, float(np.mean(figures)))


def save_preview(path: Path, preview: Preview) -> None:
    """Write a PNG, one column per frame: footage, final, raw, and the mask (white means drawn afresh)."""
    columns = [
        torch.cat([frame.truth.picture, one.final.cpu(), one.raw.cpu(), _grey(one.mask.cpu())], dim=-2)
        for frame, one in zip(preview.frames, preview.drawn, strict=True)
    ]
    strip = torch.cat(columns, dim=-1)[0].clamp(-1, 1)  # (3, 4H, N * W)
    rgb = ((strip + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    with atomic_path(path) as beside:
        beside.write_bytes(cv2.imencode(".png", rgb[..., ::-1])[1])  # imwrite keeps a full disk to itself


def person_psnr(drawn: Tensor, truth: FrameTruth) -> float:
    """PSNR of a picture (1, 3, H, W) on the person and its near surroundings, dB."""
    near = person_weight(truth.matte, 1.0)
    near = (near > near.min()).float() if near.max() > near.min() else torch.ones_like(near)  # (1, 1, H, W)
    near = near * truth.counted
    squares = ((drawn.cpu().clamp(-1, 1) - truth.picture) / 2).square().mean(1, keepdim=True)
    error = (squares * near).sum() / near.sum().clamp_min(1)
    return float(-10 * torch.log10(error.clamp_min(1e-10)))


def _draw(generator: Generator, frame: PreviewFrame) -> Composition:
    device = next(generator.parameters()).device
    past = Past.nothing(1, generator, device)
    for maps in _windows([semantic.to(device) for semantic in frame.maps]):
        drawn = generator(maps, past)
        past = past.then(drawn)
    return drawn


def _windows(maps: list[SemanticMap]) -> Iterator[list[SemanticMap]]:
    """Yield for each map the two before it and itself; the first stands in where none is before it."""
    padded = [maps[0]] * CONTEXT + maps
    for end in range(CONTEXT + 1, len(padded) + 1):
        yield padded[end - CONTEXT - 1 : end]


def _grey(mask: Tensor) -> Tensor:
    return mask.expand(-1, 3, -1, -1) * 2 - 1
