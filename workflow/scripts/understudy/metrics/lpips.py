"""LPIPS: how far two pictures lie apart to a network, weighted as people judged; weights are the user's.

Source: Zhang, Isola, Efros, Shechtman, Wang, CVPR 2018; version 0.1, AlexNet. Trunk: torchvision's alexnet
(alexnet-owt-7be5be79.pth). Heads: weights/v0.1/alex.pth of the authors' package lpips.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from understudy.metrics.network_weights import check_layout, read_weights
from understudy.settings import LpipsSettings

# number of each convolution: kernel, stride, padding
CONVOLUTIONS = {0: (11, 4, 2), 3: (5, 1, 2), 6: (3, 1, 1), 8: (3, 1, 1), 10: (3, 1, 1)}
POOLED = (3, 6)  # convolutions behind a maximum over 3 x 3, every second pixel
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures -1..1
LEAST_PX = 32  # below which nothing is left behind the poolings
TRUNK = "Expected torchvision's alexnet (its file alexnet-owt-7be5be79.pth, or a .safetensors file of the same names)."
HEADS = "Expected the linear heads of LPIPS v0.1 for AlexNet (weights/v0.1/alex.pth of the package lpips)."


class Lpips:
    """The distance, with weights that were read once."""

    def __init__(self, settings: LpipsSettings, device: torch.device):
        """Read trunk and heads.

        Raises:
            WeightsError: a file is not what it should be.
        """
        trunk_file, heads_file = Path(settings.trunk), Path(settings.heads)
        trunk = read_weights(trunk_file, settings.trunk_sha256, "metrics.networks.lpips.trunk", TRUNK)
        heads = read_weights(heads_file, settings.heads_sha256, "metrics.networks.lpips.heads", HEADS)
        incoming: int | None = 3
        for place, (number, (kernel, _, _)) in enumerate(CONVOLUTIONS.items()):
            name = f"features.{number}"
            layout = {f"{name}.weight": (None, incoming, kernel, kernel), f"{name}.bias": (None,)}
            check_layout(trunk, layout, trunk_file, TRUNK)
            incoming = trunk[f"{name}.weight"].shape[0]
            check_layout(heads, {f"lin{place}.model.1.weight": (1, incoming, 1, 1)}, heads_file, HEADS)
        self._trunk = {name: value.to(device) for name, value in trunk.items() if name.startswith("features")}
        self._heads = [heads[f"lin{place}.model.1.weight"].to(device) for place in range(len(CONVOLUTIONS))]
        self._device = device

    def __call__(self, picture: np.ndarray, truth: np.ndarray) -> float:
        """Distance of two pictures (H, W, 3) uint8, 0 for identical ones; NaN where they are too small to look at."""
        if min(picture.shape[:2]) < LEAST_PX:
            return float("nan")
        with torch.inference_mode():
            mine, theirs = (self._features(each) for each in (picture, truth))
            layers = zip(mine, theirs, self._heads, strict=True)
            parts = [functional.conv2d((a - b) ** 2, head).mean() for a, b, head in layers]
        return float(torch.stack(parts).sum())

    def _features(self, picture: np.ndarray) -> list[Tensor]:
        """Features (1, C, h, w) of the five layers, of length 1 at each place."""
        values = torch.from_numpy(np.ascontiguousarray(picture)).to(self._device).permute(2, 0, 1)[None].float()
        shift, scale = (torch.tensor(each, device=self._device).view(1, 3, 1, 1) for each in (SHIFT, SCALE))
        values = (values / 127.5 - 1 - shift) / scale
        found = []
        for number, (_, stride, padding) in CONVOLUTIONS.items():
            if number in POOLED:
                values = functional.max_pool2d(values, 3, 2)
            weight, bias = (self._trunk[f"features.{number}.{part}"] for part in ("weight", "bias"))
            values = functional.relu(functional.conv2d(values, weight, bias, stride, padding))
            found.append(values / (values.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return found
