"""Which Python packages are there, which clash, and which a backend imports. Standard library only."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

from understudy.doctor.finding import Finding

SCRIPTS = Path(__file__).parents[2]
LAST_OPENCV = 4  # that reads Caffe networks
_PROBE_S = 300
_PROBE = """
import importlib, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
        found[name] = {"version": str(getattr(module, "__version__", ""))}
        if name == "torch":
            found[name]["gpus"] = [module.cuda.get_device_name(n) for n in range(module.cuda.device_count())]
    except BaseException as error:
        found[name] = {"error": f"{type(error).__name__}: {error}"}
print("\\n" + json.dumps(found))
"""


def installed() -> dict[str, str]:
    """Return the versions of the packages that this Python sees, by their names in lower case with hyphens."""
    found = {}
    for one in distributions():
        name = one.metadata["Name"]  # None where a package was removed by halves
        if name:
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), one.version)
    return found


def imports_of(module: str) -> frozenset[str]:
    """Return what a module of ours imports from outside of the standard library, through all modules of ours."""
    return frozenset(name for name in _reached(module) if name not in sys.stdlib_module_names)


@cache
def _reached(module: str) -> frozenset[str]:
    left, seen, found = [module], set(), set()
    while left:
        name = left.pop()
        file = _file(name)
        if name.split(".")[0] != "understudy":
            found.add(name.split(".")[0])
        elif file and file not in seen:
            seen.add(file)
            left += _imported(file)
    return frozenset(found)


def _file(name: str) -> Path | None:
    path = SCRIPTS.joinpath(*name.split(".")).with_suffix(".py")
    return path if path.is_file() else None


def _imported(file: Path) -> Iterator[str]:
    """Yield what a file imports; of modules that it names in MODULES and tries in turn, the first that is there."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield str(node.module)
        elif isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["MODULES"]:
            names = ast.literal_eval(node.value)
            yield next((name for name in names if is_there(name.split(".")[0])), names[0])


def is_there(package: str) -> bool:
    """Whether a package can be found; it is not imported."""
    return find_spec(package) is not None


def try_imports(names: Iterable[str]) -> dict[str, dict]:
    """Import packages in a process of their own: a version each, or the error."""
    wanted = sorted(names)
    if not wanted:
        return {}
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    try:
        run = subprocess.run(
            [sys.executable, "-S", "-c", _PROBE, *wanted],
            env=environment, capture_output=True, text=True, timeout=_PROBE_S, errors="replace",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {name: {"error": f"no answer in {_PROBE_S} s"} for name in wanted}
    last = run.stdout.strip().splitlines()[-1:] or [""]
    if run.returncode or not last[0].startswith("{"):
        trouble = (run.stderr.strip().splitlines() or ["nothing said"])[-1]
        return {name: {"error": f"importing ended the process ({run.returncode}): {trouble}"} for name in wanted}
    return json.loads(last[0])


def clashes(packages: Mapping[str, str], wants_caffe: bool) -> Iterator[Finding]:
    """Look for packages that spoil each other.

    Args:
        packages: versions by name.
        wants_caffe: whether OpenCV has to read Caffe networks.
    """
    wheels = {name: version for name, version in packages.items() if re.match(r"opencv-(contrib-)?python", name)}
    shown = ", ".join(f"{name} {version}" for name, version in sorted(wheels.items()))
    if len(wheels) > 1:
        advice = f"they overwrite each other's files: pip uninstall {' '.join(sorted(wheels))}, then install one again"
        yield Finding("OpenCV", "lack", f"{len(wheels)} wheels at once: {shown}", advice)
    elif any(_major(version) > LAST_OPENCV for version in wheels.values()):
        advice = "version 5 reads no Caffe networks (pose.backend openpose_caffe) and is not tested: install 4.11.0.86"
        yield Finding("OpenCV", "lack" if wants_caffe else "note", shown, advice)
    elif wheels:
        yield Finding("OpenCV", "ok", shown)
    numpy, mediapipe = packages.get("numpy", ""), packages.get("mediapipe", "")
    if numpy and mediapipe and _major(numpy) >= 2:
        advice = "this mediapipe wants NumPy 1: pip install numpy==1.26.4; what wants NumPy 2 belongs elsewhere"
        yield Finding("NumPy", "lack", f"numpy {numpy} beside mediapipe {mediapipe}", advice)
    elif numpy:
        yield Finding("NumPy", "ok", numpy)
    yield _snakemake(packages)


def _snakemake(packages: Mapping[str, str]) -> Finding:
    version = packages.get("snakemake", "")
    plugin = packages.get("snakemake-executor-plugin-slurm", "")
    if not version:
        advice = "`make demo` installs it into .venv; run this with .venv/bin/python, or conda install snakemake=9.27"
        return Finding("Snakemake", "lack", "not installed for this Python", advice)
    if _major(version) < 9:
        return Finding("Snakemake", "lack", version, "version 9 is needed: pip install snakemake==9.27.1")
    slurm = f"Slurm plugin {plugin}" if plugin else "no Slurm plugin"
    advice = (
        "" if plugin else "for a cluster: pip install snakemake-executor-plugin-slurm, in an environment of its own"
    )
    return Finding("Snakemake", "ok" if plugin else "note", f"{version}, {slurm}", advice)


def _major(version: str) -> int:
    found = re.match(r"\d+", version)
    return int(found[0]) if found else 0
