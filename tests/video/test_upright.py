"""Turning pictures upright, against numpy's own turns."""

import numpy as np
import pytest

from understudy.video.upright import Upright

PICTURE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
LEFT = Upright(swapped=True, rows_reversed=True, columns_reversed=False)


@pytest.mark.parametrize(
    ("upright", "turns"),
    [
        (Upright(False, False, False), 0),
        (LEFT, 1),
        (Upright(False, True, True), 2),
        (Upright(True, False, True), 3),
    ],
)
def test_quarter_turns(upright, turns):
    assert np.array_equal(upright.turn(PICTURE), np.rot90(PICTURE, turns))
    assert upright.size(2, 4) == np.rot90(PICTURE, turns).shape[:2]
    assert (upright.rotation_deg, upright.mirrored) == (90 * turns, False)


def test_mirrored_pictures():
    mirrored = Upright(False, False, True)
    assert np.array_equal(mirrored.turn(PICTURE), PICTURE[:, ::-1])
    assert mirrored.mirrored
