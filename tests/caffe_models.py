"""Small Caffe networks for tests: prototxt and caffemodel as OpenPose ships them, without Caffe."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from understudy.semantics.pose_backends._caffe_network import BODY, FACE, HAND, OUTPUT, Part
from wire import block, packed


@dataclass
class CaffeModel:
    """A network under construction; every layer adds to both files."""

    layout: str = 'input: "image"\ninput_dim: 1\ninput_dim: 3\ninput_dim: 16\ninput_dim: 16\n'
    layers: list[bytes] = field(default_factory=list)

    def add(self, kind: str, name: str, bottoms: list[str], parameters: str = "", *blobs: np.ndarray) -> str:
        """Add a layer and return its name; a rectifier (ReLU, PReLU) works in place and returns what it rectifies."""
        top = bottoms[0] if kind.endswith("ReLU") else name
        lines = [f'bottom: "{bottom}"' for bottom in bottoms]
        self.layout += f'layer {{ name: "{name}" type: "{kind}" {" ".join(lines)} top: "{top}" {parameters} }}\n'
        self.layers.append(block(100, block(1, name), block(2, kind), *(block(7, _blob(values)) for values in blobs)))
        return top

    def convolve(self, name: str, bottom: str, weight: np.ndarray, bias: np.ndarray) -> str:
        """Add a convolution of weights (out, in, k, k) that keeps the size."""
        size = weight.shape[2]
        form = f"convolution_param {{ num_output: {len(weight)} pad: {size // 2} kernel_size: {size} }}"
        return self.add("Convolution", name, [bottom], form, weight, bias)

    def write(self, folder: Path, part: Part) -> None:
        """Write both files where OpenPose's model folder has them."""
        for name in (part.layout, part.weights):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / part.layout).write_text(self.layout)
        (folder / part.weights).write_bytes(b"".join([block(1, "small"), *self.layers]))


def _blob(values: np.ndarray) -> bytes:
    return block(7, packed(1, values.shape)) + block(5, np.asarray(values, "<f4").tobytes())


def planted_model(maps: np.ndarray) -> CaffeModel:
    """A network that gives the same maps (C, h, w) whatever it sees."""
    model = CaffeModel()
    pooled = model.add("Pooling", "pooled", ["image"], "pooling_param { pool: AVE global_pooling: true }")
    form = f"inner_product_param {{ num_output: {maps.size} }}"
    flat = model.add("InnerProduct", "flat", [pooled], form, np.zeros((maps.size, 3)), maps.reshape(-1))
    dims = " ".join(f"dim: {size}" for size in (1, *maps.shape))
    model.add("Reshape", OUTPUT, [flat], f"reshape_param {{ shape {{ {dims} }} }}")
    return model


def colour_model(channels: int, blue: float, green: float, red: float) -> CaffeModel:
    """A network whose every map is a weighted mean of the colours of 8 x 8 pixels, 0 on black."""
    model = CaffeModel()
    pooled = model.add("Pooling", "pooled", ["image"], "pooling_param { pool: AVE kernel_size: 8 stride: 8 }")
    weight = np.tile([blue, green, red], (channels, 1))[..., None, None]
    model.convolve(OUTPUT, pooled, weight, np.full(channels, 0.5 * (blue + green + red)))
    return model


def random_model(part: Part, random: np.random.Generator, width: int = 4) -> tuple[CaffeModel, list[np.ndarray]]:
    """A narrow network of OpenPose's layout with random weights, and its weights in order.

    Three convolutions with pooling, then for the body, as BODY_25 has it, fields (52) by a dense block with learnt
    slopes, joints (26) from features and fields, both joined; for face and hand one more convolution.
    """
    model, weights = CaffeModel(), []

    def convolve(name: str, bottom: str, incoming: int, outgoing: int, size: int = 3) -> str:
        weight = random.normal(0, (incoming * size * size) ** -0.5, (outgoing, incoming, size, size))
        weights.extend([weight, random.normal(0, 0.1, outgoing)])
        return model.convolve(name, bottom, *weights[-2:])

    top, incoming = "image", 3
    for stage in range(1, 4):
        top = convolve(f"conv{stage}_1", top, incoming, width)
        model.add("ReLU", f"relu{stage}_1", [top])
        form = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
        top, incoming = model.add("Pooling", f"pool{stage}_stage1", [top], form), width
    if part is not BODY:
        convolve(OUTPUT, top, width, part.channels, 1)
        return model, weights
    first = convolve("Mconv1_stage0_L2_0", top, width, width)
    weights.append(random.uniform(0, 0.5, width))
    model.add("PReLU", "Mprelu1_stage0_L2_0", [first], "", weights[-1])
    second = convolve("Mconv1_stage0_L2_1", first, width, width)
    dense = model.add("Concat", "Mconv1_stage0_L2_concat", [first, second], "concat_param { axis: 1 }")
    fields = convolve("Mconv7_stage3_L2", dense, 2 * width, 52, 1)
    features = model.add("Concat", "concat_stage0_L1", [top, fields], "concat_param { axis: 1 }")
    joints = convolve("Mconv7_stage1_L1", features, width + 52, 26, 1)
    model.add("Concat", OUTPUT, [joints, fields], "concat_param { axis: 1 }")
    return model, weights


def write_random_models(folder: Path, seed: int = 0) -> Path:
    """Write body, face and hand networks with random weights into a model folder."""
    for part in (BODY, FACE, HAND):
        random_model(part, np.random.default_rng(seed))[0].write(folder, part)
    return folder
