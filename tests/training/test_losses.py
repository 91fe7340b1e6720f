import pytest
import torch
from torch.nn import functional

from understudy.model.discriminator import Verdict
from understudy.training.losses import (
    detail_distance,
    feature_distance,
    flow_distance,
    gradient_distance,
    hinge_error,
    hinge_wish,
    least_squares_error,
    least_squares_wish,
    mask_share,
    person_weight,
    picture_distance,
    temporal_difference,
    trusted_mean,
    warp_distance,
)

ONES = torch.ones(1, 1, 8, 8)


def columns() -> torch.Tensor:
    """A picture (1, 3, 8, 8) whose colour is its column / 10."""
    return torch.arange(8.0).repeat(1, 3, 8, 1) / 10


def test_person_weight_is_higher_on_the_person_and_one_on_average():
    matte = torch.zeros(2, 1, 64, 64)
    matte[0, 0, 20:30, 20:30] = 1
    weight = person_weight(matte, person=4.0)
    torch.testing.assert_close(weight.mean((1, 2, 3)), torch.ones(2))
    near = 14 * 14 / 64**2  # grown by 2 px
    assert weight[0].max() / weight[0].min() == pytest.approx(5)
    assert weight[0].min() == pytest.approx(1 / (1 + 4 * near))
    assert torch.equal(weight[1], torch.ones(1, 64, 64))


def test_trusted_mean_is_divided_by_the_trust_and_not_by_all_pixels():
    values, trust = torch.full((1, 2, 4, 4), 3.0), torch.zeros(1, 1, 4, 4)
    assert trusted_mean(values, trust) == 0
    trust[0, 0, 0, 0] = 0.5
    assert trusted_mean(values, trust) == 3


def test_picture_distance():
    assert picture_distance(columns() + 0.25, columns(), ONES) == pytest.approx(0.25)
    weight = torch.zeros(1, 1, 8, 8)
    weight[..., 0] = 2
    drawn = columns().clone()
    drawn[..., 1:] = 9
    assert picture_distance(drawn, columns(), weight) == 0


def test_gradient_distance_sees_slopes_and_not_levels():
    assert gradient_distance(columns() + 0.5, columns(), ONES) == pytest.approx(0, abs=1e-6)
    assert gradient_distance(columns() * 3, columns(), ONES) == pytest.approx(0.2)
    assert gradient_distance((columns() * 3).transpose(2, 3), columns().transpose(2, 3), ONES) == pytest.approx(0.2)


def checks(size: int, shift: int = 0) -> torch.Tensor:
    """A picture (1, 3, size, size) of checks of 4 px, -0.5 and 0.5, moved to the right."""
    place = torch.arange(size)
    dark = ((place[:, None] // 4) + ((place + shift) // 4)) % 2
    return (dark - 0.5).expand(1, 3, size, size).clone()


def test_detail_distance_sees_how_much_detail_there_is_and_not_where_it_lies():
    real, ones = checks(160), torch.ones(1, 1, 160, 160)
    faded, moved = detail_distance(0.5 * real, real, ones), detail_distance(checks(160, shift=2), real, ones)
    assert detail_distance(real, real, ones) == 0
    assert detail_distance(real + 0.3, real, ones) == pytest.approx(0, abs=1e-5)
    laplacian = functional.conv2d(real[:, :1], torch.tensor([[[[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]]]))
    assert faded == pytest.approx(0.5 * float(laplacian.square().mean().sqrt()), rel=0.1)
    assert moved < 0.25 * faded  # a window holds no whole number of checks
    assert gradient_distance(checks(160, shift=2), real, ones) > gradient_distance(0.5 * real, real, ones)


def test_detail_distance_counts_windows_by_their_weight():
    real, weight = checks(160), torch.zeros(1, 1, 160, 160)
    weight[..., :80] = 1
    drawn = real.clone()
    drawn[..., 96:] = 0
    assert detail_distance(drawn, real, weight) == 0
    assert detail_distance(drawn, real, 1 - weight) > 0.5


def verdict(*levels: list[torch.Tensor]) -> Verdict:
    """A verdict that has features only."""
    return Verdict(scores=(), features=tuple(tuple(layers) for layers in levels))


def test_least_squares():
    real, drawn = torch.tensor([1.0, 0.5]), torch.tensor([0.0, 0.5])
    assert least_squares_wish(drawn) == pytest.approx((1 + 0.25) / 2)
    assert least_squares_error(real, drawn) == pytest.approx(0.5 * (0.25 / 2 + 0.25 / 2))
    assert least_squares_error(torch.ones(2), torch.zeros(2)) == 0


def test_hinge():
    real, drawn = torch.tensor([3.0, 0.5]), torch.tensor([-0.5, -4.0])
    assert hinge_wish(drawn) == pytest.approx(4.5 / 2)
    assert hinge_error(real, drawn) == pytest.approx(0.5 * (0.5 / 2 + 0.5 / 2))
    assert hinge_error(torch.ones(2), -torch.ones(2)) == 0


def test_feature_matching_is_averaged_over_layers_and_the_judges_own_levels():
    real = [torch.tensor([1.0, 1.0]), torch.tensor([0.0])]
    drawn = [torch.tensor([1.0, 2.0]), torch.tensor([3.0])]
    assert feature_distance(verdict(drawn), verdict(real)) == pytest.approx((0.5 + 3) / 2)
    assert feature_distance(verdict(drawn, drawn), verdict(real, real)) == pytest.approx((0.5 + 3) / 2)
    assert feature_distance(verdict(drawn, real), verdict(real, real)) == pytest.approx((0.5 + 3) / 4)


def test_feature_matching_teaches_only_the_drawn_side():
    drawn, real = torch.ones(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    feature_distance(verdict([drawn]), verdict([real])).backward()
    assert drawn.grad.abs().sum() > 0
    assert real.grad is None


def test_temporal_difference_ignores_a_constant_error_that_moves_along():
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = -1  # everything was one pixel to the left
    before = columns()
    now = columns() - 0.1
    error = torch.rand(1, 3, 8, 8)
    moved = torch.cat([error[..., :1], error[..., :-1]], dim=-1)
    same = temporal_difference((now + moved, before + error), (now, before), flow, ONES)
    assert same == pytest.approx(0, abs=1e-5)
    assert temporal_difference((now + 0.3, before), (now, before), flow, ONES) == pytest.approx(0.3)


def test_flow_distance_is_in_hundredths_of_the_height():
    flow, truth = torch.zeros(1, 2, 50, 20), torch.zeros(1, 2, 50, 20)
    truth[:, 0], truth[:, 1] = 3, 4
    assert flow_distance(flow, truth, torch.ones(1, 1, 50, 20)) == pytest.approx(10, rel=1e-4)
    trust = torch.zeros(1, 1, 50, 20)
    trust[..., :5, :] = 1
    truth[..., 5:, :] = 99
    assert flow_distance(flow, truth, trust) == pytest.approx(10, rel=1e-4)


def test_warp_distance_is_zero_along_the_true_flow():
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = -1
    trust = ONES.clone()
    trust[..., 0] = 0  # came from outside
    assert warp_distance(columns(), flow, columns() - 0.1, trust) == pytest.approx(0, abs=1e-6)
    assert warp_distance(columns(), flow * 0, columns() - 0.1, trust) == pytest.approx(0.1)


def test_mask_share_counts_trusted_pixels():
    mask, trust = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    mask[..., :2], trust[..., 3] = 0.5, 0
    assert mask_share(mask, trust) == pytest.approx((0.5 * 2 + 1) / 3)
