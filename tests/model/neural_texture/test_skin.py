"""Texels know their mirror side and their neighbours on the body."""

import numpy as np
import pytest
import torch

from understudy.body.model import Body
from understudy.body.parts import CHART, PARTS, chart
from understudy.body.rotation import rotation
from understudy.model.neural_texture.skin import FLAT_PARTS, mirrored, skin, texel_points

TEXELS = 32
MIRROR = np.array([-1, 1, 1], np.float32)


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """Places of the texels (24, k, k, 3) on a body in a pose that is the same on both sides."""
    body = Body("woman")
    bent = {}
    for bone, axis, degrees in (
        ("upperarm01", (0, 1, 0), 40),
        ("lowerarm01", (0, 0, 1), -50),
        ("upperleg01", (0, 1, 0), -15),
        ("lowerleg01", (1, 0, 0), 30),
    ):
        right = rotation((axis[0], -axis[1], -axis[2]), degrees)  # of a turn, the mirror keeps the part about x
        bent |= {f"{bone}.L": rotation(axis, degrees), f"{bone}.R": right}
    posed = body.posed(bent).vertices
    return texel_points(body.reshaped(posed), chart(body), TEXELS)


def line(uv: torch.Tensor) -> torch.Tensor:
    return (uv * (TEXELS - 1)).round().long()


def test_a_mirrored_texel_is_the_mirrored_point_of_a_body_posed_alike_on_both_sides(points):
    net = skin(CHART, TEXELS)
    here = points.reshape(-1, 3)
    there = points[net.mirror_part, line(net.mirror_uv)[:, 1], line(net.mirror_uv)[:, 0]] * MIRROR
    distance = np.linalg.norm(here - there, axis=1).reshape(PARTS, -1)  # metres, NaN off the body
    for part in range(PARTS):
        near = distance[part][np.isfinite(distance[part])]
        assert len(near) > 0.3 * TEXELS**2
        # half a texel is lost where hands and feet are turned round, and their charts' ends differ by millimetres
        assert np.quantile(near, 0.95) < (0.012 if part in FLAT_PARTS else 0.001), part + 1


def test_twice_mirrored_is_the_place_itself():
    part, uv = torch.randint(PARTS, (500,)), torch.rand(500, 2)
    again_part, again_uv = mirrored(*mirrored(part, uv))
    assert torch.equal(again_part, part)
    torch.testing.assert_close(again_uv, uv)


def test_neighbours_touch_on_the_body_across_seams_too(points):
    net = skin(CHART, TEXELS)
    part = net.pairs // TEXELS**2
    across = part[0] != part[1]
    assert across.sum() > 500
    places = points.reshape(-1, 3)[net.pairs.numpy()]  # (2, E, 3)
    distance = np.linalg.norm(places[0] - places[1], axis=-1)[across.numpy()]
    assert np.nanquantile(distance, 0.9) < 0.03  # metres; the ends of a limb are squeezed into its last texels
    joined = {tuple(sorted(pair)) for pair in (part[:, across].T + 1).tolist()}
    for pair in ((1, 2), (7, 9), (8, 10), (15, 17), (19, 21), (4, 19), (15, 19), (2, 9), (23, 24)):
        assert pair in joined
    assert not {(3, 4), (5, 6), (19, 20), (11, 12), (2, 11)} & joined
    steps = (net.pairs[0] - net.pairs[1]).abs()
    folded = ~across & (steps != 1) & (steps != TEXELS)
    assert {3, 4, 5, 6} <= set((part[0, folded] + 1).tolist())  # palm and back of the hand meet at its edge


def test_texels_close_together_on_the_body_hold_each_other_more_strongly():
    net = skin(CHART, TEXELS)
    part = net.pairs[0] // TEXELS**2
    forearm, torso = (net.strength[part == number - 1].median() for number in (19, 2))
    assert forearm > 3 * torso


def test_of_another_chart_only_the_texels_beside_each_other_are_neighbours():
    net = skin("densepose", 4)
    assert net.mirror_uv is None
    assert net.pairs.shape[1] == PARTS * 2 * 4 * 3
    assert torch.equal(net.pairs[0] // 16, net.pairs[1] // 16)
