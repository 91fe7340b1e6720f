"""Operations and time of a vid2vid training step and a drawn frame, beside the same step with the original's passes.

    .venv/bin/python benchmarks/vid2vid_step.py

One frame, image judge and temporal judges of two strides, two levels, no perceptual network on either side. The
yardstick of the same run asks the same judges as the original does: final and raw picture each three times over
(footage, drawn, drawn without gradient), every temporal triplet too, then once more backwards for the judges.
Shares are ours over the yardstick's: of operations, of the judges' operations, of time with our optimiser on both
sides, of time where the yardstick has PyTorch's plain Adam, which is what the original calls, and of time where ours
computes in the number type that a training takes here by itself (`training.precision: auto`), unlike the yardstick.
"""

import logging
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))

from understudy.dataset.batch import ClipBatch, FrameTruth, SemanticMap  # noqa: E402
from understudy.model.contract import CONTEXT, Past  # noqa: E402
from understudy.model.discriminator import Verdict, judge_condition  # noqa: E402
from understudy.model.vid2vid.net import Vid2Vid  # noqa: E402
from understudy.settings import JudgeSettings, ModelSettings  # noqa: E402
from understudy.training import losses  # noqa: E402
from understudy.training.judging import Hearing, judge_terms  # noqa: E402
from understudy.training.stage import number_type  # noqa: E402
from understudy.training.step import Team  # noqa: E402

CASES = ((128, 64, 32), (128, 64, 64), (256, 128, 32), (256, 128, 64))  # height, width, channels
STRIDES = (1, 3)
FRAMES = 2 * max(STRIDES) + 1  # until every temporal judge has its triplet
LAPS = 4
JUDGES = JudgeSettings(
    kind="patch", levels=2, width=64, pace=1.0, momentum=0.5, gan="least_squares", frames="last", sparse=False
)
logger = logging.getLogger("vid2vid_step")
Verdicts = tuple[Verdict, Verdict, Verdict]  # of footage, of the drawn picture, of it without gradient


def random_batch(height: int, width: int) -> ClipBatch:
    """A clip of noise; what it shows does not change the work."""
    chance = torch.Generator().manual_seed(0)

    def noise(channels: int) -> Tensor:
        return torch.rand(1, channels, height, width, generator=chance)

    part = torch.randint(0, 25, (1, 2 * height, 2 * width), generator=chance)
    uv = torch.rand(1, 2, 2 * height, 2 * width, generator=chance)
    maps = [SemanticMap(part, uv, noise(3), noise(2), noise(1), torch.zeros(1, 3, 4)) for _ in range(FRAMES)]
    truth = [FrameTruth(noise(3), noise(1), noise(2), noise(1)) for _ in range(FRAMES)]
    far = {stride: [(noise(2), noise(1)) for _ in range(FRAMES)] for stride in STRIDES if stride > 1}
    return ClipBatch(maps, truth, torch.ones(1, CONTEXT), torch.zeros(1, FRAMES, dtype=torch.int64), far)


def draw(team: Team, batch: ClipBatch):
    past = Past.of(torch.stack([one.picture for one in batch.truth[-3:-1]], dim=1), torch.ones(1, 2, 1, 1, 1))
    return team.generator(batch.maps[-3:], past)


def frame_loss(drawn, truth: FrameTruth) -> Tensor:
    """The losses without a judge: they cost next to nothing and are the same on both sides."""
    flow = losses.flow_distance(drawn.flow, truth.flow, truth.confidence)
    return losses.picture_distance(drawn.final, truth.picture, truth.matte) + flow


def step(team: Team, batch: ClipBatch) -> None:
    """A training step as ours: each judge looks once at each picture."""
    with team.autocast():
        drawn = draw(team, batch)
        history = [one.picture for one in batch.truth[:-1]] + [drawn.final]
        terms, judged = judge_terms(team.judges, Hearing(FRAMES - 1, drawn, batch, history))
        total = frame_loss(drawn, batch.truth[-1]) + sum(terms.values())
    team.optimiser.zero_grad()
    torch.autograd.backward(total, inputs=list(team.generator.parameters()), retain_graph=True)
    team.judge_optimiser.zero_grad()
    torch.autograd.backward(judged, inputs=list(team.judges.parameters()))
    team.optimiser.step()
    team.judge_optimiser.step()


def original_step(team: Team, batch: ClipBatch, optimisers: Sequence) -> None:
    """The same step with the original's passes; its generator's gradient reaches the judges too, in vain."""
    drawn, truth, condition = draw(team, batch), batch.truth[-1], judge_condition(batch.maps[-1])
    image = team.judges["image"]
    heard = [
        _three_passes(lambda picture: image.look(picture, condition), one, truth.picture)
        for one in (drawn.final, drawn.raw)
    ]
    last = FRAMES - 1
    for stride in STRIDES:
        judge = team.judges[f"stride_{stride}"]
        rest = [batch.truth[last - back * stride].picture for back in (1, 2)]
        flows = [batch.strided(last - back * stride, stride)[0] for back in (0, 1)]

        def look(picture: Tensor, judge=judge, rest=rest, flows=flows) -> Verdict:
            return judge.look([picture, *rest], flows, condition)

        heard.append(_three_passes(look, drawn.final, truth.picture))
    wishes = [losses.least_squares_wish(score) for _, fake, _ in heard for score in fake.scores]
    wishes += [losses.feature_distance(fake, real) for real, fake, _ in heard]
    errors = [
        losses.least_squares_error(real, fake)
        for verdicts in heard
        for real, fake in zip(verdicts[0].scores, verdicts[2].scores, strict=True)
    ]
    for optimiser in optimisers:
        optimiser.zero_grad()
    torch.autograd.backward(frame_loss(drawn, truth) + sum(wishes), retain_graph=True)
    for optimiser in optimisers[1:]:
        optimiser.zero_grad()
    sum(errors).backward()
    for optimiser in optimisers:
        optimiser.step()


def original_optimisers(team: Team) -> list[torch.optim.Adam]:
    """Adam as the original calls it, once for the generator and once for each judge: PyTorch's plain one."""
    return [torch.optim.Adam(part.parameters(), 2e-4, (0.5, 0.999)) for part in (team.generator, *team.judges.values())]


def _three_passes(look: Callable[[Tensor], Verdict], picture: Tensor, real: Tensor) -> Verdicts:
    return look(real), look(picture), look(picture.detach())


def giga_operations(act: Callable[[], object]) -> float:
    """Count multiplications and additions, 10^9."""
    with FlopCounterMode(display=False) as counter:
        act()
    return counter.get_total_flops() / 1e9


def seconds(*acts: Callable[[], object]) -> list[float]:
    """Median time of each of several acts, taken in turns so that a busy machine slows all alike."""
    for act in acts:
        act()
    laps: list[list[float]] = [[] for _ in acts]
    for _ in range(LAPS):
        for act, times in zip(acts, laps, strict=True):
            started = time.perf_counter()
            act()
            times.append(time.perf_counter() - started)
    return [statistics.median(times) for times in laps]


def measure(height: int, width: int, channels: int) -> None:
    """Measure one case and print its row."""
    settings = ModelSettings(generator="vid2vid", width=channels, texels=8, latents=0)
    team, batch = Team(Vid2Vid(settings, height, width), STRIDES, judging=JUDGES), random_batch(height, width)
    with torch.no_grad():
        frame = giga_operations(lambda: draw(team, batch))
        (drawing,) = seconds(lambda: draw(team, batch))
    shipped = Team(Vid2Vid(settings, height, width), STRIDES, number_type("auto", team.device), judging=JUDGES)
    alike, own = [team.optimiser, team.judge_optimiser], original_optimisers(team)
    acts = [
        lambda: step(team, batch),
        lambda: original_step(team, batch, alike),
        lambda: original_step(team, batch, own),
        lambda: step(shipped, batch),
    ]
    ours, theirs = (giga_operations(act) for act in acts[:2])
    alone = 3 * frame  # forward, and backwards for inputs and weights
    ours_s, alike_s, theirs_s, shipped_s = seconds(*acts)
    logger.info(
        "| %d x %d, %d | %.1f | %.3f | %.0f | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |",
        *(height, width, channels, frame, drawing, ours, ours / theirs, (ours - alone) / (theirs - alone)),
        *(ours_s, ours_s / alike_s, ours_s / theirs_s, shipped_s / theirs_s),
    )


def main() -> None:
    """Measure every case."""
    logger.info(
        "| H x W, N | frame GFLOP | frame s | step GFLOP | share | judges' share | step s | share | plain Adam | auto |"
    )
    logger.info("|---|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        measure(*case)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
