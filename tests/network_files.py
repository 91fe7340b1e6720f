"""Small random weights in the layouts of the networks behind LPIPS, FID and FVD: every layer has two channels."""

import torch

from understudy.metrics.i3d import BRANCHES
from understudy.metrics.i3d import LAYERS as I3D_LAYERS
from understudy.metrics.inception import LAYERS as INCEPTION_LAYERS
from understudy.metrics.lpips import CONVOLUTIONS

WIDTH = 2
KERNELS = {  # of Inception's branches; 1 x 1 where nothing is said
    "branch5x5_2": (5, 5), "branch3x3dbl_2": (3, 3), "branch3x3dbl_3": (3, 3), "branch3x3": (3, 3),
    "branch3x3_2": (3, 3),
    "branch7x7_2": (1, 7), "branch7x7_3": (7, 1), "branch7x7dbl_2": (7, 1), "branch7x7dbl_3": (1, 7),
    "branch7x7dbl_4": (7, 1), "branch7x7dbl_5": (1, 7), "branch7x7x3_2": (1, 7), "branch7x7x3_3": (7, 1),
    "branch7x7x3_4": (3, 3), "branch3x3_2a": (1, 3), "branch3x3_2b": (3, 1), "branch3x3dbl_3a": (1, 3),
    "branch3x3dbl_3b": (3, 1),
}  # fmt: skip
INNER = {"2", "3", "4", "5", "2a", "2b", "3a", "3b"}  # last words of layers that follow another of their branch
# channels that come out of each block, in layers; blocks that pool keep those that came in besides
OUT = {"Mixed_5": 4, "Mixed_6a": 2, "Mixed_6": 4, "Mixed_7a": 2, "Mixed_7": 6}


def _layer(name: str, kind: str, outgoing: int, incoming: int, kernel: tuple[int, ...], chance) -> dict:
    weight = torch.randn(outgoing, incoming, *kernel, generator=chance) / (incoming * max(kernel)) ** 0.5
    norm = {"weight": torch.ones(outgoing), "bias": 0.1 * torch.randn(outgoing, generator=chance)}
    norm |= {"running_mean": torch.zeros(outgoing), "running_var": torch.ones(outgoing)}
    return {f"{name}.{kind}.weight": weight} | {f"{name}.bn.{part}": value for part, value in norm.items()}


def inception_weights(seed: int = 1) -> dict[str, torch.Tensor]:
    chance, values = torch.Generator().manual_seed(seed), {}
    incoming, block, entered = 3, "", 3
    for name in INCEPTION_LAYERS:
        if "." not in name:
            size = int(name[-1])
            values |= _layer(name, "conv", WIDTH, incoming, (size, size), chance)
            incoming = entered = WIDTH
            continue
        outer, branch = name.split(".")
        if outer != block:
            if block:
                entered = _out(block, entered)
            block = outer
        inside = branch.rsplit("_", 1)[-1] in INNER and branch != "branch_pool"
        values |= _layer(name, "conv", WIDTH, WIDTH if inside else entered, KERNELS.get(branch, (1, 1)), chance)
    return values


def _out(block: str, entered: int) -> int:
    kept = entered if block in ("Mixed_6a", "Mixed_7a") else 0
    return kept + WIDTH * OUT.get(block, OUT.get(block[:-1], 0))


def i3d_weights(seed: int = 1) -> dict[str, torch.Tensor]:
    chance, values = torch.Generator().manual_seed(seed), {}
    for name in I3D_LAYERS:
        if name.startswith("Conv"):
            size = int(name[-1])
            incoming = 3 if size == 7 else WIDTH
        else:
            block, branch = name.split(".")
            size = 3 if branch in ("b1b", "b2b") else 1
            first = block == "Mixed_3b"
            incoming = WIDTH if size == 3 or first else 4 * WIDTH
            assert branch in BRANCHES
        values |= _layer(name, "conv3d", WIDTH, incoming, (size,) * 3, chance)
    values["logits.conv3d.weight"] = torch.randn(5, 4 * WIDTH, 1, 1, 1, generator=chance)
    return values | {"logits.conv3d.bias": torch.zeros(5)}


def lpips_weights(seed: int = 1) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Trunk and heads."""
    chance, trunk, heads, incoming = torch.Generator().manual_seed(seed), {}, {}, 3
    for place, (number, (kernel, _, _)) in enumerate(CONVOLUTIONS.items()):
        trunk[f"features.{number}.weight"] = torch.randn(4, incoming, kernel, kernel, generator=chance) / kernel
        trunk[f"features.{number}.bias"] = torch.zeros(4)
        heads[f"lin{place}.model.1.weight"] = torch.rand(1, 4, 1, 1, generator=chance)
        incoming = 4
    return trunk, heads
