"""The network of FID: Inception v3 as the first FID was computed with, up to its last pooling; weights are the user's.

Source: Szegedy et al., CVPR 2016; Heusel et al., NeurIPS 2017. Layout and the three departures from torchvision's
Inception (means over 3 x 3 leave out the border; the last block takes a maximum) as in the package pytorch-fid, whose
file pt_inception-2015-12-05-6726825d.pth is expected.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from understudy.metrics.network_weights import check_layout, read_weights
from understudy.settings import NetworkSettings

SIDE_PX = 299
EPSILON = 0.001
WANTED = "Expected pytorch-fid's Inception (pt_inception-2015-12-05-6726825d.pth, or a .safetensors file of its names)."
NORM = ("weight", "bias", "running_mean", "running_var")


class Inception:
    """Features of pictures, with weights that were read once."""

    def __init__(self, settings: NetworkSettings, device: torch.device):
        """Read the weights.

        Raises:
            WeightsError: the file is not what it should be.
        """
        path = Path(settings.weights)
        self._weights = read_weights(path, settings.sha256, "metrics.networks.fid.weights", WANTED)
        for name in LAYERS:
            check_layout(self._weights, {f"{name}.conv.weight": (None,) * 4}, path, WANTED)
            channels = self._weights[f"{name}.conv.weight"].shape[0]
            check_layout(self._weights, {f"{name}.bn.{part}": (channels,) for part in NORM}, path, WANTED)
        self._weights = {name: value.to(device) for name, value in self._weights.items()}
        self._device = device

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """Features (C,) float64 of a picture (H, W, 3) uint8: 2048 of them with the usual weights."""
        values = torch.from_numpy(np.ascontiguousarray(picture)).to(self._device).permute(2, 0, 1)[None].float()
        with torch.inference_mode():
            values = functional.interpolate(values / 255, (SIDE_PX, SIDE_PX), mode="bilinear", align_corners=False)
            return self._pool(2 * values - 1).double().cpu().numpy()

    def _pool(self, x: Tensor) -> Tensor:
        x = self._conv(x, "Conv2d_1a_3x3", stride=2)
        x = self._conv(x, "Conv2d_2a_3x3")
        x = self._conv(x, "Conv2d_2b_3x3", padding=1)
        x = functional.max_pool2d(x, 3, 2)
        x = self._conv(self._conv(x, "Conv2d_3b_1x1"), "Conv2d_4a_3x3")
        x = functional.max_pool2d(x, 3, 2)
        for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            x = self._block_a(x, name)
        x = self._block_b(x, "Mixed_6a")
        for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            x = self._block_c(x, name)
        x = self._block_d(x, "Mixed_7a")
        x = self._block_e(x, "Mixed_7b", _mean_inside)
        x = self._block_e(x, "Mixed_7c", _maximum)
        return x.mean((2, 3))[0]

    def _conv(self, x: Tensor, name: str, stride: int = 1, padding: int | tuple[int, int] = 0) -> Tensor:
        x = functional.conv2d(x, self._weights[f"{name}.conv.weight"], None, stride, padding)
        scale, shift, mean, variance = (self._weights[f"{name}.bn.{part}"] for part in NORM)
        return functional.relu(functional.batch_norm(x, mean, variance, scale, shift, False, 0.0, EPSILON))

    def _block_a(self, x: Tensor, name: str) -> Tensor:
        wide = self._conv(self._conv(x, f"{name}.branch5x5_1"), f"{name}.branch5x5_2", padding=2)
        deep = self._conv(self._conv(x, f"{name}.branch3x3dbl_1"), f"{name}.branch3x3dbl_2", padding=1)
        deep = self._conv(deep, f"{name}.branch3x3dbl_3", padding=1)
        pooled = self._conv(_mean_inside(x), f"{name}.branch_pool")
        return torch.cat([self._conv(x, f"{name}.branch1x1"), wide, deep, pooled], 1)

    def _block_b(self, x: Tensor, name: str) -> Tensor:
        deep = self._conv(self._conv(x, f"{name}.branch3x3dbl_1"), f"{name}.branch3x3dbl_2", padding=1)
        deep = self._conv(deep, f"{name}.branch3x3dbl_3", stride=2)
        return torch.cat([self._conv(x, f"{name}.branch3x3", stride=2), deep, functional.max_pool2d(x, 3, 2)], 1)

    def _block_c(self, x: Tensor, name: str) -> Tensor:
        along, down = (0, 3), (3, 0)
        wide = self._conv(self._conv(x, f"{name}.branch7x7_1"), f"{name}.branch7x7_2", padding=along)
        wide = self._conv(wide, f"{name}.branch7x7_3", padding=down)
        deep = self._conv(x, f"{name}.branch7x7dbl_1")
        for number, padding in ((2, down), (3, along), (4, down), (5, along)):
            deep = self._conv(deep, f"{name}.branch7x7dbl_{number}", padding=padding)
        pooled = self._conv(_mean_inside(x), f"{name}.branch_pool")
        return torch.cat([self._conv(x, f"{name}.branch1x1"), wide, deep, pooled], 1)

    def _block_d(self, x: Tensor, name: str) -> Tensor:
        wide = self._conv(self._conv(x, f"{name}.branch3x3_1"), f"{name}.branch3x3_2", stride=2)
        deep = self._conv(self._conv(x, f"{name}.branch7x7x3_1"), f"{name}.branch7x7x3_2", padding=(0, 3))
        deep = self._conv(deep, f"{name}.branch7x7x3_3", padding=(3, 0))
        return torch.cat([wide, self._conv(deep, f"{name}.branch7x7x3_4", stride=2), functional.max_pool2d(x, 3, 2)], 1)

    def _block_e(self, x: Tensor, name: str, pool) -> Tensor:
        wide = self._conv(x, f"{name}.branch3x3_1")
        deep = self._conv(self._conv(x, f"{name}.branch3x3dbl_1"), f"{name}.branch3x3dbl_2", padding=1)
        branches = [self._conv(x, f"{name}.branch1x1")]
        for half, branch in ((wide, "branch3x3_2"), (deep, "branch3x3dbl_3")):
            branches.append(self._conv(half, f"{name}.{branch}a", padding=(0, 1)))
            branches.append(self._conv(half, f"{name}.{branch}b", padding=(1, 0)))
        return torch.cat([*branches, self._conv(pool(x), f"{name}.branch_pool")], 1)


def _mean_inside(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, 1, 1)


def _named(block: str, *branches: str) -> list[str]:
    return [f"{block}.{branch}" for branch in branches]


_A = ("branch1x1", "branch5x5_1", "branch5x5_2", *(f"branch3x3dbl_{n}" for n in (1, 2, 3)), "branch_pool")
_C = ("branch1x1", *(f"branch7x7_{n}" for n in (1, 2, 3)), *(f"branch7x7dbl_{n}" for n in range(1, 6)), "branch_pool")
_E = ("branch1x1", "branch3x3_1", "branch3x3_2a", "branch3x3_2b", "branch3x3dbl_1", "branch3x3dbl_2",
      "branch3x3dbl_3a", "branch3x3dbl_3b", "branch_pool")  # fmt: skip
LAYERS = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
    *(name for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d") for name in _named(block, *_A)),
    *_named("Mixed_6a", "branch3x3", *(f"branch3x3dbl_{n}" for n in (1, 2, 3))),
    *(name for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e") for name in _named(block, *_C)),
    *_named("Mixed_7a", "branch3x3_1", "branch3x3_2", *(f"branch7x7x3_{n}" for n in range(1, 5))),
    *(name for block in ("Mixed_7b", "Mixed_7c") for name in _named(block, *_E)),
)  # every convolution, each followed by a norm
