"""Adam, by the same arithmetic as `torch.optim.Adam(fused=True)`, to the bit, and with a state of the same form.

Making PyTorch's class loads its compiler, which takes longer than all else that a resumed stage does before its first
step; the function behind the class does not.

Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

EPSILON = 1e-8
MOMENTS = ("exp_avg", "exp_avg_sq")


class Adam:
    """Updates parameters by their gradients; one that has none stays, its moments too.

    Attributes:
        param_groups: mappings with `params`, `lr`, `betas` and what else was given.
        state: of each parameter that ever had a gradient: `step` and both moments.
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]], betas: tuple[float, float]):
        """Take groups of parameters, each a mapping with `params` and `lr`; momentum and second moment of all."""
        self.param_groups = [{**group, "params": list(group["params"]), "betas": betas} for group in groups]
        self.state: dict[nn.Parameter, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for one in self._parameters():
            one.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Make one update."""
        for group in self.param_groups:
            learning = [one for one in group["params"] if one.grad is not None]
            if learning:
                self._update(learning, group["lr"], group["betas"])

    def state_dict(self) -> dict[str, Any]:
        """Return the state by the parameters' numbers, as PyTorch's own class does."""
        numbers = {one: number for number, one in enumerate(self._parameters())}
        groups = [{**group, "params": [numbers[one] for one in group["params"]]} for group in self.param_groups]
        return {"state": {numbers[one]: state for one, state in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, stored: Mapping[str, Any]) -> None:
        """Take a state over; its tensors become this optimiser's own where they lie on the parameters' device."""
        parameters = self._parameters()
        self.state = {}
        for number, state in stored["state"].items():
            one = parameters[number]
            self.state[one] = {name: value.to(one.device) for name, value in state.items()}
        for mine, theirs in zip(self.param_groups, stored["param_groups"], strict=True):
            mine.update({name: value for name, value in theirs.items() if name != "params"})

    def _parameters(self) -> list[nn.Parameter]:
        return [one for group in self.param_groups for one in group["params"]]

    def _update(self, learning: Sequence[nn.Parameter], rate: float, betas: tuple[float, float]) -> None:
        for one in learning:
            if one not in self.state:
                moments = {name: torch.zeros_like(one, memory_format=torch.preserve_format) for name in MOMENTS}
                self.state[one] = {"step": torch.zeros((), device=one.device), **moments}
        first, second = ([self.state[one][name] for one in learning] for name in MOMENTS)
        adam(
            list(learning),
            [one.grad for one in learning],
            first,
            second,
            [],
            [self.state[one]["step"] for one in learning],
            fused=True,
            amsgrad=False,
            beta1=betas[0],
            beta2=betas[1],
            lr=rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )
