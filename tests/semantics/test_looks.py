"""Colours of torso and thighs: known clothes, and what is not seen."""

import numpy as np
import pytest

from crowd import standing
from understudy.semantics.joints import BODY
from understudy.semantics.looks import look_similarity, person_look

RED, BLUE, GREEN = (220, 30, 30), (30, 30, 220), (30, 200, 30)


def dressed(shirt, trousers, x: int = 60) -> np.ndarray:
    """A picture (140, 120, 3) of grey with a shirt and trousers on the person who stands there."""
    picture = np.full((140, 120, 3), 128, np.uint8)
    picture[30:62, x - 16 : x + 16] = shirt
    picture[62:120, x - 16 : x + 16] = trousers
    return picture


PERSON = standing(60, 62, 100)


def test_the_same_clothes_elsewhere_and_in_other_light():
    here = person_look(dressed(RED, BLUE), PERSON)
    there = person_look(dressed(RED, BLUE, x=80), standing(80, 62, 100))
    darker = person_look((dressed(RED, BLUE) * 0.85).astype(np.uint8), PERSON)
    assert look_similarity(here, there) > 0.97
    assert look_similarity(here, darker) > 0.75
    np.testing.assert_allclose(here.sum(1), 1, rtol=1e-5)


def test_other_clothes():
    here = person_look(dressed(RED, BLUE), PERSON)
    assert look_similarity(here, person_look(dressed(GREEN, BLUE), PERSON)) == pytest.approx(0.6, abs=0.1)
    assert look_similarity(here, person_look(dressed(BLUE, RED), PERSON)) < 0.1


def test_what_is_not_seen_is_not_compared():
    body = PERSON.copy()
    body[[BODY["left_knee"], BODY["right_knee"]]] = 0
    half = person_look(dressed(RED, BLUE), body)
    assert not half[1].any() and half[0].any()
    assert look_similarity(half, person_look(dressed(RED, GREEN), PERSON)) == pytest.approx(1, abs=0.02)
    assert np.isnan(look_similarity(half, np.zeros_like(half)))
    outside = person_look(dressed(RED, BLUE), standing(400, 62, 100))
    assert not outside.any()
