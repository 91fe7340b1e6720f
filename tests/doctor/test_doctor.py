"""The doctor on planted machines: a path of fake programs, a folder of fake packages."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from understudy.doctor.examine import LICENCES
from understudy.doctor.finding import Finding, Licence
from understudy.doctor.machine import memory_bytes
from understudy.doctor.packages import imports_of
from understudy.doctor.page import as_json, as_text
from understudy.validation import BACKEND_FOLDERS
from understudy.weights import load_weights

ROOT = Path(__file__).parents[2]
READERS = (
    "yaml",
    "jsonschema",
    "jsonschema_specifications",
    "referencing",
    "rpds",
    "attr",
    "attrs",
    "typing_extensions",
)
HEALTHY = {
    "snakemake": "9.27.1", "numpy": "1.26.4", "av": "18.1.0", "h5py": "3.16.0", "scipy": "1.17.1",
    "mediapipe": "0.10.21", "torch": "2.13.0",
}  # fmt: skip


class Machine:
    """A folder with `bin`, `site` and a working folder; nothing of the real machine but this Python is in sight."""

    def __init__(self, folder):
        self.programs, self.site, self.work = (folder / name for name in ("bin", "site", "work"))
        for path in (self.programs, self.site, self.work):
            path.mkdir()

    def program(self, name, says, status=0):
        file = self.programs / name
        file.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
        file.chmod(0o755)

    def package(self, distribution, version, module=None, code=None):
        info = self.site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (self.site / f"{module or distribution}.py").write_text(code or f"__version__ = {version!r}\n")

    def torch(self, *gpus):
        cuda = """class cuda:
    device_count = staticmethod(lambda: len(GPUS))
    get_device_name = staticmethod(GPUS.__getitem__)
"""
        self.package("torch", "2.13.0", code=f"__version__ = '2.13.0'\nGPUS = {list(gpus)}\n{cuda}")

    def readers(self):
        """Plant what reads configurations."""
        for name in READERS:
            place = Path(importlib.util.find_spec(name).origin)
            place = place.parent if place.name == "__init__.py" else place
            (self.site / place.name).symlink_to(place)

    def healthy(self, *without, **versions):
        self.readers()
        for name, version in (HEALTHY | versions).items():
            if name not in (*without, "torch"):
                self.package(name, version)
        if "torch" not in without:
            self.torch()
        if "opencv" not in without:
            self.package("opencv-contrib-python-headless", "4.11.0.86", "cv2")
        return self

    def config(self, **sections):
        file = self.work / "config.yaml"
        file.write_text(yaml.safe_dump({"performers": {"ada": {"clips": ["ada"]}}} | sections))
        return file

    def examine(self, *words):
        run = subprocess.run(
            [sys.executable, "-S", str(ROOT / "tools" / "doctor.py"), *words],
            cwd=self.work,
            env={"PATH": str(self.programs), "PYTHONPATH": str(self.site), "HOME": str(self.work)},
            capture_output=True,
            text=True,
        )
        assert run.stderr == "", run.stderr
        return run.returncode, run.stdout

    def look(self, config=None):
        """Return the exit status, findings by topic and licences."""
        status, text = self.examine("--json", "--config", str(config or self.config()))
        page = json.loads(text)
        assert status == (not page["sound"])
        return status, {one["topic"]: one for one in page["findings"]}, page["licences"]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def lacks(findings):
    return {topic for topic, one in findings.items() if one["state"] == "lack"}


def test_a_bare_python_is_told_where_to_begin(machine):
    status, text = machine.examine()
    assert status == 1
    assert "[ LACK ] configuration: not read: no package yaml, jsonschema" in text
    assert "`make demo` installs" in text and "In short: lacking: Snakemake, configuration." in text


def test_a_healthy_machine_lacks_nothing(machine):
    status, found, licences = machine.healthy().look()
    assert status == 0 and lacks(found) == set()
    assert found["pose"]["found"].startswith("mediapipe, imports") and found["OpenCV"]["state"] == "ok"
    assert "rtmw (lacks onnxruntime)" in found["pose, others"]["found"]
    assert "densepose (lacks densepose, detectron2" in found["surface, others"]["found"]
    assert found["GPUs"]["state"] == "note" and found["conda/mamba"]["state"] == "note"
    assert [one["use"] for one in licences] == ["any"] * 5


def test_programs_are_named_with_versions_and_failures(machine):
    machine.healthy()
    machine.program("conda", "conda 24.7.1")
    machine.program("ffmpeg", "ffmpeg version 7.1 Copyright")
    machine.program("ffprobe", "Segmentation fault", status=139)
    _, found, _ = machine.look()
    assert found["conda"]["found"] == f"24.7.1 ({machine.programs}/conda)"
    assert found["ffmpeg"]["found"].startswith("7.1 ")
    assert found["ffprobe"]["state"] == "note" and "Segmentation fault" in found["ffprobe"]["found"]


@pytest.mark.parametrize("section", ["decode", "film"])
def test_reader_and_writer_on_ffmpeg_need_its_programs(machine, section):
    machine.healthy()
    machine.program("ffmpeg", "ffmpeg version 7.1 Copyright")
    config = machine.config(**{section: {"backend": "ffmpeg"}})
    _, found, _ = machine.look(config)
    assert (
        found[f"{section}, programs"]["state"] == "lack" and "ffprobe cannot" in found[f"{section}, programs"]["found"]
    )
    assert found[section]["state"] == "lack" and "No module named 'ffmpeg'" in found[section]["found"]
    machine.program("conda", "conda 24.7.1")
    assert machine.look(config)[1][f"{section}, programs"]["state"] == "note"
    machine.program("ffprobe", "ffprobe version 7.1 Copyright")
    assert f"{section}, programs" not in machine.look(config)[1]


def test_missing_pytorch_and_opencv_are_lacks_with_advice(machine):
    status, found, _ = machine.healthy("torch", "opencv").look()
    assert status == 1 and {"PyTorch", "surface", "flow"} <= lacks(found)
    assert "No module named 'cv2'" in found["flow"]["found"]
    assert "envs/flow_dis.yaml" in found["flow"]["advice"]


def test_where_there_is_conda_a_rules_own_environment_brings_them(machine):
    machine.program("mamba", "mamba 2.0.5")
    _, found, _ = machine.healthy("opencv").look()
    assert found["flow"]["state"] == "note" and "--sdm conda" in found["flow"]["advice"]


def test_a_package_that_cannot_be_imported_is_found_out(machine):
    machine.healthy("mediapipe", "scipy")
    machine.package("mediapipe", "0.10.21", code="raise ImportError('libGL.so.1: cannot open shared object file')")
    _, found, _ = machine.look()
    assert found["pose"]["state"] == "lack" and "libGL.so.1" in found["pose"]["found"]


def test_a_package_that_kills_python_is_found_out(machine):
    machine.healthy("mediapipe")
    machine.package("mediapipe", "0.10.21", code="import os\nos.abort()")
    _, found, _ = machine.look()
    assert "importing ended the process" in found["pose"]["found"]


def test_several_opencv_wheels_clash(machine):
    machine.healthy().package("opencv-python", "4.11.0.86", "other")
    status, found, _ = machine.look()
    assert status == 1 and found["OpenCV"]["found"].startswith("2 wheels at once: opencv-contrib-python-headless")
    assert "pip uninstall opencv-contrib-python-headless opencv-python" in found["OpenCV"]["advice"]


@pytest.mark.parametrize(("backend", "state"), [("mediapipe", "note"), ("openpose_caffe", "lack")])
def test_opencv_5_reads_no_caffe_networks(machine, backend, state):
    machine.healthy("opencv").package("opencv-python-headless", "5.0.0", "cv2")
    _, found, _ = machine.look(machine.config(pose={"backend": backend}))
    assert found["OpenCV"]["state"] == state and "reads no Caffe networks" in found["OpenCV"]["advice"]


def test_numpy_2_beside_mediapipe_clashes(machine):
    status, found, _ = machine.healthy(numpy="2.3.0").look()
    assert status == 1 and lacks(found) == {"NumPy"}


def test_snakemake_and_its_plugin(machine):
    machine.healthy(snakemake="7.32.4")
    _, found, _ = machine.look()
    assert found["Snakemake"]["state"] == "lack" and "version 9" in found["Snakemake"]["advice"]


def test_a_gpu_that_pytorch_does_not_see_is_named(machine):
    machine.healthy()
    machine.program("nvidia-smi", "NVIDIA H200, 143771 MiB, 570.1")
    _, found, _ = machine.look()
    assert found["GPUs"]["found"] == "NVIDIA H200, 143771 MiB, 570.1"
    assert "install a build of PyTorch with CUDA" in found["PyTorch"]["advice"]


def test_a_gpu_that_pytorch_sees(machine):
    machine.healthy("torch").torch("NVIDIA H200")
    machine.program("nvidia-smi", "NVIDIA H200, 143771 MiB, 570.1")
    _, found, _ = machine.look()
    assert (found["PyTorch"]["found"], found["PyTorch"]["advice"]) == ("2.13.0, NVIDIA H200", "")


def test_a_driver_that_does_not_answer_is_no_gpu(machine):
    machine.healthy()
    machine.program("nvidia-smi", "NVIDIA-SMI has failed", status=9)
    _, found, _ = machine.look()
    assert found["GPUs"]["state"] == "note" and "NVIDIA-SMI has failed" in found["GPUs"]["found"]


def raft(**more):
    return {"flow": {"backend": "raft", "raft": {"weights": "weights/raft/raft-things.pth", "device": "cuda"}}} | more


@pytest.mark.parametrize(("cluster", "state"), [(False, "lack"), (True, "note")])
def test_a_gpu_that_is_asked_for_and_not_there(machine, cluster, state):
    machine.healthy()
    if cluster:
        machine.program("sbatch", "slurm 24.05.1")
    _, found, _ = machine.look(machine.config(**raft()))
    assert (
        found["GPU asked for"]["state"] == state and "set flow.raft.device to cpu" in found["GPU asked for"]["advice"]
    )


def test_weights_in_use_are_looked_at(machine):
    machine.healthy()
    name = "weights/raft/raft-things.pth"
    _, found, licences = machine.look(machine.config(**raft()))
    assert found[name]["state"] == "note" and "the run fetches it (21 MB)" in found[name]["advice"]
    assert licences[-1] == {"what": name, "licence": "BSD-3-Clause (princeton-vl/RAFT)", "use": "unclear"}
    _, found, _ = machine.look(machine.config(**raft(offline=True)))
    assert "`offline` forbids to fetch it" in found["flow, files"]["found"]
    file = machine.work / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"broken")
    _, found, _ = machine.look(machine.config(**raft()))
    assert found[name]["state"] == "lack" and hashlib.sha256(b"broken").hexdigest() in found[name]["found"]
    assert load_weights()["raft/raft-things.pth"].sha256 in found[name]["advice"]


def test_weights_that_are_empty_in_the_settings_are_named(machine):
    machine.healthy()
    _, found, _ = machine.look(machine.config(flow={"backend": "raft"}))
    assert "flow.raft.weights is empty" in found["flow, files"]["found"]


def test_non_commercial_licences_are_marked(machine):
    machine.healthy()
    config = machine.config(pose={"backend": "openpose_caffe", "openpose_caffe": {"model_folder": "weights/openpose"}})
    _, text = machine.examine("--config", str(config))
    marked = [line for line in text.splitlines() if "NON-COMMERCIAL USE ONLY" in line]
    assert len(marked) == 6 and all("weights/openpose/" in line for line in marked)


def test_a_wrong_configuration_is_a_finding(machine):
    machine.healthy()
    _, found, _ = machine.look(machine.config(flwo={}))
    assert "Unknown key 'flwo'" in found["configuration"]["found"]
    _, found, _ = machine.look(machine.work / "nowhere.yaml")
    assert "nowhere.yaml" in found["configuration"]["found"]


def test_every_backend_has_its_licence():
    table = yaml.safe_load(LICENCES.read_text())
    scripts = ROOT / "workflow" / "scripts"
    for section, package in BACKEND_FOLDERS.items():
        for file in scripts.joinpath(*package.split(".")).glob("[!_]*.py"):
            assert set(table[f"{section}.{file.stem}"]) == {"what", "licence", "use"}


def test_imports_are_followed_through_our_modules():
    assert {"mediapipe", "h5py"} <= imports_of("understudy.semantics.pose_backends.mediapipe")
    assert imports_of("understudy.semantics.surface_backends.densepose") >= {"detectron2", "densepose", "torch"}
    assert "openpose" in imports_of("understudy.semantics.pose_backends.openpose")
    assert "torch" not in imports_of("understudy.flow.backends.dis")
    assert imports_of("understudy.doctor.machine") == imports_of("understudy.doctor.packages") == frozenset()


def test_a_containers_limit_counts(tmp_path):
    limit = tmp_path / "memory.max"
    whole = memory_bytes(limit)
    limit.write_text("max\n")
    assert memory_bytes(limit) == whole == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit.write_text(f"{2**28}\n")
    assert memory_bytes(limit) == 2**28


def test_the_page_ends_in_a_verdict():
    found = [Finding("disk", "ok", "much"), Finding("Python", "lack", "3.9", "install 3.11")]
    text = as_text(found, [Licence("OpenPose", "its own", "non-commercial")])
    assert "[ LACK ] Python: 3.9\n         -> install 3.11\n" in text
    assert text.endswith("In short: lacking: Python.\n") and "OpenPose  its own  NON-COMMERCIAL" in text
    assert as_text(found[:1], []).endswith("In short: nothing is lacking.\n")
    assert not json.loads(as_json(found, []))["sound"]
