"""Known answers: skin shown always, in half of the frames, never; of patches, not of pixels."""

import numpy as np
import pytest

from understudy.metrics.skin import Skin


def surface(part: int, u: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A surface whose left half is one part, at one U."""
    parts, uv = np.zeros((8, 8), np.uint8), np.zeros((8, 8, 2), np.uint8)
    parts[:, :4] = part
    uv[..., 0] = u
    return parts, uv


def test_always_sometimes_and_never():
    skin = Skin()
    for number in range(15):
        skin.add(*surface(3 if number < 3 else 7))
    assert skin.seldom(*surface(7, u=5)) == pytest.approx(1 - np.log(13) / np.log(16))  # the same patch
    assert skin.seldom(*surface(3)) == pytest.approx(1 - np.log(4) / np.log(16))
    assert skin.seldom(*surface(3, u=200)) == skin.seldom(*surface(4)) == 1
    skin.add(*surface(7))
    assert Skin().seldom(*surface(7)) == 0, "no footage, nothing to say"


def test_what_every_frame_shows_costs_nothing_and_nobody_neither():
    skin = Skin()
    for _ in range(4):
        skin.add(*surface(2))
    assert skin.seldom(*surface(2)) == pytest.approx(0)
    assert skin.seldom(*surface(0)) == 0


def test_a_frame_is_the_mean_of_its_samples():
    skin = Skin()
    skin.add(*surface(2))
    parts, uv = surface(2)
    parts[:4] = 5
    parts[:4, 4:] = 0
    assert skin.seldom(parts, uv) == pytest.approx(0.5)
