"""What docs/security.md promises is held here, by looking at the code as it is written and as it runs."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from understudy.errors import SettingsError
from understudy.training.page import Pictures, training_page
from understudy.training.strip import StripShape
from understudy.validation import complete, load_schema
from understudy.weights import load_weights

ROOT = Path(__file__).parents[1]
CODE = [*sorted((ROOT / "workflow").rglob("*.py")), *sorted((ROOT / "tools").glob("*.py"))]
RULES = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]
PACKAGE = ROOT / "workflow" / "scripts" / "understudy"
UNPICKLER = PACKAGE / "semantics" / "surface_backends" / "_pickles.py"
DOWNLOADS = PACKAGE / "download.py"
# Calls that run what a file or a name says, and modules whose readers do.
RUNNING = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.execv", "os.execvp", "os.spawnv", "pty.spawn",
    "subprocess.getoutput", "subprocess.getstatusoutput", "torch.hub.load", "torch.jit.load", "torch.package",
    "pickle.load", "pickle.loads", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "tempfile.mktemp",
    "shutil.unpack_archive",
}  # fmt: skip
READERS = {
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "jsonpickle",
    "tarfile",
    "xml.etree.ElementTree",
    "telnetlib",
}


def calls(file: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call of a file with the name it is called by."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def offences(source: str, file: Path = Path("planted.py")) -> list[str]:
    """Name what a source must not do."""
    tree, found = ast.parse(source), []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
            found += sorted(names & READERS)
            if "pickle" in names and file != UNPICKLER:
                found.append("pickle")
        if not isinstance(node, ast.Call):
            continue
        name, words = ast.unparse(node.func), {word.arg: word.value for word in node.keywords}
        shown = {key: ast.unparse(value) for key, value in words.items() if key}
        if name in RUNNING and not (name == "compile" and isinstance(node.func, ast.Attribute)):
            found.append(name)
        if name.endswith(("torch.load", "load_state_dict_from_file")) and shown.get("weights_only") != "True":
            found.append(f"{name} without weights_only=True")
        if "shell" in words or name.endswith(("create_subprocess_shell", ".extractall", ".extract")):
            found.append(f"{name} with a shell, or unpacking by names")
        if shown.get("allow_pickle", "False") != "False" or shown.get("verify") == "False":
            found.append(f"{name} with {shown}")
        if name in ("subprocess.run", "subprocess.Popen", "Popen", "subprocess.check_output", "subprocess.call"):
            found += [
                f"{name} of a text"
                for one in node.args[:1]
                if isinstance(one, (ast.Constant, ast.JoinedStr, ast.BinOp))
            ]
        if name.endswith(("urlopen", "urlretrieve", "requests.get")) and file != DOWNLOADS:
            found.append(f"{name} outside download.py")
    return found


@pytest.mark.parametrize("file", CODE, ids=lambda file: file.name)
def test_no_code_runs_what_a_file_or_a_name_says(file):
    assert offences(file.read_text(encoding="utf-8"), file) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from pickle import loads", "import os; os.system(f'ls {name}')", "eval(text)",
        "import torch; torch.load(path)", "import torch; torch.load(path, weights_only=False)",
        "import subprocess; subprocess.run(command, shell=True)", "import subprocess; subprocess.run(f'ls {name}')",
        "import numpy as np; np.load(path, allow_pickle=True)", "import yaml; yaml.load(text)", "import dill",
        "import zipfile; zipfile.ZipFile(path).extractall(folder)", "from urllib.request import urlopen; urlopen(url)",
        "import subprocess; subprocess.Popen('ls ' + name)", "import tarfile",
    ],
)  # fmt: skip
def test_each_of_them_would_be_found(line):
    assert offences(line)


def test_pickles_are_opened_by_a_class_that_finds_nothing_but_what_it_was_given():
    """`_pickles.py` alone imports pickle; it calls no loader but that of its own class, which refuses every name."""
    tree = ast.parse(UNPICKLER.read_text(encoding="utf-8"))
    (unpickler,) = [
        one for one in tree.body if isinstance(one, ast.ClassDef) and "pickle.Unpickler" in map(ast.unparse, one.bases)
    ]
    methods = {one.name for one in unpickler.body if isinstance(one, ast.FunctionDef)}
    assert {"find_class", "persistent_load"} <= methods
    assert not {name for name, _ in calls(UNPICKLER)} & {"pickle.load", "pickle.loads", "pickle.Unpickler"}


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.name)
def test_no_rule_builds_a_command_line(file):
    """A rule calls a script: no name of a clip, a performer or a file ever stands in a shell's line."""
    text = re.sub(r'"""(.*?)"""', "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"^\s+(shell|run|notebook|wrapper|cwl)\s*:", text, re.MULTILINE)
    assert not re.search(r"\bshell\s*\(", text)


def test_every_pattern_of_the_schema_holds_for_the_whole_text():
    """`$` alone lets an end of line pass: 'ada\\n' would be a folder."""

    def patterns(rule: object) -> Iterator[str]:
        if isinstance(rule, dict):
            yield from (value for key, value in rule.items() if key == "pattern" and isinstance(value, str))
            for value in rule.values():
                yield from patterns(value)
        elif isinstance(rule, list):
            for value in rule:
                yield from patterns(value)

    found = list(patterns(load_schema()))
    assert len(found) > 5
    for pattern in found:
        assert pattern.startswith("^") and pattern.endswith("$(?!\\n)"), pattern


@pytest.mark.parametrize("name", ["../me", "me/..", "/me", "me\n", ".", "..", "", "a b", "$(a)", "{clip}", "a" * 101])
def test_no_performer_leaves_the_results(name):
    with pytest.raises(SettingsError):
        complete({"performers": {name: {"clips": ["me"]}}})


def test_files_that_are_fetched_have_a_sum_or_wait_for_one():
    """A file without a known sum is kept aside until a person has written its sum; tests/test_fetch.py holds that."""
    for name, weights in load_weights().items():
        assert all(url.startswith(("https://", "http://")) for url in weights.urls), name
        assert weights.known or weights.size or weights.licence
        if any(url.startswith("http://") for url in weights.urls):
            assert weights.known, f"{name} comes over an open line and has no sum"


class Tags(HTMLParser):
    """The tags of a page, and the attributes that would run a script."""

    def __init__(self):
        super().__init__()
        self.names: set[str] = set()
        self.acts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.acts += [name for name, _ in attrs if name.startswith("on")]
        self.acts += [value for _, value in attrs if value and value.lower().startswith("javascript:")]


def test_the_page_of_a_training_shows_letters_as_letters():
    attack = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    facts = {
        "performer": attack, "stage": attack, "state": attack, "step": 1, "steps": 2, "seconds": 1.0,
        "of_seconds": None,
        "share": 0.5, "seconds_left": 1.0, "steps_per_second": 1.0, "learning_rate": 0.1, "losses": {attack: 1.0},
        "person_psnr_db": 20.0, "height_px": 64, "clip_frames": 1, "state_folder": attack,
        "started": "2026-11-22T00:00:00+00:00", "updated": "2026-11-22T00:00:00+00:00",
    }  # fmt: skip
    curves = {f"loss/{attack}": [(1, 1.0), (2, 0.5)], "held_out/person_psnr_db": [(1, 20.0)]}
    previews = {1: Path("preview-00000001.png")}
    page = training_page(facts, curves, Pictures(attack, previews, StripShape([1], 2, 2), attack))
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.names and not tags.acts
    assert "&lt;script&gt;" in page


def test_the_page_about_security_names_its_tests():
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    known = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 8 and named <= known, named - known


def test_shipped_tables_are_plain_yaml():
    for file in (ROOT / "config").rglob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        yaml.safe_load(text)
        assert "__use_yte__" not in text and "!!python" not in text, file
