"""The backend `densepose` against a double of detectron2 that behaves as documented, down to the traps."""

import sys

import numpy as np
import pytest
import torch

from defaults import surface_settings
from densepose_double import Boxes, Instances, Person, install
from understudy.errors import BackendError
from understudy.layouts import create, open_file
from understudy.semantics.surface_backends.densepose import Backend
from understudy.semantics.truth import open_truth
from understudy.video.frames import Frames

SIZE = 40  # px, of frames made here


@pytest.fixture
def settings(tmp_path):
    """Settings whose files are there."""
    (tmp_path / "model.yaml").write_text("MODEL: {}")
    (tmp_path / "model.pkl").write_bytes(b"weights")

    def make(samples=1, **changes):
        own = {"config": str(tmp_path / "model.yaml"), "weights": str(tmp_path / "model.pkl"), "device": "cpu"}
        return surface_settings("densepose", samples=samples, densepose=own | {"min_score": 0.5} | changes)

    return make


def write_clip(folder, boxes, valid=None, matte=None):
    """Write frames of random pixels and a pose whose person stands in the boxes (T, 4)."""
    boxes = np.asarray(boxes, np.float32)
    count = len(boxes)
    random = np.random.default_rng(1)
    with create(folder / "frames.h5", "frames", "test") as file:
        file.extend(rgb=random.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8))
        file.attributes({"rate_numerator": 10, "rate_denominator": 1, "source": "none.mp4", "crop": [0, 0, SIZE, SIZE]})
    with create(folder / "pose.h5", "pose", "test") as file:
        file.extend(
            body=np.ones((count, 25, 3), np.float32),
            face=np.zeros((count, 70, 3), np.float32),
            hands=np.zeros((count, 2, 21, 3), np.float32),
            person_box=boxes,
            valid=np.ones(count, bool) if valid is None else np.array(valid),
        )
        if matte is not None:
            file.extend(matte=matte)
    return folder


def surfaces(folder, settings):
    backend = Backend(settings)
    with Frames(folder / "frames.h5") as frames, open_file(folder / "pose.h5", "pose") as pose:
        return list(backend(frames, pose))


def person(box, score=0.9, part=2, u=0.5, v=0.25):
    """Somebody who is all one part."""
    parts = np.full((SIZE, SIZE), part)
    return Person(box, score, parts, np.stack([np.full(parts.shape, u), np.full(parts.shape, v)], -1))


def test_exact_surfaces_come_through_the_network(tiny_clip, tiny_pose, settings, monkeypatch):
    """The double is given the true surface; the backend's must be the same but for the network's grid."""
    with open_truth(Frames(tiny_clip.frames)) as truth, open_file(tiny_pose, "pose") as pose:
        boxes = pose["person_box"][:] + np.array([-6, -6, 6, 6], np.float32)
        maps = [(truth.map("part", index, 2), truth.map("uv", index, 2)) for index in range(len(boxes))]
    script = [[Person(tuple(box), 0.9, part, uv / 255)] for box, (part, uv) in zip(boxes, maps)]
    install(monkeypatch, script)
    with Frames(tiny_clip.frames) as frames, open_file(tiny_pose, "pose") as pose:
        found = list(Backend(settings(samples=2))(frames, pose))
    for surface, (part, uv) in zip(found, maps):
        same = (surface.part == part) & (part > 0)
        assert same.sum() / (part > 0).sum() > 0.94
        error = np.abs(surface.uv[same].astype(float) - uv[same])
        assert np.median(error) < 3, "samples are 8 apart: pasted at the truncated corner it is 4 to 6"


def test_pictures_reach_the_network_as_bgr(tmp_path, settings, monkeypatch):
    record = install(monkeypatch, [[]])
    folder = write_clip(tmp_path, [(5, 5, 30, 35)])
    surfaces(folder, settings(min_score=0.7))
    with Frames(folder / "frames.h5") as frames:
        np.testing.assert_array_equal(record.seen[0], frames[0][..., ::-1])
    (config,) = record.configs
    assert config.MODEL.ROI_HEADS.SCORE_THRESH_TEST == 0.7
    assert config.MODEL.DEVICE == "cpu"
    assert config.MODEL.WEIGHTS.endswith("model.pkl")
    assert config.merged == str(tmp_path / "model.yaml")


@pytest.mark.parametrize(("samples", "rows", "columns"), [(1, (21, 38), (11, 30)), (2, (42, 76), (22, 60))])
def test_results_cover_their_box_at_the_samples(samples, rows, columns, tmp_path, settings, monkeypatch):
    """x 10.9 to 30.2, y 20.9 to 38.1: the pixels whose middles lie in it, though the result has 17 x 19 of them."""
    install(monkeypatch, [[person((10.9, 20.9, 30.2, 38.1))]])
    (surface,) = surfaces(write_clip(tmp_path, [(11, 21, 30, 38)]), settings(samples=samples))
    found = np.argwhere(surface.part == 2)
    assert tuple(found.min(0)) == (rows[0], columns[0])
    assert tuple(found.max(0) + 1) == (rows[1], columns[1])
    assert surface.matte.shape == (SIZE, SIZE) and surface.valid


def test_a_box_at_the_border_is_cut(tmp_path, settings, monkeypatch):
    install(monkeypatch, [[person((30.0, 30.0, 40.9, 40.9))], [person((-3.5, 4.0, 20.0, 30.0))]])
    first, second = surfaces(write_clip(tmp_path, [(30, 30, 40, 40), (0, 4, 20, 30)]), settings())
    assert first.part[-1, -1] == 2 and (first.part > 0).sum() == 100
    assert second.part[10, 0] == 2


def test_u_and_v_are_held_to_their_range(tmp_path, settings, monkeypatch):
    box = (5.0, 5.0, 35.0, 35.0)
    install(monkeypatch, [[person(box, u=1.004, v=-0.004)], [person(box, u=-2718.0, v=3353.0)]])
    first, second = surfaces(write_clip(tmp_path, [box, box]), settings())
    inside = first.part > 0
    assert (first.uv[inside] == (255, 0)).all() and (second.uv[inside] == (0, 255)).all()
    assert not first.uv[~inside].any()


def test_nobody_found_is_a_frame_without_a_surface(tmp_path, settings, monkeypatch):
    """The field of results may be absent, or there with none in it; no field at all has no length."""
    empty = Instances((SIZE, SIZE), pred_boxes=Boxes(torch.zeros(0, 4)), scores=torch.zeros(0))
    boxes_alone = Instances((SIZE, SIZE), pred_boxes=Boxes(torch.tensor([[5.0, 5, 30, 35]])))
    install(monkeypatch, [[], empty, boxes_alone, Instances((SIZE, SIZE))])
    found = surfaces(write_clip(tmp_path, [(5, 5, 30, 35)] * 4), settings())
    assert [surface.valid for surface in found] == [False] * 4
    assert not any(surface.part.any() or surface.matte.any() for surface in found)


def test_the_person_of_the_pose_is_taken_not_the_best_score(tmp_path, settings, monkeypatch):
    left, right = (2.0, 4.0, 16.0, 36.0), (20.0, 4.0, 38.0, 36.0)
    install(monkeypatch, [[person(left, 0.99, part=3), person(right, 0.6, part=7)], [person(left, 0.99)]])
    both, other = surfaces(write_clip(tmp_path, [(22, 6, 36, 34)] * 2), settings())
    assert set(np.unique(both.part)) == {0, 7}
    assert not other.valid, "somebody else is not the person"


def test_frames_without_a_pose_are_not_looked_at(tmp_path, settings, monkeypatch):
    record = install(monkeypatch, [[person((5.0, 5.0, 30.0, 35.0))]])
    found = surfaces(write_clip(tmp_path, [(0, 0, 0, 0), (5, 5, 30, 35)], valid=[False, True]), settings())
    assert [surface.valid for surface in found] == [False, True]
    assert len(record.seen) == 1


def test_the_pose_matte_cuts_and_is_filled(tmp_path, settings, monkeypatch):
    install(monkeypatch, [[person((10.0, 5.0, 30.0, 35.0))]])
    matte = np.zeros((1, SIZE, SIZE), np.uint8)
    matte[:, 5:35, 14:31] = 255
    (surface,) = surfaces(write_clip(tmp_path, [(10, 5, 30, 35)], matte=matte), settings())
    np.testing.assert_array_equal(surface.part > 0, matte[0] > 127)
    np.testing.assert_array_equal(surface.matte, matte[0])


def test_answers_of_a_gpu_are_brought_to_the_cpu(tmp_path, settings, monkeypatch):
    install(monkeypatch, [[person((5.0, 5.0, 30.0, 35.0))]], on="cuda:0")
    (surface,) = surfaces(write_clip(tmp_path, [(5, 5, 30, 35)]), settings())
    assert surface.valid


def test_embedding_models_are_refused(tmp_path, settings, monkeypatch):
    class Embedding(list):
        embedding = torch.zeros(1, 16, 4, 4)

        def to(self, device):
            return self

    answer = Instances((SIZE, SIZE), pred_boxes=Boxes(torch.tensor([[5.0, 5, 30, 35]])), pred_densepose=Embedding([0]))
    install(monkeypatch, [answer])
    with pytest.raises(BackendError, match=r"vertex embeddings \(CSE\), expected one with charts"):
        surfaces(write_clip(tmp_path, [(5, 5, 30, 35)]), settings())


def test_a_full_gpu_says_what_to_lower(tmp_path, settings, monkeypatch):
    install(monkeypatch, [torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")])
    with pytest.raises(BackendError, match=r"memory is too little .* 40 x 40 px .*MIN_SIZE_TEST"):
        surfaces(write_clip(tmp_path, [(5, 5, 30, 35)]), settings())


def test_what_is_missing_is_named(settings, monkeypatch, tmp_path):
    with pytest.raises(BackendError, match=r"'detectron2', which is not installed here; run with --sdm conda"):
        Backend(settings())
    install(monkeypatch, [])
    with pytest.raises(BackendError, match=r"weights names no file, which does not exist; download"):
        Backend(settings(weights=""))
    with pytest.raises(BackendError, match=r"'nowhere', but .*nowhere.yaml does not exist; name one of this"):
        Backend(settings(config="nowhere"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match=r"device is 'cuda', but PyTorch finds no GPU here"):
        Backend(settings(device="cuda"))


def test_a_build_for_another_torch_is_told_from_a_missing_one(settings, monkeypatch):
    install(monkeypatch, [])

    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "detectron2.config":
                raise ImportError("detectron2/_C.so: undefined symbol: _ZN3c10")

    monkeypatch.delitem(sys.modules, "detectron2.config")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(BackendError, match=r"cannot load detectron2 .*undefined symbol.*built for another PyTorch"):
        Backend(settings())
