"""Known answers: skin shown always, in half of the frames, never; of patches, not of pixels."""

import numpy as np
import pytest

from understudy.metrics.skin import PART_NAMES, Skin


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


def test_what_was_hardly_shown_is_named():
    skin = Skin()
    for _ in range(9):
        skin.add(*surface(2))
    parts, uv = surface(2)
    parts[0], parts[1] = 1, 19
    parts[0, 4:] = parts[1, 2:] = 0
    assert skin.rare_parts(parts, uv) == ["the back", "the inside of the left forearm"]
    assert skin.rare_parts(*surface(2)) == skin.rare_parts(*surface(0)) == Skin().rare_parts(*surface(7)) == []


def test_every_part_has_a_name():
    assert sorted(PART_NAMES) == list(range(1, 25)) and len(set(PART_NAMES.values())) == 24
    named = {9: "the front of the right upper leg", 12: "the back of the left lower leg"}
    named |= {17: "the outside of the left upper arm", 20: "the inside of the right forearm"}
    assert {part: PART_NAMES[part] for part in named} == named
