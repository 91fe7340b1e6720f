import numpy as np
import pytest
import torch

from handmade import block_surface, standing_track
from understudy.dataset.maps import (
    CompactMap,
    Figure,
    NetworkSize,
    chosen_samples,
    compact_map,
    join_maps,
    landmark_box,
    network_figure,
    network_size,
    scaled_joints,
)
from understudy.errors import TrainingError
from understudy.semantics.drawing import draw_pose


def figure(x: float, height: int = 64, width: int = 64, samples: int = 2) -> Figure:
    track = standing_track(1, scale=0.5, x=x, ground=60)
    return Figure(track.body[0], track.face[0], track.hands[0], *block_surface(track.body[0], height, width, samples))


def test_network_height_must_be_a_power_of_two_down():
    assert network_size(64, 256, 384).width == 96
    assert network_size(64, 256, 384).factor == 4
    with pytest.raises(TrainingError, match="may be 256, 128, 64, 32"):
        network_size(100, 256, 384)


def draw(stored: Figure, before: Figure | None, size: NetworkSize) -> CompactMap:
    """The map of stored figures."""
    return compact_map(network_figure(stored, size), before and network_figure(before, size), size)


@pytest.mark.parametrize("there", [1, 2, 3, 4, 6, 8])
def test_chosen_samples_are_regular_and_within_their_pixel(there):
    height = 4
    rows = np.repeat(np.arange(height * there)[:, None], height * there, 1)
    kept = chosen_samples(rows, height)[:, 0]
    per_pixel = min(there, 2)
    assert len(kept) == height * per_pixel
    assert (kept // there == np.repeat(np.arange(height), per_pixel)).all()
    assert len(set(np.diff(kept).tolist())) == 1 or there == 3


def test_maps_hold_only_part_numbers_that_were_there():
    chance = np.random.default_rng(0)
    base = figure(32)
    part = chance.choice([0, 1, 24], size=(128, 128)).astype(np.uint8)
    drawn = draw(Figure(base.body, base.face, base.hands, part, base.uv), None, network_size(16, 64, 64))
    assert drawn.part.shape == (32, 32)
    assert set(np.unique(drawn.part)) == {0, 1, 24}


def test_border_of_a_part_is_a_share_of_the_pixel():
    # The block's left edge lies at 32.5 - 0.2 * 64 = 19.7 px: half of the two samples of column 19 are covered.
    drawn = draw(figure(32.5), None, network_size(64, 64, 64))
    share = (drawn.part > 0).reshape(64, 2, 64, 2).mean((1, 3))
    assert share[40, 18:21].tolist() == [0, 0.5, 1]


def test_surface_flow_is_in_network_pixels():
    size = network_size(32, 64, 64)
    drawn = join_maps([draw(figure(36), figure(30), size)])
    inside = drawn.flow_valid[0, 0] > 0
    assert inside.sum() > 100
    assert drawn.flow[0, 0][inside].median() == pytest.approx(-3, abs=0.1)
    assert drawn.flow[0, 1][inside].median() == pytest.approx(0, abs=0.1)


def test_a_frame_without_past_has_no_flow():
    drawn = join_maps([draw(figure(36), None, network_size(32, 64, 64))])
    assert drawn.flow_valid.sum() == 0 and drawn.flow.abs().sum() == 0


def test_batch_has_the_promised_numbers():
    size = network_size(32, 64, 64)
    batch = join_maps([draw(figure(x), None, size) for x in (20, 32)])
    assert batch.part.dtype == torch.int64 and batch.part.shape == (2, 64, 64)
    assert batch.uv.dtype == torch.float32 and batch.uv.shape == (2, 2, 64, 64)
    assert 0.9 < batch.uv.max() <= 1 and batch.uv.min() == 0
    assert batch.drawing.shape == (2, 3, 32, 32)
    assert batch.drawing.min() == -1 and batch.drawing.max() > 0.9
    assert batch.samples == 2


def test_drawing_is_made_at_network_resolution():
    whole = figure(36)
    drawing = draw(whole, None, network_size(32, 64, 64)).drawing
    joints = [scaled_joints(each, 2) for each in (whole.body, whole.face, whole.hands)]
    assert np.array_equal(drawing, draw_pose(*joints, 32, 32).transpose(2, 0, 1))


def test_joints_are_scaled_but_not_their_scores():
    assert scaled_joints(np.array([[8.0, 4.0, 0.9]], np.float32), 4).tolist() == [[2, 1, pytest.approx(0.9)]]


def test_boxes_frame_the_landmarks_in_network_pixels():
    whole = figure(36)
    boxes = join_maps([draw(whole, None, network_size(32, 64, 64))]).boxes
    assert boxes.shape == (1, 3, 4) and boxes.dtype == torch.float32
    for box, points in zip(boxes[0], (whole.face, *whole.hands), strict=True):
        wanted = [points[:, 0].min(), points[:, 1].min(), points[:, 0].max(), points[:, 1].max()]
        assert box.tolist() == pytest.approx([each / 2 for each in wanted])


def test_absent_landmarks_do_not_stretch_the_box_and_too_few_have_none():
    points = np.array([[4.0, 5.0, 0.9], [8.0, 9.0, 0.2], [0.0, 0.0, 0.0], [6.0, 20.0, 1.0]], np.float32)
    size = NetworkSize(32, 24, 1)
    assert landmark_box(points, size).tolist() == [4, 5, 8, 20]
    points[[0, 1], 2] = 0
    assert landmark_box(points, size).tolist() == [0, 0, 0, 0]


def test_a_face_outside_the_picture_has_no_box():
    points = np.array([[20.0, 5.0, 1.0], [30.0, 9.0, 1.0]], np.float32)
    assert landmark_box(points, NetworkSize(32, 26, 1)).any()
    assert not landmark_box(points, NetworkSize(32, 25, 1)).any()
