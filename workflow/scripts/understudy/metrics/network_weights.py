"""Files of networks the user gives: named tensors, held to a checksum and to the names and shapes of a layout."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from understudy.errors import WeightsError
from understudy.job import file_digest


def read_weights(path: Path, sha256: str, setting: str, wanted: str) -> dict[str, Tensor]:
    """Read a file of named tensors, on the CPU, as float32; nothing in it is run.

    Args:
        path: .safetensors, or what torch.save wrote of a state dict.
        sha256: 64 hex digits that the file must have; empty takes any.
        setting: that names the file.
        wanted: which file is expected, a sentence.

    Raises:
        WeightsError: it is missing, another file, or holds something else.
    """
    if not path.is_file():
        raise WeightsError(f"{setting} names {path}, which does not exist. {wanted}")
    found = file_digest(path)
    if sha256 not in ("", found):
        raise WeightsError(
            f"{path} has the SHA-256 {found}, expected {sha256} ({setting}); fetch the file anew, or correct the "
            "setting if the file is meant to differ."
        )
    try:
        loaded = path.suffix == ".safetensors"
        values = load_file(path) if loaded else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as mistake:  # what a wrong file raises is anybody's guess
        reason = (str(mistake) or type(mistake).__name__).splitlines()[0][:200]
        raise WeightsError(f"{path} cannot be read as weights ({reason}). {wanted}") from mistake
    if not isinstance(values, Mapping) or not all(isinstance(value, Tensor) for value in values.values()):
        raise WeightsError(f"{path} holds a {type(values).__name__}, no names with tensors. {wanted}")
    return {name: value.float() if value.is_floating_point() else value for name, value in values.items()}


def check_layout(
    values: Mapping[str, Tensor], sizes: Mapping[str, tuple[int | None, ...]], path: Path, wanted: str
) -> None:
    """Hold tensors to the names and sizes of a layout.

    Args:
        values: the file's tensors.
        sizes: shape of each wanted tensor; None where any size will do.
        path: of the file.
        wanted: which file is expected, a sentence.

    Raises:
        WeightsError: a tensor is missing, of another shape, or not finite.
    """
    for name, size in sizes.items():
        if name not in values:
            held = ", ".join(list(values)[:4])
            raise WeightsError(f"{path} lacks {name}; it holds {len(values)} names ({held} ...). {wanted}")
        shape = tuple(values[name].shape)
        if len(shape) != len(size) or any(asked not in (None, found) for found, asked in zip(shape, size, strict=True)):
            raise WeightsError(f"{path}: {name} has the shape {shape}, expected {_shape(size)}. {wanted}")
        if not values[name].isfinite().all():
            raise WeightsError(f"{path}: {name} holds values that are not finite; the file is damaged.")


def _shape(size: Iterable[int | None]) -> str:
    return f"({', '.join('any' if each is None else str(each) for each in size)})"
