"""One target for each reader of files: bytes go in, and nothing but a user's mistake may come out.

`make fuzz` drives them with atheris, which looks for bytes that reach new lines of our code; a test runs their seeds.
"""

import io
import json
import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import yaml

from hostile import material
from hostile.case import ROOT
from hostile.estimates import _entries, _person, _text
from hostile.lists import GOOD
from understudy.clips import read_clips
from understudy.dataset.track import read_track
from understudy.dataset.windows import read_windows
from understudy.errors import UnderstudyError
from understudy.fetch import BROKEN_ZIP, _extract
from understudy.flow.camera import read_camera
from understudy.layouts import LAYOUTS, open_file
from understudy.model.build import load_generator
from understudy.semantics.openpose_files import read_people
from understudy.semantics.people import open_people
from understudy.semantics.surface_backends._dump import RECORDS, Dump
from understudy.semantics.surface_backends._iuv import IuvFolder
from understudy.semantics.surface_backends._pickles import Tensor, read_pickle
from understudy.training import checkpoint
from understudy.validation import load_project
from understudy.video.crop import read_crop
from understudy.video.frames import Frames
from understudy.video.leads import read_lead
from understudy.video.sound import cut_sound
from understudy.video.source import SourceVideo
from understudy.video.timing import track_length
from understudy.weights import Weights, load_weights

PICTURES = 30  # of a video are looked at
ROWS = 3  # of a dataset


@dataclass(frozen=True)
class Target:
    """A reader, and files that it takes.

    Attributes:
        read: gets the path of a file in a folder of its own.
        seeds: bytes to begin with.
    """

    read: Callable[[Path], object]
    seeds: Callable[[], list[bytes]]

    def __call__(self, data: bytes) -> None:
        """Read bytes as a file; a user's mistake is as good as a result."""
        with tempfile.TemporaryDirectory(dir=_memory()) as folder:
            path = Path(folder) / "input"
            path.write_bytes(data)
            with suppress(UnderstudyError):
                self.read(path)


def _memory() -> str | None:
    """A folder in memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _configuration(path: Path) -> None:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError):  # refused before it comes to us
        return
    if isinstance(config, dict):
        load_project(config, ROOT)


def _pickle(path: Path) -> None:
    def walk(value: object, depth: int = 0) -> None:
        if isinstance(value, Tensor):
            value.numpy()
        elif isinstance(value, (list, tuple)) and depth < 5:
            for one in islice(value, 20):
                walk(one, depth + 1)

    walk(read_pickle(path, RECORDS))


def _dump(path: Path) -> None:
    dump = Dump(path, (64, 64), 0.5)
    for number in range(min(ROWS, len(dump.entries))):
        dump.picture(number, np.array([10.0, 10.0, 50.0, 60.0]))


def _pictures(path: Path) -> None:
    path.rename(path.with_name("000001_IUV.png"))
    folder = IuvFolder(path.parent)
    folder.picture(0, np.array([10.0, 10.0, 50.0, 60.0]))


def _video(path: Path) -> None:
    video = SourceVideo(path)
    if max(video.height, video.width) <= 4096:
        for frame in islice(video.frames(), PICTURES):
            frame.scaled(32, 32)


def _sound(path: Path) -> None:
    cut_sound(path, path.with_name("sound.mka"), Fraction(0), Fraction(1))


def _layout(name: str) -> Callable[[Path], None]:
    """Open a file of a layout and read as its jobs do."""

    def read(path: Path) -> None:
        with open_file(path, name) as file:
            groups = file.values() if name == "flow" else [file]
            for group in groups:
                for dataset in set(LAYOUTS[name]) & set(group):
                    group[dataset][:ROWS]
        readers = {"windows": read_windows, "camera": read_camera, "pose": read_track}
        if name in readers:
            readers[name](path)
        elif name == "people":
            with open_people(path):
                pass
        elif name == "frames":
            with Frames(path) as frames:
                frames.to_frame(np.zeros((1, 2)))

    return read


def _state(path: Path) -> None:
    checkpoint._read(path.read_bytes())


def _zip(path: Path) -> None:
    wanted = Weights("a.pth", ("https://example.org",), "a.pth", "", "", 5000, "MIT", "any", "test")
    # `fetch` words these
    with suppress(OSError, *BROKEN_ZIP):
        _extract(path, wanted, path.with_name("a.pth"))


def _lead(path: Path) -> None:
    text = path.read_bytes().decode(errors="replace")
    track_length(text)
    with suppress(ValueError, ArithmeticError):  # `soundtrack` words these
        read_lead(text)


def _network(path: Path) -> None:
    """OpenCV's reader of Caffe's layouts, a library of others."""
    with suppress(cv2.error):
        cv2.dnn.readNetFromCaffe(str(path))


def _good(name: str) -> Callable[[], list[bytes]]:
    return lambda: [(material.made() / "clip" / name).read_bytes()]


def _archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model/a.pth", b"x" * 1000)
    return made.getvalue()


def _picture() -> bytes:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[10:50, 20:40] = (5, 90, 200)
    return cv2.imencode(".png", picture)[1].tobytes()


LAYOUT = """input: "image"
input_dim: 1
input_dim: 3
input_dim: 16
input_dim: 16
layer { name: "a" type: "ReLU" bottom: "image" top: "a" }
"""
TABLE = b"clip\tvideo\tstart_s\tperson\tcrop\tignore\nme\ta.mp4\t1\t2,3@1.5\t0,0,9,9\t1,2,3,4;5,6,7,8\n"
CONFIG = ROOT / "config"
CROP = json.dumps({"left": 0, "top": 1.5, "width": 64, "height": 64})
TARGETS: dict[str, Target] = {
    "clips": Target(read_clips, lambda: [TABLE]),
    "configuration": Target(
        _configuration, lambda: [(CONFIG / f"{name}.yaml").read_bytes() for name in ("smoke", "demo", "pair_128")]
    ),
    "weights_list": Target(
        load_weights.__wrapped__, lambda: [f"a.pth:\n  {GOOD}".encode(), (CONFIG / "weights.yaml").read_bytes()]
    ),
    "keypoints": Target(read_people, lambda: [_text(_person()).encode()]),
    "crop": Target(read_crop, lambda: [CROP.encode()]),
    "leads": Target(_lead, lambda: [b"1/48", b"00:01:02.345000000"]),
    "pickle": Target(_pickle, lambda: [pickle.dumps(_entries(), protocol) for protocol in range(5)]),
    "dump": Target(_dump, lambda: [pickle.dumps(_entries())]),
    "iuv_picture": Target(_pictures, lambda: [_picture()]),
    "generator": Target(load_generator, _good("generator.safetensors")),
    "state": Target(_state, lambda: [pickle.dumps({"step": 1})]),
    "zip": Target(_zip, lambda: [_archive()]),
    "video": Target(_video, lambda: [material.plain_video()]),
    "sound": Target(_sound, _good("sound.mka")),
    "prototxt": Target(_network, lambda: [LAYOUT.encode()]),
    **{name: Target(_layout(name), _good(f"{name}.h5")) for name in ("frames", "people", "pose", "surface", "flow")},
    **{name: Target(_layout(name), _good(f"{name}.h5")) for name in ("camera", "windows", "truth", "driving")},
}  # fmt: skip


def altered(seed: bytes, count: int) -> Iterator[bytes]:
    """Yield a seed cut and with a few bytes changed, always the same ones."""
    random = np.random.default_rng(len(seed))
    for _ in range(count):
        data = bytearray(seed[: random.integers(1, len(seed) + 1)] if random.random() < 0.3 else seed)
        for place in random.integers(0, len(data), random.integers(1, 8)):
            data[place] = random.integers(0, 256)
        yield bytes(data)
