"""The points that carry the relief: where they lie, whom they mirror, what they leave alone."""

import numpy as np
import pytest

from understudy.body.fit import template
from understudy.body.model import Body
from understudy.body.parts import GROUPS, group_weights
from understudy.body.relief import FACE, SPACING_M, outward, relief_points

HANDS = group_weights(Body())[:, [group.startswith("hand") for group in GROUPS]].sum(1)


def test_an_even_relief_stays_even_but_leaves_hands_alone():
    points = relief_points()
    height = points.spread(np.full(len(points.mirror), 0.02))
    assert np.allclose(height[HANDS < 1e-6], 0.02, atol=1e-6)
    assert not height[HANDS > 0.999].any()


def test_points_mirror_each_other():
    points = relief_points()
    assert np.array_equal(points.mirror[points.mirror], np.arange(len(points.mirror)))
    assert 0.8 < (points.mirror != np.arange(len(points.mirror))).mean() < 1
    relief = np.random.default_rng(3).normal(size=len(points.mirror))
    relief = (relief + relief[points.mirror]) / 2
    rest = Body().rest
    left = np.flatnonzero(rest[:, 0] > 0.02)[::40]
    away = np.linalg.norm(rest[left, None] * [-1, 1, 1] - rest[None], axis=2)
    twin = np.array([away[row].argmin() for row in range(len(left))])
    height = points.spread(relief)
    exact = away.min(1) < 1e-6
    assert exact.mean() > 0.9
    assert np.allclose(height[left[exact]], height[twin[exact]], atol=0.02)


def test_a_point_shapes_its_own_skin_only():
    """The inner side of one thigh moves without that of the other, which lies 2 cm away."""
    points, rest = relief_points(), template()
    inner = np.flatnonzero((np.abs(rest.vertices[:, 1] - 0.07) < 0.01) & (np.abs(rest.vertices[:, 0]) < 0.09))
    facing = outward()[inner, 0]
    left, right = inner[facing < -0.9], inner[facing > 0.9]
    left, right = left[rest.vertices[left, 0] > 0], right[rest.vertices[right, 0] < 0]
    assert len(left) and len(right)
    relief = np.zeros(len(points.mirror))
    relief[points.near[left, points.shares[left].argmax(1)]] = 1
    height = points.spread(relief)
    assert height[left].mean() > 0.5
    assert height[right].mean() < 0.2 * height[left].mean()


def test_points_are_spread_over_the_whole_skin():
    body, points = Body(), relief_points()
    used = np.unique(body.faces)
    assert 300 < len(points.mirror) < 1200
    assert (points.shares[used].max(1) > 0.15)[HANDS[used] == 0].all()
    assert SPACING_M < 0.1


def test_face_and_feet_are_bare():
    body, points = Body(), relief_points()
    bare = points.spread(points.bare)
    face = body.face(body.rest)[FACE].mean(0)
    nearest = np.linalg.norm(body.rest - face, axis=1).argmin()
    assert bare[nearest] > 0.9
    crown = body.rest[:, 2].argmax()
    assert bare[crown] < 0.05
    assert bare[body.rest[:, 2].argmin()] > 0.9


def test_the_relief_rises_outwards():
    ways = outward()
    rest = template().vertices
    assert np.linalg.norm(ways[np.unique(Body().faces)], axis=1) == pytest.approx(1, abs=1e-3)
    crown = rest[:, 1].argmin()
    assert ways[crown, 1] < -0.9
