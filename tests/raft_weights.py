"""Weights of RAFT as its authors' files hold them, of any numbers."""

import torch
from torch import nn


def published(network: nn.Module) -> dict[str, torch.Tensor]:
    """A network's state under the published names: saved from several GPUs, a block's third norm named twice."""
    state = {}
    for name, values in network.state_dict().items():
        state[f"module.{name}"] = values
        if ".downsample.1." in name:
            state["module." + name.replace("downsample.1", "norm3")] = values
    return state
