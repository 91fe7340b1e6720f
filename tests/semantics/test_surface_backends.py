"""The contract that every surface backend is held to, and how near the embedded one comes to the truth."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import densepose_double
from defaults import pose_settings, surface_settings
from densepose_double import Person
from densepose_files import true_maps, write_pictures
from posing import make_pose
from understudy.backends import list_backends, load_backend
from understudy.body.fit import BodyShape
from understudy.errors import BackendError, LayoutError
from understudy.layouts import change_file, describe, open_file
from understudy.semantics.surface import BACKENDS, check_surface, estimate_surface
from understudy.video.frames import Frames


@pytest.fixture
def prepared(tiny_clip, tiny_pose, tmp_path, monkeypatch):
    """Settings of a backend, with the files and programs it needs: DensePose's are made from the truth."""

    def prepare(name, samples):
        if name == "densepose":
            maps = true_maps(tiny_clip.folder / "truth.h5")
            with open_file(tiny_pose, "pose") as pose:
                boxes = pose["person_box"][:] + np.array([-8, -8, 8, 8], np.float32)
            script = [[Person(tuple(box), 0.9, one[..., 0], one[..., 1:] / 255)] for box, one in zip(boxes, maps)]
            densepose_double.install(monkeypatch, script)
            files = {"config": str(tmp_path / "model.yaml"), "weights": str(tmp_path / "model.pkl")}
            for file in files.values():
                Path(file).touch()
            return surface_settings(name, samples=samples, densepose=files | {"device": "cpu", "min_score": 0.5})
        if name == "densepose_dump":
            folder = write_pictures(tmp_path / "iuv", true_maps(tiny_clip.folder / "truth.h5"))
            dump = {"path": str(folder), "chart": "densepose", "min_score": 0.5}
            return surface_settings(name, samples=samples, densepose_dump=dump)
        return surface_settings(name, samples=samples)

    return prepare


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("name", list_backends(BACKENDS))
def test_backend_keeps_the_contract(name, samples, prepared, tiny_clip, tiny_pose):
    backend = load_backend(BACKENDS, name)(prepared(name, samples))
    assert backend.name == name
    assert backend.version
    assert backend.chart
    with Frames(tiny_clip.frames) as frames, open_file(tiny_pose, "pose") as pose:
        surfaces = list(backend(frames, pose, threads=2))
        assert len(surfaces) == len(frames)
        for number, surface in enumerate(surfaces):
            check_surface(surface, backend, frames, samples, number)
            assert surface.valid
            assert not surface.uv[surface.part == 0].any()
            if name != "none":
                assert (surface.part > 0).mean() == pytest.approx((surface.matte > 127).mean(), rel=0.15)
    assert isinstance(backend.attributes(), dict)


@pytest.mark.parametrize("name", [name for name in list_backends(BACKENDS) if name != "truth"])
def test_frames_without_a_person_are_rows_without_a_surface(name, prepared, tiny_clip, tiny_pose, tmp_path):
    """The truth alone knows better than the pose."""
    absent = tmp_path / "pose.h5"
    shutil.copy(tiny_pose, absent)
    with change_file(absent) as file:
        file["valid"][2] = False
        for dataset in ("body", "face", "hands", "person_box", "matte"):
            file[dataset][2] = 0
    surface = tmp_path / "surface.h5"
    estimate_surface(tiny_clip.frames, absent, surface, prepared(name, 1))
    with open_file(surface, "surface") as file:
        assert file["valid"][:].tolist() == [True, True, False, True, True, True]
        assert not file["part"][2].any() and not file["matte"][2].any()


def test_clothes_and_hair_fill_the_silhouette(synthetic_clip, tmp_path):
    """With exact joints the body in its clothes covers the person better than the body of the right sizes."""
    make_pose(synthetic_clip.frames, tmp_path / "pose.h5", pose_settings("truth", smooth_frames=1, gap_frames=0))
    agreement = {}
    with Frames(synthetic_clip.frames) as frames, open_file(tmp_path / "pose.h5", "pose") as pose:
        for shape in ("body", "clothed"):
            backend = load_backend(BACKENDS, "body_model")(surface_settings("body_model", shape=shape, samples=1))
            surfaces = list(backend(frames, pose, threads=2))[::4]
            drawn = np.stack([surface.body_part > 0 for surface in surfaces])
            person = np.stack([surface.matte > 127 for surface in surfaces])
            agreement[shape] = (drawn & person).sum() / (drawn | person).sum()
            relief = BodyShape.from_json(backend.attributes()["body"]).relief
            assert bool(relief) == (shape == "clothed")
    assert agreement["clothed"] > 0.94
    assert agreement["clothed"] > agreement["body"] + 0.015


def test_no_surface_keeps_the_pose_matte(tiny_clip, tiny_pose):
    backend = load_backend(BACKENDS, "none")(surface_settings("none", samples=2))
    with Frames(tiny_clip.frames) as frames, open_file(tiny_pose, "pose") as pose:
        for number, surface in enumerate(backend(frames, pose)):
            assert not surface.part.any()
            np.testing.assert_array_equal(surface.matte, pose["matte"][number])


def test_no_surface_without_a_matte_is_refused(tiny_clip, tiny_pose, tmp_path):
    bare = tmp_path / "pose.h5"
    shutil.copy(tiny_pose, bare)
    with change_file(bare) as file:
        del file["matte"]
    with pytest.raises(BackendError, match="holds no matte"):
        estimate_surface(tiny_clip.frames, bare, tmp_path / "surface.h5", surface_settings("none", samples=2))
    assert not (tmp_path / "surface.h5").exists()


@pytest.mark.slow
def test_embedded_estimator_meets_the_truth(synthetic_clip, tmp_path):
    """With estimated joints: 0.85 of the person's true samples have their part, U and V are near."""
    make_pose(synthetic_clip.frames, tmp_path / "pose.h5", pose_settings("mediapipe"))
    surface = tmp_path / "surface.h5"
    estimate_surface(synthetic_clip.frames, tmp_path / "pose.h5", surface, surface_settings("body_model", samples=2))
    with open_file(surface, "surface") as found, open_file(synthetic_clip.folder / "truth.h5", "truth") as truth:
        attributes = describe(found)
        exact, part, bare = truth["part"][:], found["part"][:], found["body_part"][:]
        right = (exact == part) & (exact > 0)
        error = np.abs(found["uv"][:][right].astype(float) - truth["uv"][:][right]).mean(0) / 255
        assert found["valid"][:].all()
    assert right.sum() / (exact > 0).sum() >= 0.85
    assert (exact == bare)[exact > 0].mean() >= 0.83
    assert error[0] < 0.09
    assert error[1] < 0.07
    assert attributes["samples"] == 2
    assert attributes["chart"] == "understudy-1"
    assert 1 < BodyShape.from_json(attributes["body"]).thickness < 1.6


def test_truth_is_the_truth(tiny_clip, tiny_pose, tmp_path):
    estimate_surface(tiny_clip.frames, tiny_pose, tmp_path / "surface.h5", surface_settings("truth", samples=2))
    with (
        open_file(tmp_path / "surface.h5", "surface") as found,
        open_file(tiny_clip.folder / "truth.h5", "truth") as truth,
    ):
        for name in ("part", "uv", "matte"):
            np.testing.assert_array_equal(found[name][:], truth[name][:])


def test_a_pose_of_other_frames_is_refused(tiny_clip, synthetic_clip, tiny_pose, tmp_path):
    with pytest.raises(LayoutError, match=r"6 rows, but .* has 24 frames"):
        estimate_surface(
            synthetic_clip.frames, tiny_pose, tmp_path / "surface.h5", surface_settings("body_model", samples=1)
        )
