"""Silhouettes from outlines against the triangles drawn one by one."""

import numpy as np
import pytest

from understudy.body.figure import TO_CAMERA
from understudy.body.model import Body
from understudy.body.raster import rasterise
from understudy.body.silhouette import body_edges, find_edges, silhouette

SQUARE = np.array([[0, 2, 1], [0, 3, 2]])  # seen from the front with y down
CORNERS = np.array([[1.0, 1.0], [4.0, 1.0], [4.0, 3.0], [1.0, 3.0]])


@pytest.fixture(scope="module")
def body_points() -> np.ndarray:
    """Vertices (V, 2) px of the body at rest, 200 px high, in a picture of 120 x 90 px that cuts it on all sides."""
    body = Body("woman")
    points = body.rest @ TO_CAMERA.T[:, :2]
    return (points - points.mean(0)) * 200 / np.ptp(points[:, 1]) + [45.3, 60.7]


def test_a_square_has_four_borders_and_a_diagonal():
    edges = find_edges(SQUARE)
    assert edges.ends.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]]
    assert (edges.triangles == len(SQUARE)).any(1).tolist() == [True, False, True, True, True]


def test_a_square_covers_its_pixels():
    covered = silhouette(CORNERS, SQUARE, find_edges(SQUARE), 5, 6)
    expected = np.zeros((5, 6), bool)
    expected[1:3, 1:4] = True
    np.testing.assert_array_equal(covered, expected)


def test_triangles_seen_from_behind_cover_nothing():
    away = SQUARE[:, ::-1]
    assert not silhouette(CORNERS, away, find_edges(away), 5, 6).any()


def test_only_the_triangles_asked_for_count():
    half = silhouette(CORNERS * 2, SQUARE, find_edges(SQUARE), 8, 10, np.array([True, False]))
    np.testing.assert_array_equal(half, rasterise(CORNERS * 2, np.ones(4), SQUARE[:1], 8, 10).covered)


def test_a_body_covers_what_its_triangles_cover(body_points):
    body = Body("woman")
    drawn = np.arange(len(body.faces)) % 50 > 0  # some triangles lack, so that there are holes
    for chosen in (np.ones(len(drawn), bool), drawn):
        slow = rasterise(body_points, np.ones(len(body_points)), body.faces[chosen], 120, 90).covered
        quick = silhouette(body_points, body.faces, body_edges(), 120, 90, chosen)
        assert slow.mean() > 0.2
        np.testing.assert_array_equal(quick, slow)


def test_triangles_that_turn_different_ways_are_refused():
    with pytest.raises(ValueError, match="turn different ways"):
        find_edges(np.array([[0, 2, 1], [0, 2, 3]]))
