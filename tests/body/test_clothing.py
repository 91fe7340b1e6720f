"""Clothes and hair found from silhouettes: what was planted comes back, what is not seen stays bare."""

from dataclasses import replace

import numpy as np
import pytest

from understudy.body.clothing import fit_relief
from understudy.body.figure import TO_CAMERA, Figure
from understudy.body.fit import BodyShape, fit_body, template
from understudy.body.model import Body
from understudy.body.parts import GROUPS, group_weights
from understudy.body.relief import relief_points
from understudy.body.rotation import rotation
from understudy.body.shape import silhouette_agreement
from understudy.body.silhouette import body_edges, silhouette

SIZE, PX_PER_M = 192, 95.0
SHAPE = BodyShape(px_per_m=PX_PER_M, thickness=1.1, head_px_per_m=PX_PER_M)
TURNS = range(0, 360, 30)


def turned(degrees: float, legs: float = 12) -> Figure:
    """Exact joints of the body turned about its height, its legs apart."""
    body = Body()
    turns = {"root": rotation((0, 0, 1), degrees)}
    turns |= {f"upperleg01.{side}": rotation((0, 1, 0), sign * legs) for side, sign in (("L", -1), ("R", 1))}
    vertices = body.posed(turns).vertices

    def seen(points: np.ndarray) -> np.ndarray:
        return points @ TO_CAMERA.T * PX_PER_M + [SIZE / 2, SIZE / 2, 0]

    joints = seen(body.joints(vertices)), seen(body.face(vertices)), seen(body.hands(vertices))
    return Figure(joints[0], np.ones(25), joints[1], np.ones(70), joints[2], np.ones((2, 21)))


def matte_of(figure: Figure, shape: BodyShape) -> np.ndarray:
    """What a person of this shape covers: (H, W) uint8, 0 or 255."""
    points = fit_body(figure, shape).vertices[:, :2]
    return silhouette(points, template().faces, body_edges(), SIZE, SIZE).astype(np.uint8) * 255


def share_of(*names: str) -> np.ndarray:
    """Share (V,) of groups of bones in each vertex."""
    return group_weights(Body())[:, [group.startswith(names) for group in GROUPS]].sum(1)


def height_of(shape: BodyShape) -> np.ndarray:
    """Height (V,) of a shape's relief, metres."""
    return relief_points().spread(np.array(shape.relief))


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    return [turned(degrees) for degrees in TURNS]


@pytest.fixture(scope="module")
def planted() -> BodyShape:
    """Hair of 4 cm on crown and back of the head, a jacket of 3 cm round the trunk."""
    body, points = Body(), relief_points()
    head, trunk = share_of("head"), share_of("torso")
    hair = head * ((body.rest[:, 1] > -0.04) & (body.rest[:, 2] > 0.62))
    wanted = 0.04 * hair + 0.03 * trunk * (body.rest[:, 2] > 0.15) * (body.rest[:, 2] < 0.4)
    total = np.zeros((2, len(points.mirror)))
    for row, values in enumerate((points.shares * wanted[:, None], points.shares)):
        np.add.at(total[row], points.near, values)
    return replace(SHAPE, relief=tuple(total[0] / np.maximum(total[1], 1e-6)))


@pytest.fixture(scope="module")
def found(figures, planted) -> BodyShape:
    return fit_relief(SHAPE, figures, [matte_of(figure, planted) for figure in figures])


def test_planted_relief_comes_back(figures, planted, found):
    goal, height = height_of(planted), height_of(found)
    open_skin = share_of("torso", "head", "upperleg", "lowerleg") > 0.9
    open_skin &= np.isin(np.arange(len(goal)), template().faces)
    assert goal.max() > 0.035
    error = np.abs(height - goal)[open_skin]
    assert error.mean() < 0.004
    assert np.percentile(error, 95) < 0.013
    high = (goal > 0.025) & open_skin
    assert height[high].mean() == pytest.approx(goal[high].mean(), rel=0.15)


def test_silhouettes_that_were_not_used_agree(planted, found):
    others = [turned(degrees, legs=20) for degrees in (15, 75, 195, 285)]
    seen = [(figure, matte_of(figure, planted)) for figure in others]
    before, after = (silhouette_agreement(shape, seen, "neutral") for shape in (SHAPE, found))
    assert before < 0.955
    assert after > 0.975


def test_left_and_right_are_alike(found):
    relief = np.array(found.relief)
    assert np.abs(relief - relief[relief_points().mirror]).mean() < 0.002


def test_hands_are_untouched_and_the_face_nearly(found):
    height = height_of(found)
    assert not height[share_of("hand") > 0.999].any()
    assert np.abs(height[relief_points().spread(relief_points().bare) > 0.9]).mean() < 0.005


def test_the_own_silhouette_asks_for_no_relief(figures):
    found = fit_relief(SHAPE, figures, [matte_of(figure, SHAPE) for figure in figures])
    assert np.abs(height_of(found)).mean() < 0.0015


def test_without_mattes_the_body_is_bare(figures):
    nothing = [np.zeros((SIZE, SIZE), np.uint8)] * len(figures)
    assert fit_relief(SHAPE, figures, nothing) == SHAPE


def test_a_ball_in_one_frame_counts_little(figures, planted, found):
    mattes = [matte_of(figure, planted) for figure in figures]
    row, column = np.mgrid[:SIZE, :SIZE]
    ball = np.hypot(row - SIZE * 0.45, column - SIZE * 0.62) < 14
    assert (ball & (mattes[0] == 0)).any()
    mattes[0] = np.where(ball, 255, mattes[0]).astype(np.uint8)
    disturbed = fit_relief(SHAPE, figures, mattes)
    assert np.abs(height_of(disturbed) - height_of(found)).max() < 0.02


def test_a_skirt_closes_the_gap_between_the_thighs(figures):
    """The gap down to 12 cm above the knees is cloth: it is filled, the gap between the shins is not."""
    knee = SIZE / 2 + PX_PER_M * 0.33
    mattes = []
    for figure in figures:
        matte = matte_of(figure, SHAPE)
        for row in range(int(SIZE / 2), int(knee - 0.12 * PX_PER_M)):
            columns = np.flatnonzero(matte[row, 70:122]) + 70
            matte[row, columns[0] : columns[-1] + 1] = 255
        mattes.append(matte)
    dressed = fit_relief(SHAPE, figures, mattes)
    gap = (mattes[0] > 0) & (matte_of(figures[0], SHAPE) == 0)
    assert gap.sum() > 100
    drawn = matte_of(figures[0], dressed) > 0
    assert drawn[gap].mean() > 0.7
    outside = (mattes[0] == 0) & drawn
    assert outside.sum() < 0.02 * drawn.sum()
