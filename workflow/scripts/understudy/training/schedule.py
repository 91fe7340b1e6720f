"""How far a stage has come, when it ends, and how fast it learns."""

import math
from dataclasses import dataclass

import torch

from understudy.errors import TrainingError
from understudy.settings import RolloutSettings, StageSettings

WARM_UP = 0.03  # share of a stage in which the rate rises
FIRST_RATE = 0.05  # share of the full rate at the first step
LAST_RATE = 0.02  # and at the last
EMA_LIMIT = 0.998
SHORTEST = 2  # frames of a long roll-out: as many as a clip has of context


@dataclass(frozen=True)
class Schedule:
    """A stage's limits: `steps` and `seconds` of training, 0 means none; the nearer one counts."""

    steps: int
    seconds: float

    @classmethod
    def of(cls, stage: StageSettings, frames: int) -> "Schedule":
        """Read the limits of a stage.

        Args:
            stage: its settings.
            frames: of the footage that trains; an epoch is one clip for each of them.

        Raises:
            TrainingError: it has none.

        Source: Wang et al., Video-to-Video Synthesis, 2018, for the epoch; their code draws one sample per frame.
        """
        if stage.steps <= 0 and stage.epochs <= 0 and stage.seconds <= 0:
            raise TrainingError(
                f"Stage '{stage.name}' has steps: 0, epochs: 0 and seconds: 0 and would never end; set one above 0."
            )
        by_epochs = math.ceil(stage.epochs * frames / (stage.batch * stage.accumulate))
        limits = [limit for limit in (stage.steps, by_epochs) if limit > 0]
        return cls(min(limits, default=0), stage.seconds)

    def progress(self, step: int, seconds: float) -> float:
        """Share of the stage that is done, 0..1, after `step` steps and `seconds` of training."""
        by_steps = step / self.steps if self.steps else 0.0
        by_time = seconds / self.seconds if self.seconds else 0.0
        return min(1.0, max(by_steps, by_time))

    def seconds_left(self, step: int, seconds: float) -> float:
        """Estimated seconds of training to the end."""
        done = self.progress(step, seconds)
        return seconds * (1 - done) / done if done else math.inf


def learning_rate(stage: StageSettings, progress: float) -> float:
    """Learning rate of the network after a share 0..1 of a stage; everything else keeps its pace to it."""
    share = linear_share(progress, stage.decay_from) if stage.decay == "linear" else cosine_share(progress)
    return stage.learning_rate * share


def cosine_share(progress: float) -> float:
    """Share of the full learning rate: a short rise, then half a cosine down to almost nothing.

    Source: Loshchilov, Hutter, SGDR, 2017; the rise because Adam's first steps are wild.
    """
    rise = min(1.0, FIRST_RATE + progress / WARM_UP)
    return rise * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * progress)))


def linear_share(progress: float, decay_from: float) -> float:
    """Share of the full learning rate: all of it up to `decay_from`, then straight down to 0 at the stage's end.

    Source: Isola et al., pix2pix, 2017, and vid2vid after it: half the epochs constant, half falling.
    """
    return min(1.0, (1 - progress) / (1 - decay_from))


def rollout_frames(rollout: RolloutSettings, progress: float, random: torch.Generator) -> int:
    """Draw how many own frames are rolled out before a clip; 0 starts it from the footage.

    The longest possible roll-out grows with the stage from 2 frames to `rollout.frames`; early pictures are too poor to
    start from. Without roll-outs no chance is used up.

    Args:
        rollout: longest roll-out, and the share of the steps that have one.
        progress: share of the stage that is done, 0..1.
        random: on the CPU.
    """
    if rollout.share == 0 or torch.rand((), generator=random) >= rollout.share:
        return 0
    longest = SHORTEST + round((rollout.frames - SHORTEST) * progress)
    return int(torch.randint(SHORTEST, longest + 1, (), generator=random))


def average_share(step: int) -> float:
    """Share of the running average that step `step` (from 0) keeps; short memory first, 500 steps later."""
    return min(EMA_LIMIT, (1 + step) / (10 + step))
