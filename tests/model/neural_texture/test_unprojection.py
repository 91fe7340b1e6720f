"""Colours of the footage in the atlas, and what stands where the footage showed nothing."""

import pytest
import torch

from planted import planted_frame, texture_colour
from understudy.body.parts import CHART
from understudy.model.neural_texture.skin import Skin, mirrored, skin
from understudy.model.neural_texture.unprojection import fill_by_confidence, fill_coarse, solved, unproject

SHIFTS = [6 + 0.37 * number for number in range(24)]
TEXELS = 24
OFTEN = 50.0


def planted_texels(size: int) -> torch.Tensor:
    """The texels (24, k, k, 3) that hold the planted texture exactly."""
    line = torch.linspace(0, 1, size)
    v, u = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([torch.from_numpy(texture_colour(torch.full_like(u, part + 1), u, v)) for part in range(24)])


def sums(colour: torch.Tensor, number: torch.Tensor) -> torch.Tensor:
    """Sums and counts (24, k, k, 4) of texels (24, k, k, 3) seen `number` (24, k, k) times."""
    return torch.cat([colour * number[..., None], number[..., None]], dim=-1)


def filled(total: torch.Tensor, chart_name: str = CHART) -> torch.Tensor:
    return fill_by_confidence(total, fill_coarse(total), skin(chart_name, total.shape[1]))


def test_unprojection_recovers_a_planted_texture():
    frames = [planted_frame(left) for left in SHIFTS]
    found = unproject(((semantic, truth.picture, truth.matte) for semantic, truth in frames), texels=12)
    error = (found - planted_texels(12))[:2].abs()
    assert error.mean() < 0.05
    assert error.max() < 0.3


def test_unprojection_ignores_pixels_that_show_the_background():
    frames = [planted_frame(left) for left in SHIFTS]
    wrong = [(semantic, truth.picture.clone(), truth.matte) for semantic, truth in frames]
    for _, picture, matte in wrong:
        picture[(matte < 1).expand_as(picture)] = -0.9
    clean = ((semantic, truth.picture, truth.matte) for semantic, truth in frames)
    torch.testing.assert_close(unproject(iter(wrong), texels=12), unproject(clean, texels=12))


def test_coarse_levels_fill_with_the_nearest_level_that_was_seen():
    total = torch.zeros(24, 12, 12, 4)
    total[3, :6, :6] = torch.tensor([0.5, -0.5, 0.25, 1.0])
    coarse = fill_coarse(total)
    torch.testing.assert_close(coarse[3], torch.tensor([0.5, -0.5, 0.25]).expand(12, 12, 3))
    assert coarse[4].abs().max() == 0


def test_texels_that_were_seen_keep_their_mean():
    torch.manual_seed(0)
    colour = torch.rand(24, TEXELS, TEXELS, 3) - 0.5
    seen_so_often = torch.full((24, TEXELS, TEXELS), 1e4)
    torch.testing.assert_close(filled(sums(colour, seen_so_often)), colour, atol=0.01, rtol=0)


def test_a_single_outlier_among_well_seen_texels_is_drawn_to_them():
    number = torch.full((24, TEXELS, TEXELS), OFTEN)
    colour = torch.zeros(24, TEXELS, TEXELS, 3)
    number[18, 12, 12], colour[18, 12, 12] = 1.0, 0.9
    assert filled(sums(colour, number))[18, 12, 12].abs().max() < 0.15


def test_an_unseen_side_takes_the_detail_of_the_other_in_the_colours_of_its_own_seams():
    line = torch.linspace(0, 1, TEXELS)
    v, u = torch.meshgrid(line, line, indexing="ij")
    stripes = 0.3 * torch.sin(12 * v) + 0.2 * torch.sin(7 * u)  # right thigh, part 9; its left is part 10
    part, uv = mirrored(torch.full((TEXELS**2,), 9), torch.stack([u.ravel(), v.ravel()], 1))
    across = 0.3 * torch.sin(12 * uv[:, 1]) + 0.2 * torch.sin(7 * uv[:, 0])
    assert (part == 8).all()
    colour = torch.zeros(24, TEXELS, TEXELS, 3)
    colour[8] = stripes[..., None]
    colour[9] = across.view(TEXELS, TEXELS, 1) - 0.4  # in the shade
    number = torch.full((24, TEXELS, TEXELS), OFTEN)
    number[9, 6:18, 6:18] = 0
    total = sums(colour, number)
    error = (filled(total) - colour)[9, 6:18, 6:18].abs()
    coarse = (fill_coarse(total) - colour)[9, 6:18, 6:18].abs()
    assert error.mean() < 0.02 < 0.1 < coarse.mean()


@pytest.mark.parametrize(("chart_name", "expected"), [(CHART, 0.5), ("another", 0.0)])
def test_a_part_never_seen_takes_the_colour_of_those_it_touches_where_seams_are_known(chart_name, expected):
    colour = torch.full((24, TEXELS, TEXELS, 3), 0.5)
    number = torch.full((24, TEXELS, TEXELS), OFTEN)
    number[6:8] = 0  # backs of both thighs
    found = filled(sums(colour, number), chart_name)
    torch.testing.assert_close(found[6:8], torch.full((2, TEXELS, TEXELS, 3), expected), atol=0.02, rtol=0)


def test_the_answer_is_the_one_of_the_plain_equations():
    torch.manual_seed(1)
    texels, pairs = 1, torch.tensor([[0, 1, 2], [1, 2, 5]])
    strength = torch.tensor([1.0, 2.0, 0.5])
    total = torch.zeros(24, texels, texels, 2)
    total[..., 1] = torch.randint(1, 4, (24, 1, 1))
    total[..., 0] = torch.randn(24, 1, 1)
    found = fill_by_confidence(total, torch.zeros(24, 1, 1, 1), Skin(pairs, strength))
    matrix = torch.diag(total[:, 0, 0, 1])
    for (one, other), force in zip(pairs.T.tolist(), strength.tolist(), strict=True):
        matrix[one, one] += force
        matrix[other, other] += force
        matrix[one, other] -= force
        matrix[other, one] -= force
    plain = torch.linalg.solve(matrix, total[:, 0, 0, :1])
    torch.testing.assert_close(found[:, 0, 0], plain, atol=2e-3, rtol=0)


def test_the_solver_gives_back_a_start_that_is_right():
    wanted = torch.tensor([[2.0], [6.0]])
    matrix = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    start = torch.tensor([[1.0], [2.0]])
    assert torch.equal(solved(lambda values: matrix @ values, wanted, start, torch.tensor([[2.0], [3.0]])), start)
