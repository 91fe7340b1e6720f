"""Files that backends read: named before any job, with the clip's name put in; their content reruns, their date not."""

import os
from copy import deepcopy

import pytest

from understudy.errors import SettingsError
from understudy.inputs import file_state, for_clip, in_use, named_files
from understudy.settings import SurfaceSettings, from_params
from understudy.validation import complete, load_project

CONFIG = complete({"performers": {"ada": {"clips": ["ada"]}}})
SURFACE = CONFIG["surface"]


def section(backend, **changes):
    return deepcopy(SURFACE) | {"backend": backend, backend: SURFACE[backend] | changes}


def test_sections_of_other_backends_are_empty():
    used = in_use(section("densepose_dump", path="iuv/{clip}"))
    assert used["densepose_dump"]["path"] == "iuv/{clip}"
    assert used["densepose"] == {"config": "", "weights": "", "device": "", "min_score": 0.0}
    assert list(used) == list(SURFACE)
    assert from_params(SurfaceSettings, used).densepose.weights == ""
    other = section("densepose_dump", path="iuv/{clip}")
    other["densepose"]["min_score"] = 0.9
    assert in_use(other) == used, "what is not read reruns nothing"
    assert in_use({"held_out": 0.2}) == {"held_out": 0.2}


def test_paths_get_the_clips_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iuv" / "ada").mkdir(parents=True)
    chosen = section("densepose_dump", path="iuv/{clip}")
    assert for_clip(chosen, "ada")["densepose_dump"]["path"] == "iuv/ada"
    (found,) = named_files("surface", chosen, "ada")
    assert str(found) == "iuv/ada"
    with pytest.raises(
        SettingsError, match=r"surface.densepose_dump.path names iuv/ben for the clip 'ben', which does"
    ):
        named_files("surface", chosen, "ben")
    assert named_files("surface", SURFACE, "ada") == []


def test_networks_of_poses_are_files(tmp_path):
    pose, networks = deepcopy(CONFIG["pose"]), [tmp_path / "yolox.onnx", tmp_path / "rtmw.onnx"]
    for network in networks:
        network.touch()
    pose["rtmw"] |= {"detector": str(networks[0]), "pose": str(networks[1])}
    assert named_files("pose", pose | {"backend": "rtmw"}, "ada") == networks
    pose["openpose_caffe"]["model_folder"] = str(tmp_path)
    assert named_files("pose", pose | {"backend": "openpose_caffe"}, "ada") == [tmp_path]
    assert named_files("pose", pose, "ada") == []


def test_weights_and_configurations_are_files_names_are_not(tmp_path):
    weights, config = tmp_path / "model.pkl", tmp_path / "model.yaml"
    weights.touch()
    config.touch()
    chosen = section("densepose", weights=str(weights))
    assert named_files("surface", chosen, "ada") == [weights]
    assert named_files("surface", section("densepose", weights=str(weights), config=str(config)), "ada") == [
        config,
        weights,
    ]
    with pytest.raises(SettingsError, match=r"surface\.densepose\.weights is empty; write a path there"):
        named_files("surface", section("densepose"), "ada")


def test_content_and_names_count_dates_do_not(tmp_path):
    file, folder = tmp_path / "dump.pkl", tmp_path / "iuv"
    file.write_bytes(b"one")
    folder.mkdir()
    (folder / "1.png").write_bytes(b"one")
    first, pictures = file_state(file), file_state(folder)
    os.utime(file, ns=(1, 1))
    assert file_state(file) == first
    file.write_bytes(b"two")
    assert file_state(file) != first
    assert file_state(folder) == pictures
    (folder / "2.png").write_bytes(b"two")
    more = file_state(folder)
    (folder / "2.png").rename(folder / "3.png")
    renamed = file_state(folder)
    os.utime(folder / "3.png", ns=(1, 1))
    assert file_state(folder) == renamed
    (folder / "3.png").write_bytes(b"new")  # as long as before
    assert len({pictures, more, renamed, file_state(folder)}) == 4


def test_a_project_gives_a_clip_its_own_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips.tsv").write_text("clip\tvideo\nada\tada.mp4\n")
    (tmp_path / "ada.mp4").touch()
    (tmp_path / "ada.pkl").write_bytes(b"dump")
    surface = {"backend": "densepose_dump", "densepose_dump": {"path": "{clip}.pkl"}}
    config = {"clips": "clips.tsv", "performers": {"ada": {"clips": ["ada"]}}, "surface": surface}
    project = load_project(config, tmp_path)
    assert project.surface_files("ada") == ["ada.pkl"]
    assert list(project.surface_state("ada")) == ["ada.pkl"]
    assert project.surface_section("ada")["densepose_dump"]["path"] == "ada.pkl"
    assert (project.surface_gpus(), project.surface_memory_mb()) == (0, 4000)
    network = config | {"surface": {"backend": "densepose"}}
    assert load_project(network, tmp_path).surface_gpus() == 1
    assert load_project(network, tmp_path).surface_memory_mb() > 8000
    network["surface"]["densepose"] = {"device": "cpu"}
    assert load_project(network, tmp_path).surface_gpus() == 0


def test_only_a_clip_cropped_by_the_backend_is_cropped_by_its_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips.tsv").write_text(
        "clip\tvideo\tcrop\tperson\na\ta.mp4\tperson\tlargest\nb\tb.mp4\tnone\tlargest\nc\tc.mp4\tperson\t2\n"
    )
    for name in ("a.mp4", "b.mp4", "c.mp4", "yolox.onnx", "rtmw.onnx"):
        (tmp_path / name).write_bytes(name.encode())
    pose = {"backend": "rtmw", "rtmw": {"detector": "yolox.onnx", "pose": "rtmw.onnx", "device": "cuda"}}
    config = {"clips": "clips.tsv", "performers": {"a": {"clips": ["a", "b", "c"]}}, "pose": pose}
    project = load_project(config, tmp_path)
    assert project.locating_files("a") == ["yolox.onnx", "rtmw.onnx"]
    assert project.locating_files("b") == project.locating_files("c") == [], "c is chosen in its whole picture"
    assert [project.locating_gpus(clip) for clip in "abc"] == [1, 0, 0]
    before = project.locating_state("a")
    (tmp_path / "yolox.onnx").write_bytes(b"another")
    assert project.locating_state("a") != before and project.locating_state("b") == {}
    assert project.pose_memory_mb() > 8000 and project.flow_memory_mb() == 4000


def test_files_that_are_gone_are_asked_for_where_an_older_result_stands(tmp_path, monkeypatch):
    """Snakemake would take the surface of another backend for this one's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips.tsv").write_text("clip\tvideo\nada\tada.mp4\n")
    (tmp_path / "ada.mp4").touch()
    config = {"clips": "clips.tsv", "performers": {"ada": {"clips": ["ada"]}}, "surface": {"backend": "densepose_dump"}}
    load_project(config, tmp_path)
    surface = tmp_path / "results" / "clips" / "ada" / "surface.h5"
    surface.parent.mkdir(parents=True)
    surface.touch()
    with pytest.raises(SettingsError, match=r"densepose_dump.path names densepose/ada for the clip 'ada', which does"):
        load_project(config, tmp_path)


def test_settings_of_backends_that_are_not_chosen_keep_a_trainings_state():
    stage = "s0t0"
    plain = load_project(CONFIG_WITH_CLIP, ".").stage_digest(stage)
    other = deepcopy(CONFIG_WITH_CLIP)
    other["surface"] = {"densepose": {"min_score": 0.9}}
    assert load_project(other, ".").stage_digest(stage) == plain
    other["surface"] = {"reach": 0.1}
    assert load_project(other, ".").stage_digest(stage) != plain


CONFIG_WITH_CLIP = {
    "clips": "config/smoke_clips.tsv",
    "performers": {"ada": {"clips": ["ada"]}},
    "synthetic": {name: {} for name in ("ada", "ben", "ada_as_ben")},
}
