import math

import pytest

from planted import stage
from understudy.errors import TrainingError
from understudy.training.schedule import Schedule, average_share, rate_share


def test_progress_by_steps_and_by_time():
    assert Schedule(10, 0).progress(5, 1e9) == 0.5
    assert Schedule(0, 60).progress(10**6, 15) == 0.25
    assert Schedule(10, 60).progress(2, 45) == 0.75  # the nearer limit counts
    assert Schedule(10, 0).progress(11, 0) == 1


def test_time_left():
    assert Schedule(0, 60).seconds_left(1, 15) == pytest.approx(45)
    assert Schedule(100, 0).seconds_left(25, 5) == pytest.approx(15)
    assert Schedule(100, 0).seconds_left(0, 0) == math.inf


def test_a_stage_without_a_limit_is_refused():
    with pytest.raises(TrainingError, match="never end"):
        Schedule.of(stage(steps=0, seconds=0))


def test_rate_rises_then_falls():
    assert rate_share(0) == pytest.approx(0.05)
    assert rate_share(0.03) > 0.99
    assert rate_share(0.515) == pytest.approx(0.5, abs=0.02)
    assert rate_share(1) == pytest.approx(0.02)
    falling = [rate_share(0.03 + 0.01 * number) for number in range(98)]
    assert falling == sorted(falling, reverse=True)


def test_average_remembers_longer_and_longer():
    assert average_share(0) == 0.1
    assert average_share(10**6) == 0.998
