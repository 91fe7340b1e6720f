"""The script that builds OpenPose into its environment: each step once, loud where one fails, then on from there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "envs" / "pose_openpose.post-deploy.sh"
# Instead of git, cmake, make and python: writes down its call, fails where told to, leaves what is looked for.
STUB = r"""#!/bin/bash
call="$(basename "$0") $*"
echo "$call" >> "$CALLS"
if [ -n "${FAIL:-}" ] && [[ $call =~ $FAIL ]]; then echo "error: $FAIL went wrong" >&2; exit 3; fi
folder=$2
case "$call" in
*init*) mkdir -p "$folder/.git" ;;
*fetch*) echo "${*: -1}" > "$folder/.git/commit" ;;
*checkout*) mkdir -p "$folder/python/openpose" "$folder/models/face" "$folder/src/caffe/util" "$folder/include/caffe"
  echo "$LIMIT" > "$folder/src/caffe/util/io.cpp"
  touch "$folder/models/face/pose_deploy.prototxt"
  echo "from . import pyopenpose" > "$folder/python/openpose/__init__.py" ;;
*rev-parse*) if [ -n "${OTHER:-}" ]; then echo "$OTHER"; else cat "$folder/.git/commit"; fi ;;
cmake*) mkdir -p "$4" ;;
make*caffeproto) mkdir -p "$folder/lib" "$folder/include/caffe/proto"; touch "$folder/lib/libcaffe.so" ;;
make*pyopenpose) touch "$folder/libopenpose.so" "$folder/pyopenpose.so" ;;
python*sysconfig*) echo "$CONDA_PREFIX/packages" ;;
esac
"""
STEPS = {  # step to the call that is its only or last one
    "fetch-openpose": r"git .*openpose\.git",
    "fetch-parts": r"git .*pybind11\.git",
    "configure-caffe": r"cmake .*build-caffe",
    "build-caffe": r"make .*build-caffe .*caffeproto",
    "configure-openpose": r"cmake .*build-openpose",
    "build-openpose": r"make .*pyopenpose",
    "install": r"python .*sysconfig",
    "import": r"python .*import pyopenpose",
}


@pytest.fixture
def run(tmp_path):
    """Run the script with stubs on its path; returns its exit code, its words and the calls of this run."""
    stubs, prefix, calls = tmp_path / "stubs", tmp_path / "environment", tmp_path / "calls"
    stubs.mkdir()
    (prefix / "bin").mkdir(parents=True)
    for path in (*(stubs / name for name in ("git", "cmake", "make")), prefix / "bin" / "python"):
        path.write_text(STUB)
        path.chmod(0o755)

    def start(**variables):
        calls.write_text("")
        environment = {"PATH": f"{stubs}:/usr/bin:/bin", "HOME": str(tmp_path), "CALLS": str(calls)}
        environment |= {"LIMIT": "coded_input->SetTotalBytesLimit(kProtoReadBytesLimit, 536870912);"}
        environment |= {"CONDA_PREFIX": str(prefix), "OPENPOSE_DEVICE": "cpu", "OPENPOSE_JOBS": "2"} | variables
        given = {name: value for name, value in environment.items() if value is not None}
        made = subprocess.run([*shebang(), str(SCRIPT)], env=given, capture_output=True, text=True, cwd=tmp_path)
        return made.returncode, made.stdout + made.stderr, calls.read_text().splitlines()

    return start


def shebang() -> list[str]:
    """Snakemake runs a script by its first line."""
    return SCRIPT.read_text().splitlines()[0].removeprefix("#!").split()


def of(pattern: str, calls: list[str]) -> list[str]:
    return [call for call in calls if re.search(pattern, call)]


def test_it_is_sound_shell():
    subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(SCRIPT)], check=True)


def test_a_run_does_every_step_and_a_second_one_none(run, tmp_path):
    code, words, calls = run()
    assert code == 0, words
    for pattern in STEPS.values():
        assert of(pattern, calls), pattern
    prefix = tmp_path / "environment"
    assert (prefix / "packages" / "openpose" / "pyopenpose.so").is_file()
    assert (prefix / "packages" / "openpose" / "__init__.py").is_file()
    assert {path.name for path in (prefix / "lib" / "openpose").iterdir()} == {"libcaffe.so", "libopenpose.so"}
    assert (prefix / "share" / "openpose" / "models" / "face" / "pose_deploy.prototxt").is_file()
    assert not of("DOWNLOAD_.*=ON|getModels", calls), "no network is downloaded"
    assert not list(tmp_path.rglob(".git")), "OpenPose's build would ask git for other commits"
    code, words, calls = run()
    assert code == 0 and words.count("was done before") == 7
    assert not of("^(git|cmake|make) ", calls)


@pytest.mark.parametrize("step", STEPS)
def test_a_failing_step_is_named_and_the_next_run_goes_on_there(step, run):
    code, words, calls = run(FAIL=STEPS[step])
    assert code == 1
    assert f"the step '{step}' failed" in words and f"{step}.log" in words
    assert f"error: {STEPS[step]} went wrong" in words, "the end of its log is shown"
    assert "run the same command again" in words and "done; OpenPose's" not in words
    earlier, later = list(STEPS)[: list(STEPS).index(step)], list(STEPS)[list(STEPS).index(step) + 1 :]
    assert not [name for name in later if of(STEPS[name], calls)]
    code, words, calls = run()
    assert code == 0, words
    done_for_good = [name for name in earlier if name != "install"]
    assert not [name for name in done_for_good if of(STEPS[name], calls)], "finished steps are kept"
    assert of(STEPS[step], calls)


def test_a_failure_within_a_step_is_not_passed_over(run):
    """A shell forgets `set -e` in functions that stand in a condition."""
    code, words, calls = run(FAIL=r"git .*fetch .*caffe\.git")
    assert code == 1 and "the step 'fetch-parts' failed" in words
    assert not of("pybind11", calls)


def test_sources_of_another_commit_are_refused(run):
    code, words, _ = run(OTHER="0123456789abcdef0123456789abcdef01234567")
    assert code == 1 and "gave another commit than" in words


def test_a_source_that_the_patch_does_not_fit_is_refused(run, tmp_path):
    code, words, calls = run(LIMIT="coded_input->SetTotalBytesLimit(limit, 1);")
    assert code == 1 and "the step 'patch-caffe' failed" in words
    assert not of("^cmake ", calls)


def test_a_new_environment_takes_the_build_that_is_there(run, tmp_path):
    """Snakemake makes an environment anew where its script failed, or its list changed back and forth."""
    assert run()[0] == 0
    for name in ("packages", "lib", "share"):
        shutil.rmtree(tmp_path / "environment" / name)
    code, words, calls = run()
    assert code == 0, words
    assert not of("^make ", calls)
    assert (tmp_path / "environment" / "packages" / "openpose" / "pyopenpose.so").is_file()


def test_cuda_where_there_is_a_toolkit(run, tmp_path):
    toolkit = tmp_path / "cuda"
    (toolkit / "bin").mkdir(parents=True)
    (toolkit / "include").mkdir()
    (toolkit / "include" / "cuda_runtime.h").touch()
    shutil.copy2(tmp_path / "stubs" / "make", toolkit / "bin" / "nvcc")
    code, words, calls = run(OPENPOSE_DEVICE=None, CUDA_HOME=str(toolkit), OPENPOSE_CUDA_ARCH="80 90")
    assert code == 0, words
    assert of(rf"cmake .*build-caffe.*CPU_ONLY=OFF.*CUDA_TOOLKIT_ROOT_DIR={toolkit}.*CUDA_ARCH_BIN=80 90", calls)
    assert of(r"cmake .*build-openpose.*GPU_MODE=CUDA.*CUDA_ARCH_BIN=80 90", calls)
    code, words, calls = run(OPENPOSE_DEVICE="cpu", CUDA_HOME=str(toolkit))
    assert code == 0 and of(r"cmake .*build-openpose.*GPU_MODE=CPU_ONLY", calls), "each device has a build of its own"


def test_wrong_variables_are_refused(run):
    code, words, _ = run(OPENPOSE_DEVICE="gpu")
    assert code == 1 and "OPENPOSE_DEVICE is 'gpu', expected cuda or cpu" in words
    code, words, _ = run(CONDA_PREFIX=None)
    assert code != 0 and "conda activate" in words


def test_builds_of_two_machines_wait_for_each_other():
    assert "flock" in SCRIPT.read_text()
    assert os.access(SCRIPT, os.X_OK)
