"""Known answers: rest, a shift, one wrong vector, the rim of the picture, vectors that are no numbers."""

import numpy as np
import pytest

from understudy.flow.agreement import agreement_mask, inside, sample


def field(x: float, y: float, size: int = 12) -> np.ndarray:
    return np.full((size, size, 2), (x, y), np.float32)


def test_rest_agrees_everywhere():
    assert agreement_mask(field(0, 0), field(0, 0), 0.5).all()


def test_a_shift_agrees_where_it_stays_in_the_picture():
    mask = agreement_mask(field(3, 0), field(-3, 0), 0.5)
    assert mask[:, :9].all()
    assert not mask[:, 9:].any()


def test_one_wrong_vector_spoils_only_its_own_neighbourhood():
    back = field(0, 0)
    back[4, 4] = 5
    mask = agreement_mask(field(0, 0), back, 1.0)
    assert np.argwhere(~mask).tolist() == [[4, 4]]


@pytest.mark.parametrize(("error", "agrees"), [(0.69, True), (0.71, False)])
def test_slack_is_a_distance_in_pixels(error, agrees):
    back = field(error, 0)
    assert agreement_mask(field(0, 0), back, 0.7 * (1 - 0.01 * 0.5)).all() == agrees


def test_long_vectors_may_err_more():
    there, back = field(-40, 0, 100), field(41, 0, 100)
    assert agreement_mask(there, back, 0.1)[:, 45:].all()  # 1 < 0.01 (40^2 + 41^2)
    assert not agreement_mask(field(-4, 0, 100), field(5, 0, 100), 0.1).any()


def test_vectors_that_are_no_numbers_never_agree():
    there = field(0, 0)
    there[2, 3] = np.nan
    there[5, 6, 0] = np.inf
    assert np.argwhere(~agreement_mask(there, field(0, 0), 1.0)).tolist() == [[2, 3], [5, 6]]


def test_the_picture_ends_half_a_pixel_beyond_its_centres():
    assert inside(field(0.5, 0)).all()
    assert not inside(field(0.6, 0))[:, -1].any()


def test_sampling_reads_between_pixels():
    ramp = np.tile(np.arange(12, dtype=np.float32), (12, 1))
    assert np.allclose(sample(ramp, field(1.5, 0))[:, :10], ramp[:, :10] + 1.5)
    assert (sample(ramp, field(50, 0)) == 11).all()
