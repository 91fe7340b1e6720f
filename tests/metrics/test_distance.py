"""Known answers of the relation between distance and error."""

import numpy as np
import pytest

from understudy.metrics.distance import relation


def test_errors_that_follow_the_distance_have_rank_correlation_one():
    distance = np.linspace(0.1, 0.3, 20)
    found = relation(distance, 30 - distance**3, "psnr", "held out")
    assert found == {"rank_correlation": 1.0, "frames": 20, "error": "psnr", "of": "held out"}
    assert relation(distance, distance, "psnr", "held out")["rank_correlation"] == -1


def test_noise_has_none_and_unknown_frames_do_not_count():
    noise = np.random.default_rng(1)
    distance, figure = noise.random(4000), noise.random(4000)
    assert relation(distance, figure, "psnr", "x")["rank_correlation"] == pytest.approx(0, abs=0.05)
    distance[:3], figure[3:5] = np.inf, np.nan
    assert relation(distance, figure, "psnr", "x")["frames"] == 3995


@pytest.mark.parametrize("distance", [np.arange(5.0), np.ones(20)])
def test_too_few_or_equal_frames_tell_nothing(distance):
    assert relation(distance, np.arange(len(distance), dtype=float), "psnr", "x") is None
