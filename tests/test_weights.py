"""What config/weights.yaml says, and how settings that name its files are planned before the files are there."""

import hashlib
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from understudy.errors import SettingsError, WeightsError
from understudy.inputs import input_state, named_files
from understudy.semantics.pose_backends._pyopenpose import NETWORKS
from understudy.validation import complete, load_project
from understudy.weights import FOLDER, OPENPOSE, TABLE, Weights, load_weights, measure, weights_at, weights_state

CONFIG = complete({"performers": {"ada": {"clips": ["ada"]}}})


def entry(**changes) -> Weights:
    return Weights(**({
        "name": "net.pth", "urls": ("http://x/net.pth",), "member": "", "sha256": "", "md5": "", "size": 0,
        "licence": "none", "use": "any", "purpose": "tests",
    } | changes))  # fmt: skip


def test_sums_are_those_of_the_published_examples(tmp_path):
    file = tmp_path / "abc"
    file.write_bytes(b"abc")
    found = measure(file)
    assert found.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert found.md5 == "900150983cd24fb0d6963f7d28e17f72"  # RFC 1321, A.5
    assert found.size == 3
    assert found.fit(entry()) and found.fit(entry(md5=found.md5, size=3))
    assert not found.fit(entry(sha256=found.sha256, size=4))
    assert not found.fit(entry(sha256=found.sha256, md5="0" * 32))


def test_the_shipped_table_is_sound():
    table = load_weights()
    sources = TABLE.read_text().split("\n\n", 1)[1]
    for name, one in table.items():
        text = sources.split(f"\n{name}:\n")[-1].split("\n  licence:")[0]
        assert "#" in text, f"{name} says where its sum comes from, or that there is none"
        assert one.path.suffix and one.purpose
    unknown = {name for name, one in table.items() if not one.known}
    assert unknown == {"rtmw/rtmw_m_256x192.onnx", "densepose/R_101_FPN_s1x.pkl"}
    assert {one.use for name, one in table.items() if name.startswith("openpose/")} == {"non-commercial"}


def test_openposes_files_are_those_its_backends_ask_for():
    wanted = {OPENPOSE / file for files in NETWORKS.values() for file in files}
    assert wanted == {one.path for one in load_weights().values() if one.path.is_relative_to(OPENPOSE)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "abc"}, r"'net.pth' has sha256 'abc', expected 64 hexadecimal digits"),
        ({"md5": "X" * 32}, r"expected 32 hexadecimal digits"),
        ({"url": "file:///etc/passwd"}, r"which is not http\(s\)"),
        ({"mirrors": ["ftp://x"]}, r"'ftp://x', which is not http"),
        ({"use": "maybe"}, r"has the use 'maybe', expected one of any, non-commercial, unclear"),
        ({"sha265": "0"}, r"has the unknown key sha265"),
        ({"licence": None}, r"lacks licence"),
    ],
)
def test_entries_that_cannot_be_right_are_refused(tmp_path, change, message):
    row = {"url": "http://x/net.pth", "licence": "none", "use": "any", "purpose": "tests"} | change
    table = tmp_path / "weights.yaml"
    table.write_text(yaml.safe_dump({"net.pth": {key: value for key, value in row.items() if value is not None}}))
    with pytest.raises(WeightsError, match=message):
        load_weights(table)


@pytest.mark.parametrize("name", ["../net.pth", "/net.pth"])
def test_no_entry_leaves_the_folder(tmp_path, name):
    table = tmp_path / "weights.yaml"
    row = {"url": "http://x/net.pth", "licence": "none", "use": "any", "purpose": "tests"}
    table.write_text(yaml.safe_dump({name: row}))
    with pytest.raises(WeightsError, match="leaves the folder"):
        load_weights(table)


def test_only_paths_under_weights_are_the_tables():
    assert weights_at(Path("./weights/raft/raft-things.pth")).name == "raft/raft-things.pth"
    assert weights_at(Path("weights/mine.pth")) is None
    assert weights_at(Path("models/raft/raft-things.pth")) is None
    assert weights_at(Path.cwd() / "weights/raft/raft-things.pth") is None
    assert weights_at(Path("weights")) is None


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_a_file_stands_for_the_same_before_and_after_it_is_fetched(tmp_path, kind):
    file = tmp_path / "net.pth"
    wanted = entry(**{kind: getattr(hashlib, kind)(b"right").hexdigest()})
    before = weights_state(file, wanted)
    file.write_bytes(b"right")
    assert weights_state(file, wanted) == before
    file.write_bytes(b"other!")
    assert weights_state(file, wanted) != before


def test_settings_may_name_what_is_still_to_be_fetched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flow = deepcopy(CONFIG["flow"]) | {"backend": "raft"}
    flow["raft"]["weights"] = "weights/raft/raft-things.pth"
    (wanted,) = named_files("flow", flow, "")
    assert wanted == FOLDER / "raft" / "raft-things.pth"
    assert input_state(wanted) == load_weights()["raft/raft-things.pth"].sha256
    with pytest.raises(SettingsError, match=r"`offline` forbids to fetch it; download https://dl.dropbox.*raft-thing"):
        named_files("flow", flow, "", offline=True)
    flow["raft"]["weights"] = "weights/raft/raft-thing.pth"
    with pytest.raises(SettingsError, match=r"which does not exist"):
        named_files("flow", flow, "")


@pytest.mark.parametrize("backend", ["openpose", "openpose_caffe"])
def test_of_openpose_the_switched_on_networks_are_fetched(tmp_path, monkeypatch, backend):
    monkeypatch.chdir(tmp_path)
    pose = deepcopy(CONFIG["pose"]) | {"backend": backend}
    pose[backend] |= {"model_folder": "weights/openpose/", "face": True, "hands": False}
    files = [path.relative_to(OPENPOSE).as_posix() for path in named_files("pose", pose, "ada")]
    assert set(files) == {*NETWORKS["body"], *NETWORKS["face"]}
    pose[backend] |= {"model_folder": "models"}
    (tmp_path / "models").mkdir()
    assert named_files("pose", pose, "ada") == [Path("models")]


def test_whoever_runs_the_backend_waits_for_its_files(tmp_path, monkeypatch):
    """So does the job that finds whom a clip is cropped to, where that is the backend's work."""
    monkeypatch.chdir(tmp_path)
    rows = ["clip\tvideo\tperson\tcrop", "ada\tada.mp4\tlargest\tperson", "ben\tada.mp4\tlargest\tnone"]
    (tmp_path / "clips.tsv").write_text("\n".join([*rows, "cleo\tada.mp4\t2\tperson\n"]))
    (tmp_path / "ada.mp4").touch()
    pose = {"backend": "openpose_caffe", "openpose_caffe": {"model_folder": "weights/openpose", "face": False}}
    performers = {"ada": {"clips": ["ada", "ben", "cleo"]}}
    project = load_project({"clips": "clips.tsv", "performers": performers, "pose": pose}, tmp_path)
    wanted = {(OPENPOSE / file).as_posix() for part in ("body", "hands") for file in NETWORKS[part]}
    assert set(project.pose_files("ben")) == set(project.locating_files("ada")) == wanted
    assert project.locating_files("ben") == project.locating_files("cleo") == [], "nobody is found, or in people.h5"
    assert list(project.pose_state("ada")) == project.pose_files("ada")


def test_offline_is_checked_before_any_job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips.tsv").write_text("clip\tvideo\nada\tada.mp4\n")
    (tmp_path / "ada.mp4").touch()
    training = {"losses": {"perceptual": 10}, "perceptual": {"weights": "weights/vgg19-dcbb9e9d.pth"}}
    config = {"clips": "clips.tsv", "performers": {"ada": {"clips": ["ada"]}}, "training": training}
    project = load_project(config, tmp_path)
    sum_ = load_weights()["vgg19-dcbb9e9d.pth"].sha256
    assert project.stage_training("s0t0")["perceptual"] == {"weights": "weights/vgg19-dcbb9e9d.pth", "sha256": sum_}
    with pytest.raises(SettingsError, match=r"vgg19-dcbb9e9d.pth is missing, and `offline` forbids to fetch it"):
        load_project(config | {"offline": True}, tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vgg19-dcbb9e9d.pth").touch()
    load_project(config | {"offline": True}, tmp_path)
    assert complete(config | {"offline": "true"})["offline"] is True, "as --config gives it"
