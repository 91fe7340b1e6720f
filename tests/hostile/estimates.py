"""What other programs estimated, as files that are broken or lie: OpenPose's JSON, DensePose's dumps and pictures."""

import json
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hostile import material
from hostile.case import Case, prepared
from hostile.networks import Attack

PICTURES = 24  # of the clip
HARMLESS = {"boxes without results"}  # nobody is found
NUMBERS = [10.0, 20.0, 0.9] * 25


def cases() -> Iterator[Case]:
    """Every file of estimates."""
    yield from _openpose()
    yield from _dumps()
    yield from _pictures()


# --- OpenPose's --write_json


def _person(**changes: Any) -> dict[str, Any]:
    return {"person_id": [-1], "pose_keypoints_2d": NUMBERS} | changes


def _text(*people: object, **more: Any) -> str:
    return json.dumps({"version": 1.3, "people": list(people)} | more)


PERSONS: dict[str, Any] = {
    "keypoints that are text": "many",
    "keypoints that are a number": 7,
    "keypoints that are true": True,
    "keypoints that are keys": {"x": 1},
    "keypoints of words": ["a"] * 75,
    "keypoints of nothing": [None] * 75,
    "keypoints of lists": [[1, 2, 3]] * 25,
    "keypoints of uneven lists": [[1], [1, 2]] * 30,
    "a keypoint too many": [*NUMBERS, 1.0],
    "keypoints that are not finite": [float("nan"), *NUMBERS[1:]],
    "keypoints that are infinite": [float("inf"), *NUMBERS[1:]],
    "numbers of 400 digits": [10**400, *NUMBERS[1:]],
    "numbers beyond any picture": [1e300, *NUMBERS[1:]],
    "numbers below nothing": [-1e9, *NUMBERS[1:]],
    "of the model MPI": [1.0] * 45,
    "in shares of the picture": [0.1, 0.2, 0.9] * 25,
}
FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "no file of OpenPose"),
    "a word": ("people", "no file of OpenPose"),
    "a list": ("[]", "no file of OpenPose"),
    "nothing": ("null", "no file of OpenPose"),
    "without people": ("{}", "no file of OpenPose"),
    "people that are a number": ('{"people": 3}', "no file of OpenPose"),
    "people that are keys": ('{"people": {}}', "no file of OpenPose"),
    "a person who is a number": ('{"people": [3]}', "for a person"),
    "a person who is a list": ('{"people": [[]]}', "for a person"),
    "a person without anything": ('{"people": [{}]}', "expected pose_keypoints_2d"),
    "cut": (_text(_person())[:200], "no file of OpenPose"),
    "nested without end": ('{"people": ' + "[" * 100_000, "no file of OpenPose"),
    "no UTF-8": (b'{"people": "\xff\xfe"}', "no file of OpenPose"),
    "zeros": (bytes(1000), "no file of OpenPose"),
    "a hostile pickle": (pickle.dumps(Attack()), "no file of OpenPose"),
    "a number of 10000 digits": ('{"people": [{"pose_keypoints_2d": [' + "9" * 10_000 + "]}]}", "no file of OpenPose"),
    "a face of three": (_text(_person(face_keypoints_2d=[1.0, 2.0, 3.0])), "values for face"),
    "a face beyond any picture": (_text(_person(face_keypoints_2d=[1e300, 2.0, 3.0] * 70)), "face|joints|pixels"),
    "a hand that is text": (_text(_person(hand_left_keypoints_2d="left")), "values for hand_left"),
    "scores of a billion": (_text(_person(pose_keypoints_2d=[10.0, 20.0, 1e9] * 25)), "score"),
}


def _openpose() -> Iterator[Case]:
    def act(change: Callable[[Path], object], folder: Path) -> None:
        material.copied(folder)
        where = Path("keypoints")
        where.mkdir()
        for number in range(PICTURES):
            (where / f"me_{number:012d}_keypoints.json").write_text(_text(_person()))
        change(where)
        prepared()
        own = {"path": "keypoints", "first_number": -1}
        material.find_people("openpose_json", "results/people.h5", openpose_json=own)

    def fifth(text: str | bytes) -> Callable[[Path], object]:
        data = text if isinstance(text, bytes) else text.encode()
        return lambda where: (where / "me_000000000005_keypoints.json").write_bytes(data)

    for name, (text, words) in FILES.items():
        yield Case("OpenPose", name, partial(act, fifth(text)), f"BackendError: .*({words})")
    for name, points in PERSONS.items():
        text = _text(_person(pose_keypoints_2d=points))
        yield Case("OpenPose", name, partial(act, fifth(text)), r"BackendError: .*_000000000005_keypoints\.json")

    def as_folder(where: Path) -> None:
        (where / "me_000000000005_keypoints.json").unlink()
        (where / "me_000000000005_keypoints.json").mkdir()

    def link(where: Path) -> None:
        path = where / "me_000000000005_keypoints.json"
        path.unlink()
        path.symlink_to(path.name)

    folders: dict[str, tuple[Callable[[Path], object], str]] = {
        "no folder": (shutil.rmtree, "does not exist"),
        "an empty folder": (lambda where: [path.unlink() for path in where.iterdir()], "holds no file"),
        "a file for a folder": (lambda where: (shutil.rmtree(where), where.write_text("x")), "does not exist"),
        "files of two videos": (lambda where: (where / "you_000000000001_keypoints.json").write_text("{}"), "2 videos"),
        "a number of 200 digits": (
            lambda where: (where / f"me_{'9' * 200}_keypoints.json").write_text("{}"), "numbers"
        ),
        "the same number twice": (lambda where: (where / "me_5_keypoints.json").write_text("{}"), "twice"),
        "a folder for a file": (as_folder, "no file of OpenPose"),
        "a link to itself": (link, "no file of OpenPose"),
    }  # fmt: skip
    for name, (change, words) in folders.items():
        yield Case("OpenPose", name, partial(act, change), f"BackendError: .*{words}")


# --- DensePose's dumps

_PROTOCOLS = {"plain": lambda value: pickle.dumps(value), "old": lambda value: pickle.dumps(value, 0)}


def _entry(**changes: Any) -> dict[str, Any]:
    return {"file_name": "1.png", "scores": None, "pred_boxes_XYXY": None, "pred_densepose": []} | changes


def _entries() -> list[dict[str, Any]]:
    return [_entry(file_name=f"{number}.png") for number in range(PICTURES)]


def _run_dump(make: Callable[[Path], object], folder: Path) -> None:
    material.copied(folder)
    make(Path("dump.pkl"))
    prepared()
    own = {"path": "dump.pkl", "chart": "densepose", "min_score": 0.5}
    material.estimate_surface("results/surface.h5", backend="densepose_dump", densepose_dump=own)


def _zip(path: Path, data: bytes, compression: int = zipfile.ZIP_STORED, **more: bytes) -> None:
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", data)
        for name, content in more.items():
            file.writestr(f"archive/{name}", content)


def _torch_boxes(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Write entries whose boxes are tensors."""

    def write(path: Path) -> None:
        import torch

        rows = _entries()
        for row in rows:
            row["pred_boxes_XYXY"] = change(torch)
            row["scores"] = torch.tensor([0.9])
        torch.save(rows, path)

    return write


def _damaged_numbers(path: Path) -> None:
    """An archive whose tensors' bytes do not have the sum that the archive says."""
    _torch_boxes(lambda torch: torch.tensor([[5.0, 5.0, 60.0, 60.0]]))(path)
    data = bytearray(path.read_bytes())
    place = data.find(np.array([5.0, 5.0, 60.0, 60.0], "<f4").tobytes())
    data[place] ^= 0x7F
    path.write_bytes(data)


def _encrypted(path: Path) -> None:
    _zip(path, pickle.dumps(_entries()))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    place = data.find(b"PK\x01\x02")
    data[place + 8] |= 1
    path.write_bytes(data)


def _dumps() -> Iterator[Case]:
    bomb = b"\x80\x04" + b"]" * 200_000 + b"a" * 199_999 + b"."

    def bytes_(data: bytes) -> Callable[[Path], object]:
        return lambda path: path.write_bytes(data)

    def pickled(value: object) -> Callable[[Path], object]:
        return bytes_(pickle.dumps(value))

    def cut(path: Path) -> None:
        _zip(path, pickle.dumps(_entries()))
        path.write_bytes(path.read_bytes()[:-30])

    def gigabytes(path: Path) -> None:
        _zip(path, pickle.dumps(_entries()), zipfile.ZIP_DEFLATED, **{"data/0": bytes(50_000_000)})

    dotted = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch stray\x85R."
    doubled = (b"]h%ch%caq%c" % (n, n, n + 1) for n in range(40))
    upwards = [_entry(file_name=f"../../{number}.png") for number in range(PICTURES - 1)]
    makes: dict[str, Callable[[Path], object]] = {
        "missing": lambda path: None,
        "empty": lambda path: path.touch(),
        "text": lambda path: path.write_text("dump"),
        "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
        "cut": lambda path: path.write_bytes(pickle.dumps(_entries())[:-40]),
        "a call of the system": pickled(Attack()),
        "a call in the old protocol": lambda path: path.write_bytes(b"cos\nsystem\n(S'touch stray'\ntR."),
        "a call by a module's dotted name": bytes_(dotted),
        "a call within a list": pickled([*_entries(), Attack()]),
        "a call within an archive": lambda path: _zip(path, pickle.dumps(Attack())),
        "a length of 2**62": lambda path: path.write_bytes(b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b"x."),
        "a number of a million digits": lambda path: path.write_bytes(b"I" + b"9" * 1_000_000 + b"\n."),
        "nested two hundred thousand times": lambda path: path.write_bytes(bomb),
        "a memory of 2**31 things": lambda path: path.write_bytes(b"\x80\x02]r\xff\xff\xff\x7f."),
        "things doubled forty times": bytes_(b"\x80\x02]q\x00" + b"".join(doubled) + b"."),
        "a stack that is empty": lambda path: path.write_bytes(b"\x80\x020000."),
        "an unknown step": lambda path: path.write_bytes(b"\x80\x02\xff."),
        "a protocol to come": lambda path: path.write_bytes(b"\x80\x7fN."),
        "nothing": pickled(None),
        "an empty list": pickled([]),
        "keys": pickled({"a": 1}),
        "entries that are numbers": pickled([1, 2]),
        "names that are numbers": pickled([_entry(file_name=5)] * PICTURES),
        "names without numbers": pickled([_entry(file_name="a.png")] * PICTURES),
        "names of 5000 digits": pickled([_entry(file_name="9" * 5000)] * PICTURES),
        "names that leave the folder": pickled(upwards),
        "too few pictures": pickled(_entries()[:5]),
        "boxes of five numbers": _torch_boxes(lambda torch: torch.ones(5)),
        "boxes that are none": _torch_boxes(lambda torch: torch.full((1, 4), float("nan"))),
        "boxes that are infinite": _torch_boxes(lambda torch: torch.tensor([[0.0, 0.0, float("inf"), 5.0]])),
        "boxes beyond the picture": _torch_boxes(lambda torch: torch.tensor([[0.0, 0.0, 5000.0, 60.0]])),
        "boxes without results": _torch_boxes(lambda torch: torch.tensor([[5.0, 0.0, 60.0, 64.0]])),
        "boxes of 2**40 repeats": _torch_boxes(lambda torch: torch.ones(1).expand(2**40, 4)),
        "numbers of another sum": _damaged_numbers,
        "an archive of nothing": lambda path: zipfile.ZipFile(path, "w").close(),
        "an archive cut": cut,
        "an archive that unpacks to gigabytes": gigabytes,
        "an archive with a secret": _encrypted,
        "an archive that leaves its folder": lambda path: _zip(path, pickle.dumps(Attack()), **{"../../stray": b"x"}),
        "an archive of another order of bytes": lambda path: _zip(path, pickle.dumps(_entries()), byteorder=b"big"),
    }  # fmt: skip
    for name, make in makes.items():
        words = r"BackendError: .*(dump\.pkl|CSE)"
        yield Case("DensePose dump", name, partial(_run_dump, make), words, lenient=name in HARMLESS)


# --- IUV pictures


def _pictures() -> Iterator[Case]:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[10:50, 20:40] = (5, 90, 200)

    def act(change: Callable[[Path], object], folder: Path) -> None:
        material.copied(folder)
        where = Path("iuv")
        where.mkdir()
        for number in range(PICTURES):
            cv2.imwrite(str(where / f"{number:06d}_IUV.png"), picture)
        change(where)
        prepared()
        own = {"path": "iuv", "chart": "densepose", "min_score": 0.5}
        material.estimate_surface("results/surface.h5", backend="densepose_dump", densepose_dump=own)

    def fifth(data: bytes) -> Callable[[Path], object]:
        return lambda where: (where / "000005_IUV.png").write_bytes(data)

    def drawn(image: np.ndarray) -> Callable[[Path], object]:
        return lambda where: cv2.imwrite(str(where / "000005_IUV.png"), image)

    def link(where: Path) -> None:
        (where / "000005_IUV.png").unlink()
        (where / "000005_IUV.png").symlink_to("000005_IUV.png")

    good = cv2.imencode(".png", picture)[1].tobytes()
    huge = good[:16] + (100_000).to_bytes(4, "big") * 2 + good[24:]
    changes: dict[str, Callable[[Path], object]] = {
        "empty": fifth(b""),
        "cut": fifth(good[: len(good) // 2]),
        "text": fifth(b"picture"),
        "that declares 100000 x 100000": fifth(huge),
        "of another size": drawn(np.zeros((32, 32, 3), np.uint8)),
        "with a part that is none": drawn(np.full((64, 64, 3), 200, np.uint8)),
        "one missing": lambda where: (where / "000005_IUV.png").unlink(),
        "one too many": lambda where: cv2.imwrite(str(where / "000099_IUV.png"), picture),
        "none at all": lambda where: [path.unlink() for path in where.iterdir()],
        "all empty": lambda where: [cv2.imwrite(str(path), picture * 0) for path in where.iterdir()],
        "a number of 200 digits": lambda where: (where / "000005_IUV.png").rename(where / f"{'9' * 200}_IUV.png"),
        "without a number": lambda where: (where / "000005_IUV.png").rename(where / "a_IUV.png"),
        "a link to itself": link,
    }  # fmt: skip
    for name, change in changes.items():
        yield Case("IUV pictures", name, partial(act, change), "BackendError: .*iuv")
