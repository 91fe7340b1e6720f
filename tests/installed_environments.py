"""The pip section of every environment, really installed: it resolves, and the rooms of its rules are imported there.

Installing downloads, so `make test` leaves this file out (by its name); `make test-environments` runs it, and so does
`.ci/run` for what comes in seconds (ENVIRONMENTS=light). PyTorch, MediaPipe and CUDA bring gigabytes to each.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import test_environments as environments

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "onnxruntime-gpu", "mediapipe"}  # a gigabyte and more with what they bring
FROM_CONDA = {"libGL.so.1": "libgl"}  # a library that a wheel wants: the conda package that has it
LOOK = """
import importlib, json, sys
from importlib.metadata import distributions
sys.path.append(sys.argv[1])
wrong = {}
for name in sys.argv[2:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        wrong[name] = [error.name, str(error)]
found = {one.metadata["Name"].lower(): one.version for one in distributions()}
print("\\n" + json.dumps([wrong, found]))
"""


def modules(starts):
    """Modules of ours that files import: what a script or a backend loads when it starts."""
    for file in starts:
        if environments.SCRIPTS in file.parents and file.parent != environments.SCRIPTS:
            yield ".".join(file.relative_to(environments.SCRIPTS).with_suffix("").parts)
        for name in environments.imported(file):
            if name.startswith("understudy.") and environments.module_file(name):
                yield name


def described(environment):
    return yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())


def python_of(environment):
    return next(one.split("=")[1] for one in described(environment)["dependencies"] if str(one).startswith("python="))


def sets():
    """Environments with the same Python and pip section, which one installation serves; the heavy ones when asked."""
    found = {}
    for environment in sorted({environment for _, environment, _ in environments.JOBS}):
        packages = environments.listed(environment)
        if os.environ.get("UNDERSTUDY_ENVIRONMENTS", "all") == "all" or not HEAVY & set(packages):
            found.setdefault((python_of(environment), *sorted(packages.items())), []).append(environment)
    return list(found.values())


def interpreter(version):
    """The environment's Python where this machine has it, or else the one that runs the tests: both serve the demo."""
    mine = f"{sys.version_info[0]}.{sys.version_info[1]}"
    path = None if mine == version else shutil.which(f"python{version}")
    works = path and subprocess.run([path, "--version"], capture_output=True).returncode == 0
    return path if works else sys.executable


def run(*command, **options):
    made = subprocess.run(command, capture_output=True, text=True, **options)
    assert made.returncode == 0, (made.stdout + made.stderr)[-3000:]
    return made.stdout


def excused(environment, missing, text):
    """Whether an import fails for what conda or the post-deploy script brings."""
    if (missing or "").split(".")[0] in environments.brought(environment):
        return True
    packages = {str(one).split("=")[0] for one in described(environment)["dependencies"]}
    return any(library in text and package in packages for library, package in FROM_CONDA.items())


@pytest.mark.slow
@pytest.mark.parametrize("alike", sets(), ids=lambda alike: "+".join(alike))
def test_pip_section_installs_and_its_rooms_can_be_imported(alike, tmp_path):
    packages = environments.listed(alike[0])
    run(interpreter(python_of(alike[0])), "-m", "venv", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / "bin" / "python")
    pins = [f"{name}=={version}" for name, version in packages.items()]
    run(python, "-m", "pip", "install", "--quiet", "--no-compile", *pins)
    run(python, "-m", "pip", "check")
    for environment in alike:
        starts = {file for _, name, files in environments.JOBS if name == environment for file in files}
        wanted = sorted(set(modules(starts)))
        assert wanted
        text = run(python, "-c", LOOK, str(environments.SCRIPTS), *wanted, cwd=tmp_path)
        wrong, found = json.loads(text.strip().splitlines()[-1])
        left = {name: why for name, (missing, why) in wrong.items() if not excused(environment, missing, why)}
        assert left == {}, f"envs/{environment}.yaml"
    for name, version in packages.items():
        assert found[name.lower()].split("+")[0] == version, "a package of its own asked for another version"
    assert sum(name.startswith("opencv") for name in found) <= 1, "several OpenCV wheels overwrite each other's files"
    shutil.rmtree(tmp_path / "venv")


def test_what_is_not_installed_here_is_heavy():
    here = {environment for alike in sets() for environment in alike}
    left = {environment for _, environment, _ in environments.JOBS} - here
    assert all(HEAVY & set(environments.listed(environment)) for environment in left)
    assert "flow_dis" in here and "pose_openpose_caffe" in here


def test_what_cannot_be_imported_is_found():
    wanted = ["understudy.errors", "understudy.flow.backends.dis"]
    text = run(sys.executable, "-S", "-c", LOOK, str(environments.SCRIPTS), *wanted)
    wrong, found = json.loads(text.strip().splitlines()[-1])
    assert list(wrong) == wanted[1:] and wrong[wanted[1]][0] in ("cv2", "numpy") and found == {}
    assert not excused("flow_dis", "cv2", "No module named 'cv2'")
    assert excused("surface_densepose", "detectron2", "No module named 'detectron2'")
    assert excused("pose_mediapipe", None, "libGL.so.1: cannot open shared object file")
    assert not excused("flow_dis", None, "libGL.so.1: cannot open shared object file")
