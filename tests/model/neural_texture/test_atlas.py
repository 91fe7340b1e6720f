import pytest
import torch
from torch.nn import functional

from planted import planted_frame, texture_colour
from understudy.model.neural_texture.atlas import Atlas, read_texels, resample_texels
from understudy.model.samples import Samples, pixel_coverage


def planted_texels(size: int) -> torch.Tensor:
    """The texels (24, k, k, 3) that hold the planted texture exactly."""
    line = torch.linspace(0, 1, size)
    v, u = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([torch.from_numpy(texture_colour(torch.full_like(u, part + 1), u, v)) for part in range(24)])


def sampled(part: list[int], uv: list[tuple[float, float]]) -> Samples:
    count = len(part)
    return Samples(torch.tensor(part), torch.tensor(uv), torch.arange(count), (1, 1, count, 1))


def test_reading_hits_corners_centres_and_the_right_part():
    texels = torch.arange(24.0 * 9).view(24, 3, 3, 1)  # part, V, U
    samples = sampled([0, 0, 0, 5, 23], [(0, 0), (1, 0), (0.25, 1), (0.5, 0.5), (1, 1)])
    read = read_texels(texels, samples)[:, 0].tolist()
    assert read == [0, 2, 6.5, 5 * 9 + 4, 24 * 9 - 1]


def test_reading_equals_the_dense_sampler():
    torch.manual_seed(0)
    texels, uv = torch.randn(24, 7, 7, 4), torch.rand(50, 2)
    part = torch.randint(24, (50,))
    planes = texels.permute(0, 3, 1, 2)[part]  # (50, 4, 7, 7)
    dense = functional.grid_sample(planes, (2 * uv - 1).view(50, 1, 1, 2), align_corners=True)[:, :, 0, 0]
    torch.testing.assert_close(read_texels(texels, Samples(part, uv, part, (1, 1, 50, 1))), dense)


def test_edge_pixel_half_covered_shows_the_whole_colour_at_half_coverage():
    semantic, _ = planted_frame(left=10.5)  # the left edge runs through the middle of pixel 10
    atlas = Atlas(8, latents=2)
    torch.nn.init.constant_(atlas.colour, 0.7)
    texture = atlas(semantic)
    column = texture.coverage[0, 0, 16, 8:14]
    assert column.tolist() == [0, 0, 0.5, 1, 1, 1]
    torch.testing.assert_close(texture.colour[0, :, 16, 10], torch.full((3,), 0.7))
    assert texture.colour[0, :, 16, 9].abs().max() == 0


def test_coverage_is_the_matte():
    semantic, truth = planted_frame(left=9.75, samples=4)
    torch.testing.assert_close(pixel_coverage(semantic), truth.matte)


def test_texture_is_sampled_before_it_is_averaged():
    # the border of parts 2 and 1 runs through the middle of pixel 16: half of each, never a part or U in between
    semantic, _ = planted_frame(left=10.1)
    atlas = Atlas(8, latents=0)
    with torch.no_grad():
        atlas.colour[1], atlas.colour[0] = 1.0, -0.5
    row = atlas(semantic).colour[0, 0, 16, 14:19]
    torch.testing.assert_close(row, torch.tensor([1.0, 1.0, 0.25, -0.5, -0.5]))


@pytest.mark.parametrize("size", [8, 16, 24])
def test_resampling_keeps_a_linear_texture(size):
    torch.testing.assert_close(resample_texels(planted_texels(12), size), planted_texels(size), atol=1e-5, rtol=0)


def test_every_texel_learns_only_what_was_seen():
    semantic, _ = planted_frame()
    atlas = Atlas(8, latents=2)
    atlas(semantic).colour.sum().backward()
    touched = atlas.colour.grad.abs().sum((1, 2, 3)) > 0
    assert touched.tolist() == [True, True] + [False] * 22
