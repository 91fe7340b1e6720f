"""Whether two results are the same: datasets and weights bit for bit, films frame for frame, tables and figures."""

import hashlib
import json
import re
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
from safetensors import safe_open


def difference(one: Path, other: Path) -> str:
    """Say what differs between two outputs of a job; empty where they are the same."""
    if one.is_dir():
        names = [sorted(path.name for path in folder.iterdir()) for folder in (one, other)]
        if names[0] != names[1]:
            return f"{one.name} holds other files"
        return next(filter(None, (difference(one / name, other / name) for name in names[0])), "")
    contents = _CONTENT.get(one.suffix, _bytes)
    return "" if contents(one) == contents(other) else f"{one.name} differs"


def _bytes(path: Path) -> object:
    return path.read_bytes()


def _datasets(path: Path) -> object:
    """Digest of each dataset and of all attributes; a seal stands for what is compared anyway."""
    found: dict[str, str] = {}

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        for key, value in item.attrs.items():
            found[f"{name}@{key}"] = repr(np.asarray(value).tolist())
        if isinstance(item, h5py.Dataset):
            data = item[...]
            found[name] = f"{data.dtype} {data.shape} {hashlib.sha256(data.tobytes()).hexdigest()}"

    with h5py.File(path) as file:
        note("/", file)
        file.visititems(note)
    return found


def _weights(path: Path) -> object:
    """Every tensor; of the facts beside them those that are no clock's."""
    with safe_open(path, "np") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118
    facts = json.loads(metadata["facts"])
    facts.pop("seconds")
    return json.loads(metadata["generator"]), facts, tensors


def _film(path: Path) -> object:
    """Digest of every frame and every packet of sound."""
    with av.open(str(path)) as film:
        frames = [
            (frame.pts, hashlib.sha256(frame.to_ndarray(format="rgb24").tobytes()).hexdigest())
            for frame in film.decode(video=0)
        ]
    with av.open(str(path)) as film:
        sound = [hashlib.sha256(bytes(packet)).hexdigest() for packet in film.demux() if packet.stream.type == "audio"]
    return frames, sound


def _picture(path: Path) -> object:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return picture.shape, picture.tobytes()


def _page(path: Path) -> str:
    """A page's text without the moments at which films and page were written."""
    return _MOMENT.sub("", path.read_text(encoding="utf-8"))


_MOMENT = re.compile(r"\d{1,2} \w+ \d{4}, \d\d:\d\d UTC")
_CONTENT = {".html": _page, ".h5": _datasets, ".safetensors": _weights, ".mp4": _film, ".png": _picture}
