import pytest
import torch

from understudy.model import ranks
from understudy.model.ranks import chosen_rows, own_rows, rank_mean

NONE, FIRST, BOTH = (torch.tensor(rows) for rows in ([False, False], [True, False], [True, True]))


def test_alone_everything_comes_back_untouched():
    value = torch.rand(3, requires_grad=True)
    assert rank_mean(value) is value
    assert own_rows(5) == slice(0, 5)
    assert chosen_rows(NONE) is None
    there, share = chosen_rows(FIRST)
    assert there.tolist() == [True, False] and share == 1


@pytest.mark.parametrize(
    ("own", "others", "rows", "share"),
    [(BOTH, 0, [True, True], 2.0), (FIRST, 2, [True, False], 2 / 3), (NONE, 2, [True, False], 0.0)],
)
def test_rows_count_by_their_share_of_all_ranks_rows(monkeypatch, own, others, rows, share):
    monkeypatch.setattr(ranks, "rank_mean", lambda count: (count + others) / 2)
    there, found = chosen_rows(own)
    assert there.tolist() == rows
    assert found == pytest.approx(share)


def test_every_row_of_a_batch_is_one_rank_s(monkeypatch):
    monkeypatch.setattr(ranks, "ranks", lambda: 3)
    rows = []
    for number in range(3):
        monkeypatch.setattr(ranks, "rank", lambda number=number: number)
        rows += list(range(6))[own_rows(6)]
    assert rows == list(range(6))
    with pytest.raises(ValueError, match="7 clips cannot be shared out evenly among 3"):
        own_rows(7)
