"""The 24 parts: complete, on the right sides, with charts that tell points apart."""

import numpy as np
import pytest

from understudy.body.model import BUILDS, Body
from understudy.body.parts import GROUPS, PARTS, bone_groups, chart, face_groups, group_weights, limb_coordinates


@pytest.fixture(scope="module")
def body():
    return Body("neutral")


@pytest.fixture(scope="module")
def drawn(body):
    return chart(body)


def centre(body, drawn, part):
    return body.rest[body.faces[drawn.part == part]].mean((0, 1))


def test_every_part_is_there(drawn, body):
    assert sorted(np.unique(drawn.part)) == list(range(1, PARTS + 1))
    assert np.bincount(drawn.part)[1:].min() > 100


def test_left_parts_are_left(body, drawn):
    for right, left in ((3, 4), (6, 5), (7, 8), (9, 10), (11, 12), (13, 14), (16, 15), (18, 17), (20, 19), (22, 21)):
        assert centre(body, drawn, right)[0] < 0 < centre(body, drawn, left)[0]
        assert (drawn.part == left).sum() == pytest.approx((drawn.part == right).sum(), rel=0.1)
    assert centre(body, drawn, 23)[0] < 0 < centre(body, drawn, 24)[0]


def test_front_parts_are_in_front_and_inner_ones_inside(body, drawn):
    for back, front in ((1, 2), (7, 9), (8, 10), (11, 13), (12, 14)):
        assert centre(body, drawn, front)[1] < centre(body, drawn, back)[1]
    for inside, outside in ((15, 17), (16, 18), (19, 21), (20, 22)):
        assert abs(centre(body, drawn, inside)[0]) < abs(centre(body, drawn, outside)[0])


def test_coordinates_fill_each_part(body, drawn):
    assert drawn.uv.min() >= 0 and drawn.uv.max() <= 1
    for part in range(1, PARTS + 1):
        low, high = np.percentile(drawn.uv[drawn.part == part].reshape(-1, 2), (2, 98), axis=0)
        assert (high - low).min() > 0.5


def test_v_grows_from_the_near_to_the_far_end(body, drawn):
    for part, near, far in (
        (13, "lowerleg01.R", "foot.R"),
        (21, "lowerarm01.L", "wrist.L"),
        (4, "wrist.L", "finger3-3.L"),
    ):
        start, end = (body.heads[body.bones.index(name)] for name in (near, far))
        middles = body.rest[body.faces[drawn.part == part]].mean(1)
        along = (middles - start) @ (end - start)
        assert np.corrcoef(along, drawn.uv[drawn.part == part].mean(1)[:, 1])[0, 1] > 0.95


def test_palm_and_back_of_a_hand_have_different_coordinates(body, drawn):
    """A charts' use is to find a point again: the two sides of a hand must not share U, V."""
    hand = drawn.part == 4
    corners = body.rest[body.faces[hand]]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    palm = drawn.uv[hand].mean(1)[:, 0] < 0.5
    assert 0.3 < palm.mean() < 0.7
    assert normal[palm].mean(0) @ normal[~palm].mean(0) < 0
    curl = body.heads[body.bones.index("finger2-3.L")] - body.heads[body.bones.index("finger2-1.L")]
    straight = body.heads[body.bones.index("finger2-1.L")] - body.heads[body.bones.index("wrist.L")]
    bent = curl / np.linalg.norm(curl) - straight / np.linalg.norm(straight)  # fingers rest slightly closed
    assert bent @ normal[palm].mean(0) > 0


def test_the_chart_is_the_same_for_every_build(drawn):
    for build in BUILDS:
        other = chart(Body(build))
        assert (other.part == drawn.part).all() and (other.uv == drawn.uv).all()


def test_groups_cover_all_bones_and_vertices(body):
    assert set(bone_groups(body)) == set(range(len(GROUPS)))
    assert np.abs(group_weights(body).sum(1) - 1).max() < 1e-5
    assert set(face_groups(body)) == set(range(len(GROUPS)))


def test_borders_of_parts_run_along_edges_of_the_mesh(body, drawn):
    """No triangle reaches into the other half of its limb, so borders are drawn straight and U is nowhere cut off."""
    groups = face_groups(body)
    for index, group in enumerate(GROUPS):
        if group.startswith(("hand", "foot")):
            continue
        side = limb_coordinates(body, group)[body.faces[groups == index], 0]  # (N, 3) metres
        assert np.minimum(-side.min(1), side.max(1)).max() < 5e-4


def test_the_skin_is_closed_but_for_eyes_and_lips(body):
    """Cutting the mesh along the borders left no crack: an edge belongs to two triangles, turned opposite ways."""
    edges = body.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    directed = edges @ [len(body.rest), 1]
    assert len(np.unique(directed)) == len(directed)
    open_edges = ~np.isin(directed, edges[:, ::-1] @ [len(body.rest), 1])
    eyes_and_lips = np.linalg.norm(body.rest[edges[open_edges, 0]] - body.joints(body.rest)[0], axis=1)
    assert open_edges.sum() < 100 and eyes_and_lips.max() < 0.12
