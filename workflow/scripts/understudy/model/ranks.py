"""The processes that train one batch together, one for each GPU; each is a rank and has its own rows of every batch.

Outside of a process group there is one rank, and what is given here comes back untouched.
A mean over the whole batch is the mean over ranks of what each computes, if each divides by `rank_mean` of its own
divisor: then as many ranks as one likes learn what one process learns, to rounding.
"""

import torch
import torch.distributed as dist
from torch import Tensor


def ranks() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Return this process's number among them, from 0; rank 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def own_rows(batch: int) -> slice:
    """Return this rank's rows of a batch that all ranks share; no row belongs to two.

    Raises:
        ValueError: the batch cannot be shared out evenly.
    """
    if batch % ranks():
        raise ValueError(f"a batch of {batch} clips cannot be shared out evenly among {ranks()} ranks")
    rows = batch // ranks()
    return slice(rank() * rows, (rank() + 1) * rows)


def rank_mean(value: Tensor) -> Tensor:
    """Return the mean of a tensor over all ranks, without gradient; every rank must ask, in the same order."""
    if ranks() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / ranks()


def chosen_rows(there: Tensor) -> tuple[Tensor, float] | None:
    """Choose the rows of a batch that count, and say how much their mean counts beside that of other ranks.

    Args:
        there: (N,) bool, this rank's rows that count.

    Returns:
        (N,) bool with at least one row, and its share: 1 in one process. None where no rank has a row. A rank that
        alone has none gets its first row with share 0, so that it still makes every call the others make.
    """
    own = there.sum()
    mean = float(rank_mean(own.double()))
    if mean == 0:
        return None
    if own == 0:
        there = torch.arange(len(there), device=there.device) == 0
    return there, float(own) / mean
