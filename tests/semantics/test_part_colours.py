import numpy as np

from understudy.semantics.part_colours import GROUND, PART_COLOURS, colour_parts


def test_every_part_has_a_colour_of_its_own():
    assert len(np.unique(PART_COLOURS.round(), axis=0)) == 25
    away = np.abs(PART_COLOURS[1:, None] - PART_COLOURS[None, 1:]).sum(-1) + 999 * np.eye(24)
    assert away.min() > 20


def test_the_ground_is_plain_and_fields_alternate():
    part = np.uint8([[0, 5, 5, 5]])
    uv = np.uint8([[[200, 40], [0, 0], [40, 0], [40, 40]]])
    drawn = colour_parts(part, uv)
    assert tuple(drawn[0, 0]) == GROUND
    assert (drawn[0, 1] == drawn[0, 3]).all() and (drawn[0, 2] < drawn[0, 1]).any()
