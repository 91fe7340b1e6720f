"""A wrong configuration is refused before any job, in words that name the place and the cure."""

import hashlib
import os
import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from understudy.backends import backend_fact, list_backends, load_backend
from understudy.clips import read_clips
from understudy.errors import BackendError, ClipTableError, SettingsError
from understudy.project import Project
from understudy.settings import PoseSettings, from_params
from understudy.validation import BACKEND_FOLDERS, complete, load_project

ROOT = Path(__file__).parents[1]
DEMO = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    """Results of a demo made before, in the folder of the repository, count for no test."""
    monkeypatch.chdir(tmp_path)


def changed(**sections):
    config = deepcopy(DEMO)
    for name, value in sections.items():
        config[name] = {**config.get(name, {}), **value} if isinstance(value, dict) else value
    return config


TABLES = {"weights", "licences"}  # not configurations


@pytest.mark.parametrize(
    "file",
    [file for file in sorted((ROOT / "config").glob("*.yaml")) if file.stem not in TABLES],
    ids=lambda file: file.stem,
)
def test_shipped_configurations_are_right(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    project = load_project(yaml.safe_load(file.read_text()), ROOT)
    assert project.transfers()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (changed(flow={"qualty": "fine"}), r"Unknown key 'qualty' at flow .*did you mean 'quality'"),
        (changed(trainng={}), r"Unknown key 'trainng' at the top level .*did you mean 'training'"),
        (changed(flow={"quality": "fien"}), r"flow.quality is \"fien\".*medium, fine.*did you mean 'fine'"),
        (changed(decode={"height_px": "tall"}), r"decode.height_px is \"tall\".*type integer"),
        (changed(decode={"height_px": 100}), r"decode.height_px is 100.*multiple of 32"),
        (changed(pose={"min_score": 2}), r"pose.min_score is 2.*at most 1"),
        (changed(flow={"strides": [3]}), r"flow.strides is \[3\]"),
        (changed(performers={"ada": {"clips": ["ada", "ada"]}}), r"performers.ada.clips is .*entries that differ"),
        ({"clips": "config/clips.tsv"}, r"'performers' is missing"),
    ],
)
def test_schema_errors_name_place_and_cure(config, words):
    with pytest.raises(SettingsError, match=words):
        complete(config)


def stage(**values):
    return {"name": "s0t0", "height_px": 128, "clip_frames": 1, **values}


@pytest.mark.parametrize(
    ("config", "error", "words"),
    [
        (changed(flow={"backend": "diss"}), BackendError, r"flow.backend is 'diss'.*did you mean 'dis'"),
        (
            changed(training={"stages": [stage(height_px=96)]}),
            SettingsError,
            r"Stage s0t0.*choose one of 32, 64, 128, 256",
        ),
        (changed(training={"stages": [stage(), stage()]}), SettingsError, r"'s0t0' twice"),
        (changed(training={"stages": [stage(seconds=0)]}), SettingsError, r"never end"),
        (
            changed(training={"stages": [stage(batch=3)], "gpus": 2}),
            SettingsError,
            r"batch is 3, but training.gpus is 2",
        ),
        (
            changed(training={"stages": [stage(height_px=256), stage(name="s1t0")]}),
            SettingsError,
            r"S only grows",
        ),
        (
            changed(training={"stages": [], "grow": {"heights_px": [96]}}),
            SettingsError,
            r"Stage s0t0: height_px is 96",
        ),
        (changed(pose={"smooth_frames": 4}), SettingsError, r"odd"),
        (
            changed(
                training={
                    "losses": dict.fromkeys(("picture", "gradient", "matte", "flow", "flow_warp", "registration"), 0)
                }
            ),
            SettingsError,
            r"training.losses switches off every term",
        ),
        (
            changed(training={"losses": {"perceptual": 10}}),
            SettingsError,
            r"training.losses.perceptual is 10, but training.perceptual.weights names no file; write the path",
        ),
        (
            changed(training={"losses": {"perceptual": 0.5}, "perceptual": {"weights": "nowhere/vgg19.pth"}}),
            SettingsError,
            r"a file that does not exist: nowhere/vgg19.pth",
        ),
        (changed(training={"perceptual": {"sha256": "dcbb9e9d"}}), SettingsError, r"training.perceptual.sha256"),
        (changed(performers={"eve": {"clips": ["adaa"]}}), ClipTableError, r"No clip 'adaa'.*did you mean 'ada'"),
        (changed(transfers=[{"performer": "adam", "driving": "ben"}]), SettingsError, r"No performer 'adam'"),
        (changed(transfers=[{"performer": "ada", "driving": "bob"}]), ClipTableError, r"No clip 'bob'"),
        (changed(transfers=[{"performer": "ada", "driving": "ben"}] * 2), SettingsError, r"twice"),
        (changed(clips="config/nowhere.tsv"), ClipTableError, r"does not exist"),
        (changed(surface={"backend": "none"}), SettingsError, r"'neural_texture', which wears a texture"),
        (
            changed(
                surface={"backend": "none"},
                model={"generator": "vid2vid"},
                transfers=[{"performer": "ada", "driving": "ben"}],
            ),
            SettingsError,
            r"transfer of ben to ada is retargeted by 'body'.*set rendering.retarget",
        ),
        (
            changed(surface={"backend": "densepose"}, transfers=[{"performer": "ada", "driving": "ben"}]),
            SettingsError,
            r"surface.backend is 'densepose', which fits none; set rendering.retarget .* to limbs, or surface.backend",
        ),
        (
            changed(surface={"backend": "densepose_dump"}, dataset={"surface": "body"}, transfers=[]),
            SettingsError,
            r"dataset.surface is 'body', but surface.backend 'densepose_dump' fits none; set dataset.surface",
        ),
        (
            changed(surface={"densepose": {"device": "gpu"}}),
            SettingsError,
            r"surface.densepose.device is \"gpu\"",
        ),
        (
            changed(performers={"ada": {"clips": ["ada"], "warm_start": "bem"}, "ben": {"clips": ["ben"]}}),
            SettingsError,
            r"performers.ada.warm_start is 'bem'.*did you mean 'ben'",
        ),
        (
            changed(
                performers={
                    "ada": {"clips": ["ada"], "warm_start": "ben"},
                    "ben": {"clips": ["ben"], "warm_start": "ada"},
                }
            ),
            SettingsError,
            r"circle: ada from ben from ada",
        ),
        (
            changed(performers={"ada": {"clips": ["ada"], "warm_start": "nowhere.safetensors"}}),
            SettingsError,
            r"file that does not exist: nowhere.safetensors",
        ),
        ({}, SettingsError, r"--configfile"),
    ],
)
def test_project_errors_name_place_and_cure(config, error, words):
    with pytest.raises(error, match=words):
        load_project(config, ROOT)


def test_facts_of_backends_are_read_without_their_packages():
    package = BACKEND_FOLDERS["surface"]
    for name in list_backends(package):
        assert backend_fact(package, name, "has_body") is load_backend(package, name).has_body, name
        assert backend_fact(package, name, "name") == name
    with pytest.raises(ValueError, match="sets no colour in its class Backend"):
        backend_fact(package, "none", "colour")


def test_a_missing_video_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips.tsv").write_text("clip\tvideo\nme\tfootage/me.mp4\n")
    config = {"clips": "clips.tsv", "performers": {"me": {"clips": ["me"]}}}
    with pytest.raises(ClipTableError, match=r"clip 'me' does not exist: footage/me.mp4"):
        load_project(config, ROOT)


def test_a_missing_folder_of_openposes_files_is_named(tmp_path, monkeypatch):
    """Before any job: with the clip, the folder, and the command that makes it."""
    monkeypatch.chdir(tmp_path)
    config = changed(pose={"backend": "openpose_json"})
    with pytest.raises(SettingsError, match=r"clip 'ada' does not exist: keypoints/ada .*openpose\.bin --video .*ada/"):
        load_project(config, ROOT)
    for clip in ("ada", "ben"):
        (tmp_path / "keypoints" / clip).mkdir(parents=True)
        with pytest.raises(SettingsError, match=f"clip '{clip}' holds no file"):
            load_project(config, ROOT)
        (tmp_path / "keypoints" / clip / "a_000000000000_keypoints.json").touch()
    assert load_project(config, ROOT).pose_files("ben") == ["keypoints/ben"]
    config["pose"]["openpose_json"] = {"path": "keypoints/ada"}
    with pytest.raises(SettingsError, match=r"same for the clips 'ada' and 'ben': keypoints/ada; write \{clip\}"):
        load_project(config, ROOT)


def test_openposes_files_stand_in_params_by_their_content(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = load_project(changed(), ROOT)
    assert project.pose_files("ada") == [] and project.pose_state("ada") == {}
    files = [tmp_path / "keypoints" / clip / "a_000000000000_keypoints.json" for clip in ("ada", "ben")]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text(file.parent.name)
    project = load_project(changed(pose={"backend": "openpose_json"}), ROOT)
    assert project.pose_section("ada")["openpose_json"]["path"] == "keypoints/ada"
    before = project.pose_state("ada")
    assert before.values() != project.pose_state("ben").values()
    os.utime(files[0], (1, 1))
    assert project.pose_state("ada") == before, "a date is no content"
    files[0].write_text("eve")
    changed_file = project.pose_state("ada")
    files[0].rename(files[0].with_name("a_000000000001_keypoints.json"))
    assert len({str(state) for state in (before, changed_file, project.pose_state("ada"))}) == 3


def test_a_certificate_comes_with_its_key_and_both_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError, match=r"provenance.key is given, but provenance.certificate is empty"):
        load_project(changed(provenance={"key": "key.pem"}), ROOT)
    both = changed(provenance={"key": "key.pem", "certificate": "chain.pem"})
    with pytest.raises(SettingsError, match=r"provenance.certificate names chain.pem, which does not exist"):
        load_project(both, ROOT)
    for name in ("key.pem", "chain.pem"):
        (tmp_path / name).write_text(name)
    assert load_project(both, ROOT).signing_files() == ["chain.pem", "key.pem"]
    assert load_project(changed(), ROOT).signing_files() == []


def test_what_decides_a_film_is_in_its_digest_and_consent_is_not(tmp_path):
    def digest(consent="", **sections):
        (tmp_path / "clips.tsv").write_text(f"clip\tvideo\tconsent\nada\tx\t\nben\ty\t{consent}\nada_as_ben\tz\t\n")
        project = Project(load_project(changed(**sections), ROOT).settings, read_clips(tmp_path / "clips.tsv"))
        return project.transfer_digest("ada", "ben")

    assert digest() == digest("ben, on paper")
    assert len({digest(), digest(rendering={"crf": 20}), digest(flow={"slack_px": 3})}) == 3


def test_what_a_chosen_person_changes(tmp_path):
    """Who is followed changes no frame and no search, unless the clip is cropped to them; several are looked for."""
    rows = ("a\t3\tnone", "b\tcentral\tnone", "c\tlargest\tnone", "d\t2\tperson", "e\tlargest\tperson")
    lines = ["clip\tperson\tcrop\tvideo", *(f"{row}\tx.mp4" for row in rows)]
    (tmp_path / "clips.tsv").write_text("\n".join(lines))
    project = Project(load_project(DEMO, ROOT).settings, read_clips(tmp_path / "clips.tsv"))
    assert project.people_pose("a") == project.people_pose("b")
    assert [project.people_pose(clip)["people"] for clip in ("a", "c", "d", "e", "e/whole")] == [6, 1, 6, 1, 6]
    names = {"clip": "x"}
    assert project.decoded_row("a") | names == project.decoded_row("b") | names == project.located_row("c") | names
    assert project.located_row("d")["person"] == "2" and project.located_row("e")["person"] == "largest"
    assert [project.people_of(clip) for clip in ("a", "d", "e")] == ["a", "d/whole", "e/whole"]
    whole = project.clip_row("d/whole")
    assert (whole["person"], whole["crop"], whole["video"]) == ("largest", "none", "x.mp4")
    assert project.decode_of("d/whole")["height_px"] == 512 > project.decode_of("d")["height_px"]


def test_nothing_depends_on_a_backend_that_is_not_chosen():
    tuned = {"openpose": {"gpu": -1, "net_resolution": "-1x656"}}
    plain, other = (load_project(changed(pose=pose), ROOT) for pose in ({}, tuned))
    assert plain.pose_section("ada") == other.pose_section("ada")
    assert plain.people_pose("ada") == other.people_pose("ada")
    assert plain.stage_digest("s0t0") == other.stage_digest("s0t0")
    chosen = load_project(changed(pose=tuned | {"backend": "openpose"}), ROOT).pose_section("ada")
    assert chosen["openpose"]["gpu"] == -1 and chosen["openpose"]["net_resolution"] == "-1x656"


@pytest.mark.parametrize(
    ("pose", "gpus"),
    [
        ({}, 0),
        ({"backend": "openpose"}, 1),
        ({"backend": "openpose", "openpose": {"gpu": -1}}, 0),
        ({"backend": "rtmw"}, 0),
        ({"backend": "rtmw", "rtmw": {"device": "cuda"}}, 1),
        ({"backend": "openpose_caffe", "openpose_caffe": {"device": "cuda"}}, 1),
        ({"backend": "mediapipe", "rtmw": {"device": "cuda"}}, 0),
    ],
)
def test_poses_ask_for_a_gpu_where_their_backend_uses_one(pose, gpus):
    assert load_project(changed(pose=pose), ROOT).pose_gpus() == gpus


def test_stage_digest_follows_what_decides_the_result():
    project = load_project(DEMO, ROOT)
    digests = {name: project.stage_digest(name) for name in ("s0t0", "s0t1", "s1t1")}
    assert len(set(digests.values())) == 3

    stages = deepcopy(DEMO["training"]["stages"])
    stages[1]["learning_rate"] = 0.0001
    other = load_project(changed(training={"stages": stages}), ROOT)
    assert other.stage_digest("s0t0") == digests["s0t0"]
    assert other.stage_digest("s0t1") != digests["s0t1"]
    assert other.stage_digest("s1t1") != digests["s1t1"]

    saved = load_project(changed(training={"save_seconds": 7}), ROOT)
    assert saved.stage_digest("s1t1") == digests["s1t1"]
    even = [row | {"batch": 2} for row in DEMO["training"]["stages"]]
    alone, shared = (
        load_project(changed(training={"stages": even, "gpus": gpus, "compile": gpus > 1}), ROOT) for gpus in (1, 2)
    )
    assert shared.stage_digest("s1t1") == alone.stage_digest("s1t1"), "a stage goes on with another number of GPUs"
    assert (shared.training_gpus(), shared.training_threads(), shared.training_memory_mb()) == (2, 16, 32000)


def test_the_perceptual_file_stands_in_params_by_its_content(tmp_path):
    file = tmp_path / "vgg19.pth"
    file.write_bytes(b"weights")
    off, on = ({"losses": {"perceptual": weight}, "perceptual": {"weights": str(file)}} for weight in (0, 10))
    plain = load_project(DEMO, ROOT)
    unused, used = (load_project(changed(training=training), ROOT) for training in (off, on))
    assert unused.perceptual_weights() is None
    assert unused.stage_training("s0t0") == plain.stage_training("s0t0"), "a file that is not read retrains nothing"
    assert used.perceptual_weights() == str(file)
    digest = hashlib.sha256(b"weights").hexdigest()
    assert used.stage_training("s0t0")["perceptual"] == {"weights": str(file), "sha256": digest}

    assert unused.stage_digest("s0t0") == plain.stage_digest("s0t0") != used.stage_digest("s0t0")
    moved = file.rename(tmp_path / "moved.pth")
    elsewhere = load_project(changed(training=on | {"perceptual": {"weights": str(moved)}}), ROOT)
    assert elsewhere.stage_digest("s0t0") == used.stage_digest("s0t0"), "training goes on in the same state folder"


def test_a_stage_gets_its_own_row_only():
    project = load_project(DEMO, ROOT)
    assert [row["name"] for row in project.stage_training("s0t1")["stages"]] == ["s0t1"]
    assert project.stage_before("s0t0") is None
    assert project.stage_before("s1t1") == "s0t1"


def test_patch_judges_gain_a_level_each_time_the_height_doubles():
    rows = [stage(name=f"s{number}t0", height_px=64 * 2**number) for number in range(3)]

    def levels(**judges) -> list[int]:
        project = load_project(changed(training={"stages": rows, "judges": judges}), ROOT)
        return [project.stage_training(row["name"])["judges"]["levels"] for row in rows]

    assert levels(kind="patch") == [2, 3, 4]
    assert levels(kind="patch", levels=1) == [1, 1, 1]
    assert levels() == [0, 0, 0]


def test_a_generated_table_is_worth_the_same_rows_written_out():
    grow = {"heights_px": [128, 256], "clip_frames": [1, 3], "batch": 2, "epochs": 3, "judges_from": 1}
    generated = load_project(changed(training={"stages": [], "grow": grow}), ROOT)
    written = load_project(changed(training={"stages": generated.stages()}), ROOT)
    names = [row["name"] for row in generated.stages()]
    assert names == ["s0t0", "s0t1", "s1t1"] and generated.last_stage() == "s1t1"
    assert generated.stage_before("s1t1") == "s0t1"
    for name in names:
        assert generated.stage_digest(name) == written.stage_digest(name)
        assert repr(generated.stage_training(name)) == repr(written.stage_training(name))


def cropped_to_people(tmp_path):
    """The demo's configuration, its clip ada cropped to the person."""
    table = (ROOT / "config" / "demo_clips.tsv").read_text()
    (tmp_path / "clips.tsv").write_text(re.sub(r"^(ada\t.*)\tnone$", r"\1\tperson", table, flags=re.MULTILINE))
    return {"clips": str(tmp_path / "clips.tsv")}


def test_finding_a_person_does_not_depend_on_smoothing(tmp_path):
    clips = cropped_to_people(tmp_path)
    whole, smoothed, strict = (
        load_project(changed(pose=pose, **clips), ROOT).locating_pose("ada")
        for pose in ({}, {"smooth_frames": 9, "gap_frames": 3, "motion_weight": 7}, {"min_score": 0.6})
    )
    assert whole == smoothed != strict


def test_a_crop_that_is_given_depends_on_no_estimator(tmp_path):
    """Another backend decodes a clip anew only where it finds the person to crop to."""
    clips = cropped_to_people(tmp_path)
    one, other = (
        load_project(changed(pose=pose, **clips), ROOT) for pose in ({}, {"backend": "rtmw", "min_score": 0.1})
    )
    assert one.locating_pose("ben") == other.locating_pose("ben")
    assert one.locating_pose("ada") != other.locating_pose("ada")
    assert from_params(PoseSettings, one.locating_pose("ben")).backend == ""


def test_openposes_people_are_chosen_in_the_whole_picture(tmp_path, monkeypatch):
    """They stand in files of the whole video; the whole picture's are the clip's own."""
    clips = cropped_to_people(tmp_path)
    monkeypatch.chdir(tmp_path)
    for clip in ("ada", "ben"):
        (tmp_path / "keypoints" / clip).mkdir(parents=True)
        (tmp_path / "keypoints" / clip / "0_keypoints.json").touch()
    project = load_project(changed(pose={"backend": "openpose_json"}, **clips), ROOT)
    assert project.chooses_in_whole("ada") and not project.chooses_in_whole("ben")
    assert project.pose_files("ada/whole") == project.pose_files("ada") == ["keypoints/ada"]
    assert project.people_pose("ada/whole")["openpose_json"]["path"] == "keypoints/ada"


def test_clip_rows_stand_in_params_as_plain_values():
    row = load_project(DEMO, ROOT).clip_row("ada")
    assert re.fullmatch(r"results/clips/ada/synthetic.mp4", row["video"]) and row["end_s"] == 0.0
