"""The drawn pose: what is absent is not drawn, places and widths are right."""

import numpy as np
import pytest

from understudy.semantics.drawing import LIMB_COLOURS, LIMB_WIDTH, draw_pose
from understudy.semantics.joints import BODY, BODY_LIMBS

NOBODY = (np.zeros((25, 3)), np.zeros((70, 3)), np.zeros((2, 21, 3)))
ARM = BODY_LIMBS.index((BODY["right_shoulder"], BODY["right_elbow"]))


def one_limb(start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    body = np.zeros((25, 3))
    body[BODY["right_shoulder"]], body[BODY["right_elbow"]] = (*start, 1), (*end, 1)
    return body


def test_nobody_is_black():
    assert not draw_pose(*NOBODY, 32, 48).any()
    assert draw_pose(*NOBODY, 32, 48).shape == (32, 48, 3)


def test_a_limb_has_its_colour_and_place():
    picture = draw_pose(one_limb((20, 50), (80, 50)), *NOBODY[1:], 100, 100)
    np.testing.assert_array_equal(picture[49, 50], LIMB_COLOURS[ARM])
    rows = (np.arange(100) + 0.5) * picture[:, 50].max(1) / 255.0
    assert rows.sum() / (picture[:, 50].max(1) / 255.0).sum() == pytest.approx(50, abs=0.3)


def test_a_joint_without_score_takes_its_limbs_with_it():
    body = one_limb((20, 50), (80, 50))
    body[BODY["right_elbow"], 2] = 0
    assert not draw_pose(body, *NOBODY[1:], 100, 100).any()


@pytest.mark.parametrize("height", [128, 256, 512])
def test_width_is_a_share_of_the_height(height):
    body = one_limb((0.2 * height, 0.5 * height), (0.8 * height, 0.5 * height))
    picture = draw_pose(body, *NOBODY[1:], height, height)
    width = picture[:, height // 2].max(1).sum() / 255
    assert width == pytest.approx(LIMB_WIDTH * height, abs=0.5)


def test_face_and_hands_are_drawn(exact_face):
    hands = np.zeros((2, 21, 3))
    hands[1] = np.column_stack([np.linspace(20, 60, 21), np.full(21, 150), np.ones(21)])
    picture = draw_pose(NOBODY[0], exact_face, hands, 200, 200)
    assert picture[145:155].any()
    assert (picture[50:110] == 255).all(-1).sum() > 30


def test_points_far_outside_do_no_harm():
    picture = draw_pose(one_limb((-1e4, 50), (2e4, 50)), *NOBODY[1:], 64, 64)
    assert picture[50].any(-1).all() and not picture[:40].any()
