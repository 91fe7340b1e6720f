"""Sizes, scales and peaks as OpenPose has them."""

import numpy as np
import pytest

from understudy.errors import SettingsError
from understudy.semantics.pose_backends._heatmaps import (
    MOST_PEAKS,
    PEAK_SCORE,
    find_peaks,
    fit_scale,
    net_input,
    net_size,
    normalised,
    upsample,
)


@pytest.mark.parametrize(
    ("resolution", "picture", "size"),
    [
        ("-1x368", (720, 1280), (368, 656)),
        ("-1x368", (1920, 1080), (368, 208)),
        ("-1x368", (368, 2000), (368, 656)),  # wider than 16:9 gains no width
        ("656x-1", (720, 1280), (368, 656)),
        ("656x368", (500, 500), (368, 656)),
        ("-1x16", (100, 10), (16, 16)),
    ],
)
def test_net_size(resolution, picture, size):
    assert net_size(resolution, *picture) == size


@pytest.mark.parametrize("resolution", ["-1x-1", "-1x360", "650x368", "-1x0"])
def test_wrong_resolutions_are_refused(resolution):
    with pytest.raises(SettingsError, match=r"net_resolution is .* multiples of 16, .* such as -1x368"):
        net_size(resolution, 720, 1280)


def test_a_picture_of_the_nets_size_goes_in_as_it_is():
    picture = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    given = net_input(picture, (32, 48))
    assert given.shape == (1, 3, 32, 48) and given.dtype == np.float32
    np.testing.assert_allclose(given[0, 0], picture[..., 2] / 256 - 0.5, atol=1e-6)  # blue first
    assert np.array_equal(given, normalised(picture))


def test_the_aspect_is_kept_and_the_rest_is_black():
    picture = np.full((33, 33, 3), 255, np.uint8)
    given = net_input(picture, (64, 128))
    assert fit_scale((64, 128), 33, 33) == 63 / 32
    assert (given[..., 70:] == -0.5).all()
    assert (given[..., :62] == 255 / 256 - 0.5).all()


def test_enlarged_maps_keep_their_place():
    """Cell 3 of 8 px has its middle between pixels 27 and 28."""
    maps = np.zeros((2, 6, 8), np.float32)
    maps[1, 2, 3] = 1
    large = upsample(maps, (48, 64))
    y, x = np.mgrid[:48, :64]
    assert large.shape == (2, 48, 64)
    assert (x * large[1]).sum() / large[1].sum() == pytest.approx(27.5, abs=1e-3)
    assert (y * large[1]).sum() / large[1].sum() == pytest.approx(19.5, abs=1e-3)


def hill(x: float, y: float, size: tuple[int, int], width: float = 3.0) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * width**2)).astype(np.float32)


def test_peaks_are_found_where_they_are():
    maps = np.stack([np.maximum(hill(10, 20, (40, 60)), 0.5 * hill(40.3, 12.6, (40, 60))), np.zeros((40, 60))])
    first, second = find_peaks(maps, 0.0)
    assert second.shape == (0, 3)
    np.testing.assert_allclose(first[0], [40.3, 12.6, 0.5], atol=0.3)  # row by row
    np.testing.assert_allclose(first[1], [10, 20, 1], atol=1e-3)
    np.testing.assert_allclose(find_peaks(maps, 0.5)[0][:, :2] - first[:, :2], 0.5)


@pytest.mark.parametrize("place", [(10.5, 20), (10, 20.5), (10.5, 20.5)])
def test_a_peak_that_pixels_share_counts_once(place):
    (found,) = find_peaks(hill(*place, (40, 40))[None], 0.0)
    assert len(found) == 1
    np.testing.assert_allclose(found[0, :2], place, atol=0.5)


def test_low_peaks_and_those_at_the_border_do_not_count():
    low = 0.99 * PEAK_SCORE * hill(20, 20, (40, 40))
    border = np.maximum.reduce([hill(*place, (40, 40)) for place in ((0, 20), (39, 10), (20, 0), (10, 39))])
    assert [len(found) for found in find_peaks(np.stack([low, border]), 0.0)] == [0, 0]


def test_no_more_peaks_than_openpose_keeps():
    maps = np.zeros((1, 40, 40), np.float32)
    maps[0, 1:-1:2, 1:-1:2] = 1
    assert len(find_peaks(maps, 0.0)[0]) == MOST_PEAKS


def slow_peaks(plane: np.ndarray) -> list[tuple[float, float, float]]:
    """OpenPose's loop over pixels."""
    height, width = plane.shape
    found = []
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            around = np.delete(plane[y - 1 : y + 2, x - 1 : x + 2].ravel(), 4)
            if plane[y, x] > PEAK_SCORE and (plane[y, x] > around).all():
                total = weighted_x = weighted_y = 0.0
                for row in range(max(y - 3, 0), min(y + 4, height)):
                    for column in range(max(x - 3, 0), min(x + 4, width)):
                        if plane[row, column] > 0:
                            total += plane[row, column]
                            weighted_x += column * plane[row, column]
                            weighted_y += row * plane[row, column]
                found.append((weighted_x / total, weighted_y / total, plane[y, x]))
    return found


def test_peaks_agree_with_the_slow_reading():
    maps = np.random.default_rng(1).normal(0, 0.3, (3, 20, 24)).astype(np.float32)
    for plane, found in zip(maps, find_peaks(maps, 0.0), strict=True):
        np.testing.assert_allclose(found, slow_peaks(plane), rtol=1e-5)
