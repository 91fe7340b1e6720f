"""Files of every layout the project reads, each damaged in every way, read by a job that needs it."""

import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from hostile import material
from hostile.case import Case, prepared, run_script
from hostile.material import copied
from understudy.layouts import LAYOUTS


def _measure_driving() -> None:
    """Run rule measure_transfer, which reads driving.h5 as a whole; the film is the clip itself."""
    inputs = {"video": "clip/synthetic.mp4", "driving": "clip/driving.h5", "windows": "clip/windows.h5"}
    inputs |= {"weights": "clip/generator.safetensors", "truth": [], "people": []}
    params = {name: material.section(name) for name in ("film", "pose")} | {"settings": material.section("metrics")}
    outputs = {"metrics": "results/metrics.json"}
    run_script("measure_transfer", inputs, outputs, params=params | {"crf": 20}, resources={"gpu": 0})


def _draw_overlay() -> None:
    inputs = {name: f"clip/{name}.h5" for name in ("frames", "people", "pose", "surface", "flow")}
    outputs = {"film": "results/overlay.mp4", "doubtful": "results/doubtful.tsv"}
    params = {"crf": 20, "film": material.section("film"), "numbers": True}
    run_script("draw_overlay", inputs, outputs, params=params)


OUT = "results/out.h5"
# The job that reads each layout; and the first of its datasets, by which it is damaged.
READERS: dict[str, tuple[Callable[[], None], str]] = {
    "frames": (partial(material.estimate_flow, OUT), "rgb"),
    "people": (partial(material.estimate_pose, OUT), "body"),
    "pose": (partial(material.index_windows, OUT), "body"),
    "surface": (partial(material.estimate_camera, OUT, "auto"), "matte"),
    "flow": (material.train_stage, "stride_1/backward"),
    "camera": (partial(material.index_windows, OUT), "to_reference"),
    "windows": (partial(material.fit_driving, OUT), "first"),
    "driving": (material.render_transfer, "body"),
    "truth": (partial(material.find_people, output=OUT), "body"),
}
# Attributes without which the file cannot be used, and values of them that lie.
ATTRIBUTES: dict[str, dict[str, object]] = {
    "frames": {"rate_denominator": 0, "rate_numerator": "25", "source": 7, "settings": "{"},
    "people": {"exact": "perhaps", "backend": 3, "settings": "[1]"},
    "camera": {"moving": "no", "reference": 10**6},
    "windows": {
        "clips": "[" * 5000,
        "statistics": json.dumps({"body": {"bones": "long"}, "shape": None}),
        "height": -64,
        "width": np.zeros(3),
        "settings": json.dumps({"surface": "skin"}),
    },
    "driving": {"height": 2**40, "width": "wide"},
    "truth": {"rate_numerator": 0, "rate_denominator": -1},
}
NEEDLESS = {("frames", "settings"), ("people", "settings")}  # their absence is no trouble


def cases() -> Iterator[Case]:
    """Every damage to every layout."""
    for layout in READERS:
        for name, (damage, words) in _damages(layout).items():
            if damage is not None:
                yield Case(f"{layout}.h5", name, partial(_run, layout, damage), words)
        for attribute, lie in ATTRIBUTES.get(layout, {}).items():
            damages = {"a lie as": partial(_set, attribute, lie)}
            if (layout, attribute) not in NEEDLESS:
                damages["without"] = partial(_drop, attribute)
            for name, damage in damages.items():
                act = partial(_run, layout, damage)
                yield Case(f"{layout}.h5", f"{name} the attribute {attribute}", act, rf"{layout}\.h5.*{attribute}")
    yield from _special()


def _run(layout: str, damage: Callable[[Path], None], folder: Path) -> None:
    """Damage the clip's file of a layout and run the job that reads it."""
    damage(copied(folder) / f"{layout}.h5")
    prepared()
    READERS[layout][0]()


def _damages(layout: str) -> dict[str, tuple[Callable[[Path], None] | None, str]]:
    """What is done to a file, and the message it must give; None where it does not apply."""
    _, dataset = READERS[layout]
    array = LAYOUTS[layout][dataset.rpartition("/")[2]]
    together = len(LAYOUTS[layout]) > 1  # a file of one dataset is only shorter
    floats = array.dtype.startswith("float")
    broken = rf"LayoutError: .*{layout}\.h5"
    edits = {
        "another layout": (lambda file: file.attrs.__setitem__("layout", "sound"), f"{broken} holds layout 'sound'"),
        "a version to come": (lambda file: file.attrs.__setitem__("schema_version", 99), f"{broken}.*version 99"),
        "no attributes": (_forget, f"{broken} holds layout None"),
        "a layout that is a list": (lambda file: file.attrs.__setitem__("layout", [1, 2]), f"{broken}"),
        "a dataset missing": (partial(_edit, dataset, None), f"{broken} lacks"),
        "a group for a dataset": (partial(_group, dataset), f"{broken}.*group"),
        "text for numbers": (partial(_text, dataset), f"{broken}.*expected {array.dtype}"),
        "another number type": (partial(_edit, dataset, lambda old: old.astype("complex64")), f"{broken}.*complex64"),
        "an axis too many": (partial(_edit, dataset, lambda old: old[..., None]), f"{broken}.*expected"),
        "one row less": (partial(_edit, dataset, lambda old: old[:-1]) if together else None, f"{broken}.*length"),
        "no rows at all": (_empty, f"{broken}.*no rows"),
        "huge, nothing written": (_huge, f"{broken}.*(never written|chunk)"),
        "huge chunks": (partial(_huge_chunks, dataset), f"{broken}.*(never written|chunk)"),
        "in another file": (partial(_elsewhere, dataset), f"{broken}.*another file"),
        "virtual": (partial(_virtual, dataset), f"{broken}.*another file"),
        "raw bytes of another file": (partial(_external, dataset), f"{broken}.*another file"),
        "a link to nowhere": (partial(_dangling, dataset), f"{broken}.*(another file|lacks)"),
        "not a number": (partial(_spoil, dataset, np.nan) if floats else None, f"{broken}.*finite"),
        "infinite": (partial(_spoil, dataset, -np.inf) if floats else None, f"{broken}.*finite"),
    }
    bytes_ = {
        "empty": (lambda path: path.write_bytes(b""), f"{broken} is no readable HDF5 file"),
        "text": (lambda path: path.write_text("clip\tvideo\n" * 100), f"{broken} is no readable HDF5 file"),
        "cut in the middle": (_cut, f"{broken} is no readable HDF5 file"),
        "a folder": (_folder, rf"{layout}\.h5 does not exist"),
        "missing": (lambda path: path.unlink(), rf"{layout}\.h5.* does not exist"),
        "flipped bytes in a chunk": (partial(_flip, dataset), f"{broken}.*damaged"),
    }
    return bytes_ | {
        name: (None if edit is None else partial(material.rewrite, change=edit), words)
        for name, (edit, words) in edits.items()
    }


def _edit(dataset: str, change: Callable | None, file: h5py.File) -> None:
    """Replace a dataset by what `change` makes of its numbers, or remove it."""
    old = file[dataset][()]
    del file[dataset]
    if change is not None:
        file.create_dataset(dataset, data=change(old))


def _group(dataset: str, file: h5py.File) -> None:
    del file[dataset]
    file.create_group(dataset)


def _text(dataset: str, file: h5py.File) -> None:
    shape = file[dataset].shape
    del file[dataset]
    file.create_dataset(dataset, shape, h5py.string_dtype())


def _forget(file: h5py.File) -> None:
    for name in list(file.attrs):
        del file.attrs[name]


def _empty(file: h5py.File) -> None:
    def clear(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            item.resize(0, axis=0)

    file.visititems(clear)


def _huge(file: h5py.File) -> None:
    """Declare 2**40 rows of which hardly any is written: the file stays small."""

    def stretch(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            item.resize(2**40, axis=0)

    file.visititems(stretch)


def _huge_chunks(dataset: str, file: h5py.File) -> None:
    """Declare chunks of gigabytes, which are unpacked as a whole for one row; compressed they are small."""
    old = file[dataset]
    shape, dtype = old.shape, old.dtype
    rows = 2**29 // max(1, int(np.prod(shape[1:])) * dtype.itemsize)
    del file[dataset]
    new = file.create_dataset(
        dataset, shape, dtype, maxshape=(None, *shape[1:]), chunks=(rows, *shape[1:]), compression="lzf"
    )
    del new


def _elsewhere(dataset: str, file: h5py.File) -> None:
    other = Path(file.filename).with_name("other.h5")
    shutil.copy(material.made() / "clip" / Path(file.filename).name, other)
    del file[dataset]
    file[dataset] = h5py.ExternalLink("other.h5", f"/{dataset}")


def _virtual(dataset: str, file: h5py.File) -> None:
    other = Path(file.filename).with_name("other.h5")
    shutil.copy(material.made() / "clip" / Path(file.filename).name, other)
    shape, dtype = file[dataset].shape, file[dataset].dtype
    del file[dataset]
    made = h5py.VirtualLayout(shape, dtype)
    made[...] = h5py.VirtualSource(str(other), dataset, shape)
    file.create_virtual_dataset(dataset, made)


def _external(dataset: str, file: h5py.File) -> None:
    """Take the numbers from the bytes of another file, as a dataset may say."""
    secret = Path(file.filename).with_name("secret.bin")
    shape, dtype = file[dataset].shape, file[dataset].dtype
    size = int(np.prod(shape)) * dtype.itemsize
    secret.write_bytes(bytes(size))
    del file[dataset]
    file.create_dataset(dataset, shape, dtype, external=[(str(secret), 0, size)])


def _dangling(dataset: str, file: h5py.File) -> None:
    del file[dataset]
    file[dataset] = h5py.SoftLink("/nowhere")


def _spoil(dataset: str, value: float, file: h5py.File) -> None:
    file[dataset][(3, *[0] * (file[dataset].ndim - 1))] = value


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _flip(dataset: str, path: Path) -> None:
    """Turn round bytes in the middle of a stored chunk."""
    with h5py.File(path, "r") as file:
        stored = file[dataset].id.get_chunk_info(min(3, file[dataset].id.get_num_chunks() - 1))
        at, size = stored.byte_offset, stored.size
    with path.open("r+b") as file:
        file.seek(at)
        chunk = bytearray(file.read(size))
        for place in range(size // 3, size // 3 + 40):
            chunk[place % size] ^= 0x55
        file.seek(at)
        file.write(chunk)


def _drop(attribute: str, path: Path) -> None:
    def change(file: h5py.File) -> None:
        del file.attrs[attribute]

    material.rewrite(path, change)


def _set(attribute: str, value: object, path: Path) -> None:
    material.rewrite(path, lambda file: file.attrs.__setitem__(attribute, value))


def _special() -> Iterator[Case]:
    """Damage that one layout alone can have."""

    def change(layout: str, edit: Callable[[h5py.File], None], run: Callable[[], None] | None, folder: Path) -> None:
        material.rewrite(copied(folder) / f"{layout}.h5", edit)
        prepared()
        (run or READERS[layout][0])()

    def case(layout: str, name: str, edit, words: str, run=None) -> Case:
        return Case(f"{layout}.h5", name, partial(change, layout, edit, run), words)

    def set_(dataset: str, where: object, value: object) -> Callable[[h5py.File], None]:
        return lambda file: file[dataset].__setitem__(where, value)

    def taller(file: h5py.File) -> None:
        file.attrs["height"] = 128

    flow, windows, train = r"flow\.h5.*", r"windows\.h5.*", material.train_stage
    yield case("flow", "a group that is no stride", lambda file: file.move("stride_1", "back"), flow + "'back'")
    yield case("flow", "a stride that is no number", lambda file: file.move("stride_1", "stride_x"), flow + "stride_x")
    yield case("flow", "no stride at all", lambda file: file.__delitem__("stride_1"), flow + "no group stride_1")
    yield case("flow", "a dataset for a stride", _flat_flow, flow + "expected a group")
    yield case("windows", "a run that begins before its clip", set_("first", 0, -5), windows + "first -5", train)
    yield case("windows", "a run that ends behind its clip", set_("length", 0, 10**6), windows + "24 frames", train)
    yield case("windows", "a run of no clip", set_("clip", 0, 99), windows + "clip 99", train)
    yield case("windows", "a split that is none", set_("split", 0, 7), windows + "split 7", train)
    yield case("windows", "clips that are not there", partial(_clips, "no/frames.h5"), "no/frames.h5 does not", train)
    yield case("windows", "frames of another size", taller, windows + "128", train)
    yield case("driving", "a part that there is none of", set_("part", (2, 30, 30), 99), r"driving\.h5.*part 99")
    yield case("driving", "a camera without an inverse", _flat_camera, r"driving\.h5.*no homography")
    yield case("driving", "a surface of no whole samples", _ragged_surface, r"driving\.h5.*whole number of samples")
    yield case("surface", "a part there is none of", set_("part", (5, 30, 30), 77), r"surface\.h5.*part 77", train)
    yield case("people", "counts that do not add up", set_("count", 0, 5), r"people\.h5.*count")
    yield case("people", "a count below nothing", set_("count", 0, -1), r"people\.h5.*count")
    yield case("truth", "fewer frames than the clip", _short_truth, r"truth\.h5 holds 5 frames")
    for layout, run in (
        ("pose", material.estimate_surface), ("surface", material.estimate_camera), ("flow", material.train_stage),
        ("camera", material.index_windows), ("people", material.estimate_pose), ("driving", material.render_transfer),
    ):  # fmt: skip
        yield Case(f"{layout}.h5", "of another clip", partial(_shorter, layout, run), rf"{layout}\.h5 (has|holds) 12")


def _flat_flow(file: h5py.File) -> None:
    del file["stride_1"]
    file.create_dataset("stride_1", data=np.zeros(3))


def _clips(path: str, file: h5py.File) -> None:
    rows = json.loads(file.attrs["clips"])
    rows[0]["frames"] = path
    file.attrs["clips"] = json.dumps(rows)


def _flat_camera(file: h5py.File) -> None:
    count = len(file["valid"])
    file.create_dataset("camera", data=np.zeros((count, 3, 3)), maxshape=(None, 3, 3), chunks=(1, 3, 3))


def _ragged_surface(file: h5py.File) -> None:
    for name in ("part", "uv"):
        _edit(name, lambda old: old[:, :-3], file)


def _short_truth(file: h5py.File) -> None:
    for name in list(file):
        file[name].resize(5, axis=0)


def _shorter(layout: str, run: Callable[..., None], folder: Path) -> None:
    def change(file: h5py.File) -> None:
        def cut(_: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                item.resize(12, axis=0)

        file.visititems(cut)

    material.rewrite(copied(folder) / f"{layout}.h5", change)
    prepared()
    run(*(() if layout in ("flow", "driving") else (OUT,)))
