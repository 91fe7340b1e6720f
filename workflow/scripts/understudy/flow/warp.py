"""Moves a picture along a flow."""

import torch
from torch import Tensor
from torch.nn import functional


def warp(picture: Tensor, flow: Tensor) -> Tensor:
    """Fetch every pixel from where the flow says it came from; zero flow is the identity, to the bit.

    The picture is padded to powers of two, which makes the way from pixels to the sampler's -1..1 and back exact
    for whole (and 1/16) pixels. Choosing the picture where the flow is zero would give the same values, but stop
    the gradient of a flow that starts at zero.

    Args:
        picture: (B, C, H, W) float of any kind.
        flow: (B, 2, H, W) float, x right, y down, pixels, from this frame back to the one of `picture`.

    Returns:
        (B, C, H, W) of the picture's number type: bilinear samples at pixel + flow, the border repeated outside.
        The place is computed in float32 under autocast too; bfloat16 would be off by a pixel at 256.

    Raises:
        ValueError: the sizes of picture and flow differ.
    """
    batch, _, height, width = picture.shape
    if flow.shape != (batch, 2, height, width):
        raise ValueError(f"flow is {tuple(flow.shape)}, expected {(batch, 2, height, width)} as the picture has it")
    with torch.autocast(picture.device.type, enabled=False):
        source = picture.float()
        rows, columns = _power_of_two(height), _power_of_two(width)
        padded = functional.pad(source, (0, columns - width, 0, rows - height), mode="replicate")
        grid = _places(flow.float(), rows, columns)  # (B, H, W, 2)
        moved = functional.grid_sample(padded, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return moved.to(picture.dtype)


def _places(flow: Tensor, rows: int, columns: int) -> Tensor:
    """Turn a flow (B, 2, H, W) px into sampler places (B, H, W, 2), -1..1 from edge to edge of rows x columns."""
    _, _, height, width = flow.shape
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None] + flow[:, 1]  # (B, H, W), px
    x = torch.arange(width, device=flow.device, dtype=flow.dtype) + flow[:, 0]
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    # x is a pixel's index, its centre lies at x + 0.5; dividing by a power of two loses nothing
    return torch.stack([(2 * x + 1) / columns - 1, (2 * y + 1) / rows - 1], dim=-1)


def _power_of_two(size: int) -> int:
    return 1 << (size - 1).bit_length()
