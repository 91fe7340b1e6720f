"""Makes generators of every kind: from footage, from a file, from the stage before at a greater height."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from understudy.dataset.batch import FrameTruth, SemanticMap
from understudy.errors import TrainingError
from understudy.job import atomic_path
from understudy.model.contract import Generator
from understudy.model.faced import Faced
from understudy.model.neural_texture import start as neural_texture
from understudy.model.vid2vid import start as vid2vid
from understudy.seals import SEAL, damaged, digest_of
from understudy.settings import ModelSettings, from_params

logger = logging.getLogger(__name__)

FORMAT = 1  # of the weight file; raised when older files can no longer be read
MOST_SIZE, MOST_DOUBLINGS = 2**16, 8  # of a generator that a file describes
KINDS: dict[str, ModuleType] = {"neural_texture": neural_texture, "vid2vid": vid2vid}  # each has start, grow, blank
Frames = Sequence[tuple[SemanticMap, FrameTruth]]


def start_generator(frames: Frames, settings: ModelSettings, seed: int, chart_name: str = "") -> Generator:
    """Make a generator for a first stage.

    Args:
        frames: training frames, each a map and its truth with B = 1, spread over the footage.
        settings: model settings.
        seed: of the networks' start.
        chart_name: chart of the maps' U and V; of an unknown one no seams and no mirror side are known.
    """
    with torch.random.fork_rng(devices=[]):  # layers take their start from torch's global state
        torch.manual_seed(seed)
        return KINDS[settings.generator].start(frames, settings, chart_name)


def grow_generator(
    generator: Generator, truths: Sequence[FrameTruth], seed: int, cameras: Tensor | None = None
) -> Generator:
    """Make a generator for the greater height of `truths` that starts with the picture of `generator`.

    Args:
        generator: of the stage before.
        truths: training frames, B = 1 each, spread over the footage.
        seed: of what is new.
        cameras: (T, 3, 3), of their maps; None stands still.
    """
    if cameras is None:
        cameras = torch.eye(3).expand(len(truths), 3, 3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return KINDS[generator.settings.generator].grow(generator, truths, cameras)


def add_face(generator: Generator, width: int, seed: int) -> Generator:
    """Put a face network of given width over a generator; one that has it stays as it is."""
    if isinstance(generator, Faced):
        return generator
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Faced(generator, width)


def warm_up(generator: Generator, weights: Path) -> None:
    """Start a generator's networks from another performer's; logs which layers carry over and which do not.

    A layer carries over where name and shape are the same; what belongs to a person never does, nor does a face.

    Raises:
        TrainingError: the file is broken, or nothing in it fits.
    """
    source = load_generator(weights)
    other = (source.body if isinstance(source, Faced) else source).state_dict()
    own = generator.state_dict()
    fitting = {
        name: value
        for name, value in other.items()
        if name in own and own[name].shape == value.shape and name.split(".")[0] not in generator.personal
    }
    if not fitting:
        raise TrainingError(
            f"No layer of {weights} fits a {generator.settings.generator} of width {generator.settings.width}; "
            "warm_start needs a performer trained with the same model section."
        )
    generator.load_state_dict(own | fitting)
    logger.info("warm start from %s: carried over %s", weights, _counted(fitting))
    left = {name for name in own if name not in fitting}
    logger.info("made from the own footage or by chance: %s", _counted(left) if left else "nothing")


def save_generator(path: Path, generator: Generator, facts: Mapping[str, Any]) -> None:
    """Write weights in float32 and what is needed to build the generator again; atomic.

    Args:
        path: the .safetensors file.
        generator: with the weights to keep.
        facts: kept beside them as JSON: stage, step, digests, figures.
    """
    shape = {"format": FORMAT, "settings": asdict(generator.settings), **generator.shape()}
    metadata = {"generator": json.dumps(shape), "facts": json.dumps(dict(facts))}
    weights = {name: value.detach().float().cpu().contiguous() for name, value in generator.state_dict().items()}
    metadata[SEAL] = _seal(metadata, weights)
    with atomic_path(path) as beside:
        save_file(weights, beside, metadata=metadata)


def load_generator(weights: Path) -> Generator:
    """Build the generator of a weight file, ready to draw; its size stands in height_px and width_px.

    Raises:
        TrainingError: the file is missing, broken, or of another format.
        DamageError: it is not what was written.
    """
    try:
        metadata, values = _read(weights)
        shape = json.loads(metadata.get("generator", "{}"))
    except (OSError, SafetensorError, ValueError, TypeError, RuntimeError, RecursionError) as broken:
        raise TrainingError(
            f"{weights} is no readable weight file ({broken}); train the stage again: delete it and run again."
        ) from broken
    found = shape.get("format") if isinstance(shape, dict) else None
    if found != FORMAT:
        raise TrainingError(
            f"{weights} has format {found}, expected {FORMAT}; train the stage again with this version."
        )
    try:
        settings = from_params(ModelSettings, shape["settings"])
    except (KeyError, TypeError, ValueError) as wrong:
        raise TrainingError(f"{weights} holds no model settings ({wrong}); train the stage again.") from wrong
    check_weights(values, settings, shape, weights)
    generator = blank_generator(settings, shape)
    generator.load_state_dict(values)
    return generator.eval().requires_grad_(False)


def check_weights(values: Mapping[str, Any], settings: ModelSettings, shape: Mapping[str, Any], path: Path) -> None:
    """Ask whether weights are those of the generator that a file describes, before one of that size is made.

    Args:
        values: tensors by name, as they were read: no larger than the file.
        settings, shape: of the generator, as `blank_generator` takes them.
        path: for the message.

    Raises:
        TrainingError: the description cannot be built, or the weights are others, or not finite.
    """
    try:
        _check_sizes(shape)
        with torch.device("meta"):  # shapes alone; no memory is taken
            wanted = {name: value.shape for name, value in blank_generator(settings, shape).state_dict().items()}
        found = {name: value.shape for name, value in values.items()}
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError, IndexError) as wrong:
        raise TrainingError(
            f"{path} describes no generator that can be built ({type(wrong).__name__}: {wrong}); train the stage again."
        ) from wrong
    if differing := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        name = differing[0]
        here, there = (tuple(one[name]) if name in one else "absent" for one in (found, wanted))
        raise TrainingError(
            f"{path}: {len(differing)} of {len(wanted)} weights are not those of the generator it describes, such as "
            f"{name} ({here}, expected {there}); train the stage again."
        )
    for name, value in values.items():
        if not value.isfinite().all():
            raise TrainingError(f"{path}: {name} holds values that are not finite; train the stage again.")


def _check_sizes(shape: Mapping[str, Any]) -> None:
    """Bound every number of a generator's shape."""
    for name, value in {**shape.get("canvas", {}), **shape}.items():
        if name in ("format", "settings", "canvas"):
            continue
        most = MOST_DOUBLINGS if name in ("refiners", "scales") else MOST_SIZE
        if not isinstance(value, int) or not -MOST_SIZE <= value <= most:
            raise ValueError(f"{name} is {value!r}, expected a whole number up to {most}")


def blank_generator(settings: ModelSettings, shape: Mapping[str, Any]) -> Generator:
    """Build a generator of given numbers (see `Generator.shape`), for weights that are there."""
    with torch.random.fork_rng(devices=[]):
        generator = KINDS[settings.generator].blank(settings, shape)
        return Faced(generator, shape["face"]) if "face" in shape else generator


def _counted(names: Iterable[str]) -> str:
    """List the first words of weights' names, with how many weights each has."""
    counts = Counter(name.split(".")[0] for name in names)
    return ", ".join(f"{part} ({count} tensors)" for part, count in sorted(counts.items()))


def read_facts(weights: Path) -> dict[str, Any]:
    """Read what was kept beside the weights: stage, step, digests, figures.

    Raises:
        SafetensorError, ValueError: it is no such file.
        DamageError: it is not what was written.
    """
    facts = json.loads(_read(weights)[0].get("facts", "{}"))
    if not isinstance(facts, dict):
        raise ValueError(f"{weights} holds facts that are no keys with values")
    return facts


def weights_digest(weights: Path) -> str:
    """Digest what a weight file draws with: weights and shape. Its bytes differ from one writing to the next.

    Raises:
        TrainingError: the file is missing or broken.
        DamageError: it is not what was written.
    """
    try:
        metadata, values = _read(weights)
    except (OSError, SafetensorError, ValueError, TypeError, RuntimeError) as broken:
        raise TrainingError(
            f"{weights} is no readable weight file ({broken}); train the stage again: delete it and run again."
        ) from broken
    return _seal({"generator": metadata.get("generator", "")}, values)


def _read(weights: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read metadata and tensors, and hold them to their seal where they have one."""
    with safe_open(weights, "pt") as file:
        metadata = file.metadata() or {}
        values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    sealed = metadata.pop(SEAL, None)
    if sealed is not None and sealed != _seal(metadata, values):
        raise damaged(weights, "its seal does not fit its weights")
    return metadata, values


def _seal(metadata: Mapping[str, str], values: Mapping[str, Tensor]) -> str:
    """Digest all metadata, and each tensor's name, number type, axes and bytes."""
    found = hashlib.sha256(digest_of(metadata).encode())
    for name, value in sorted(values.items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
