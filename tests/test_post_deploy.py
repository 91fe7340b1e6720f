"""The environment's build script: its steps in order, none twice, loud where one fails. The tools are stand-ins."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "envs" / "surface_densepose.post-deploy.sh"
COMMIT = re.search(r"^COMMIT=([0-9a-f]{40})\b", SCRIPT.read_text(), re.MULTILINE)[1]

# Each notes how it was called; git makes what a checkout makes; FAIL names the call that fails.
GIT = """#!/bin/bash
echo "git $*" >> "$CALLS"
case "$*" in
  *"$FAIL"*) exit 7 ;;
  "init --quiet "*) mkdir -p "${@: -1}/.git" ;;
  *cat-file*) [ -e "$2/.git/fetched" ] ;;
  *fetch*) touch "$2/.git/fetched" ;;
  *checkout*) mkdir -p "$2/projects/DensePose/configs"; touch "$2/projects/DensePose/configs/densepose_rcnn.yaml" ;;
  *rev-parse*) echo "$FOUND" ;;
esac
"""
PYTHON = """#!/bin/bash
echo "python $* [$CUDA_VISIBLE_DEVICES|$FORCE_CUDA]" >> "$CALLS"
case "$*" in *"$FAIL"*) exit 7 ;; esac
"""


@pytest.fixture
def deploy(tmp_path):
    """Run the script in an empty environment with stand-ins for git and Python; gives its result and the calls."""
    tools, prefix, calls = tmp_path / "bin", tmp_path / "environment", tmp_path / "calls"
    tools.mkdir()
    prefix.mkdir()
    for name, text in (("git", GIT), ("python", PYTHON)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    bash = shutil.which("bash")

    def run(fail="nothing fails", found=COMMIT, prefix=prefix):
        calls.write_text("")
        environment = {"PATH": f"{tools}:/usr/bin:/bin", "CALLS": str(calls), "FAIL": fail, "FOUND": found}
        environment |= {"CUDA_VISIBLE_DEVICES": "0", "HOME": os.environ["HOME"]}
        if prefix:
            environment["CONDA_PREFIX"] = str(prefix)
        made = subprocess.run([bash, str(SCRIPT)], env=environment, capture_output=True, text=True)
        return made, calls.read_text().splitlines()

    run.prefix = prefix
    return run


def test_everything_is_built_once_in_order(deploy):
    made, calls = deploy()
    assert made.returncode == 0, made.stderr
    verbs = [re.search(r"init|cat-file|fetch|checkout|clean|rev-parse|import|install", call)[0] for call in calls]
    assert verbs == [
        *("import", "init", "cat-file", "fetch", "checkout", "clean", "rev-parse", "install", "install", "import")
    ]
    assert f"--depth 1 https://github.com/facebookresearch/detectron2.git {COMMIT}" in calls[3]
    installs = [call for call in calls if "install" in call]
    assert installs[0].split()[-2].endswith("/detectron2") and installs[1].split()[-2].endswith("/projects/DensePose")
    for call in installs:
        assert "--no-deps" in call and "--no-build-isolation" in call, "the environment's PyTorch must stay"
        assert call.endswith("[|0]"), "no GPU in sight and no CUDA forced"
    assert (deploy.prefix / "share" / "understudy" / "densepose" / "densepose_rcnn.yaml").is_file()

    again, calls = deploy()
    assert again.returncode == 0 and len(calls) == 1 and "import detectron2._C, densepose" in calls[0]


@pytest.mark.parametrize(
    ("fail", "words"),
    [
        ("import torch, torchvision", "looking for PyTorch failed"),
        ("fetch", "fetching detectron2 [0-9a-f]{40} failed"),
        ("checkout", "fetching detectron2 [0-9a-f]{40} failed"),
        ("share/understudy/detectron2", "fetching detectron2 [0-9a-f]{40} failed"),
        ("install --no-build-isolation --no-deps --force-reinstall", "building detectron2 .* failed"),
        ("projects/DensePose", "installing DensePose failed"),
        ("import detectron2._C", "checking that both can be imported failed"),
    ],
)
def test_a_failed_step_is_named_and_the_next_run_goes_on(fail, words, deploy):
    made, _ = deploy(fail)
    assert made.returncode != 0
    assert re.search(words, made.stderr), made.stderr
    assert "run the same command again" in made.stderr
    made, calls = deploy()
    assert made.returncode == 0, made.stderr
    fetched = sum("fetch" in call for call in calls)
    assert fetched == (fail in ("import torch, torchvision", "fetch", "share/understudy/detectron2")), "fetched once"


def test_another_commit_than_the_pinned_one_is_refused(deploy):
    made, calls = deploy(found="f" * 40)
    assert made.returncode != 0
    assert f"expected commit {COMMIT}, found {'f' * 40}" in made.stderr
    assert "checking what was fetched failed" in made.stderr
    assert not any("install" in call for call in calls)


def test_outside_an_environment_it_says_so(deploy):
    made, calls = deploy(prefix=None)
    assert made.returncode != 0 and not calls
    assert "activate the conda environment" in made.stderr
