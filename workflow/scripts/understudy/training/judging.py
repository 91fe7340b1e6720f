"""The judges of a stage, and what they say of a drawn frame: each looks once at each footage and each drawn picture.

Axes: B batch, T frames of the roll-out, H rows, W columns.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from understudy.dataset.batch import ClipBatch
from understudy.model.contract import CONTEXT, Composition
from understudy.model.crops import crop, crop_condition, crop_size, seen_boxes
from understudy.model.discriminator import (
    ImageJudge,
    JudgeShape,
    TemporalJudge,
    Verdict,
    judge_condition,
    level_heights,
)
from understudy.model.ranks import chosen_rows
from understudy.settings import JudgeSettings, LossSettings
from understudy.training import losses

COMPACT = JudgeSettings(
    kind="compact", levels=0, width=0, pace=0.6, momentum=0.5, gan="least_squares", frames="last", sparse=False
)
LEVELS = {"compact": 1, "patch": 2}  # where the settings leave their number open
CROPS = {"face": (0,), "hand": (1, 2)}  # rows of a map's boxes that a judge of crops sees
FEWER_IN_CROPS = 2  # levels, than of whole pictures


@dataclass(frozen=True)
class GanKind:
    """The game of generator and judge: `wish` of scores of drawn pictures, `error` of scores of real, drawn ones."""

    wish: Callable[[Tensor], Tensor]
    error: Callable[[Tensor, Tensor], Tensor]


GAN_KINDS = {
    "least_squares": GanKind(losses.least_squares_wish, losses.least_squares_error),
    "hinge": GanKind(losses.hinge_wish, losses.hinge_error),
}


@dataclass(frozen=True)
class Hearing:
    """Frame `place` of a roll-out before the judges.

    Attributes:
        place: in the clip, context frames counted.
        drawn: what the generator made of it.
        batch: its clips.
        history: pictures up to its own, (B, 3, H, W) each, two real ones first.
    """

    place: int
    drawn: Composition
    batch: ClipBatch
    history: list[Tensor]

    @property
    def pictures(self) -> tuple[Tensor, ...]:
        """Drawn pictures that judges of single frames see: the final one only where it is made of an own past."""
        own = self.place > CONTEXT or self.batch.lead is not None
        pictures = (self.drawn.final, self.drawn.raw) if own else (self.drawn.raw,)
        return tuple(self.shown(picture, self.place) for picture in pictures)

    @property
    def real(self) -> Tensor:
        """The footage beside them."""
        return self.shown(self.batch.truth[self.place].picture, self.place)

    def shown(self, picture: Tensor, place: int) -> Tensor:
        """Show a picture of frame `place`: where the footage does not count every one shows the history's, unlearnt."""
        return losses.filled(picture, self.batch.truth[place].counted, self.history[place])


@dataclass(frozen=True)
class Pair:
    """What a judge says of a drawn picture and of the footage; `share` as `chosen_rows` gives it."""

    drawn: Verdict
    real: Verdict
    share: float = 1.0


class Panel(nn.ModuleDict):
    """The judges of a stage by name: `image`, `stride_1` and further strides, `face`, `hand`."""

    def __init__(
        self,
        settings: JudgeSettings,
        strides: tuple[int, ...],
        crops: tuple[str, ...],
        size: tuple[int, int],
        seed: int,
    ):
        """Build the judges.

        Args:
            settings: kind, size and game.
            strides: of the temporal judges, frames.
            crops: names in `CROPS` of what is judged apart.
            size: height and width of the pictures, px.
            seed: of the judges' start.
        """
        super().__init__()
        self.settings, self.strides, self.crops = settings, strides, crops
        self.gan = GAN_KINDS[settings.gan]
        levels = settings.levels or LEVELS[settings.kind]
        self.crop_px = crop_size(size[0])
        few = level_heights(self.crop_px, self.crop_px, max(1, levels - FEWER_IN_CROPS))
        whole, cut = (
            JudgeShape(settings.kind, settings.width, heights) for heights in (level_heights(*size, levels), few)
        )
        with torch.random.fork_rng(devices=[]):  # layers take their start from torch's global state
            torch.manual_seed(seed)
            temporal = {f"stride_{stride}": TemporalJudge(stride, whole) for stride in strides}
            self.update({"image": ImageJudge(whole), **temporal, **{name: ImageJudge(cut) for name in crops}})

    def places(self, frames: int) -> range:
        """List the frames of a clip of `frames` frames, context counted, that are judged."""
        return range(CONTEXT if self.settings.frames == "all" else frames - 1, frames)

    def strides_at(self, place: int, frames: int) -> list[int]:
        """List the strides whose triplet ends at a frame: those with history; sparse ones share no frame."""
        apart = (frames - 1 - place) if self.settings.sparse else 0
        return [one for one in self.strides if place >= 2 * one and apart % (2 * one + 1) == 0]


def judged_crops(weights: LossSettings) -> tuple[str, ...]:
    """Name the crops of which a judge has a weight."""
    return tuple(
        name for name in CROPS if getattr(weights, f"{name}_gan") > 0 or getattr(weights, f"{name}_features") > 0
    )


def judge_terms(panel: Panel, hearing: Hearing) -> tuple[dict[str, Tensor], Tensor]:
    """Ask every judge once about footage and drawn pictures.

    Returns:
        the generator's terms, where few frames are judged with as much weight as if all were; and the judges' own
        loss, for the mean over the judged frames. Both stand on the same passes.
    """
    frames = len(hearing.batch.maps)
    condition = judge_condition(hearing.batch.maps[hearing.place])
    judged = panel.places(frames)
    timed = [place for place in judged if panel.strides_at(place, frames)]
    heard = {
        "image": (judged, _image_verdicts(panel, hearing, condition)),
        "temporal": (timed, _temporal_verdicts(panel, hearing, condition)),
        **{name: (judged, _crop_verdicts(panel, name, hearing, condition)) for name in panel.crops},
    }
    terms, errors = {}, []
    for name, (places, verdicts) in heard.items():
        pairs = list(verdicts)
        if pairs:
            share = hearing.batch.clip_frames / len(places)
            terms |= {term: share * value for term, value in _wishes(name, pairs, panel.gan).items()}
            errors += [_error(pair, panel.gan) for pair in pairs]
    return terms, torch.stack(errors).sum() / len(judged)


def _image_verdicts(panel: Panel, hearing: Hearing, condition: Tensor) -> Iterator[Pair]:
    """Ask the image judge about final and raw picture; the footage is looked at once."""
    judge: ImageJudge = panel["image"]
    real = judge.look(hearing.real, condition)
    pictures = hearing.pictures
    drawn = judge.look(torch.cat(pictures), condition.repeat(len(pictures), 1, 1, 1))  # one batch: fewer, larger steps
    for verdict in drawn.split(len(pictures)):
        yield Pair(verdict, real)


def _temporal_verdicts(panel: Panel, hearing: Hearing, condition: Tensor) -> Iterator[Pair]:
    """Ask the judge of each stride that has three pictures, given the footage's flow; clips without them stay out."""
    batch = hearing.batch
    for stride in panel.strides_at(hearing.place, len(batch.maps)):
        places = [hearing.place - back * stride for back in range(3)]
        chosen = chosen_rows(_own_frames(batch, places[-1]))
        if chosen is None:
            continue
        there, share = chosen
        judge: TemporalJudge = panel[f"stride_{stride}"]
        flows = [batch.strided(place, stride)[0][there] for place in places[:2]]
        drawn = (hearing.drawn.final, *(hearing.history[place] for place in places[1:]))
        own = [hearing.shown(one, place)[there] for one, place in zip(drawn, places, strict=True)]
        real = [hearing.shown(batch.truth[place].picture, place)[there] for place in places]
        yield Pair(judge.look(own, flows, condition[there]), judge.look(real, flows, condition[there]), share)


def _crop_verdicts(panel: Panel, name: str, hearing: Hearing, condition: Tensor) -> Iterator[Pair]:
    """Ask a judge of crops about the frames that show what it judges; two hands are two crops of one batch."""
    boxes = hearing.batch.maps[hearing.place].boxes
    boxes = boxes[:, CROPS[name]].transpose(0, 1).flatten(0, 1)  # (N * B, 4), of what is judged, then of the clips
    chosen = chosen_rows(seen_boxes(boxes))
    if chosen is None:
        return
    there, share = chosen
    clips, size = there.nonzero()[:, 0] % len(condition), panel.crop_px
    own, footage = (crop(one[clips], boxes[there], size) for one in (hearing.pictures[0], hearing.real))
    maps = crop_condition(condition[clips], boxes[there], size)
    judge: ImageJudge = panel[name]
    yield Pair(judge.look(own, maps), judge.look(footage, maps), share)


def _own_frames(batch: ClipBatch, place: int) -> Tensor:
    """Mark the clips whose frame `place` is not the run's first one, repeated: (B,) bool."""
    if place >= CONTEXT:
        return torch.ones(len(batch), dtype=torch.bool, device=batch.past_valid.device)
    return batch.past_valid[:, place] > 0


def _wishes(name: str, pairs: list[Pair], gan: GanKind) -> dict[str, Tensor]:
    """The generator's terms from pairs of verdicts: the game summed over levels, features averaged over them."""
    wish = torch.stack([pair.share * sum(gan.wish(score) for score in pair.drawn.scores) for pair in pairs]).mean()
    features = torch.stack([pair.share * losses.feature_distance(pair.drawn, pair.real) for pair in pairs]).mean()
    return {f"{name}_gan": wish, f"{name}_features": features}


def _error(pair: Pair, gan: GanKind) -> Tensor:
    """What a judge learns to lower, summed over levels."""
    scores = zip(pair.real.scores, pair.drawn.scores, strict=True)
    return pair.share * torch.stack([gan.error(real, drawn) for real, drawn in scores]).sum()
