"""How far a stage has come, when it ends, and how fast it learns."""

import math
from dataclasses import dataclass

from understudy.errors import TrainingError
from understudy.settings import StageSettings

WARM_UP = 0.03  # share of a stage in which the rate rises
FIRST_RATE = 0.05  # share of the full rate at the first step
LAST_RATE = 0.02  # and at the last
EMA_LIMIT = 0.998


@dataclass(frozen=True)
class Schedule:
    """A stage's limits: `steps` and `seconds` of training, 0 means none; the nearer one counts."""

    steps: int
    seconds: float

    @classmethod
    def of(cls, stage: StageSettings) -> "Schedule":
        """Read the limits of a stage.

        Raises:
            TrainingError: it has none.
        """
        if stage.steps <= 0 and stage.seconds <= 0:
            raise TrainingError(
                f"Stage '{stage.name}' has steps: 0 and seconds: 0 and would never end; set one of them above 0."
            )
        return cls(stage.steps, stage.seconds)

    def progress(self, step: int, seconds: float) -> float:
        """Share of the stage that is done, 0..1, after `step` steps and `seconds` of training."""
        by_steps = step / self.steps if self.steps else 0.0
        by_time = seconds / self.seconds if self.seconds else 0.0
        return min(1.0, max(by_steps, by_time))

    def seconds_left(self, step: int, seconds: float) -> float:
        """Estimated seconds of training to the end."""
        done = self.progress(step, seconds)
        return seconds * (1 - done) / done if done else math.inf


def rate_share(progress: float) -> float:
    """Share of the full learning rate: a short rise, then half a cosine down to almost nothing.

    Source: Loshchilov, Hutter, SGDR, 2017; the rise because Adam's first steps are wild.
    """
    rise = min(1.0, FIRST_RATE + progress / WARM_UP)
    return rise * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * progress)))


def average_share(step: int) -> float:
    """Share of the running average that step `step` (from 0) keeps; short memory first, 500 steps later."""
    return min(EMA_LIMIT, (1 + step) / (10 + step))
