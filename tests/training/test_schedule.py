import math

import pytest
import torch

from planted import stage
from understudy.errors import TrainingError
from understudy.settings import RolloutSettings
from understudy.training.schedule import (
    Schedule,
    average_share,
    cosine_share,
    learning_rate,
    linear_share,
    rollout_frames,
)


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
        Schedule.of(stage(steps=0, seconds=0), frames=100)


def test_an_epoch_is_one_clip_for_each_training_frame():
    row = {"steps": 0, "seconds": 0.0, "batch": 4}
    assert Schedule.of(stage(**row, epochs=10), frames=100).steps == 250
    assert Schedule.of(stage(**row, epochs=10, accumulate=2), frames=100).steps == 125
    assert Schedule.of(stage(**row, epochs=0.5), frames=9).steps == 2  # 4.5 clips, 4 a step
    assert Schedule.of(stage(**row | {"seconds": 7.0}), frames=100) == Schedule(0, 7.0)
    both = row | {"steps": 30, "epochs": 2}
    assert [Schedule.of(stage(**both), frames).steps for frames in (40, 100)] == [20, 30]  # the nearer limit counts


def test_a_cosine_rises_then_falls():
    assert cosine_share(0) == pytest.approx(0.05)
    assert cosine_share(0.03) > 0.99
    assert cosine_share(0.515) == pytest.approx(0.5, abs=0.02)
    assert cosine_share(1) == pytest.approx(0.02)
    falling = [cosine_share(0.03 + 0.01 * number) for number in range(98)]
    assert falling == sorted(falling, reverse=True)


def test_a_linear_decay_is_constant_and_then_ends_at_zero():
    assert [linear_share(share, 0.5) for share in (0, 0.25, 0.5, 0.75, 1)] == [1, 1, 1, 0.5, 0]
    assert [linear_share(share, 0.0) for share in (0, 0.5, 1)] == [1, 0.5, 0]


def test_the_stage_chooses_its_decay():
    linear = stage(decay="linear", decay_from=0.8, learning_rate=2e-4)
    assert [learning_rate(linear, share) for share in (0, 0.5, 0.9)] == pytest.approx([2e-4, 2e-4, 1e-4])
    assert learning_rate(stage(learning_rate=2e-4), 0.5) == pytest.approx(2e-4 * cosine_share(0.5))


def test_long_roll_outs_come_as_often_as_asked_and_grow_longer():
    rollout, random = RolloutSettings(frames=40, share=0.25), torch.Generator().manual_seed(0)
    early, middle, late = ([rollout_frames(rollout, share, random) for _ in range(2000)] for share in (0, 0.5, 1))
    for drawn, longest in ((early, 2), (middle, 21), (late, 40)):
        assert 0.2 < sum(frames > 0 for frames in drawn) / 2000 < 0.3
        assert set(drawn) <= {0, *range(2, longest + 1)} and {0, 2, longest} <= set(drawn)


def test_without_roll_outs_no_chance_is_used_up():
    random = torch.Generator().manual_seed(0)
    before = random.get_state()
    assert rollout_frames(RolloutSettings(frames=40, share=0.0), 0.5, random) == 0
    assert torch.equal(random.get_state(), before)


def test_average_remembers_longer_and_longer():
    assert average_share(0) == 0.1
    assert average_share(10**6) == 0.998
