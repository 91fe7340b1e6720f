"""Makes neural-texture generators: from footage, for a file's weights, from the stage before at half the height."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch

from understudy.dataset.batch import FrameTruth, SemanticMap
from understudy.model.neural_texture.atlas import Atlas
from understudy.model.neural_texture.canvas import Canvas
from understudy.model.neural_texture.net import NeuralTexture
from understudy.model.neural_texture.plate import Plate, start_plate
from understudy.model.neural_texture.registration import displaced, measured_on_plate
from understudy.model.neural_texture.unprojection import unproject
from understudy.settings import ModelSettings

logger = logging.getLogger(__name__)

REGISTRATION_ROUNDS = 2  # a third moves nothing more that can be seen
TEXEL_HEIGHT_PX = 128  # height to which settings.texels refers
Frames = Sequence[tuple[SemanticMap, FrameTruth]]


def start(frames: Frames, settings: ModelSettings, chart_name: str) -> NeuralTexture:
    """Make a generator that shows the footage's own colours before any training; the maps are of chart `chart_name`."""
    cameras = torch.cat([semantic.camera for semantic, _ in frames])
    plate = start_plate(*_stacked([truth for _, truth in frames]), cameras)
    if plate.canvas is not None:
        logger.info("the camera moves: a plate of %d x %d px for pictures of %d x %d", *_sizes(plate))
    atlas = Atlas(atlas_texels(settings, plate.size[0]), settings.latents)
    generator = NeuralTexture(settings, atlas, plate)
    with torch.no_grad():
        _unproject_registered(atlas, plate, frames, chart_name)
    return generator


def grow(generator: NeuralTexture, truths: Sequence[FrameTruth], cameras: torch.Tensor) -> NeuralTexture:
    """Make a generator for the greater height of `truths`, seen by `cameras` (T, 3, 3), that starts with the picture of
    `generator`."""
    pictures, mattes = _stacked(truths)
    canvas = generator.plate.canvas
    if canvas is None:
        plate = start_plate(pictures, mattes)
    else:
        plate = start_plate(pictures, mattes, cameras, canvas.scaled(pictures.shape[-2] // canvas.height))
    return generator.grown(plate, atlas_texels(generator.settings, plate.size[0]))


def blank(settings: ModelSettings, shape: Mapping[str, Any]) -> NeuralTexture:
    """Make a generator of given numbers (see `NeuralTexture.shape`) for the weights of a file."""
    canvas = Canvas(**shape["canvas"]) if "canvas" in shape else None
    size = (canvas.rows, canvas.columns) if canvas else (shape["height_px"], shape["width_px"])
    plate = Plate(torch.zeros(3, *size), torch.zeros(1, *size), canvas=canvas)
    return NeuralTexture(settings, Atlas(shape["texels"], settings.latents), plate, shape["refiners"])


def atlas_texels(settings: ModelSettings, height_px: int) -> int:
    """Texels of a part each way at a picture's height."""
    return max(8, round(settings.texels * height_px / TEXEL_HEIGHT_PX))


def _unproject_registered(atlas: Atlas, plate: Plate, frames: Frames, chart_name: str) -> None:
    """Fill the atlas with the footage's colours; each round first moves the maps onto what the last one found."""
    truths = [truth for _, truth in frames]
    shown = [(truth.picture, truth.matte * truth.counted) for truth in truths]
    maps = [semantic for semantic, _ in frames]
    atlas.colour.copy_(unproject(_with(maps, shown), atlas.texels, chart_name))
    for _ in range(REGISTRATION_ROUNDS):
        offsets = [
            measured_on_plate(atlas(semantic), plate(semantic.camera)[0], truth)[0] for semantic, truth in frames
        ]
        logger.info("maps miss the texture by %.2f px on average", _mean_length(offsets, truths))
        moved = (displaced(semantic, by, by) for semantic, by in zip(maps, offsets, strict=True))
        atlas.colour.copy_(unproject(_with(moved, shown), atlas.texels, chart_name))


def _with(maps: Iterable[SemanticMap], shown: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> Iterator[tuple]:
    """Put maps beside the pictures and mattes they are read with."""
    return ((semantic, *one) for semantic, one in zip(maps, shown, strict=True))


def _mean_length(offsets: Sequence[torch.Tensor], truths: Sequence[FrameTruth]) -> float:
    """Mean length on the person of offsets (1, 2, H, W), pixels."""
    pairs = zip(offsets, truths, strict=True)
    lengths = [float(by.norm(dim=1)[truth.matte[:, 0] > 0.5].mean()) for by, truth in pairs]
    return sum(lengths) / len(lengths)


def _sizes(plate: Plate) -> tuple[int, ...]:
    """Height and width of a plate and of the pictures that see it."""
    return *plate.picture.shape[-2:], *plate.size


def _stacked(truths: Sequence[FrameTruth]) -> tuple[torch.Tensor, torch.Tensor]:
    """Join pictures (T, 3, H, W) and what hides the background (T, 1, H, W): the person, and what does not count."""
    hidden = [torch.maximum(one.matte, 1 - one.counted) for one in truths]
    return torch.cat([one.picture for one in truths]), torch.cat(hidden)
