"""Known answers first: zero, whole-pixel and half-pixel flows; then a slow plain version; then number types."""

import pytest
import torch

from understudy.flow.warp import warp

SIZES = [(8, 8), (32, 20), (31, 17), (5, 1), (96, 72)]


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def plain_warp(picture: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """Bilinear sampling with the border repeated, pixel by pixel in float64."""
    batch, _, height, width = picture.shape
    out = torch.zeros_like(picture, dtype=torch.float64)
    for b in range(batch):
        for row in range(height):
            for column in range(width):
                x = min(max(column + float(flow[b, 0, row, column]), 0), width - 1)
                y = min(max(row + float(flow[b, 1, row, column]), 0), height - 1)
                left, top = int(x), int(y)
                right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
                p, u, v = picture[b].double(), x - left, y - top
                above = p[:, top, left] * (1 - u) + p[:, top, right] * u
                below = p[:, bottom, left] * (1 - u) + p[:, bottom, right] * u
                out[b, :, row, column] = above * (1 - v) + below * v
    return out


@pytest.mark.parametrize("size", SIZES)
def test_zero_flow_is_the_identity_to_the_bit(size):
    picture = noise(1, 2, 3, *size)
    assert torch.equal(warp(picture, torch.zeros(2, 2, *size)), picture)


@pytest.mark.parametrize("size", [(64, 1920), (1080, 64), (7, 1023)])
def test_large_pictures_keep_the_identity(size):
    picture = noise(2, 1, 1, *size)
    assert torch.equal(warp(picture, torch.zeros(1, 2, *size)), picture)


def test_whole_pixels_fetch_the_neighbour_to_the_bit():
    picture = noise(3, 1, 3, 12, 20)
    flow = torch.zeros(1, 2, 12, 20)
    flow[:, 0], flow[:, 1] = -3, 2  # from 3 px left and 2 px below
    assert torch.equal(warp(picture, flow)[:, :, :10, 3:], picture[:, :, 2:, :17])


def test_half_a_pixel_is_the_mean_of_two():
    picture = noise(4, 1, 1, 4, 6)
    flow = torch.zeros(1, 2, 4, 6)
    flow[:, 0] = 0.5
    mean = (picture[..., :-1] + picture[..., 1:]) / 2
    assert torch.allclose(warp(picture, flow)[..., :-1], mean, atol=1e-6)


def test_beyond_the_picture_the_border_is_repeated():
    picture = noise(5, 1, 2, 6, 9)
    far = torch.full((1, 2, 6, 9), -100.0)
    assert torch.equal(warp(picture, far), picture[..., :1, :1].expand_as(picture))
    assert torch.equal(warp(picture, -far), picture[..., -1:, -1:].expand_as(picture))


@pytest.mark.parametrize("size", [(8, 8), (9, 13)])
def test_equals_a_slow_plain_version(size):
    picture, flow = noise(6, 2, 2, *size), noise(7, 2, 2, *size) * 4
    assert torch.allclose(warp(picture, flow).double(), plain_warp(picture, flow), atol=2e-5)


def test_bfloat16_and_autocast_place_as_exactly_as_float32():
    picture, flow = noise(8, 1, 3, 16, 300), torch.zeros(1, 2, 16, 300)
    half = picture.bfloat16()
    assert torch.equal(warp(half, flow.bfloat16()), half)
    flow[:, 0] = 1
    with torch.autocast("cpu", torch.bfloat16):
        moved = warp(picture, flow)
    assert moved.dtype == torch.float32
    assert torch.equal(moved[..., :-1], picture[..., 1:])


def test_a_flow_that_starts_at_zero_can_learn():
    picture = torch.arange(9.0).expand(1, 1, 6, 9)  # brighter by 1 each pixel to the right
    flow = torch.zeros(1, 2, 6, 9, requires_grad=True)
    warp(picture, flow).sum().backward()
    assert torch.allclose(flow.grad[0, 0, :, 1:-1], torch.ones(6, 7))
    assert torch.equal(flow.grad[0, 1], torch.zeros(6, 9))


def test_memory_order_does_not_matter():
    picture, flow = noise(9, 2, 4, 10, 12), noise(10, 2, 2, 10, 12)
    moved = warp(picture.to(memory_format=torch.channels_last), flow.to(memory_format=torch.channels_last))
    assert torch.equal(moved, warp(picture, flow))


def test_a_flow_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"flow is \(1, 2, 4, 4\)"):
        warp(torch.zeros(1, 3, 8, 8), torch.zeros(1, 2, 4, 4))
