"""Every environment lists what the rooms of its rules import, in the versions `make demo` was tested with."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

from understudy.semantics.pose_backends._pyopenpose import MODULES
from understudy.validation import BACKEND_FOLDERS

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"
PACKAGE = SCRIPTS / "understudy"
OPENCV = {"opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"}
PACKAGES = {  # where a package and what is imported from it differ in name
    "c2pa": {"c2pa-python"},
    "cv2": OPENCV,
    "ffmpeg": {"ffmpeg-python"},
    "jinja2": {"Jinja2"},
    "markupsafe": {"MarkupSafe"},
    "onnxruntime": {"onnxruntime", "onnxruntime-gpu"},
    "yaml": {"PyYAML"},
}
GPU_BUILDS = {"onnxruntime-gpu": "onnxruntime"}  # packages that stand for one of the demo, in the same version
CUDA = {f"nvidia-{part}-cu12" for part in ("cublas", "cuda-nvrtc", "cuda-runtime", "cudnn", "cufft", "curand")}
PINNED_OPENCV = "opencv-contrib-python-headless"  # in requirements/run.txt; all three builds share their versions
UNSEEN = {  # pinned for the sake of another package, imported by no room of ours
    "mediapipe": {"protobuf"},
    "ffmpeg": {"future"},
    "cryptography": {"cffi"},
    "onnxruntime": CUDA,
    "tensorboard": {"setuptools"},
    "detectron2": {  # built by the environment's post-deploy, which installs nothing else
        *("torchvision", "fvcore", "iopath", "omegaconf", "hydra-core", "pycocotools", "yacs", "termcolor"),
        *("cloudpickle", "tabulate", "tqdm", "pillow", "matplotlib", "packaging", "setuptools", "wheel", "scipy", "av"),
    },
}
BROUGHT = {"torch.utils.tensorboard": "tensorboard"}  # modules that need a package besides their own
LOADED_WHERE = {
    "decode": "understudy.video.source",
    "film": "understudy.video.encode",
}  # the others' backends are loaded by their rules' own modules


def imported(path):
    """Names a file imports when it runs: inside functions and as a named backend too, for type checkers not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "load_backend":
            words = [word.value for word in node.args if isinstance(word, ast.Constant)]
            names |= {".".join(words)} if len(words) == 2 else set()
    return names


def module_file(name):
    path = SCRIPTS.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def backends(section):
    """Dotted names of the backends of a section of the settings."""
    folder = SCRIPTS.joinpath(*BACKEND_FOLDERS[section].split("."))
    files = sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))
    return {file.stem: f"{BACKEND_FOLDERS[section]}.{file.stem}" for file in files}


def third_party(*starts):
    """Packages outside the standard library that files import, through all modules of ours they reach."""
    left, seen, found = list(starts), set(), set()
    while left:
        file = left.pop()
        if file in seen:
            continue
        seen.add(file)
        for name in imported(file):
            if name.split(".")[0] != "understudy":
                found |= {name.split(".")[0], BROUGHT.get(name, name.split(".")[0])}
            elif module := module_file(name):
                left.append(module)
        for section, loader in LOADED_WHERE.items():
            if file == module_file(loader):  # it imports its backend by the name in the settings
                choice = [module_file(name) for name in backends(section).values()]
                left += [module for module in choice if module in starts] or choice
    return found - set(sys.stdlib_module_names) - {"snakemake"}


def jobs():
    """Every (rule, environment, files its jobs start from): a rule with a choice of backends stands once for each."""
    for file in sorted((ROOT / "rules").glob("*.smk")):
        for rule, text in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", file.read_text(), re.MULTILINE | re.DOTALL):
            script = SCRIPTS / f"{rule}.py"
            if named := re.search(r'"\.\./envs/(\w+)\.yaml"', text):
                yield rule, named[1], [script]
                continue
            if "locating_environment" in text:  # where no backend finds the person, one that has none does
                yield rule, "pose_openpose_json", [script]
                text = 'environment("pose", "pose")'
            job, section = re.search(r'environment\("(\w+)", "(\w+)"\)', text).groups()
            for backend, module in backends(section).items():
                yield rule, f"{job}_{backend}", [script, module_file(module)]


JOBS = list(jobs())


def listed(environment):
    """Packages of an environment's pip section with their versions."""
    described = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())
    (pip,) = [one["pip"] for one in described["dependencies"] if isinstance(one, dict)]
    return dict(line.split("==") for line in pip)


def brought(environment):
    """Packages that an environment's post-deploy builds: those it imports at its end."""
    script = ROOT / "envs" / f"{environment}.post-deploy.sh"
    text = script.read_text() if script.is_file() else ""
    names = [name for line in re.findall(r'python -c "import ([\w., ]+)"', text) for name in line.split(",")]
    return {name.strip().split(".")[0] for name in names}


def missing(needed, packages):
    return {name for name in needed if not PACKAGES.get(name, {name}) & set(packages)}


@pytest.mark.parametrize(("rule", "environment", "starts"), JOBS, ids=[f"{rule}-{env}" for rule, env, _ in JOBS])
def test_environment_lists_what_its_rule_imports(rule, environment, starts):
    there = {*listed(environment), *brought(environment)}
    assert missing(third_party(*starts), there) == set(), f"envs/{environment}.yaml for {rule}"


@pytest.mark.parametrize("environment", sorted({environment for _, environment, _ in JOBS}))
def test_environment_lists_nothing_that_no_rule_imports(environment):
    needed = set().union(*(third_party(*starts) for _, name, starts in JOBS if name == environment))
    wanted = set().union(*(PACKAGES.get(name, {name}) | UNSEEN.get(name, set()) for name in needed))
    assert set(listed(environment)) <= wanted


@pytest.mark.parametrize("environment", sorted(file.stem for file in (ROOT / "envs").glob("*.yaml")))
def test_versions_are_those_of_the_demo(environment):
    texts = [(ROOT / "requirements" / name).read_text() for name in ("run.txt", "torch.txt", "dev.txt")]
    pinned = dict(line.split("==") for text in texts for line in text.splitlines() if "==" in line)
    for package, version in listed(environment).items():
        name = PINNED_OPENCV if package in OPENCV else GPU_BUILDS.get(package, package)
        assert version == pinned.get(name, version), f"{package} in {environment}"
        assert re.fullmatch(r"\d[\w.]*", version), f"{package} in {environment} is not pinned exactly"


@pytest.mark.parametrize("environment", sorted({environment for _, environment, _ in JOBS}))
def test_ffmpeg_python_comes_with_the_programs_it_drives(environment):
    described = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())
    conda = {line.split("=")[0]: line.split("=")[1:] for line in described["dependencies"] if isinstance(line, str)}
    if "ffmpeg-python" in listed(environment):
        assert "ffmpeg" in conda or "libopencv" in conda, (
            "conda's libopencv brings them, in the version it was built with"
        )
    else:
        assert "ffmpeg" not in conda


def test_every_environment_serves_a_rule():
    assert {file.stem for file in (ROOT / "envs").glob("*.yaml")} == {environment for _, environment, _ in JOBS}


def test_a_post_deploy_script_brings_the_module_its_backend_looks_for():
    """No package has it, so no list can name it: the script builds it and imports it by the name the room does."""
    scripts = {file.name.removesuffix(".post-deploy.sh"): file.read_text() for file in (ROOT / "envs").glob("*.sh")}
    assert set(scripts) <= {file.stem for file in (ROOT / "envs").glob("*.yaml")}
    package, module = MODULES[0].split(".")
    assert f"from {package} import {module}" in scripts["pose_openpose"]
    for commit in re.findall(r"^\w+_COMMIT=(\S+)", scripts["pose_openpose"], re.MULTILINE):
        assert re.fullmatch("[0-9a-f]{40}", commit), "sources are pinned by a whole commit id, which is their checksum"


def test_imports_are_followed_through_our_modules_and_backends():
    found = third_party(SCRIPTS / "decode_clip.py")
    assert {"av", "h5py", "numpy"} <= found and "torch" not in found
    assert "mediapipe" in third_party(module_file("understudy.semantics.pose_backends.truth")), "it names a backend"
    assert missing({"cv2", "av"}, {"av": "1", "opencv-python-headless": "1"}) == set()
    assert missing({"cv2", "av"}, {"opencv-python-headless": "1"}) == {"av"}
