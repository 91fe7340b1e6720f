"""The four panels, by their pixels."""

import numpy as np
import pytest

from understudy.report.panels import FLOW_FULL, GREYS, flow_panel, matte_panel, motion_colours, parts_panel, pose_panel
from understudy.semantics.joints import BODY

HEIGHT, WIDTH = 128, 96


@pytest.fixture
def picture() -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), 200, np.uint8)


def test_the_pose_is_drawn_at_the_panels_scale(picture):
    body = np.zeros((25, 3))
    body[BODY["neck"]], body[BODY["mid_hip"]] = (20, 10, 1), (20, 50, 1)  # pixels of a frame half as large
    panel = pose_panel(picture, body, np.zeros((70, 3)), np.zeros((2, 21, 3)), scale=2.0)
    drawn = np.abs(panel.astype(int) - panel[0, 0]).sum(2) > 60
    rows, columns = np.nonzero(drawn)
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((40, 60), abs=0.5)
    assert panel[0, 0, 0] < 150  # dimmed


def test_parts_are_coloured_and_the_rest_is_footage(picture):
    part = np.zeros((2 * HEIGHT, 2 * WIDTH), np.uint8)
    part[100:140, 80:120] = 2
    uv = np.zeros((*part.shape, 2), np.uint8)
    panel = parts_panel(picture, part, uv, None)
    assert np.array_equal(panel[10, 10], picture[10, 10])
    assert np.ptp(panel[60, 50].astype(int)) > 40
    outlined = parts_panel(picture, part, uv, part)
    assert outlined[60, 38:43].min(1).max() > 220
    assert np.array_equal(outlined[60, 50], panel[60, 50])


def test_the_matte_cuts_the_person_out(picture):
    matte = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
    matte[20:40, 10:30] = 255
    panel = matte_panel(picture, matte)
    assert np.array_equal(panel[60, 40], picture[60, 40])
    assert panel[5, 5, 0] in GREYS
    assert set(np.unique(panel[:, -10:])) == set(GREYS)


def test_motion_has_the_colour_of_where_a_point_goes(picture):
    """Flow points back: what came from the left moves to the right, which is red."""
    backward = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    backward[:, :40, 0] = -2 * FLOW_FULL * HEIGHT
    panel = flow_panel(picture, backward, np.full((HEIGHT, WIDTH), 255, np.uint8))
    assert panel[60, 10].tolist() == [255, 0, 0]
    assert np.ptp(panel[60, 80].astype(int)) == 0


def test_flow_without_trust_is_hatched(picture):
    confidence = np.full((HEIGHT, WIDTH), 255, np.uint8)
    confidence[:, :48] = 0
    panel = flow_panel(picture, np.zeros((HEIGHT, WIDTH, 2), np.float32), confidence)
    assert 0.15 < (panel[:, :48] == 170).all(2).mean() < 0.35
    assert not (panel[:80, 50:] == 170).all(2).any()


@pytest.mark.parametrize(
    ("motion", "colour"), [((1, 0), (255, 0, 0)), ((-1, 0), (0, 255, 255)), ((0, 1), (128, 255, 0)), ((0, 0), None)]
)
def test_colours_of_motion(motion, colour):
    colours, strength = motion_colours(np.array([[motion]], float))
    assert strength[0, 0] == np.hypot(*motion)
    if colour:
        assert np.abs(colours[0, 0].astype(int) - colour).max() <= 2
