import io

import pytest
import torch
from torch import nn

from understudy.training.adam import Adam

BETAS = (0.8, 0.99)


def parameters() -> list[nn.Parameter]:
    chance = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(size, generator=chance)) for size in ((3, 5), (7,), (2, 4, 3, 3))]


def pair():
    """Ours and PyTorch's own over equal parameters, with two groups at different rates."""
    mine, theirs = parameters(), parameters()
    mine[2].data, theirs[2].data = (one[2].data.to(memory_format=torch.channels_last) for one in (mine, theirs))
    groups = [
        [{"params": one[:2], "lr": 1e-3, "pace": 1.0}, {"params": one[2:], "lr": 5e-3, "pace": 5.0}]
        for one in (mine, theirs)
    ]
    return (mine, Adam(groups[0], BETAS)), (theirs, torch.optim.Adam(groups[1], betas=BETAS, fused=True))


def advance(values: list[nn.Parameter], optimiser, step: int, without: int | None = None) -> None:
    chance = torch.Generator().manual_seed(step)
    optimiser.zero_grad()
    for number, one in enumerate(values):
        gradient = torch.randn(one.shape, generator=chance)
        if number != without:
            one.grad = gradient
    optimiser.step()


def same(one: list[nn.Parameter], two: list[nn.Parameter]) -> bool:
    return all(torch.equal(mine, theirs) for mine, theirs in zip(one, two, strict=True))


def test_it_is_pytorch_s_own_to_the_bit():
    (mine, ours), (theirs, original) = pair()
    for step in range(5):
        before = mine[1].detach().clone()
        for values, optimiser in ((mine, ours), (theirs, original)):
            advance(values, optimiser, step, without=1 if step == 2 else None)
        assert same(mine, theirs)
        assert torch.equal(before, mine[1]) == (step == 2)


@pytest.mark.parametrize("other", ["ours", "original"])
def test_its_state_comes_back_and_is_of_pytorch_s_form(other):
    (mine, ours), (theirs, original) = pair()
    source = {"ours": (mine, ours), "original": (theirs, original)}[other]
    for step in range(3):
        advance(*source, step, without=0)
    written = io.BytesIO()
    torch.save({"values": source[0], "state": source[1].state_dict()}, written)
    advance(*source, 7)
    written.seek(0)
    stored = torch.load(written, weights_only=True)
    (again, fresh), _ = pair()
    for one, value in zip(again, stored["values"], strict=True):
        one.data.copy_(value)
    fresh.load_state_dict(stored["state"])
    assert set(fresh.state) == set(again[1:])
    advance(again, fresh, 7)
    assert same(again, source[0])
    assert [group["pace"] for group in fresh.param_groups] == [1.0, 5.0]
