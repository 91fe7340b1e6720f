"""Memory and time that the recipes are planned for, stage by stage: counted on a small model, scaled by the pixels.

    .venv/bin/python benchmarks/recipes.py config/dance_256.yaml 25

The second word is the GPU's rate for bfloat16 matrices, 10^12 operations a second, as its maker states it; a tenth of
it is taken for reached, because small pictures keep a GPU waiting. Weights are counted whole; what autograd keeps and
what is computed of one frame is counted at an eighth of each side and grows with the pixels. Nothing runs on a GPU
here: the plan is to be held to one.
"""

import logging
import sys
from pathlib import Path

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "workflow" / "scripts"))
sys.path.append(str(ROOT / "benchmarks"))

from vid2vid_step import random_batch  # noqa: E402

from understudy.model.build import add_face, grow_generator, start_generator  # noqa: E402
from understudy.model.contract import Generator, Past  # noqa: E402
from understudy.project import Project  # noqa: E402
from understudy.settings import ModelSettings, StageSettings, TrainingSettings, from_params  # noqa: E402
from understudy.training.judging import Hearing, judge_terms, judged_crops  # noqa: E402
from understudy.training.memory import Need, probe  # noqa: E402
from understudy.training.step import RolledFrame, Team, frame_terms  # noqa: E402
from understudy.validation import load_project  # noqa: E402

SHRINK = 8  # of each side, for counting
WIDTH_SHARE = 0.5625  # of the height: upright 16 to 9
REACHED = 0.1  # of a GPU's stated rate
FOOTAGE_FRAMES = 1800  # one minute at 30 frames a second: what an epoch is counted by
GIB = 2**30
logger = logging.getLogger("recipes")


def make_generator(project: Project, stages: list[StageSettings]) -> Generator:
    """Build the generator of the last of some stages, an eighth as high and wide, with all its doublings."""
    model = from_params(ModelSettings, project.section("model"))
    size = stages[0].height_px // SHRINK
    generator = start_generator([_noise(size)], model, seed=1)
    for row in stages:
        if row.height_px // SHRINK > generator.height_px:
            generator = grow_generator(generator, [_noise(row.height_px // SHRINK)[1]], seed=1)
        if row.face:
            generator = add_face(generator, row.face, seed=1)
    return generator.requires_grad_(True)


def _noise(height: int):
    batch = random_batch(height, _width(height))
    return batch.maps[0], batch.truth[0]


def _width(height: int) -> int:
    return max(8, round(WIDTH_SHARE * height))


def operations(team: Team, training: TrainingSettings, height: int) -> tuple[float, float]:
    """Count forward and backward operations of one frame, and of judging it, at the counted size."""
    batch = random_batch(height, _width(height))
    real = [one.picture for one in batch.truth]
    past = Past.of(torch.stack(real[-3:-1], dim=1), torch.ones(1, 2, 1, 1, 1), team.generator.scales)
    with FlopCounterMode(display=False) as drawn_count:
        drawn, terms = team.generator.teach(batch.maps[-3:], past, batch.truth[-1], None)
        rolled = RolledFrame(len(real) - 1, drawn, real[-2], own=True, cut=True, terms=terms)
        held = frame_terms(rolled, batch, training.losses, team.generator.steadiness(batch.maps[-1]))
        total = torch.stack([term.float() for term in held.values()]).sum()
        total.backward(retain_graph=True)
    with FlopCounterMode(display=False) as judged_count:
        wished, judged = judge_terms(team.judges, Hearing(len(real) - 1, drawn, batch, [*real[:-1], drawn.final]))
        torch.autograd.backward(sum(wished.values()), inputs=list(team.generator.parameters()), retain_graph=True)
        judged.backward(inputs=list(team.judges.parameters()))
    judges = (
        judged_count.get_total_flops() - drawn_count.get_total_flops() * 2 / 3
    )  # its way back through the generator
    return drawn_count.get_total_flops(), max(judges, 0.0)


def plan(project: Project, name: str, rate: float) -> tuple[float, float]:
    """Plan one stage: GiB at its peak, and hours."""
    rows = [from_params(TrainingSettings, project.stage_training(row["name"])) for row in project.stages()]
    place = [each.stages[0].name for each in rows].index(name)
    training, (stage,) = rows[place], rows[place].stages
    generator = make_generator(project, [each.stages[0] for each in rows[: place + 1]])
    strides = tuple(each for each in project.section("flow")["strides"] if 2 * each <= stage.clip_frames + 1)
    team = Team(generator, strides, torch.bfloat16, judging=training.judges, crops=judged_crops(training.losses))
    height = stage.height_px // SHRINK
    clip = random_batch(height, _width(height))
    need = probe(team, type(clip).__getitem__(_two(clip), slice(0, 2)), training.losses, stage.judges_from < 1)
    held = 2 * sum(one.nbytes for one in generator.parameters()) + sum(one.nbytes for one in team.judges.parameters())
    frames = min(stage.max_frames_backpropagate, stage.clip_frames)
    own_batch = max(1, stage.batch // training.gpus)
    peak = held + _scaled(need).bytes(own_batch, frames)
    drawn, judged = operations(team, training, height)
    share = 1 if training.judges.frames == "all" else 1 / stage.clip_frames
    work = SHRINK**2 * (drawn + judged * share * (1 - stage.judges_from)) * stage.batch * stage.clip_frames
    steps = stage.steps or stage.epochs * FOOTAGE_FRAMES / stage.batch
    hours = work * steps / (rate * 1e12 * REACHED * training.gpus) / 3600
    logger.info(
        "| %s | %d | %d | %d | %.1f | %.1f |", name, stage.height_px, stage.clip_frames, steps, peak / GIB, hours
    )
    return peak / GIB, hours


def _two(clip):
    """Two clips of the same noise."""
    maps, truth = ([type(one).stack([one, one]) for one in each] for each in (clip.maps, clip.truth))
    far = {
        stride: [tuple(torch.cat([each, each]) for each in pair) for pair in pairs]
        for stride, pairs in clip.far.items()
    }
    return type(clip)(maps, truth, clip.past_valid.repeat(2, 1), clip.frames.repeat(2, 1), far)


def _scaled(need: Need) -> Need:
    """Carry what is kept of a frame to the stage's pixels; what is kept once are copies of weights, in bfloat16."""
    area = SHRINK**2
    frame, judged = (type(each)(each.once, each.each * area) for each in (need.frame, need.judged))
    return Need(need.still, need.clip * area, frame, judged, need.every_frame)


def main(config: Path, rate: float) -> None:
    """Plan every stage of a recipe."""
    project = load_project(yaml.safe_load(config.read_text(encoding="utf-8")), ROOT)
    logger.info("| stage | height px | T | steps | peak GiB | hours |\n|---|---|---|---|---|---|")
    figures = [plan(project, row["name"], rate) for row in project.stages()]
    logger.info("at most %.1f GiB, %.1f hours together", max(peak for peak, _ in figures), sum(h for _, h in figures))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(Path(sys.argv[1]), float(sys.argv[2]))
