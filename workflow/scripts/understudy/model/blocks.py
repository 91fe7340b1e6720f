"""Building blocks of the networks: none has a norm, so training equals rendering by construction."""

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.1  # of the leaky rectifier below zero


def rectify(features: Tensor) -> Tensor:
    """Leaky rectifier with the slope all blocks share."""
    return functional.leaky_relu(features, SLOPE)


def zero_start(layer: nn.Conv2d) -> nn.Conv2d:
    """Set a layer to zero, so that what it feeds starts as if it were not there."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Residual(nn.Module):
    """Two convolutions whose sum with the input starts as the input alone."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = zero_start(nn.Conv2d(channels, channels, 3, padding=1))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.second(rectify(self.first(features)))


class Down(nn.Module):
    """Halves height and width, then runs residual blocks."""

    def __init__(self, incoming: int, outgoing: int, blocks: int):
        super().__init__()
        self.halve = nn.Conv2d(incoming, outgoing, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(*(Residual(outgoing) for _ in range(blocks)))

    def forward(self, features: Tensor) -> Tensor:
        return self.blocks(rectify(self.halve(features)))


class Up(nn.Module):
    """Doubles height and width by pixel-shuffle and joins the features of the same size on the way down."""

    def __init__(self, incoming: int, outgoing: int):
        super().__init__()
        self.enlarge = nn.Conv2d(incoming, 4 * outgoing, 1)
        self.join = nn.Conv2d(2 * outgoing, outgoing, 1)
        self.block = Residual(outgoing)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        doubled = functional.pixel_shuffle(self.enlarge(coarse), 2)  # (B, outgoing, 2H, 2W)
        return self.block(rectify(self.join(torch.cat([doubled, fine], dim=1))))
