"""One training step: a roll-out on own pictures, its terms, and the updates of generator and judges.

Axes: B batch, T frames of the roll-out, H rows, W columns.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from understudy.dataset.batch import ClipBatch
from understudy.errors import TrainingError
from understudy.model.contract import CONTEXT, Composition, Generator, Past
from understudy.settings import JudgeSettings, LossSettings
from understudy.training import losses
from understudy.training.judging import COMPACT, Hearing, Panel, judge_terms
from understudy.training.perceptual import PerceptualDistance
from understudy.training.schedule import average_share

TEXTURE_PACE = 5.0  # the atlas learns faster than the network by this factor
JUDGE_PACE = 0.6  # a judge's rate, as a share of the network's
GRADIENT_LIMIT = 1.0  # norm over the network's parameters
PAST_DROP = 0.5  # chance that a roll-out starts without a past picture
TINT, GRAIN = 0.1, 0.06  # noise on the real pictures a roll-out starts from: per channel, per pixel


@dataclass(frozen=True)
class Moment:
    """Where a step stands.

    Attributes:
        step: number of the step, from 0.
        rate: learning rate of the network.
        judged: the judges take part.
    """

    step: int
    rate: float
    judged: bool


@dataclass
class Team:
    """Everything that learns in a stage: the generator, its running average, the judges, and their optimisers."""

    generator: Generator
    strides: tuple[int, ...] = (1,)
    precision: torch.dtype = torch.float32
    seed: int = 0  # of the judges' start
    perceptual: PerceptualDistance | None = None  # never learns
    judging: JudgeSettings = COMPACT
    crops: tuple[str, ...] = ()  # what of each frame is judged apart: face, hand
    average: Generator = field(init=False)
    judges: Panel = field(init=False)
    optimiser: torch.optim.Optimizer = field(init=False)
    judge_optimiser: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        size = self.generator.height_px, self.generator.width_px
        self.judges = Panel(self.judging, self.strides, self.crops, size, self.seed)
        self.judges.to(self.device, memory_format=torch.channels_last)
        if self.perceptual is not None:
            self.perceptual.to(self.device, memory_format=torch.channels_last)
        pace = {"network": 1.0, "texture": TEXTURE_PACE, "plate": 1.0}
        groups = [
            {"params": group, "pace": pace[name], "lr": 0.0} for name, group in self.generator.learning_groups().items()
        ]
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99), fused=True)
        self.judge_optimiser = torch.optim.Adam(self.judges.parameters(), lr=0.0, betas=(0.5, 0.99), fused=True)

    @property
    def device(self) -> torch.device:
        return next(self.generator.parameters()).device

    def autocast(self) -> AbstractContextManager:
        """Run networks in the team's number type."""
        return torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)

    def perceive(self, drawn: Sequence[Tensor], real: Tensor) -> Tensor:
        """Perceptual distance of drawn pictures from the footage, in the team's number type.

        Raises:
            ValueError: the team was made without the network behind it.
        """
        if self.perceptual is None:
            raise ValueError("the perceptual loss has a weight, but the team has no PerceptualDistance")
        with self.autocast():
            return self.perceptual(drawn, real)

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        """Everything with a state, by name."""
        return {
            "generator": self.generator,
            "average": self.average,
            "judges": self.judges,
            "optimiser": self.optimiser,
            "judge_optimiser": self.judge_optimiser,
        }


@dataclass(frozen=True)
class RolledFrame:
    """Frame `place` of a roll-out: what was drawn, the picture before it (own, or real at the start), own terms."""

    place: int
    drawn: Composition
    before: Tensor
    terms: dict[str, Tensor]


def train_step(
    team: Team, batch: ClipBatch, weights: LossSettings, moment: Moment, random: torch.Generator
) -> dict[str, float]:
    """Roll out a batch, lower its losses, and update generator, judges and running average.

    Args:
        team: what learns.
        batch: B clips of T frames after two frames of context.
        weights: of each term.
        moment: number, rate and whether the judges take part.
        random: source of all chance, on the CPU.

    Returns:
        Mean over the roll-out of each term, unweighted, and `total`, their weighted sum.

    Raises:
        TrainingError: a term or the gradient is not finite.
    """
    _set_rates(team, moment.rate)
    team.optimiser.zero_grad(set_to_none=True)
    team.judge_optimiser.zero_grad(set_to_none=True)
    learning = [one for group in team.optimiser.param_groups for one in group["params"]]
    history = [one.picture for one in batch.truth[:CONTEXT]]  # then own pictures, -1..1
    sums: dict[str, Tensor] = {}
    for rolled in roll_out(team, batch, random):
        terms = frame_terms(rolled, batch, weights, team.generator.steadiness(), team.perceive)
        history.append(rolled.drawn.final.detach().clamp(-1, 1))
        judge_loss = None
        if moment.judged and rolled.place in team.judges.places(len(batch.maps)):
            with team.autocast():
                judged, judge_loss = judge_terms(team.judges, Hearing(rolled.place, rolled.drawn, batch, history))
            terms |= judged
        total = weighted_sum(terms, weights) / batch.clip_frames
        # the frames' graphs do not touch, because the past is cut off: one frame's memory, whatever T is
        torch.autograd.backward(total, inputs=learning, retain_graph=judge_loss is not None)
        for name, term in (terms | {"total": total * batch.clip_frames}).items():
            sums[name] = sums.get(name, 0) + term.detach() / batch.clip_frames
        if judge_loss is not None:
            sums["judges"] = sums.get("judges", 0) + _teach_judges(team, judge_loss)
    norm = nn.utils.clip_grad_norm_(team.optimiser.param_groups[0]["params"], GRADIENT_LIMIT)
    figures = {name: float(value) for name, value in sums.items()}
    _check_finite(figures | {"gradient": float(norm)}, moment.step)
    team.optimiser.step()
    team.judge_optimiser.step()  # judges that were not asked have no gradient, and stay
    _update_average(team, moment.step)
    return figures


def roll_out(team: Team, batch: ClipBatch, random: torch.Generator) -> Iterator[RolledFrame]:
    """Draw the T frames of a batch one after the other, each from the team's own pictures before it.

    The first frame gets noisy real pictures as its past, or by chance none, so that errors of its own are no surprise.
    """
    past = _first_past(batch, random, team.generator.scales)
    drawn: Composition | None = None
    for place in range(CONTEXT, len(batch.maps)):
        with team.autocast():
            maps = batch.maps[place - CONTEXT : place + 1]
            drawn, terms = team.generator.teach(maps, past, batch.truth[place], drawn)
        yield RolledFrame(place, drawn, past.finest[:, -1], terms)
        drawn = drawn.detach()
        past = past.then(drawn)


def frame_terms(
    rolled: RolledFrame,
    batch: ClipBatch,
    weights: LossSettings,
    steadiness: Tensor | None = None,
    perceive: Callable[[Sequence[Tensor], Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """Compute the terms of one frame that need no judge, unweighted; those of weight 0 are left out.

    Pixels count by `steadiness` (1, 1, H, W): what no map can tell, such as captions, is not learnt by heart.
    `perceive` is the team's perceptual distance; it counts all pixels alike.
    """
    drawn, truth, before = rolled.drawn, batch.truth[rolled.place], batch.truth[rolled.place - 1].picture
    weight = losses.person_weight(truth.matte, weights.person)  # (B, 1, H, W)
    if steadiness is not None:
        weight = weight * steadiness
    trust = truth.confidence * weight
    final, raw, real = drawn.final, drawn.raw, truth.picture
    own_past = rolled.place > CONTEXT
    # a real past is sharper than the generator's own ever is; a mask taught by it copies too much and blurs roll-outs
    pictures = (final, raw) if own_past else (raw,)
    terms = {
        "picture": lambda: sum(losses.picture_distance(one, real, weight) for one in pictures) / len(pictures),
        "gradient": lambda: sum(losses.gradient_distance(one, real, weight) for one in pictures) / len(pictures),
        "matte": lambda: losses.picture_distance(drawn.matte, truth.matte, weight),
        "flow": lambda: losses.flow_distance(drawn.flow, truth.flow, trust),
        "flow_warp": lambda: losses.warp_distance(before, drawn.flow, real, trust),
    }
    if perceive is not None:
        terms["perceptual"] = lambda: perceive(pictures, real)
    if own_past:
        terms["mask"] = lambda: losses.mask_share(drawn.mask, trust)
        own = rolled.before
        terms["temporal_difference"] = lambda: losses.temporal_difference(
            (final, own), (real, before), truth.flow, trust
        )
        terms["output_warp"] = lambda: losses.warp_distance(own, truth.flow, final, trust)
    terms |= {name: lambda term=term: term for name, term in rolled.terms.items()}
    return {name: term() for name, term in terms.items() if getattr(weights, name) > 0}


def weighted_sum(terms: Mapping[str, Tensor], weights: LossSettings) -> Tensor:
    """Add the terms up, each times its weight."""
    return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()


def _first_past(batch: ClipBatch, random: torch.Generator, scales: int) -> Past:
    """Make a roll-out's first past from noisy real pictures; by chance there is none."""
    real = torch.stack([one.picture for one in batch.truth[:CONTEXT]], dim=1)
    tint = TINT * torch.randn(len(batch), 1, 3, 1, 1, generator=random)
    grain = GRAIN * torch.randn(real.shape, generator=random)
    kept = torch.rand(len(batch), 1, generator=random) >= PAST_DROP  # (B, 1)
    valid = (batch.past_valid * kept.to(real)).view(-1, CONTEXT, 1, 1, 1)
    return Past.of((real + (tint + grain).to(real)) * valid, valid, scales)


def _teach_judges(team: Team, loss: Tensor) -> Tensor:
    """Gather the judges' gradient; they take their step when the generator does."""
    torch.autograd.backward(loss, inputs=list(team.judges.parameters()))
    return loss.detach()


def _set_rates(team: Team, rate: float) -> None:
    for group in team.optimiser.param_groups:
        group["lr"] = rate * group["pace"]
    for group in team.judge_optimiser.param_groups:
        group["lr"] = rate * JUDGE_PACE


@torch.no_grad()
def _update_average(team: Team, step: int) -> None:
    average, current = list(team.average.parameters()), list(team.generator.parameters())
    torch._foreach_lerp_(average, current, 1 - average_share(step))


def _check_finite(figures: Mapping[str, float], step: int) -> None:
    """Stop where a figure is not finite.

    Raises:
        TrainingError: naming the step and every term.
    """
    if all(math.isfinite(value) for value in figures.values()):
        return
    listed = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    raise TrainingError(
        f"Step {step}: not finite ({listed}). The saved state before it is kept; lower the stage's learning_rate, or "
        f"look for broken frames in the clips' overlays."
    )
