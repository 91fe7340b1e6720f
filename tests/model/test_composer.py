import torch

from understudy.model.composer import compose


def test_formula_with_numbers():
    raw, past = torch.full((1, 3, 4, 4), 0.8), torch.full((1, 3, 4, 4), -0.4)
    mask, valid = torch.full((1, 1, 4, 4), 0.25), torch.ones(1, 1, 4, 4)
    final, warped, used = compose(raw, mask, torch.zeros(1, 2, 4, 4), past, valid)
    assert torch.equal(warped, past)
    assert torch.equal(used, mask)
    torch.testing.assert_close(final, torch.full_like(raw, 0.25 * 0.8 + 0.75 * -0.4))


def test_past_is_moved_along_the_flow():
    past = torch.arange(8.0).repeat(1, 3, 8, 1)  # colour = column
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = -2  # two pixels to the left in the frame before
    final, _, _ = compose(torch.zeros_like(past), torch.zeros(1, 1, 8, 8), flow, past, torch.ones(1, 1, 8, 8))
    torch.testing.assert_close(final[..., 2:], past[..., 2:] - 2)


def test_where_nothing_is_valid_the_frame_is_drawn_afresh():
    raw, past = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)
    valid = torch.ones(1, 1, 4, 4)
    valid[..., :2] = 0
    final, _, used = compose(raw, torch.zeros(1, 1, 4, 4), torch.zeros(1, 2, 4, 4), past, valid)
    assert torch.equal(final[..., :2], raw[..., :2])
    assert torch.equal(final[..., 2:], past[..., 2:])
    assert used[..., :2].min() == 1
