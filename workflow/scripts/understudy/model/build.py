"""Makes generators: from footage, from a file, from the stage before at a greater height."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from understudy.dataset.batch import FrameTruth, SemanticMap
from understudy.errors import TrainingError
from understudy.job import atomic_path
from understudy.model.neural_texture.atlas import Atlas, unproject
from understudy.model.neural_texture.net import NeuralTexture
from understudy.model.neural_texture.plate import Plate, start_plate
from understudy.model.neural_texture.registration import displaced, measured_on_plate
from understudy.settings import ModelSettings, from_params

logger = logging.getLogger(__name__)

FORMAT = 1  # of the weight file; raised when older files can no longer be read
REGISTRATION_ROUNDS = 2  # a third moves nothing more that can be seen
TEXEL_HEIGHT_PX = 128  # height to which settings.texels refers
Frames = Sequence[tuple[SemanticMap, FrameTruth]]


def start_generator(frames: Frames, settings: ModelSettings, seed: int) -> NeuralTexture:
    """Make a generator that shows the footage's own colours before any training.

    Args:
        frames: training frames, each a map and its truth with B = 1, spread over the footage.
        settings: model settings.
        seed: of the network's start.
    """
    plate = start_plate(*_stacked([truth for _, truth in frames]))
    with torch.random.fork_rng(devices=[]):  # layers take their start from torch's global state
        torch.manual_seed(seed)
        atlas = Atlas(atlas_texels(settings, plate.picture.shape[-2]), settings.latents)
        generator = NeuralTexture(settings, atlas, plate)
    with torch.no_grad():
        _unproject_registered(atlas, plate.start[0], frames)
    return generator


def grow_generator(generator: NeuralTexture, truths: Sequence[FrameTruth], seed: int) -> NeuralTexture:
    """Make a generator for the greater height of `truths` that starts with the picture of `generator`."""
    plate = start_plate(*_stacked(truths))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return generator.grown(plate, atlas_texels(generator.settings, plate.picture.shape[-2]))


def atlas_texels(settings: ModelSettings, height_px: int) -> int:
    """Texels of a part each way at a picture's height."""
    return max(8, round(settings.texels * height_px / TEXEL_HEIGHT_PX))


def save_generator(path: Path, generator: NeuralTexture, facts: Mapping[str, Any]) -> None:
    """Write weights in float32 and what is needed to build the generator again; atomic.

    Args:
        path: the .safetensors file.
        generator: with the weights to keep.
        facts: kept beside them as JSON: stage, step, digests, figures.
    """
    shape = {
        "format": FORMAT,
        "settings": asdict(generator.settings),
        "height_px": generator.height_px,
        "width_px": generator.width_px,
        "texels": generator.atlas.texels,
        "refiners": len(generator.refiners),
    }
    metadata = {"generator": json.dumps(shape), "facts": json.dumps(dict(facts))}
    weights = {name: value.detach().float().cpu().contiguous() for name, value in generator.state_dict().items()}
    with atomic_path(path) as beside:
        save_file(weights, beside, metadata=metadata)


def load_generator(weights: Path) -> NeuralTexture:
    """Build the generator of a weight file, ready to draw; its size stands in height_px and width_px.

    Raises:
        TrainingError: the file is missing, broken, or of another format.
    """
    try:
        with safe_open(weights, "pt") as file:
            metadata = file.metadata() or {}
            values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as broken:
        raise TrainingError(f"{weights} is no readable weight file ({broken}); train the stage again.") from broken
    shape = json.loads(metadata.get("generator", "{}"))
    if shape.get("format") != FORMAT:
        raise TrainingError(
            f"{weights} has format {shape.get('format')}, expected {FORMAT}; train the stage again with this version."
        )
    settings = from_params(ModelSettings, shape["settings"])
    size = shape["height_px"], shape["width_px"]
    plate = Plate(torch.zeros(3, *size), torch.zeros(1, *size))
    generator = NeuralTexture(settings, Atlas(shape["texels"], settings.latents), plate, shape["refiners"])
    generator.load_state_dict(values)
    return generator.eval().requires_grad_(False)


def read_facts(weights: Path) -> dict[str, Any]:
    """Read what was kept beside the weights: stage, step, digests, figures."""
    with safe_open(weights, "pt") as file:
        return json.loads((file.metadata() or {}).get("facts", "{}"))


def _unproject_registered(atlas: Atlas, plate: torch.Tensor, frames: Frames) -> None:
    """Fill the atlas with the footage's colours; each round first moves the maps onto what the last one found."""
    shown = [(semantic, truth.picture, truth.matte) for semantic, truth in frames]
    atlas.colour.copy_(unproject(shown, atlas.texels))
    for _ in range(REGISTRATION_ROUNDS):
        offsets = [measured_on_plate(atlas(semantic), plate[None], *truth)[0] for semantic, *truth in shown]
        logger.info("maps miss the texture by %.2f px on average", _mean_length(offsets, shown))
        moved = ((displaced(one[0], by, by), *one[1:]) for one, by in zip(shown, offsets, strict=True))
        atlas.colour.copy_(unproject(moved, atlas.texels))


def _mean_length(offsets: Sequence[torch.Tensor], shown: Sequence[tuple]) -> float:
    """Mean length on the person of offsets (1, 2, H, W), pixels."""
    lengths = [float(by.norm(dim=1)[matte[:, 0] > 0.5].mean()) for by, (*_, matte) in zip(offsets, shown, strict=True)]
    return sum(lengths) / len(lengths)


def _stacked(truths: Sequence[FrameTruth]) -> tuple[torch.Tensor, torch.Tensor]:
    """Join pictures (T, 3, H, W) and mattes (T, 1, H, W) of single frames."""
    return torch.cat([one.picture for one in truths]), torch.cat([one.matte for one in truths])
