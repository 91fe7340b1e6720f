"""Draws frame after frame on the generator's own past, in constant memory, for clips of any length."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from understudy.dataset.batch import SemanticMap
from understudy.model.contract import CONTEXT, Composition, Generator, Past


def roll_out(generator: Generator, maps: Iterable[SemanticMap]) -> Iterator[np.ndarray]:
    """Draw every frame, the first one too.

    Args:
        generator: ready to draw, on its device.
        maps: one per frame, B = 1, in order.

    Yields:
        (3, H, W) uint8 RGB.
    """
    for drawn in compose_all(generator, maps):
        yield to_bytes(drawn.final[0])


def draw_alone(generator: Generator, maps: Iterable[SemanticMap]) -> Iterator[np.ndarray]:
    """Draw every frame as if it were the first, without maps or pictures before it: what history is worth.

    Yields:
        (3, H, W) uint8 RGB.
    """
    for semantic in maps:
        yield from roll_out(generator, [semantic])


def compose_all(generator: Generator, maps: Iterable[SemanticMap]) -> Iterator[Composition]:
    """Draw every frame and keep what it is composed of; B may be more than one.

    The first frame stands in for the maps before it, as in training, and its own past is marked as not valid.
    """
    device = next(generator.parameters()).device
    past: Past | None = None
    context: list[SemanticMap] = []
    for frame in maps:
        frame = frame.to(device)
        context = [*context, frame][-(CONTEXT + 1) :]
        window = [context[0]] * (CONTEXT + 1 - len(context)) + context
        with torch.inference_mode():
            past = past or Past.nothing(len(frame), generator, device)
            drawn = generator(window, past)
            past = past.then(drawn)
        yield drawn


def to_bytes(picture: Tensor) -> np.ndarray:
    """Turn a picture (3, H, W) of -1..1 into uint8."""
    return picture.clamp(-1, 1).add(1).mul(127.5).round().byte().cpu().numpy()
