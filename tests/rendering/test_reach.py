from itertools import pairwise

import numpy as np
import pytest

from understudy.rendering.reach import reach

ARM = np.array([[0.0, 0, 0]]), np.array([[3.0, 0, 0]]), np.array([[3.0, 4, 0]])


def lengths(*points: np.ndarray) -> list[float]:
    return [float(np.linalg.norm(b - a)) for a, b in pairwise(points)]


def test_the_end_meets_its_target_and_bones_keep_their_lengths():
    target = np.array([[2.0, 3.0, 1.5]])
    middle, end = reach(*ARM, target)
    assert np.allclose(end, target)
    assert lengths(ARM[0], middle, end) == pytest.approx([3, 4])


def test_an_end_that_is_there_already_moves_nothing():
    middle, end = reach(*ARM, ARM[2])
    assert np.allclose(middle, ARM[1]) and np.allclose(end, ARM[2])


def test_a_target_out_of_reach_is_pointed_at():
    middle, end = reach(*ARM, np.array([[0.0, 0, 70]]))
    assert np.allclose(end[0], [0, 0, 7], atol=0.01)
    assert lengths(ARM[0], middle, end) == pytest.approx([3, 4])


def test_the_bend_can_be_chosen():
    middle, _ = reach(*ARM, np.array([[5.0, 0, 0]]), bend=np.array([[0.0, 0, -1]]))
    assert middle[0, 2] < -1 and middle[0, 1] == pytest.approx(0, abs=1e-9)
