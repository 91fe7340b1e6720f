"""Known answers on drawn patches of U, V: rest, shifts, growth, hidden points; then a slow plain version."""

import numpy as np
import pytest

from understudy.flow.correspondence import surface_correspondence


def patch(size: int, samples: int, left: float, top: float, side: float, part: int = 2):
    """Draw a square part whose U grows to the right and V down, at a place and size in pixels."""
    place = (np.arange(size * samples) + 0.5) / samples
    u, v = np.meshgrid((place - left) / side, (place - top) / side)
    inside = (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)
    uv = np.where(inside[..., None], np.stack([u, v], axis=-1), 0)
    return (inside * part).astype(np.uint8), np.rint(uv * 255).astype(np.uint8)


@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-4.5, 1.25)])
def test_a_moved_patch_gives_its_shift(samples, shift):
    now, before = patch(40, samples, 10, 10, 20), patch(40, samples, 10 + shift[0], 10 + shift[1], 20)
    flow, valid = surface_correspondence(*now, *before, samples)
    assert flow.shape == (40, 40, 2)
    assert flow.dtype == np.float32
    assert valid[11:29, 11:29].all()
    assert valid.sum() == pytest.approx(400, abs=45)
    assert np.abs(flow[valid] - shift).max() < 0.12  # U, V in 255 steps over 20 px are good for 0.08 px


def test_growth_shows_in_every_pixel():
    now, before = patch(48, 2, 4, 4, 40), patch(48, 2, 14, 14, 20)  # twice as large as in the frame before
    flow, valid = surface_correspondence(*now, *before, 2)
    centre = np.arange(48) + 0.5
    x, y = np.meshgrid(14 + (centre - 4) / 2 - centre, 14 + (centre - 4) / 2 - centre)
    assert np.abs(flow - np.stack([x, y], axis=-1))[valid].max() < 0.3
    assert np.median(np.abs(flow - np.stack([x, y], axis=-1))[valid]) < 0.06


def test_points_of_another_part_are_never_borrowed():
    flow, valid = surface_correspondence(*patch(32, 1, 8, 8, 16, part=3), *patch(32, 1, 8, 8, 16, part=4), 1)
    assert not valid.any()
    assert not flow.any()


def test_hidden_points_are_not_valid():
    now, before = patch(40, 2, 10, 10, 20), patch(40, 2, 10, 10, 20)
    before[0][:, 40:] = 0  # the right half, from x = 20, was hidden
    _, valid = surface_correspondence(*now, *before, 2)
    assert valid[11:29, 11:20].all()
    assert not valid[:, 23:].any()


@pytest.mark.parametrize("empty", ["now", "before", "both", "nearly"])
def test_an_empty_map_has_no_flow(empty):
    now, before = patch(24, 2, 4, 4, 12), patch(24, 2, 4, 4, 12)
    if empty in ("now", "both"):
        now = tuple(np.zeros_like(array) for array in now)
    if empty in ("before", "both"):
        before = tuple(np.zeros_like(array) for array in before)
    if empty == "nearly":
        before[0][:] = 0
        before[0][3, 3] = 2
    flow, valid = surface_correspondence(*now, *before, 2)
    assert flow.shape == (24, 24, 2)
    assert not flow.any()
    assert not valid.any()


def test_flat_u_v_stay_inside_the_part():
    """A part that carries one single U, V says nothing but 'somewhere on it'."""
    part = np.zeros((32, 32), np.uint8)
    part[8:24, 8:24] = 7
    uv = np.full((32, 32, 2), 90, np.uint8)
    flow, valid = surface_correspondence(part, uv, part, uv, 1)
    assert np.isfinite(flow).all()
    assert valid.sum() == 256
    assert np.abs(flow).max() < 17


def test_agrees_with_a_slow_plain_version():
    """Nearest sample of the same part, over all pairs: never farther off than its spacing."""
    now, before = patch(30, 1, 5.3, 6.1, 18), patch(30, 1, 8.9, 4.2, 15)
    flow, valid = surface_correspondence(*now, *before, 1)
    rows, columns = np.nonzero(before[0])
    for row, column in zip(*np.nonzero(valid)):
        distance = np.abs(before[1][rows, columns].astype(int) - now[1][row, column]).sum(1)
        best = distance.argmin()
        plain = np.array([columns[best] - column, rows[best] - row])
        assert np.abs(flow[row, column] - plain).max() < 1
