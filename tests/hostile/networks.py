"""Files of networks that are broken or lie: safetensors, states of a training, VGG-19, RAFT, ONNX, Caffe."""

import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import onnx_models
from caffe_models import write_random_models
from hostile import material
from hostile.case import Case, prepared
from planted import LOSSES, vgg19_weights
from understudy.seals import SEAL
from understudy.training.checkpoint import MANIFEST

Damage = Callable[[Path], object]
GENERATOR = Path("clip") / "generator.safetensors"


class Attack:
    """Pickles as a command that leaves a file outside results/."""

    def __reduce__(self):
        return os.system, ("touch stray",)


def cases() -> Iterator[Case]:
    """Every file of a network."""
    yield from _safetensors()
    yield from _states()
    yield from _perceptual()
    yield from _raft()
    yield from _onnx()
    yield from _caffe()


# --- generator.safetensors, read by render_transfer, and as the stage before and as a warm start by train_stage


def _rewritten(change: Callable[[dict, dict], None]) -> Damage:
    """Change tensors and the metadata `generator`, which stays JSON; as if another program had, without a seal."""

    def damage(path: Path) -> None:
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            metadata = dict(file.metadata())
        metadata.pop(SEAL, None)  # a liar's file has no seal; the fault bench is about files that lost a bit
        tensors, shape = load_file(path), json.loads(metadata["generator"])
        change(tensors, shape)
        save_file(tensors, path, metadata | {"generator": json.dumps(shape)})

    return damage


def _metadata(**values: str | None) -> Damage:
    def damage(path: Path) -> None:
        kept = {name: value for name, value in values.items() if value is not None}
        save_file(load_file(path), path, kept or None)

    return damage


def _header(change: Callable[[bytes], bytes]) -> Damage:
    """Change the JSON at the start of a safetensors file, its length with it."""

    def damage(path: Path) -> None:
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = change(data[8 : 8 + length])
        path.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + length :])

    return damage


def _first(tensors: dict) -> str:
    return next(name for name, value in tensors.items() if value.dim() > 1)


def _bytes(change: Callable[[bytes], bytes]) -> Damage:
    return lambda path: path.write_bytes(change(path.read_bytes())) and None


def _settings(**values: object) -> Damage:
    return _rewritten(lambda _, shape: shape["settings"].update(values))


def _shape(**values: object) -> Damage:
    return _rewritten(lambda _, shape: shape.update(values))


def _nan(tensors: dict, _: dict) -> None:
    tensors[_first(tensors)].view(-1)[0] = float("nan")


def _dropped(tensors: dict, _: dict) -> None:
    del tensors[_first(tensors)]


def _reshaped(tensors: dict, _: dict) -> None:
    name = _first(tensors)
    tensors[name] = tensors[name].repeat(2, *[1] * (tensors[name].dim() - 1))


def _more(tensors: dict, _: dict) -> None:
    tensors["another.weight"] = torch.zeros(3)


SAFETENSORS: dict[str, Damage] = {
    "empty": _bytes(lambda _: b""),
    "text": _bytes(lambda _: b"weights" * 20),
    "cut": _bytes(lambda data: data[: len(data) // 2]),
    "a byte too long": _bytes(lambda data: data + b"\0"),
    "a head of 2**63 bytes": _bytes(lambda data: struct.pack("<Q", 2**63) + data[8:]),
    "a head that is no JSON": _header(lambda head: b"x" * len(head)),
    "a head nested without end": _header(lambda head: b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "tensors that overlap": _header(lambda head: head.replace(b'"data_offsets":[', b'"data_offsets":[1')),
    "an unknown number type": _header(lambda head: head.replace(b'"F32"', b'"F99"')),
    "shapes of billions": _header(lambda head: head.replace(b'"shape":[', b'"shape":[99999999999,')),
    "a pickle by its name": lambda path: torch.save({"weight": torch.zeros(2)}, path),
    "a hostile pickle by its name": _bytes(lambda _: pickle.dumps(Attack())),
    "without metadata": _metadata(),
    "metadata of another program": _metadata(format="pt"),
    "metadata that is no JSON": _metadata(generator="width 8"),
    "metadata that is a list": _metadata(generator="[1]"),
    "metadata nested without end": _metadata(generator="[" * 50_000),
    "of a version to come": _shape(format=99),
    "without settings": _rewritten(lambda _, shape: shape.pop("settings")),
    "settings that are a list": _shape(settings=[8]),
    "an unknown setting": _settings(colour="red"),
    "an unknown generator": _settings(generator="magic"),
    "a width of a billion": _settings(width=10**9),
    "a width of nothing": _settings(width=0),
    "a width that is text": _settings(width="wide"),
    "texels of a million": _shape(texels=10**6),
    "a height of a million": _shape(height_px=10**6),
    "a height below nothing": _shape(height_px=-32),
    "without a height": _rewritten(lambda _, shape: shape.pop("height_px")),
    "refiners that are none": _shape(refiners="many"),
    "a canvas that is none": _shape(canvas={"rows": "x"}),
    "a face of a million": _shape(face=10**6),
    "a tensor missing": _rewritten(_dropped),
    "a tensor too many": _rewritten(_more),
    "a tensor of another shape": _rewritten(_reshaped),
    "a number that is none": _rewritten(_nan),
    "of another kind": _settings(generator="vid2vid"),
}


def _safetensors() -> Iterator[Case]:
    def act(damage: Damage, run: Callable[[], None], folder: Path) -> None:
        material.copied(folder)
        damage(GENERATOR)
        prepared()
        run()

    words = r"TrainingError: .*generator\.safetensors.*(train the stage again|delete it and run again)"
    for name, damage in SAFETENSORS.items():
        yield Case("safetensors", name, partial(act, damage, material.render_transfer), words)
    before = partial(material.train_stage, previous=str(GENERATOR))
    warm = partial(material.train_stage, warm=str(GENERATOR))
    for name in ("cut", "metadata that is a list", "a width of a billion", "a tensor missing", "a number that is none"):
        yield Case("safetensors", f"{name}, of the stage before", partial(act, SAFETENSORS[name], before), words)
        yield Case("safetensors", f"{name}, as a warm start", partial(act, SAFETENSORS[name], warm), words)


# --- a stage's state folder


def _states() -> Iterator[Case]:
    state = "results/state"

    def trained(folder: Path) -> Path:
        """Copy the state folder of a training of two steps, made once."""
        kept = material.made() / "trained"
        if not kept.is_dir():
            material.copied(folder)
            material.train_stage(state)
            shutil.copytree("results", kept)
            shutil.rmtree("results")
        else:
            material.copied(folder)
        shutil.copytree(kept, "results")
        return Path(state)

    def named(data: bytes, step: int = 2) -> str:
        import hashlib

        return f"state-{step:08d}-{hashlib.sha256(data).hexdigest()[:12]}.pt"

    def changed(change: Callable[[dict], object], path: Path) -> None:
        """Write a state that lies under a name with its own right digest, in place of the good ones."""
        import io

        (newest, *_) = sorted(path.glob("state-*.pt"), reverse=True)
        values = torch.load(newest, weights_only=True)
        values = change(values) or values
        buffer = io.BytesIO()
        torch.save(values, buffer)
        for old in path.glob("state-*.pt"):
            old.unlink()
        (path / named(buffer.getvalue())).write_bytes(buffer.getvalue())

    def hostile(path: Path) -> None:
        data = pickle.dumps(Attack())
        (path / named(data, 99)).write_bytes(data)

    def hostile_archive(path: Path) -> None:
        target = path / "x.zip"
        with zipfile.ZipFile(target, "w") as file:
            file.writestr("archive/data.pkl", pickle.dumps(Attack()))
            file.writestr("archive/version", "3\n")
        data = target.read_bytes()
        target.unlink()
        (path / named(data, 99)).write_bytes(data)

    def flip(path: Path) -> None:
        for one in path.glob("state-*.pt"):
            data = bytearray(one.read_bytes())
            data[len(data) // 2] ^= 255
            one.write_bytes(data)

    def only_first(path: Path) -> None:
        (path / "manifest.json").write_bytes(b"\xff\xfe\x00")

    def best_lies(path: Path) -> None:
        save_file({"a": torch.zeros(2)}, path / "best.safetensors", {"facts": "[1]"})

    def parent(name: str, text: str | bytes) -> Damage:
        data = text if isinstance(text, bytes) else text.encode()
        return lambda path: (path.parent / "s0t0" / name).write_bytes(data)

    def prepared_frames(path: Path) -> None:
        for one in path.glob("frames-*.npy"):
            one.write_bytes(one.read_bytes()[:300])

    def reshaped(values: dict) -> None:
        values["generator"][next(iter(values["generator"]))] = torch.zeros(3, 3)

    def spoilt(values: dict) -> None:
        next(iter(values["generator"].values())).fill_(float("nan"))

    damages: dict[str, Damage] = {
        "a hostile pickle": hostile,
        "a hostile archive": hostile_archive,
        "an empty state": lambda path: (path / named(b"", 99)).write_bytes(b""),
        "flipped bytes": flip,
        "a state that is a list": partial(changed, lambda values: [1, 2]),
        "a state without a step": partial(changed, lambda values: values.pop("step") and None),
        "a step below nothing": partial(changed, lambda values: values.update(step=-5)),
        "a step that is text": partial(changed, lambda values: values.update(step="two")),
        "seconds that are none": partial(changed, lambda values: values.update(seconds=float("nan"))),
        "a state without weights": partial(changed, lambda values: values.pop("average") and None),
        "weights of another shape": partial(changed, reshaped),
        "weights that are not finite": partial(changed, spoilt),
        "a shape of a million": partial(changed, lambda values: values["shape"].update(height_px=10**6)),
        "a shape that is text": partial(changed, lambda values: values.update(shape="large")),
        "chance that is none": partial(changed, lambda values: values.update(random=torch.zeros(3, dtype=torch.uint8))),
        "a manifest that is no text": only_first,
        "a manifest that is a folder": lambda path: ((path / MANIFEST).unlink(), (path / MANIFEST).mkdir()),
        "best weights that lie": best_lies,
        "best weights that are text": lambda path: (path / "best.safetensors").write_text("best"),
        "progress that is no JSON": parent("progress.json", "so far"),
        "progress that is a list": parent("progress.json", "[1]"),
        "progress that is no text": parent("progress.json", b"\xff\xff"),
        "a curve that is none": lambda path: (path / "curves.tsv").write_bytes(b"\xff\x00step\tx\n1\n"),
        "prepared frames that were cut": prepared_frames,
        "a lock that is left": lambda path: (path / "lock").write_text("1234"),
    }  # fmt: skip

    def act(damage: Damage, folder: Path) -> None:
        damage(trained(folder))
        (Path("results") / "s0t0" / "generator.safetensors").unlink(missing_ok=True)
        prepared()
        material.train_stage(state)

    def finished(folder: Path) -> None:
        from understudy.model.build import load_generator

        assert load_generator(folder / "results" / "s0t0" / "generator.safetensors").height_px == 32

    for name, damage in damages.items():
        yield Case(
            "state folder", name, partial(act, damage), r"TrainingError: .*results/state", finished, lenient=True
        )


# --- VGG-19, for the perceptual loss


def _perceptual() -> Iterator[Case]:
    def act(name: str, make: Callable[[Path], object], sha256: str, folder: Path) -> None:
        material.copied(folder)
        make(Path(name))
        prepared()
        losses = asdict(LOSSES) | {"perceptual": 1.0}
        material.train_stage(losses=losses, perceptual={"weights": name, "sha256": sha256})

    def lacking(path: Path) -> None:
        torch.save({name: value for name, value in vgg19_weights().items() if "28" not in name}, path)

    def reshaped(path: Path) -> None:
        torch.save(vgg19_weights() | {"features.0.weight": torch.zeros(64, 3, 5, 5)}, path)

    def spoilt(path: Path) -> None:
        values = vgg19_weights()
        values["features.2.bias"][3] = float("inf")
        torch.save(values, path)

    files: dict[str, tuple[str, Callable[[Path], object]]] = {
        "missing": ("vgg.pth", lambda path: None),
        "empty": ("vgg.pth", lambda path: path.touch()),
        "a hostile pickle": ("vgg.pth", lambda path: path.write_bytes(pickle.dumps(Attack()))),
        "a whole pickled object": ("vgg.pth", lambda path: torch.save(Attack(), path)),
        "a list": ("vgg.pth", lambda path: torch.save([torch.zeros(3)], path)),
        "a layer missing": ("vgg.pth", lacking),
        "a layer of another shape": ("vgg.pth", reshaped),
        "numbers that are none": ("vgg.pth", spoilt),
        "text for safetensors": ("vgg.safetensors", lambda path: path.write_text("hello")),
        "a head that lies": ("vgg.safetensors", lambda path: path.write_bytes(struct.pack("<Q", 2**62) + b"{}")),
        "an archive of nothing": ("vgg.pth", lambda path: zipfile.ZipFile(path, "w").close()),
        "a folder": ("vgg.pth", lambda path: path.mkdir()),
    }
    for name, (file, make) in files.items():
        yield Case("VGG-19", name, partial(act, file, make, ""), r"TrainingError: .*vgg\.")
    yield Case("VGG-19", "another sum", partial(act, "vgg.pth", lacking, "0" * 64), "SHA-256")


# --- RAFT


def _raft() -> Iterator[Case]:
    def act(make: Callable[[Path], object], sha256: str, folder: Path) -> None:
        material.copied(folder)
        make(Path("raft.pth"))
        prepared()
        settings = {"weights": "raft.pth", "sha256": sha256, "device": "cpu"}
        material.estimate_flow("results/flow.h5", backend="raft", raft=settings)

    files: dict[str, Callable[[Path], object]] = {
        "missing": lambda path: None,
        "empty": lambda path: path.touch(),
        "a hostile pickle": lambda path: path.write_bytes(pickle.dumps(Attack())),
        "a hostile pickle in an archive": lambda path: torch.save(Attack(), path),
        "a list": lambda path: torch.save([1, 2], path),
        "names without tensors": lambda path: torch.save({"module.fnet.conv1.weight": "seven"}, path),
        "another network": lambda path: torch.save({"weight": torch.zeros(3)}, path),
        "names that are numbers": lambda path: torch.save({1: torch.zeros(3)}, path),
        "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(3000)),
    }
    for name, make in files.items():
        yield Case("RAFT", name, partial(act, make, ""), r"BackendError: .*raft\.pth|no such file")
    yield Case("RAFT", "another sum", partial(act, lambda path: path.write_text("x"), "0" * 64), "SHA-256")


# --- ONNX


def _onnx() -> Iterator[Case]:
    boxes = np.array([[5.0, 5.0, 60.0, 60.0, 0.9]])

    def detector(path: Path) -> None:
        onnx_models.write_detector(path, boxes, [0], (64, 64))

    def pose(path: Path) -> None:
        onnx_models.write_spot_finder(path, (64, 48))

    def act(first: Callable[[Path], object], second: Callable[[Path], object], folder: Path) -> None:
        material.copied(folder)
        first(Path("detector.onnx"))
        second(Path("pose.onnx"))
        prepared()
        own = {
            "detector": "detector.onnx",
            "pose": "pose.onnx",
            "detector_sha256": "",
            "pose_sha256": "",
            "device": "cpu",
        }
        material.find_people("rtmw", "results/people.h5", rtmw=own)

    def cut(make: Callable[[Path], object], share: float, path: Path) -> None:
        make(path)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    def flipped(make: Callable[[Path], object], seed: int, path: Path) -> None:
        make(path)
        data, random = bytearray(path.read_bytes()), np.random.default_rng(seed)
        for place in random.integers(0, len(data), 5):
            data[place] = random.integers(0, 256)
        path.write_bytes(data)

    broken: dict[str, Callable[[Path], object]] = {
        "missing": lambda path: None,
        "empty": lambda path: path.touch(),
        "text": lambda path: path.write_text("network"),
        "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(3000)),
        "a zip": lambda path: path.write_bytes(b"PK\x03\x04" + bytes(100)),
        "a hostile pickle": lambda path: path.write_bytes(pickle.dumps(Attack())),
        "cut": partial(cut, detector, 0.5),
    }
    for name, make in broken.items():
        yield Case("ONNX", f"detector: {name}", partial(act, make, pose), r"BackendError: .*detector")
        yield Case("ONNX", f"pose: {name}", partial(act, detector, make), r"BackendError: .*pose")
    for seed in range(6):
        make = partial(flipped, pose, seed)
        yield Case(
            "ONNX",
            f"pose: flipped bytes {seed}",
            partial(act, detector, make),
            r"Error: .*(pose\.onnx|frames)",
            lenient=True,
        )
    strange = np.array([[np.nan, 5, 60, 60, 0.9], [5, 5, 1e30, np.inf, 0.9], [60, 60, 5, 5, 0.9]])
    yield Case(
        "ONNX", "a detector whose boxes are none",
        partial(act, lambda path: onnx_models.write_detector(path, strange, [0, 0, 0], (64, 64)), pose),
        "BackendError: .*detector|FootageError", lenient=True,
    )  # fmt: skip
    yield Case("ONNX", "swapped", partial(act, pose, detector), "BackendError")
    place = np.full((133, 3), 0.5)
    place[:, 2] = np.nan
    yield Case(
        "ONNX", "points that are none",
        partial(act, detector, lambda path: onnx_models.write_planted_pose(path, place, (64, 48))),
        "BackendError: .*pose|FootageError", lenient=True,
    )  # fmt: skip


# --- Caffe: prototxt and caffemodel


def _caffe() -> Iterator[Case]:
    def act(damage: Callable[[Path], object], folder: Path) -> None:
        material.copied(folder)
        write_random_models(Path("models"))
        damage(Path("models") / "pose" / "body_25")
        prepared()
        own = {"model_folder": "models", "net_resolution": "-1x64", "face": False, "hands": False, "device": "cpu"}
        material.find_people("openpose_caffe", "results/people.h5", openpose_caffe=own)

    def layout(change: Callable[[str], str]) -> Callable[[Path], None]:
        def damage(folder: Path) -> None:
            path = folder / "pose_deploy.prototxt"
            path.write_text(change(path.read_text()))

        return damage

    def weights(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
        def damage(folder: Path) -> None:
            path = folder / "pose_iter_584000.caffemodel"
            path.write_bytes(change(path.read_bytes()))

        return damage

    def as_folder(folder: Path) -> None:
        (folder / "pose_deploy.prototxt").unlink()
        (folder / "pose_deploy.prototxt").mkdir()

    damages: dict[str, Callable[[Path], object]] = {
        "prototxt empty": layout(lambda _: ""),
        "prototxt of noise": layout(lambda _: "{{{{" * 100),
        "prototxt cut": layout(lambda text: text[: len(text) // 2]),
        "prototxt without its output": layout(lambda text: text.replace("net_output", "something")),
        "prototxt with an unknown layer": layout(lambda text: text.replace('"Convolution"', '"Magic"')),
        "prototxt that asks for billions": layout(lambda text: text.replace("num_output: ", "num_output: 99999999")),
        "prototxt that reads itself": layout(lambda text: text.replace('bottom: "image"', 'bottom: "net_output"')),
        "prototxt nested without end": layout(lambda text: text + "layer {" * 100_000),
        "prototxt with a kernel of nothing": layout(lambda text: text.replace("kernel_size: 3", "kernel_size: 0")),
        "prototxt with a stride of nothing": layout(lambda text: text.replace("stride: 2", "stride: 0")),
        "caffemodel empty": weights(lambda _: b""),
        "caffemodel cut": weights(lambda data: data[: len(data) // 2]),
        "caffemodel of noise": weights(lambda data: np.random.default_rng(0).bytes(len(data))),
        "caffemodel of another network": weights(lambda data: data.replace(b"conv1_1", b"conv9_9")),
        "prototxt missing": lambda folder: (folder / "pose_deploy.prototxt").unlink(),
        "prototxt that is a folder": as_folder,
    }  # fmt: skip
    for name, damage in damages.items():
        yield Case("Caffe", name, partial(act, damage), r"BackendError: .*(prototxt|caffemodel|models)")
