"""The conda parts of the environments: well formed, pinned, from conda-forge alone."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "envs").glob("*.yaml"))
PIN = re.compile(r"[a-z0-9][a-z0-9_.-]*=\d[\w.]*")  # name=version; of Python the minor version, its fixes are welcome
PIP_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*==\d[\w.]*")
PYTHONS = {"python=3.10", "python=3.11", "python=3.12"}


def faults(text):
    """Say what is wrong with an environment; nothing where it is well formed."""
    found = yaml.safe_load(text)
    if set(found) != {"channels", "dependencies"}:
        return [f"keys {sorted(found)}"]
    wrong = [] if found["channels"] == ["conda-forge", "nodefaults"] else [f"channels {found['channels']}"]
    plain = [one for one in found["dependencies"] if isinstance(one, str)]
    sections = [one for one in found["dependencies"] if not isinstance(one, str)]
    if len(sections) != 1 or set(sections[0]) != {"pip"} or found["dependencies"][-1] is not sections[0]:
        return [*wrong, "expected one section `pip`, at the end"]
    wrong += [f"{one} is not pinned" for one in plain if one != "pip" and not PIN.fullmatch(one)]
    wrong += [f"{one} is not pinned" for one in sections[0]["pip"] if not PIP_PIN.fullmatch(one)]
    names = [re.split("=+", one)[0].lower() for one in (*plain, *sections[0]["pip"])]
    wrong += [f"{name} stands twice" for name in set(names) if names.count(name) > 1]
    wrong += [] if "pip" in plain else ["pip itself is missing"]
    return wrong + ([] if PYTHONS & set(plain) else ["no Python of 3.10 to 3.12"])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_environment_is_well_formed(file):
    text = file.read_text()
    assert faults(text) == []
    assert text.startswith("# "), "it says what it is for"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("conda-forge", "defaults", "channels"),
        ("python=3.11", "python", "python is not pinned"),
        ("python=3.11", "python=3.9", "no Python"),
        ("numpy==1.26.4", "numpy>=1.26", "numpy>=1.26 is not pinned"),
        ("numpy==1.26.4", "h5py==3.16.0", "h5py stands twice"),
        ("  - pip\n", "", "pip itself is missing"),
        ("channels", "channel", "keys"),
    ],
)
def test_faults_are_found(old, new, fault):
    text = (ROOT / "envs" / "surface_none.yaml").read_text()
    (first, *_) = faults(text.replace(old, new, 1))
    assert fault in first
