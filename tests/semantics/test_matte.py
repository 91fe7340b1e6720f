"""Parts cut and grown by the matte: known answers on tiny maps."""

import numpy as np
import pytest

from crowd import standing
from understudy.semantics.matte import body_matte, cut_and_fill, keep_own


@pytest.fixture
def two_parts():
    part, uv = np.zeros((16, 16), np.uint8), np.zeros((16, 16, 2), np.uint8)
    part[6:10, 4:8], part[6:10, 8:12] = 2, 3
    uv[6:10, 4:8], uv[6:10, 8:12] = (10, 20), (30, 40)
    return part, uv


def test_parts_are_cut_outside_the_matte(two_parts):
    matte = np.zeros((16, 16), np.uint8)
    matte[:, :6] = 255
    part, uv = cut_and_fill(*two_parts, matte, samples=1, reach=0)
    assert (part > 0).sum() == 8
    assert set(np.unique(part)) == {0, 2}
    assert not uv[part == 0].any()


def test_parts_grow_to_the_matte_but_not_further_than_they_reach(two_parts):
    matte = np.full((16, 16), 255, np.uint8)
    part, uv = cut_and_fill(*two_parts, matte, samples=1, reach=2.1)
    assert part[7, 2:].tolist() == [2] * 6 + [3] * 6 + [0, 0]
    assert part[3, 6] == 0
    assert part[4, 6] == 2
    assert tuple(uv[4, 11]) == (30, 40)


def test_an_empty_matte_leaves_nothing(two_parts):
    part, uv = cut_and_fill(*two_parts, np.zeros((16, 16), np.uint8), samples=1, reach=5)
    assert not part.any()
    assert not uv.any()


def test_inputs_are_not_changed(two_parts):
    before = two_parts[0].copy()
    cut_and_fill(*two_parts, np.full((16, 16), 255, np.uint8), samples=1, reach=5)
    np.testing.assert_array_equal(two_parts[0], before)


def test_a_coarser_matte_is_enlarged(two_parts):
    part, _ = cut_and_fill(*two_parts, np.full((8, 8), 255, np.uint8), samples=2, reach=30)
    assert (part > 0).all()


def test_matte_of_the_bare_body_is_its_coverage():
    part = np.zeros((4, 4), np.uint8)
    part[0, 0], part[2:, 2:] = 9, 9
    np.testing.assert_array_equal(body_matte(part, 2), [[64, 0], [0, 255]])


def test_the_matte_keeps_to_the_nearer_person():
    """Two people side by side in one mask: the border lies half way between their figures."""
    here, there = standing(40, 62, 100), standing(100, 62, 100)
    both = np.full((130, 150), 255, np.uint8)
    kept = keep_own(both, here, there[None])
    assert kept[:, :60].all() and not kept[:, 80:].any()
    columns = np.flatnonzero(kept[62] == 0)
    assert columns[0] == pytest.approx(70, abs=1)
    other = keep_own(both, there, here[None])
    assert ((other > 0) == (kept == 0)).mean() > 0.99, "only pixels as far from both are kept by both"


def test_nobody_else_leaves_the_matte_as_it_is():
    matte = np.arange(130 * 150, dtype=np.uint8).reshape(130, 150)
    assert keep_own(matte, standing(40, 62, 100), np.zeros((0, 25, 3))) is matte
    np.testing.assert_array_equal(keep_own(matte, standing(40, 62, 100), np.zeros((1, 25, 3))), matte)
