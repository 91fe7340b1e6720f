"""Where OpenPose looks for faces and hands, and how what is found there comes back into the picture."""

import numpy as np
import pytest

from planted_people import standing_body
from understudy.semantics.joints import BODY
from understudy.semantics.pose_backends._cutouts import Square, cut, face_square, find_points, hand_square


def scored(places: dict[str, tuple[float, float]], score: float = 1.0) -> np.ndarray:
    body = np.zeros((25, 3))
    for name, place in places.items():
        body[BODY[name]] = *place, score
    return body


HEAD = {"nose": (100, 80), "neck": (100, 140), "left_eye": (110, 70), "right_eye": (90, 70)}
EARS = {"left_ear": (125, 76), "right_ear": (75, 76)}


def test_face_from_all_its_joints():
    square = face_square(scored(HEAD | EARS))
    side = (2 * 60 + 3 * 20 + 2 * 50) / 3
    middle = np.mean([[100, 110], [100, 70], [100, 76]], 0)
    assert square.side == pytest.approx(side)
    assert (square.left + side / 2, square.top + side / 2) == pytest.approx(tuple(middle))
    assert not square.mirrored


def test_face_in_profile():
    """One eye and its ear, the others hidden."""
    square = face_square(scored({name: (HEAD | EARS)[name] for name in ("nose", "neck", "left_eye", "left_ear")}))
    side = 0.85 * (np.hypot(10, 10) + np.hypot(25, 4) + 60)
    assert square.side == pytest.approx(side)
    assert square.left + side / 2 == pytest.approx((100 + 110 + 125) / 3)


def test_no_face_without_joints_nor_where_it_is_tiny():
    assert face_square(scored({"nose": (100, 80)})) is None
    assert face_square(scored(HEAD | EARS, score=0.2)) is None
    assert face_square(scored({"left_eye": (100, 80), "right_eye": (87, 80)})) is None  # 39 px
    assert face_square(scored({"left_eye": (101, 80), "right_eye": (87, 80)})) is not None


@pytest.mark.parametrize("side", ["left", "right"])
def test_hand_beyond_the_wrist(side):
    arm = {f"{side}_shoulder": (100, 100), f"{side}_elbow": (100, 160), f"{side}_wrist": (150, 160)}
    square = hand_square(scored(arm), side)
    assert square.side == pytest.approx(1.5 * 0.9 * 60)
    assert (square.left + square.side / 2, square.top + square.side / 2) == pytest.approx((150 + 0.33 * 50, 160))
    assert square.mirrored == (side == "left")
    assert hand_square(scored(arm, score=0.03), side) is None
    assert hand_square(scored({name: arm[name] for name in list(arm)[1:]}), side) is None


@pytest.mark.parametrize("mirrored", [False, True])
def test_points_come_back_to_where_they_were_cut_out(mirrored):
    """A white pixel of the picture, cut out, found, carried back."""
    picture = np.zeros((90, 120, 3), np.uint8)
    picture[40, 70] = 255
    square = Square(50, 20, 46, mirrored)
    given = cut(picture, square, 368)
    assert given.shape == (1, 3, 368, 368) and given.min() == -0.5
    maps = given[0].reshape(3, 46, 8, 46, 8).mean((2, 4))  # a network that averages 8 x 8 pixels
    found = find_points(maps, square, 368)
    np.testing.assert_allclose(found[:, :2], [[70.5, 40.5]] * 3, atol=0.3)


def test_a_cut_out_beyond_the_picture_is_black_there():
    given = cut(np.full((50, 50, 3), 255, np.uint8), Square(-25, 0, 50), 16)
    assert (given[..., :7] == -0.5).all() and (given[..., 9:] > 0.4).all()


def test_a_standing_person_has_a_face_and_two_hands():
    body = np.column_stack([standing_body(600, 400, 700), np.ones(25)])
    face = face_square(body)
    assert face.left < body[BODY["nose"], 0] < face.left + face.side
    for side in ("left", "right"):
        hand = hand_square(body, side)
        assert hand.left < body[BODY[f"{side}_wrist"], 0] < hand.left + hand.side
