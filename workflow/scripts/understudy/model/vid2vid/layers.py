"""Layers of the vid2vid networks: reflect padding, norm, rectifier; widths are given by the networks.

Axes: B batch, H rows, W columns, C channels.
Source: Wang et al., pix2pixHD, CVPR 2018, appendix; Wang et al., Video-to-Video Synthesis, NeurIPS 2018. The norm is
per picture where the original's is over the batch: a picture is then drawn in a film as it was in training, whatever
stood beside it in the batch.
"""

import torch
from torch import Tensor, nn

DEVIATION = 0.02  # of the first weights


def entrance(incoming: int, outgoing: int) -> nn.Sequential:
    """7 x 7 convolution at full size."""
    return nn.Sequential(
        nn.Conv2d(incoming, outgoing, 7, padding=3, padding_mode="reflect"), norm(outgoing), nn.ReLU(inplace=True)
    )


def down(incoming: int) -> nn.Sequential:
    """Halve height and width, double the channels."""
    return nn.Sequential(
        nn.Conv2d(incoming, 2 * incoming, 3, stride=2, padding=1), norm(2 * incoming), nn.ReLU(inplace=True)
    )


def up(incoming: int) -> nn.Sequential:
    """Double height and width, halve the channels."""
    half = incoming // 2
    enlarge = nn.ConvTranspose2d(incoming, half, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(enlarge, norm(half), nn.ReLU(inplace=True))


def encoder(incoming: int, width: int, halvings: int, blocks: int) -> nn.Sequential:
    """Entrance, halvings, residual blocks: (B, incoming, H, W) to (B, width * 2^halvings, H / 2^halvings, ...)."""
    layers = [entrance(incoming, width), *(down(width << level) for level in range(halvings))]
    return nn.Sequential(*layers, *(Residual(width << halvings) for _ in range(blocks)))


def decoder(width: int, doublings: int, blocks: int) -> nn.Sequential:
    """Residual blocks and doublings back to `width` channels at full size."""
    layers = [Residual(width << doublings) for _ in range(blocks)]
    return nn.Sequential(*layers, *(up(width << level) for level in range(doublings, 0, -1)))


def head(width: int, outgoing: int) -> nn.Conv2d:
    """7 x 7 convolution that leaves the features."""
    return nn.Conv2d(width, outgoing, 7, padding=3, padding_mode="reflect")


def norm(channels: int) -> nn.InstanceNorm2d:
    """Norm of each channel over its own picture, with learnt gain and offset."""
    return nn.InstanceNorm2d(channels, affine=True)


@torch.no_grad()
def draw_first_weights(network: nn.Module) -> None:
    """Convolutions from N(0, 0.02), gains of the norms from N(1, 0.02), offsets zero."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.InstanceNorm2d)):
            middle = 1.0 if isinstance(layer, nn.InstanceNorm2d) else 0.0
            nn.init.normal_(layer.weight, middle, DEVIATION)
            nn.init.zeros_(layer.bias)


class Residual(nn.Module):
    """Two 3 x 3 convolutions added to their input."""

    def __init__(self, channels: int):
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            norm(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            norm(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features + self.change(features)
