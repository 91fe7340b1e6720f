"""The body fitted in closed form: exact joints come back, sizes are found, absent joints leave limbs out."""

from dataclasses import fields, replace

import numpy as np
import pytest

from understudy.body.figure import BODY, TO_CAMERA, Figure, similarity, smallest_turn
from understudy.body.fit import GROUPS, BodyShape, draw_fitted, fit_body, template
from understudy.body.model import Body
from understudy.body.raster import draw_surface, rasterise
from understudy.body.relief import relief_points
from understudy.body.rotation import rotation
from understudy.body.shape import fit_shape
from understudy.layouts import BODY_SHAPE

PX_PER_M = 60.0
SHAPE = BodyShape(px_per_m=PX_PER_M, thickness=1.0, head_px_per_m=PX_PER_M)
SIZE = 128
POSES = {
    "rest": {},
    "turned": {"root": rotation((0, 0, 1), 40), "neck02": rotation((0, 0, 1), -20)},
    "back": {"root": rotation((0, 0, 1), 180)},
    "reaching": {
        "upperarm01.L": rotation((0, 1, 0), -60),
        "lowerarm01.L": rotation((0, 0, 1), -50),
        "upperarm01.R": rotation((1, 0, 0), 60),
        "upperleg01.R": rotation((1, 0, 0), -50),
        "lowerleg01.R": rotation((1, 0, 0), 60),
        "spine03": rotation((0, 0, 1), 20),
    },
}


def to_picture(points: np.ndarray) -> np.ndarray:
    return points @ TO_CAMERA.T * PX_PER_M + [SIZE / 2, SIZE / 2, 0]


def figure_of(body: Body, vertices: np.ndarray) -> Figure:
    """Exact joints of a posed body, pixels."""
    joints, face, hands = (
        to_picture(points) for points in (body.joints(vertices), body.face(vertices), body.hands(vertices))
    )
    return Figure(joints, np.ones(25), face, np.ones(70), hands, np.ones((2, 21)))


def without(figure: Figure, *names: str) -> Figure:
    score, body = figure.body_score.copy(), figure.body.copy()
    for name in names:
        score[BODY[name]], body[BODY[name]] = 0, 0
    return replace(figure, body=body, body_score=score)


@pytest.fixture(scope="module")
def reaching() -> Figure:
    body = Body("neutral")
    return figure_of(body, body.posed(POSES["reaching"]).vertices)


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("build", ["neutral", "woman", "man"])
def test_exact_joints_come_back(build, pose):
    """The neutral body is carried onto the joints of any build: within 1 % of the height on average."""
    body = Body(build)
    figure = figure_of(body, body.posed(POSES[pose]).vertices)
    fitted = fit_body(figure, SHAPE)
    found = template().body.joints(fitted.vertices)
    error = np.linalg.norm((found - figure.body)[:, :2], axis=1)
    assert error.mean() < 0.01 * 1.7 * PX_PER_M
    assert error.max() < 0.025 * 1.7 * PX_PER_M
    assert fitted.present.all()


def test_the_rest_body_is_itself():
    body = Body("neutral")
    fitted = fit_body(figure_of(body, body.rest), SHAPE)
    assert np.abs(fitted.vertices - to_picture(body.rest)).max() < 0.1


@pytest.mark.parametrize("pose", POSES)
def test_drawn_parts_agree_with_the_posed_body(pose):
    body = Body("neutral")
    vertices = body.posed(POSES[pose]).vertices
    place = to_picture(vertices)
    exact, _ = draw_surface(rasterise(place[:, :2], place[:, 2], body.faces, SIZE, SIZE), template().chart)
    drawn, _ = draw_fitted(fit_body(figure_of(body, vertices), SHAPE), SIZE, SIZE)
    assert (drawn == exact)[exact > 0].mean() > 0.9


def test_a_jagged_picture_is_drawn_finer_with_samples(reaching):
    fitted = fit_body(reaching, SHAPE)
    coarse, _ = draw_fitted(fitted, SIZE, SIZE, samples=1)
    fine, uv = draw_fitted(fitted, SIZE, SIZE, samples=2)
    assert fine.shape == (2 * SIZE, 2 * SIZE)
    assert uv.shape == (2 * SIZE, 2 * SIZE, 2)
    assert (fine > 0).mean() == pytest.approx((coarse > 0).mean(), rel=0.03)


def test_thickness_widens_limbs_but_not_hands(reaching):
    areas = {}
    for thickness in (1.0, 1.4):
        part, _ = draw_fitted(fit_body(reaching, replace(SHAPE, thickness=thickness)), SIZE, SIZE, 2)
        areas[thickness] = np.bincount(part.ravel(), minlength=25)
    assert areas[1.4][13] > 1.2 * areas[1.0][13]  # right shin
    assert areas[1.4][4] == pytest.approx(areas[1.0][4], rel=0.1)  # left hand


@pytest.mark.parametrize(
    ("absent", "gone", "kept"),
    [
        (["left_wrist"], {4, 19, 21}, {15, 2, 3}),
        (["right_knee"], {9, 13, 6}, {10, 14, 5}),
        (["right_ankle"], {13, 6}, {9, 14}),
        (["left_hip", "right_hip", "mid_hip"], {9, 10, 13, 14}, {2, 23, 24, 3}),
        (["left_shoulder", "neck"], set(), {2, 9, 10, 15, 23}),
    ],
)
def test_limbs_without_joints_are_not_drawn(reaching, absent, gone, kept):
    if "left_hip" in absent:
        absent = [*absent, "left_knee", "right_knee", "left_ankle", "right_ankle"]
    part, _ = draw_fitted(fit_body(without(reaching, *absent), SHAPE), SIZE, SIZE, 2)
    shown = set(np.unique(part).tolist())
    assert not shown & gone
    assert kept <= shown


def test_nobody_and_only_a_head_draw_nothing(reaching):
    nobody = without(reaching, *BODY)
    fitted = fit_body(nobody, SHAPE)
    assert not fitted.present.any()
    assert not draw_fitted(fitted, SIZE, SIZE)[0].any()


def test_torso_is_filled_in_where_hips_are_out_of_the_picture(reaching):
    whole = fit_body(reaching, SHAPE).vertices
    cut = fit_body(without(reaching, "left_hip", "right_hip", "mid_hip"), SHAPE).vertices
    chest = template().shares[:, 0] > 0.95
    assert np.abs(whole[chest] - cut[chest])[:, :2].mean() < 3


def test_a_head_without_a_face_stays_on_the_neck(reaching):
    faceless = replace(reaching, face=np.zeros((70, 3)), face_score=np.zeros(70))
    head = template().shares[:, 2] > 0.95
    moved = np.linalg.norm((fit_body(faceless, SHAPE).vertices - fit_body(reaching, SHAPE).vertices)[head, :2], axis=1)
    assert moved.mean() < 3


def test_shape_is_found_from_exact_joints_and_silhouettes():
    """A man drawn at a known size, 1.25 times as thick: sizes within 3 %, thickness within 6 %."""
    figures, mattes = [], []
    for pose in POSES.values():
        body = Body("neutral")
        figures.append(figure_of(body, body.posed(pose).vertices))
        part, _ = draw_fitted(fit_body(figures[-1], replace(SHAPE, thickness=1.25)), SIZE, SIZE)
        mattes.append(((part > 0) * 255).astype(np.uint8))
    shape = fit_shape(figures, mattes)
    assert shape.px_per_m == pytest.approx(PX_PER_M, rel=0.03)
    assert shape.head_px_per_m == pytest.approx(PX_PER_M, rel=0.03)
    assert shape.thickness == pytest.approx(1.25, rel=0.06)
    assert (shape.arms, shape.thighs, shape.shins) == pytest.approx((1, 1, 1), abs=0.08)


def test_thin_legs_under_a_wide_coat_are_found():
    body, given = Body("neutral"), replace(SHAPE, thickness=1.5, thighs=0.7, shins=0.7)
    figures = [figure_of(body, body.posed(pose).vertices) for pose in POSES.values()]
    parts = [draw_fitted(fit_body(figure, given), SIZE, SIZE)[0] for figure in figures]
    shape = fit_shape(figures, [((part > 0) * 255).astype(np.uint8) for part in parts])
    assert shape.thickness * shape.shins == pytest.approx(1.05, rel=0.15)
    assert shape.thickness > 1.25


def test_shape_without_mattes_is_not_thickened(reaching):
    assert fit_shape([reaching], [np.zeros((SIZE, SIZE), np.uint8)]).thickness == 1


def test_shape_survives_json():
    for shape in (SHAPE, replace(SHAPE, relief=(0.01, -0.002))):
        assert BodyShape.from_json(shape.to_json()) == shape


def test_every_size_of_a_shape_is_described():
    assert [field.name for field in fields(BodyShape)] == list(BODY_SHAPE)


def test_relief_moves_the_skin_and_no_joint(reaching):
    flat = replace(SHAPE, relief=(0.0,) * len(relief_points().mirror))
    coat = replace(SHAPE, relief=(0.02,) * len(relief_points().mirror))
    bare, same, dressed = (fit_body(reaching, shape).vertices for shape in (SHAPE, flat, coat))
    assert np.abs(bare - same).max() < 1e-4
    moved = np.linalg.norm(dressed - bare, axis=1) / PX_PER_M
    trunk = template().shares[:, 0] > 0.99
    assert moved[trunk & np.isin(np.arange(len(moved)), template().faces)] == pytest.approx(0.02, rel=0.3)
    hand = template().shares[:, GROUPS.index("hand.L")] > 0.999
    assert moved[hand].max() < 1e-3
    assert np.array_equal(template(relief=coat.relief).joints, template().joints)


def test_a_relief_of_another_length_is_refused(reaching):
    with pytest.raises(ValueError, match=r"one for each point; got 2"):
        fit_body(reaching, replace(SHAPE, relief=(0.01, 0.01)))


def test_similarity_and_turn_find_known_maps():
    turn = rotation((1, 2, 3), 70)
    points = np.random.default_rng(0).normal(size=(9, 3))
    scale, found = similarity(points, 3 * points @ turn.T + 5, np.ones(9))
    assert scale == pytest.approx(3)
    np.testing.assert_allclose(found, turn, atol=1e-9)
    for end in ([0, 1, 0], [-1, 0, 0], [0.6, 0, 0.8]):
        np.testing.assert_allclose(smallest_turn(np.array([2.0, 0, 0]), np.array(end)) @ [1, 0, 0], end, atol=1e-9)
