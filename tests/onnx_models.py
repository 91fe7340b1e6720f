"""Small ONNX networks for tests, written without the package onnx: a YOLOX detector and a SimCC pose network."""

from pathlib import Path

import numpy as np

from wire import block, number, packed

FLOAT, LONG = 1, 7
INTEGERS = 7  # kind of an attribute
OPSET, FORMAT = 12, 7


def node(kind: str, given: list[str], result: str, **integers: list[int] | int) -> bytes:
    """One operation; attributes are whole numbers or lists of them."""
    attributes = []
    for name, value in integers.items():
        if isinstance(value, int):
            attributes.append(block(5, block(1, name), number(3, value), number(20, 2)))
        else:
            values = b"".join(number(8, one) for one in value)
            attributes.append(block(5, block(1, name), values, number(20, INTEGERS)))
    return block(1, *(block(1, name) for name in given), block(2, result), block(4, kind), *attributes)


def constant(name: str, values: np.ndarray) -> bytes:
    """Numbers that stand in the file."""
    values = np.asarray(values)
    kind, raw = (LONG, "<i8") if values.dtype.kind == "i" else (FLOAT, "<f4")
    return block(5, packed(1, values.shape), number(2, kind), block(8, name), block(9, values.astype(raw).tobytes()))


def _value(field: int, name: str, shape: tuple[int | str, ...], kind: int = FLOAT) -> bytes:
    sizes = [block(1, number(1, size) if isinstance(size, int) else block(2, size)) for size in shape]
    return block(field, block(1, name), block(2, block(1, number(1, kind), block(2, *sizes))))


def write(path: Path, shape: tuple, outputs: dict[str, tuple], parts: list[bytes], kinds: dict | None = None) -> Path:
    """Write a network with one input, `image`, of the given shape; a word in a shape is a free axis."""
    found = [_value(12, name, size, (kinds or {}).get(name, FLOAT)) for name, size in outputs.items()]
    graph = block(7, *parts, block(2, "small"), _value(11, "image", shape), *found)
    path.write_bytes(number(1, FORMAT) + graph + block(8, number(2, OPSET)))
    return path


def write_raw_detector(path: Path, rows: np.ndarray, size: tuple[int, int]) -> Path:
    """A YOLOX network without suppression that gives these rows (N, 85) whatever it sees."""
    parts = [constant("rows", rows[None]), node("Identity", ["rows"], "output")]
    return write(path, (1, 3, *size), {"output": (1, *rows.shape)}, parts)


def write_detector(path: Path, boxes: np.ndarray, classes: list[int], size: tuple[int, int]) -> Path:
    """A YOLOX network with suppression that gives these boxes (N, 5) and classes whatever it sees."""
    parts = [
        constant("boxes", boxes[None]),
        constant("classes", np.array([classes], np.int64)),
        node("Identity", ["boxes"], "dets"),
        node("Identity", ["classes"], "labels"),
    ]
    outputs = {"dets": (1, "number", 5), "labels": (1, "number")}
    return write(path, (1, 3, *size), outputs, parts, {"labels": LONG})


def write_spot_finder(path: Path, size: tuple[int, int], batch: int | str = "batch", points: int = 133) -> Path:
    """A SimCC network whose every point is the brightest column and row of what it sees."""
    height, width = size
    parts = []
    for name, side, axes in (("simcc_x", width, [1, 2]), ("simcc_y", height, [1, 3])):
        bins = np.zeros((side, 2 * side))
        bins[np.arange(side), 2 * np.arange(side)] = 1
        parts += [
            constant(f"{name}_bins", bins),
            constant(f"{name}_points", np.ones((1, points, 1))),
            node("ReduceMax", ["image"], f"{name}_profile", axes=axes, keepdims=0),
            node("Unsqueeze", [f"{name}_profile"], f"{name}_row", axes=[1]),
            node("MatMul", [f"{name}_row", f"{name}_bins"], f"{name}_one"),
            node("Mul", [f"{name}_one", f"{name}_points"], name),
        ]
    outputs = {"simcc_x": (batch, points, 2 * width), "simcc_y": (batch, points, 2 * height)}
    return write(path, (batch, 3, height, width), outputs, parts)


def write_planted_pose(path: Path, place: np.ndarray, size: tuple[int, int]) -> Path:
    """A SimCC network that always gives these points (133, 3): x, y in shares of its input, score."""
    parts, outputs = [], {}
    for axis, (name, side) in enumerate((("simcc_x", size[1]), ("simcc_y", size[0]))):
        likelihood = np.zeros((1, len(place), 2 * side))
        likelihood[0, np.arange(len(place)), np.round(place[:, axis] * 2 * side).astype(int)] = place[:, 2]
        parts += [constant(f"{name}_planted", likelihood), node("Identity", [f"{name}_planted"], name)]
        outputs[name] = likelihood.shape
    return write(path, (1, 3, *size), outputs, parts)
