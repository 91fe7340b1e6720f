"""One training step: a roll-out on own pictures, its terms, and the updates of generator and judges.

Axes: B batch, T frames of the roll-out, H rows, W columns.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from understudy.dataset.batch import ClipBatch, FrameTruth, Lead
from understudy.errors import TrainingError
from understudy.flow.warp import warp
from understudy.model.contract import CONTEXT, Composition, Generator, Past, channel_order
from understudy.model.crops import seen_boxes
from understudy.model.ranks import chosen_rows, own_rows, rank_mean, ranks
from understudy.settings import JudgeSettings, LossSettings
from understudy.training import losses
from understudy.training.adam import Adam
from understudy.training.judging import COMPACT, Hearing, Panel, judge_terms
from understudy.training.perceptual import PerceptualDistance
from understudy.training.schedule import average_share
from understudy.training.together import average_gradients

TEXTURE_PACE = 5.0  # the atlas learns faster than the network by this factor
SECOND_MOMENT = 0.99  # Adam's second beta
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
        frozen: what was there before the last growth rests.
        backpropagate: own frames in a row through which gradients flow.
    """

    step: int
    rate: float
    judged: bool
    frozen: bool = False
    backpropagate: int = 1


@dataclass
class Team:
    """Everything that learns in a stage: the generator, its running average, the judges, and their optimisers."""

    generator: Generator
    strides: tuple[int, ...] = (1,)
    precision: torch.dtype = torch.float32
    seed: int = 0  # of the judges' start
    momentum: float = 0.9  # of the generator's optimiser
    perceptual: PerceptualDistance | None = None  # never learns
    judging: JudgeSettings = COMPACT
    crops: tuple[str, ...] = ()  # what of each frame is judged apart: face, hand
    average: Generator = field(init=False)
    judges: Panel = field(init=False)
    optimiser: Adam = field(init=False)
    judge_optimiser: Adam = field(init=False)

    def __post_init__(self) -> None:
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        size = self.generator.height_px, self.generator.width_px
        self.judges = Panel(self.judging, self.strides, self.crops, size, self.seed)
        self.judges.to(self.device, memory_format=channel_order(self.device))
        if self.perceptual is not None:
            self.perceptual.to(self.device, memory_format=torch.channels_last)
        pace = {"network": 1.0, "texture": TEXTURE_PACE, "plate": 1.0}
        groups = [
            {"params": group, "pace": pace[name], "lr": 0.0} for name, group in self.generator.learning_groups().items()
        ]
        self.optimiser = Adam(groups, (self.momentum, SECOND_MOMENT))
        judges = {"params": self.judges.parameters(), "lr": 0.0}
        self.judge_optimiser = Adam([judges], (self.judging.momentum, SECOND_MOMENT))

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

    def parts(self) -> dict[str, nn.Module | Adam]:
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
    """One frame of a roll-out.

    Attributes:
        place: in the clip, context frames counted.
        drawn: what the generator made of it.
        before: (B, 3, H, W) the picture before it.
        own: that picture is the generator's own, not footage.
        cut: no gradient comes from later frames.
        terms: the generator's own.
    """

    place: int
    drawn: Composition
    before: Tensor
    own: bool
    cut: bool
    terms: dict[str, Tensor]


def train_step(
    team: Team,
    batch: ClipBatch,
    weights: LossSettings,
    moment: Moment,
    random: torch.Generator,
    more: Iterable[ClipBatch] = (),
) -> dict[str, float]:
    """Roll out a batch, lower its losses, and update generator, judges and running average.

    Args:
        team: what learns.
        batch: B clips of T frames after two frames of context; where several ranks train, this rank's.
        weights: of each term.
        moment: number, rate and who takes part.
        random: source of all chance, on the CPU; in the same state on every rank.
        more: further batches of the same update, taken one after the other: gradients are the mean over all.

    Returns:
        Mean over the roll-outs of each term, of all ranks, unweighted, and `total`, their weighted sum.

    Raises:
        TrainingError: a term or the gradient is not finite.
    """
    _set_rates(team, moment.rate)
    for one in team.generator.old_parameters():
        one.requires_grad_(not moment.frozen)
    team.optimiser.zero_grad()
    team.judge_optimiser.zero_grad()
    sums, batches = learn_from(team, batch, weights, moment, random), 1
    for one in more:
        batches += 1
        for name, term in learn_from(team, one, weights, moment, random).items():
            sums[name] = sums.get(name, 0) + term
    _average_gradients(team, batches)
    norm = nn.utils.clip_grad_norm_(team.optimiser.param_groups[0]["params"], GRADIENT_LIMIT)
    means = rank_mean(torch.stack([value.float() for value in sums.values()])) / batches
    figures = dict(zip(sums, means.tolist(), strict=True))
    _check_finite(figures | {"gradient": float(norm)}, moment.step)
    team.optimiser.step()  # what has no gradient stays, its moments too
    team.judge_optimiser.step()  # judges that were not asked have no gradient, and stay
    _update_average(team, moment.step)
    return figures


def learn_from(
    team: Team, batch: ClipBatch, weights: LossSettings, moment: Moment, random: torch.Generator
) -> dict[str, Tensor]:
    """Roll out a batch and add its gradients to those of generator and judges; returns the terms as `train_step`."""
    learning = [one for group in team.optimiser.param_groups for one in group["params"] if one.requires_grad]
    start = first_past(team, batch, random)
    history = _first_history(batch, start)  # then own pictures, -1..1
    held: list[Tensor] = []  # totals of frames whose graphs hang together
    judge_losses: list[Tensor] = []
    sums: dict[str, Tensor] = {}
    for rolled in roll_out(team, batch, start, moment.backpropagate):
        steadiness = team.generator.steadiness(batch.maps[rolled.place])
        terms = frame_terms(rolled, batch, weights, steadiness, team.perceive)
        history.append(rolled.drawn.final.clamp(-1, 1))
        if moment.judged and rolled.place in team.judges.places(len(batch.maps)):
            with team.autocast():
                judged, judge_loss = judge_terms(team.judges, Hearing(rolled.place, rolled.drawn, batch, history))
            terms |= judged
            judge_losses.append(judge_loss)
        held.append(weighted_sum(terms, weights) / batch.clip_frames)
        for name, term in (terms | {"total": held[-1] * batch.clip_frames}).items():
            sums[name] = sums.get(name, 0) + term.detach() / batch.clip_frames
        if not rolled.cut:
            continue
        # graphs end where the past is cut off: the memory of so many frames, whatever T is
        total = torch.stack(held).sum()
        if total.requires_grad:  # not where all that drew it rests
            torch.autograd.backward(total, inputs=learning, retain_graph=bool(judge_losses))
        if judge_losses:
            sums["judges"] = sums.get("judges", 0) + _teach_judges(team, torch.stack(judge_losses).sum())
        history = [one.detach() for one in history]
        held, judge_losses = [], []
    return sums


def roll_out(team: Team, batch: ClipBatch, past: Past, backpropagate: int = 1) -> Iterator[RolledFrame]:
    """Draw the T frames of a batch one after the other, each from the team's own pictures before it.

    Args:
        team: draws.
        batch: its clips.
        past: before the first frame.
        backpropagate: frames after which the past is cut off from the graph.
    """
    drawn: Composition | None = None
    last = len(batch.maps) - 1
    for place in range(CONTEXT, last + 1):
        with team.autocast():
            maps = batch.maps[place - CONTEXT : place + 1]
            drawn, terms = team.generator.teach(maps, past, batch.truth[place], drawn)
        own = place > CONTEXT or batch.lead is not None
        cut = place == last or (place - CONTEXT + 1) % backpropagate == 0
        yield RolledFrame(place, drawn, past.finest[:, -1], own, cut, terms)
        if cut:
            drawn, past = drawn.detach(), past.detach()
        past = past.then(drawn)


def first_past(team: Team, batch: ClipBatch, random: torch.Generator) -> Past:
    """Make a roll-out's first past: own pictures where the batch has a lead-in, else noisy real ones or none."""
    if batch.lead is not None:
        return led_past(team, batch.lead)
    return _noisy_past(batch, random, team.generator.scales)


@torch.no_grad()
def led_past(team: Team, lead: Lead) -> Past:
    """Draw the frames before the clips as rendering does: from no past at first, then from own pictures alone.

    Where a clip's run starts later than the lead-in, there is no past before the run's own first picture.
    """
    past = Past.nothing(len(lead.numbers), team.generator, team.device)
    for maps, inside in lead:
        with team.autocast():
            drawn = team.generator(maps, past)
        past = past.then(drawn)
        valid = past.valid * torch.stack([past.valid.new_ones(len(inside)), inside], dim=1)[..., None, None, None]
        past = Past(tuple(pictures * valid for pictures in past.pictures), valid)
    return past


def frame_terms(
    rolled: RolledFrame,
    batch: ClipBatch,
    weights: LossSettings,
    steadiness: Tensor | None = None,
    perceive: Callable[[Sequence[Tensor], Tensor], Tensor] | None = None,
) -> dict[str, Tensor]:
    """Compute the terms of one frame that need no judge, unweighted; those of weight 0 are left out.

    Pixels count by `steadiness` (B or 1, 1, H, W): what no map can tell, such as captions, is not learnt by heart.
    `perceive` is the team's perceptual distance; it counts all pixels alike. In the clip's ignored boxes nothing is
    learnt but the matte: there the weights are 0, and what compares whole pictures sees the drawn one on both sides.
    """
    drawn, truth, previous = rolled.drawn, batch.truth[rolled.place], batch.truth[rolled.place - 1]
    before, counted = previous.picture, truth.counted
    weight = losses.person_weight(truth.matte, weights.person)  # (B, 1, H, W)
    if steadiness is not None:
        weight = weight * steadiness
    whole, weight = weight, weight * counted
    trust = truth.confidence * weight
    final, raw, real = drawn.final, drawn.raw, truth.picture
    # a real past is sharper than the generator's own ever is; a mask taught by it copies too much and blurs roll-outs
    pictures = (final, raw) if rolled.own else (raw,)

    def shown(picture: Tensor) -> Tensor:
        return losses.filled(picture, counted, final)

    terms = {
        "picture": lambda: sum(losses.picture_distance(one, real, weight) for one in pictures) / len(pictures),
        "gradient": lambda: sum(losses.gradient_distance(one, real, weight) for one in pictures) / len(pictures),
        "detail": lambda: sum(losses.detail_distance(one, real, weight) for one in pictures) / len(pictures),
        "matte": lambda: losses.picture_distance(drawn.matte, truth.matte, whole),
        "flow": lambda: losses.flow_distance(drawn.flow, truth.flow, trust),
        "flow_warp": lambda: losses.warp_distance(before, drawn.flow, real, trust * _arriving(previous, drawn.flow)),
    }
    if weights.face > 0 and (faces := chosen_rows(seen_boxes(boxes := batch.maps[rolled.place].boxes[:, 0]))):
        seen, share = faces
        terms["face"] = lambda: share * losses.face_distance(shown(final)[seen], shown(real)[seen], boxes[seen])
    if perceive is not None:
        terms["perceptual"] = lambda: perceive([shown(one) for one in pictures], shown(real))
    if rolled.own:
        terms["mask"] = lambda: losses.mask_share(drawn.mask, trust)
        own = rolled.before
        terms["temporal_difference"] = lambda: losses.temporal_difference(
            (final, own), (real, before), truth.flow, trust
        )
        terms["output_warp"] = lambda: losses.warp_distance(own, truth.flow, final, trust)
    terms |= {name: lambda term=term: term for name, term in rolled.terms.items()}
    return {name: term() for name, term in terms.items() if getattr(weights, name) > 0}


@torch.no_grad()
def _arriving(previous: FrameTruth, flow: Tensor) -> Tensor:
    """Mark the pixels whose flow ends where the frame before counts: (B, 1, H, W) float32 0/1."""
    return (warp(1 - previous.counted, flow) == 0).float()


def weighted_sum(terms: Mapping[str, Tensor], weights: LossSettings) -> Tensor:
    """Add the terms up, each times its weight."""
    return torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()


def _noisy_past(batch: ClipBatch, random: torch.Generator, scales: int) -> Past:
    """Make a past of real pictures with noise, or by chance none, so that errors of its own are no surprise."""
    real = torch.stack([one.picture for one in batch.truth[:CONTEXT]], dim=1)
    chances = _chances(len(batch), random)
    tint = TINT * torch.stack([torch.randn(1, 3, 1, 1, generator=one) for one in chances])
    grain = GRAIN * torch.stack([torch.randn(real.shape[1:], generator=one) for one in chances])
    kept = torch.cat([torch.rand(1, 1, generator=one) for one in chances]) >= PAST_DROP  # (B, 1)
    valid = (batch.past_valid * kept.to(real)).view(-1, CONTEXT, 1, 1, 1)
    return Past.of((real + (tint + grain).to(real)) * valid, valid, scales)


def _chances(clips: int, random: torch.Generator) -> list[torch.Generator]:
    """Make a source of chance for each of this rank's clips: the one it would have in the whole batch."""
    batch = clips * ranks()
    seeds = torch.randint(2**62, (batch,), generator=random)
    return [torch.Generator().manual_seed(seed) for seed in seeds[own_rows(batch)].tolist()]


def _first_history(batch: ClipBatch, past: Past) -> list[Tensor]:
    """Pictures (B, 3, H, W) of the two context frames as the temporal judges see them: own ones after a lead-in."""
    real = [one.picture for one in batch.truth[:CONTEXT]]
    if batch.lead is None:
        return real
    pairs = zip(past.finest.unbind(1), past.valid.unbind(1), real, strict=True)
    return [torch.where(valid > 0, own, footage) for own, valid, footage in pairs]


def _average_gradients(team: Team, batches: int) -> None:
    """Make the mean, over batches and over ranks, of gradients that were added up over batches."""
    optimisers = (team.optimiser, team.judge_optimiser)
    everyone = [one for each in optimisers for group in each.param_groups for one in group["params"]]
    gradients = [one.grad for one in everyone if one.grad is not None]
    if batches > 1:
        torch._foreach_div_(gradients, batches)
    average_gradients(everyone)


def _teach_judges(team: Team, loss: Tensor) -> Tensor:
    """Gather the judges' gradient; they take their step when the generator does."""
    torch.autograd.backward(loss, inputs=list(team.judges.parameters()))
    return loss.detach()


def _set_rates(team: Team, rate: float) -> None:
    for group in team.optimiser.param_groups:
        group["lr"] = rate * group["pace"]
    for group in team.judge_optimiser.param_groups:
        group["lr"] = rate * team.judging.pace


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
