import numpy as np
import pytest

from understudy.flow.homography import (
    bridged,
    carried,
    corner_motion,
    corners,
    for_opencv,
    from_corners,
    local_scale,
    scaled,
)

SHIFT = np.array([[1, 0, 5], [0, 1, -3], [0, 0, 1.0]])
TILTED = np.array([[1.1, 0.02, -4], [-0.03, 0.95, 6], [0.001, -0.0005, 1]])


def test_a_point_is_carried_and_divided_by_its_depth():
    assert carried(np.array([[2.0, 7.0]]), SHIFT).tolist() == [[7.0, 4.0]]
    x, y, depth = TILTED @ (10, 20, 1)
    np.testing.assert_allclose(carried(np.array([10.0, 20.0]), TILTED), [x / depth, y / depth])


def test_many_points_by_a_homography_each():
    points = np.array([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])  # two frames of two points
    moved = carried(points, np.stack([np.eye(3), SHIFT]))
    assert moved.tolist() == [[[1, 2], [3, 4]], [[10, 3], [12, 5]]]


def test_corners_tell_the_homography():
    found = from_corners(carried(corners(30, 40), TILTED), 30, 40)
    np.testing.assert_allclose(found, TILTED, atol=1e-12)
    assert corner_motion(np.stack([np.eye(3), SHIFT]), 30, 40).tolist() == [0, np.hypot(5, 3)]


def test_gaps_are_bridged_evenly_and_ends_rest():
    far = np.array([[1, 0, 10], [0, 1, 0], [0, 0, 1.0]])
    motion = np.stack([TILTED, np.eye(3), TILTED, TILTED, far, TILTED])
    whole = bridged(motion, np.array([False, True, False, False, True, False]), 30, 40)
    np.testing.assert_allclose(carried(np.array([0.0, 0.0]), whole)[:, 0], [0, 0, 10 / 3, 20 / 3, 10, 10], atol=1e-9)
    assert np.array_equal(whole[[1, 4]], motion[[1, 4]])


def test_pixels_of_twice_the_size_show_half_the_motion():
    np.testing.assert_allclose(scaled(SHIFT, 2), [[1, 0, 2.5], [0, 1, -1.5], [0, 0, 1]])
    point = np.array([8.0, 6.0])
    np.testing.assert_allclose(carried(point / 4, scaled(TILTED, 4)), carried(point, TILTED) / 4)
    assert np.array_equal(scaled(np.eye(3), 8), np.eye(3)), "rest stays rest, to the bit"


def test_opencv_counts_from_the_first_pixels_centre():
    index = np.array([3.0, 9.0])
    np.testing.assert_allclose(carried(index, for_opencv(TILTED)), carried(index + 0.5, TILTED) - 0.5)


def test_zoom_is_the_scale_around_a_point():
    zoom = np.diag([2.0, 2.0, 1.0])
    assert local_scale(np.zeros((1, 2)), zoom[None]) == pytest.approx(2)
    here, step = np.array([12.0, 9.0]), 1e-4
    around = carried(here + step * np.array([[1, 0], [0, 1], [0, 0]]), TILTED)
    area = np.linalg.det((around[:2] - around[2]) / step)
    assert local_scale(here[None], TILTED[None]) == pytest.approx(np.sqrt(area), rel=1e-3)
