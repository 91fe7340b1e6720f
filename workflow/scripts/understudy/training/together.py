"""What ranks agree on: where they start, the gradient of a step, how long they have trained, and when they stop."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from understudy.model.ranks import rank, rank_mean, ranks

PATIENCE = timedelta(hours=1)  # for the others: rank 0 saves and draws previews while they wait
BUCKET = 2**24  # numbers that travel at once


@contextmanager
def joined() -> Iterator[None]:
    """Be one of the ranks that the environment tells of, as torchrun and `launch` set it, on a GPU of its own.

    Numbers on the CPU travel by gloo, those on GPUs by NCCL.
    """
    backend = "gloo"
    if torch.cuda.is_available():
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def leader_first() -> Iterator[None]:
    """Let rank 0 run the body before all others, for files that it makes and they read."""
    if rank() > 0:
        agreed(0)
    yield
    if rank() == 0:
        agreed(0)


def agreed(*values: float) -> list[float]:
    """Return the largest of each value over all ranks; a rank with no say gives 0. Waits for the slowest rank."""
    if ranks() == 1:
        return list(values)
    largest = torch.tensor(values, dtype=torch.float64)  # on the CPU: no wait for the GPU
    dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    return largest.tolist()


@torch.no_grad()
def start_alike(modules: Sequence[nn.Module]) -> None:
    """Give every rank the weights of rank 0, to the bit."""
    if ranks() == 1:
        return
    for module in modules:
        for value in module.state_dict().values():
            sent = value.contiguous()
            dist.broadcast(sent, src=0)
            value.copy_(sent)


def average_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Put the mean over ranks in the place of each gradient; what no rank has a gradient for keeps none.

    This is what DistributedDataParallel does, but once per step, after the last backward pass. A step has a dozen of
    them (cut roll-outs, accumulated batches, judges on the generator's own passes), calls `teach` and not `forward`,
    and asks other judges on other steps; wrapped modules would exchange gradients after each, and wait for those that
    never come. The price is that nothing travels during the backward pass: 4 bytes per weight and step.
    """
    if ranks() == 1:
        return
    felt = rank_mean(torch.tensor([float(one.grad is not None) for one in parameters])).tolist()
    learning = [one for one, share in zip(parameters, felt, strict=True) if share > 0]
    for one in learning:
        if one.grad is None:
            one.grad = torch.zeros_like(one)
    for bucket in _buckets([one.grad for one in learning]):
        total = torch.cat([gradient.reshape(-1) for gradient in bucket])
        dist.all_reduce(total)
        total /= ranks()
        for gradient, mean in zip(bucket, total.split([each.numel() for each in bucket]), strict=True):
            gradient.copy_(mean.view(gradient.shape))


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Put tensors together, in order, until a bucket holds more than `BUCKET` numbers."""
    bucket: list[Tensor] = []
    for tensor in tensors:
        bucket.append(tensor)
        if sum(one.numel() for one in bucket) >= BUCKET:
            yield bucket
            bucket = []
    if bucket:
        yield bucket
