"""Rule fetch_weights: it runs where a job needs the file, never over a file that is there, never offline."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import weights_server

ROOT = Path(__file__).parents[1]
CONTENT = b"weights" * 1000
FILE = "weights/raft/raft-things.pth"


@pytest.fixture
def project(tmp_path):
    """A copy of the repository whose table names a server of ours, and whose flow needs a file of it."""
    for part in ("Snakefile", "rules", "workflow", "envs", "config", "profiles"):
        source = ROOT / part
        ignored = shutil.ignore_patterns("__pycache__", "own")
        (shutil.copytree if source.is_dir() else shutil.copy2)(
            source, tmp_path / part, **({"ignore": ignored} if source.is_dir() else {})
        )
    settings = yaml.safe_load((tmp_path / "config" / "smoke.yaml").read_text())
    settings["flow"] = {"backend": "raft", "raft": {"weights": FILE}}
    (tmp_path / "config" / "raft.yaml").write_text(yaml.safe_dump(settings))
    with weights_server.running() as server:
        server.content["net.pth"] = CONTENT
        server.acts["net.pth"] = [weights_server.ranged]
        table = yaml.safe_load((tmp_path / "config" / "weights.yaml").read_text())
        row = {"url": f"{server.address}/net.pth", "sha256": hashlib.sha256(CONTENT).hexdigest(), "member": ""}
        table["raft/raft-things.pth"] |= row | {"size": len(CONTENT)}
        (tmp_path / "config" / "weights.yaml").write_text(yaml.safe_dump(table))
        yield tmp_path, server


def snakemake(folder, *words, expect=0):
    made = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/embedded", "--cores", "1"),
            *("--directory", str(folder), *words, "--configfile", "config/raft.yaml"),
        ],
        cwd=folder,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert made.returncode == expect, (made.stdout + made.stderr)[-6000:]
    return made.stdout + made.stderr


@pytest.mark.slow
def test_the_rule_fetches_what_is_missing_and_nothing_else(project):
    folder, server = project
    flow = "results/clips/ada/flow.h5"
    text = snakemake(folder, "--dry-run", flow)
    assert "rule fetch_weights" in text and "name=raft/raft-things.pth" in text
    refused = snakemake(folder, "--dry-run", flow, "--config", "offline=true", expect=1)
    assert "`offline` forbids to fetch it" in refused and "put it at weights/raft" in refused
    assert server.asked == [], "planning asks nobody"
    snakemake(folder, FILE)
    assert (folder / FILE).read_bytes() == CONTENT and len(server.asked) == 1
    log = (folder / "results" / "logs" / "fetch_weights" / "raft" / "raft-things.pth.log").read_text()
    assert "is fetched and checked (SHA-256 " in log
    assert "rule fetch_weights" not in snakemake(folder, "--dry-run", flow)
    assert "Nothing to be done" in snakemake(folder, FILE, "--config", "offline=true")


@pytest.mark.slow
def test_a_file_of_the_users_own_is_left_alone(project):
    folder, server = project
    (folder / FILE).parent.mkdir(parents=True)
    (folder / FILE).write_bytes(b"my own")
    assert "Nothing to be done" in snakemake(folder, FILE)
    assert "rule fetch_weights" not in snakemake(folder, "--dry-run", "results/clips/ada/flow.h5")
    assert "Nothing to be done" in snakemake(folder, FILE, "--config", "offline=true")
    assert (folder / FILE).read_bytes() == b"my own" and server.asked == []


@pytest.mark.slow
def test_a_crop_waits_for_the_networks_that_find_the_person(project):
    """The first job of a clip that is cropped to its person needs the backend's files; a whole picture needs none."""
    folder, _ = project
    (folder / "own.tsv").write_text("clip\tvideo\tcrop\nada\tada.mp4\tperson\nben\tben.mp4\tnone\n")
    for clip in ("ada", "ben"):
        (folder / f"{clip}.mp4").touch()
    settings = {
        "clips": "own.tsv",
        "performers": {"ada": {"clips": ["ada", "ben"]}},
        "pose": {"backend": "openpose_caffe", "openpose_caffe": {"model_folder": "weights/openpose", "hands": False}},
    }
    (folder / "config" / "raft.yaml").write_text(yaml.safe_dump(settings))
    text = snakemake(folder, "--dry-run", "results/clips/ada/crop.json")
    for part in ("pose/body_25/pose_iter_584000.caffemodel", "face/pose_iter_116000.caffemodel"):
        assert f"name=openpose/{part}" in text
    assert "hand/" not in text, "a part that is switched off"
    assert "fetch_weights" not in snakemake(folder, "--dry-run", "results/clips/ben/crop.json")
