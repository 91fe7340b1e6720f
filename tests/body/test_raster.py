"""The rasteriser against triangles whose pixels are known, and against a slow plain version."""

import numpy as np
import pytest

from understudy.body.model import Body
from understudy.body.parts import Chart, chart
from understudy.body.raster import Raster, correct_perspective, draw_surface, rasterise

FACING = np.array([[0, 2, 1]])  # seen from the front with y down


def triangle(size=4.0):
    return np.array([[0.0, 0.0], [size, 0.0], [0.0, size]])


def test_a_right_triangle_covers_the_centres_inside_it():
    shown = rasterise(triangle(), np.ones(3), FACING, 5, 5).covered
    expected = np.add.outer(np.arange(5), np.arange(5)) + 1 <= 4  # x + y <= 4 at centres + 0.5
    assert (shown == expected).all()


def test_triangles_seen_from_behind_are_left_out_only_when_culled():
    away = FACING[:, ::-1]
    assert not rasterise(triangle(), np.ones(3), away, 5, 5).covered.any()
    assert rasterise(triangle(), np.ones(3), away, 5, 5, cull=False).covered.sum() == 10


def test_the_nearer_triangle_is_shown_whatever_the_order():
    points = np.concatenate([triangle(), triangle()])
    depth = np.array([2.0, 2, 2, 1, 1, 1])
    faces = np.concatenate([FACING, FACING + 3])
    assert set(rasterise(points, depth, faces, 5, 5).face[:2, :2].ravel()) == {1}
    assert set(rasterise(points, depth[::-1], faces, 5, 5).face[:2, :2].ravel()) == {0}


def test_barycentric_coordinates_and_depth_are_linear():
    depth = np.array([0.0, 4.0, 8.0])
    raster = rasterise(triangle(), depth, FACING, 5, 5)
    assert raster.barycentric[0, 2] == pytest.approx([0.25, 0.125, 0.625])  # x 2.5, y 0.5; corners 0, 2, 1
    assert raster.depth[0, 2] == pytest.approx(2.5 + 2 * 0.5)
    assert np.isinf(raster.depth[4, 4]) and raster.face[4, 4] == -1


def test_neighbours_leave_no_crack_and_the_frame_cuts():
    points = np.array([[-3.3, -2.1], [9.7, -1.4], [8.9, 9.2], [-2.2, 8.8], [2.53, 3.41]])
    faces = np.array([[0, 4, 1], [1, 4, 2], [2, 4, 3], [3, 4, 0]])
    assert rasterise(points, np.ones(5), faces, 7, 6).covered.all()


def test_agrees_with_a_plain_version():
    generator = np.random.default_rng(5)
    points, depth = generator.uniform(-2, 14, (30, 2)), generator.uniform(1, 5, 30)
    faces = generator.permutation(30).reshape(10, 3)
    raster = rasterise(points, depth, faces, 12, 10, cull=False)
    for row in range(12):
        for column in range(10):
            best, nearest = -1, np.inf
            for number, corner in enumerate(faces):
                matrix = np.concatenate([points[corner].T, np.ones((1, 3))])
                share = np.linalg.solve(matrix, [column + 0.5, row + 0.5, 1])
                if share.min() >= 0 and share @ depth[corner] < nearest:
                    best, nearest = number, share @ depth[corner]
            assert raster.face[row, column] == best


def test_perspective_is_exact_on_a_slanted_triangle():
    corners = np.array([[-1.0, -1, 2], [1, -1, 6], [-1, 1, 2]])  # x right, y down, z away
    focal, middle = 8.0, 8.0
    points = corners[:, :2] / corners[:, 2:] * focal + middle
    raster = correct_perspective(rasterise(points, corners[:, 2], FACING, 16, 16), corners[:, 2], FACING)
    row, column = np.nonzero(raster.covered)
    assert len(row) > 20
    place = raster.barycentric[row, column] @ corners[FACING[0]]
    assert place[:, 0] / place[:, 2] * focal + middle == pytest.approx(column + 0.5, abs=1e-4)
    assert place[:, 1] / place[:, 2] * focal + middle == pytest.approx(row + 0.5, abs=1e-4)
    assert raster.depth[row, column] == pytest.approx(place[:, 2], abs=1e-4)


def test_surface_is_drawn_from_the_chart():
    raster = Raster(
        np.array([[0, -1]]), np.array([[[0.5, 0.25, 0.25], [0, 0, 0]]], np.float32), np.array([[1, np.inf]], np.float32)
    )
    drawing = Chart(np.array([7], np.uint8), np.array([[[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]], np.float32))
    part, uv = draw_surface(raster, drawing)
    assert part.tolist() == [[7, 0]]
    assert uv.tolist() == [[[128, 191], [0, 0]]]


def test_a_body_from_the_front_shows_front_parts_with_left_on_the_right_of_the_picture():
    body = Body("neutral")
    points = np.stack([body.rest[:, 0] * 30 + 32, -body.rest[:, 2] * 30 + 32], axis=1)
    part, _ = draw_surface(rasterise(points, body.rest[:, 1], body.faces, 64, 64), chart(body))
    shown = np.bincount(part.ravel(), minlength=25)
    assert shown[2] > 50 and shown[1] < 0.1 * shown[2]
    columns = np.arange(64)
    left, right = ((part == number).sum(0) @ columns / (part == number).sum() for number in (14, 13))
    assert left > 34 and right < 30
