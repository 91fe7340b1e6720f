import pytest
import torch

from understudy.dataset.batch import ClipBatch, FrameTruth, SemanticMap


def semantic_map(batch: int) -> SemanticMap:
    numbers = torch.arange(batch).view(-1, 1, 1, 1).float()
    return SemanticMap(
        part=torch.arange(batch).view(-1, 1, 1).expand(-1, 8, 12),
        uv=torch.zeros(batch, 2, 8, 12),
        drawing=numbers.expand(-1, 3, 4, 6),
        flow=torch.zeros(batch, 2, 4, 6),
        flow_valid=torch.ones(batch, 1, 4, 6),
    )


def frame_truth(batch: int, flow: float) -> FrameTruth:
    return FrameTruth(
        picture=torch.zeros(batch, 3, 4, 6),
        matte=torch.zeros(batch, 1, 4, 6),
        flow=torch.full((batch, 2, 4, 6), flow),
        confidence=torch.ones(batch, 1, 4, 6),
    )


def clip_batch(batch: int) -> ClipBatch:
    truth = [frame_truth(batch, float(t)) for t in range(5)]
    far = {3: [(torch.full((batch, 2, 4, 6), 30.0 + t), torch.ones(batch, 1, 4, 6)) for t in range(5)]}
    return ClipBatch(
        maps=[semantic_map(batch) for _ in range(5)],
        truth=truth,
        past_valid=torch.ones(batch, 2),
        frames=torch.arange(5).expand(batch, 5),
        far=far,
    )


def test_one_item_keeps_the_batch_axis():
    whole = semantic_map(3)
    assert len(whole[1]) == 1
    assert (whole[1].part == 1).all()
    assert (whole[-1].drawing == 2).all()
    assert len(whole[1:]) == 2


def test_stacking_the_items_gives_the_batch_back():
    whole = semantic_map(3)
    again = SemanticMap.stack([whole[item] for item in range(3)])
    assert torch.equal(again.part, whole.part)
    assert torch.equal(again.drawing, whole.drawing)


def test_samples_are_the_ratio_of_surface_to_picture():
    assert semantic_map(1).samples == 2


def test_a_moved_batch_keeps_its_number_types():
    moved = clip_batch(2).to("cpu")
    assert moved.maps[0].part.dtype == torch.int64
    assert moved.far[3][4][0].mean() == 34


def test_clip_frames_leaves_out_the_context():
    batch = clip_batch(2)
    assert (batch.clip_frames, len(batch), len(batch[0])) == (3, 2, 1)


def test_strided_flows_are_those_of_the_frame_asked_for():
    batch = clip_batch(2)
    assert (batch.strided(2, 1)[0] == 2).all()
    assert (batch.strided(4, 3)[0] == 34).all()
    with pytest.raises(ValueError, match="were not drawn"):
        batch.strided(4, 2)
    with pytest.raises(ValueError, match="no frame 3 before"):
        batch.strided(2, 3)


def test_a_map_without_boxes_has_none_seen():
    boxes = semantic_map(3)[1:].boxes
    assert torch.equal(boxes, torch.zeros(2, 3, 4))
