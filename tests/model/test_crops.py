import pytest
import torch

from planted import planted_frame
from understudy.model.crops import MARGIN, crop, crop_condition, crop_size, seen_boxes
from understudy.model.discriminator import judge_condition


def gradient(height: int, width: int) -> torch.Tensor:
    """A picture (1, 2, H, W) of the x and y of its pixel centres."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([x, y])[None]


def square(x: float, y: float, side: float) -> list[float]:
    """A box whose crop is the square of that side about x, y, px."""
    half = side / MARGIN / 2
    return [x - half, y - half, x + half, y + half]


def test_a_crop_of_its_own_size_is_a_cut_out():
    cut = crop(gradient(64, 96), torch.tensor([square(40, 24, 16)]), 16)
    torch.testing.assert_close(cut, gradient(64, 96)[..., 16:32, 32:48], atol=1e-3, rtol=0)


def test_a_small_face_is_enlarged_and_a_flat_box_squared():
    box = torch.tensor([[30.0, 20.0, 30.0 + 10 / MARGIN, 20.0 + 4 / MARGIN]])  # 10 px wide
    cut = crop(gradient(64, 96), box, 20)[0]
    step = torch.full((20, 19), 0.5)
    torch.testing.assert_close(cut[0].diff(dim=1), step, atol=1e-3, rtol=0)
    torch.testing.assert_close(cut[1].diff(dim=0), step.T, atol=1e-3, rtol=0)
    assert cut[1].mean() == pytest.approx(20 + 2 / MARGIN, abs=1e-2)


def test_every_frame_has_its_own_place():
    boxes = torch.tensor([square(20, 20, 8), square(70, 40, 8)])
    cut = crop(gradient(64, 96).expand(2, -1, -1, -1), boxes, 8)
    middle = cut.mean((2, 3))
    torch.testing.assert_close(middle, torch.tensor([[20.0, 20.0], [70.0, 40.0]]), atol=1e-2, rtol=0)


def test_beyond_the_picture_its_border_is_repeated():
    cut = crop(gradient(64, 96), torch.tensor([square(2, 30, 16)]), 16)[0, 0]
    assert cut.min() == 0.5 and (cut[:, :6] == 0.5).all() and cut[0, -1] > 9


def test_gradients_reach_the_picture_where_the_crop_is_and_nowhere_else():
    picture = torch.rand(1, 3, 64, 64, requires_grad=True)
    crop(picture, torch.tensor([square(32, 16, 16)]), 32).sum().backward()
    reached = picture.grad.abs().sum((0, 1)) > 1e-6
    assert reached[9:23, 25:39].all()
    assert not reached[26:].any() and not reached[:, :22].any()


def test_chart_values_of_a_crop_are_chosen():
    semantic, _ = planted_frame(left=9.0)
    condition = judge_condition(semantic)
    cut = crop_condition(condition, torch.tensor([square(13, 16, 11)]), 32)
    assert cut.shape == (1, 6, 32, 32)
    assert set(cut[:, 3].unique().tolist()) <= set(condition[:, 3].unique().tolist())
    assert not set(cut[:, 5].unique().tolist()) <= set(condition[:, 5].unique().tolist())


def test_absent_boxes_are_known():
    boxes = torch.tensor([[0.0, 0, 0, 0], [3, 4, 9, 8]])
    assert seen_boxes(boxes).tolist() == [False, True]


def test_crops_are_a_quarter_of_the_height():
    assert [crop_size(height) for height in (32, 128, 256, 1024)] == [16, 32, 64, 256]
