"""A block that moves with its surface is steady; flicker and a restless background show in their own figures."""

import numpy as np
import pytest

from planted import planted_frame
from understudy.metrics.steadiness import Steadiness


def played(count: int = 5):
    """Pictures (H, W, 3) uint8 and maps of a block that moves 1 px to the right a frame."""
    for number in range(count):
        semantic, truth = planted_frame(left=6.0 + number, step=1.0)
        picture = ((truth.picture[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
        yield picture, semantic


def test_a_surface_that_keeps_its_colours_is_steady():
    steadiness = Steadiness()
    for picture, semantic in played():
        steadiness.add(picture, semantic)
    figures = steadiness.figures()
    assert figures["steps"] == 4
    assert figures["person_change_percent"] < 1.5  # its rim is mixed with the background it passes
    assert figures["background_change_percent"] == 0


def test_flicker_of_the_person_and_of_the_background_are_told_apart():
    person, ground = Steadiness(), Steadiness()
    for number, (picture, semantic) in enumerate(played()):
        body = (semantic.part[0, ::2, ::2] > 0).numpy()[..., None]
        change = np.uint8(number % 2 * 51)
        person.add(np.where(body, picture // 2 + change, picture), semantic)
        ground.add(np.where(body, picture, picture // 2 + change), semantic)
    assert person.figures()["person_change_percent"] > 15
    assert person.figures()["background_change_percent"] == 0
    assert person.figures()["flicker_index"] > 0.95, "every change is taken back"
    assert ground.figures()["background_change_percent"] == pytest.approx(20, abs=0.5)
    assert ground.figures()["person_change_percent"] < 3


def test_light_that_goes_on_growing_is_a_change_but_no_flicker():
    growing = Steadiness()
    for number, (picture, semantic) in enumerate(played()):
        body = (semantic.part[0, ::2, ::2] > 0).numpy()[..., None]
        growing.add(np.where(body, picture // 2 + np.uint8(number * 20), picture), semantic)
    assert growing.figures()["person_change_percent"] > 6
    assert growing.figures()["flicker_index"] < 0.3


def test_without_a_past_there_is_nothing_to_see():
    steadiness = Steadiness()
    for picture, semantic in played(1):
        steadiness.add(picture, semantic)
    figures = steadiness.figures()
    assert figures.pop("steps") == 0
    assert set(figures.values()) == {None}
