"""The network of FVD: I3D, which has learnt to name what people do in films; weights are the user's.

Source: Carreira and Zisserman, CVPR 2017; Unterthiner et al., 2018 (FVD). Layout of the file rgb_imagenet.pt of the
public pytorch-i3d. The figure stands on its logits, of clips of 16 frames at 224 x 224 px.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from understudy.metrics.network_weights import check_layout, read_weights
from understudy.settings import NetworkSettings

SIDE_PX = 224
CLIP_FRAMES = 16
EPSILON = 0.001
NORM = ("weight", "bias", "running_mean", "running_var")
BRANCHES = ("b0", "b1a", "b1b", "b2a", "b2b", "b3b")
WANTED = "Expected pytorch-i3d's rgb_imagenet.pt (I3D for RGB, 400 actions), or a .safetensors file of its names."
# what follows the second convolution: blocks, and maxima with their kernel and stride (time, height, width)
_PLAN: tuple[str | tuple[tuple[int, int, int], tuple[int, int, int]], ...] = (
    ((1, 3, 3), (1, 2, 2)), "Mixed_3b", "Mixed_3c",
    ((3, 3, 3), (2, 2, 2)), "Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f",
    ((2, 2, 2), (2, 2, 2)), "Mixed_5b", "Mixed_5c",
)  # fmt: skip
LAYERS = (
    *("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3"),
    *(f"{block}.{branch}" for block in _PLAN if isinstance(block, str) for branch in BRANCHES),
)


class I3d:
    """Logits of clips, with weights that were read once."""

    def __init__(self, settings: NetworkSettings, device: torch.device):
        """Read the weights.

        Raises:
            WeightsError: the file is not what it should be.
        """
        path = Path(settings.weights)
        self._weights = read_weights(path, settings.sha256, "metrics.networks.fvd.weights", WANTED)
        for name in LAYERS:
            check_layout(self._weights, {f"{name}.conv3d.weight": (None,) * 5}, path, WANTED)
            channels = self._weights[f"{name}.conv3d.weight"].shape[0]
            check_layout(self._weights, {f"{name}.bn.{part}": (channels,) for part in NORM}, path, WANTED)
        layout = {"logits.conv3d.weight": (None, None, 1, 1, 1), "logits.conv3d.bias": (None,)}
        check_layout(self._weights, layout, path, WANTED)
        self._weights = {name: value.to(device) for name, value in self._weights.items()}
        self._device = device

    def __call__(self, clip: Sequence[np.ndarray]) -> np.ndarray:
        """Logits (C,) float64 of 16 pictures (H, W, 3) uint8 that follow each other."""
        small = [cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA) for picture in clip]
        values = torch.from_numpy(np.stack(small)).to(self._device).permute(3, 0, 1, 2)[None].float()  # (1, 3, T, H, W)
        with torch.inference_mode():
            return self._logits(values / 127.5 - 1).double().cpu().numpy()

    def _logits(self, x: Tensor) -> Tensor:
        x = self._conv(x, "Conv3d_1a_7x7", 2)
        x = _maximum(x, (1, 3, 3), (1, 2, 2))
        x = self._conv(self._conv(x, "Conv3d_2b_1x1"), "Conv3d_2c_3x3")
        for step in _PLAN:
            x = self._block(x, step) if isinstance(step, str) else _maximum(x, *step)
        x = functional.avg_pool3d(x, (2, 7, 7), 1)
        x = functional.conv3d(x, self._weights["logits.conv3d.weight"], self._weights["logits.conv3d.bias"])
        return x.mean((2, 3, 4))[0]

    def _block(self, x: Tensor, name: str) -> Tensor:
        second, third = (self._conv(self._conv(x, f"{name}.b{n}a"), f"{name}.b{n}b") for n in (1, 2))
        pooled = self._conv(_maximum(x, (3, 3, 3), (1, 1, 1)), f"{name}.b3b")
        return torch.cat([self._conv(x, f"{name}.b0"), second, third, pooled], 1)

    def _conv(self, x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = self._weights[f"{name}.conv3d.weight"]
        x = functional.conv3d(_padded(x, tuple(weight.shape[2:]), (stride,) * 3), weight, None, stride)
        scale, shift, mean, variance = (self._weights[f"{name}.bn.{part}"] for part in NORM)
        return functional.relu(functional.batch_norm(x, mean, variance, scale, shift, False, 0.0, EPSILON))


def _maximum(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    return functional.max_pool3d(_padded(x, kernel, stride), kernel, stride)


def _padded(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Add zeros so that a layer gives as many values as its stride fits in, as TensorFlow does: the odd one behind."""
    pads: list[int] = []
    for size, width, step in zip(x.shape[2:], kernel, stride, strict=True):
        more = max(width - (size % step or step), 0)
        pads = [more // 2, more - more // 2, *pads]  # the last axis comes first
    return functional.pad(x, pads)
