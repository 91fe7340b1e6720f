"""Makes vid2vid generators: for a first stage, for the weights of a file, from the stage before at half the height."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from understudy.dataset.batch import FrameTruth, SemanticMap
from understudy.model.vid2vid.net import Vid2Vid
from understudy.settings import ModelSettings


def start(frames: Sequence[tuple[SemanticMap, FrameTruth]], settings: ModelSettings, _chart_name: str) -> Vid2Vid:
    """Make a generator of the frames' size with first weights by chance; it knows no texture, so it needs no chart."""
    height, width = frames[0][1].picture.shape[-2:]
    return Vid2Vid(settings, height, width)


def grow(generator: Vid2Vid, truths: Sequence[FrameTruth], cameras: Tensor) -> Vid2Vid:
    """Make a generator for the greater height of `truths` that starts with the picture of `generator`."""
    return generator.grown(*truths[0].picture.shape[-2:])


def blank(settings: ModelSettings, shape: Mapping[str, Any]) -> Vid2Vid:
    """Make a generator of given numbers (see `Vid2Vid.shape`) for the weights of a file."""
    return Vid2Vid(settings, shape["height_px"], shape["width_px"], shape["scales"])
