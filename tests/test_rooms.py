"""Imports point one way: a room imports itself, the rooms in front of it, and the hall."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "workflow" / "scripts" / "understudy"
IN_FRONT = {
    "body": [],
    "video": [],
    "semantics": ["body", "video"],
    "flow": ["body", "video", "semantics"],
    "dataset": ["body", "video", "semantics", "flow"],
    "model": ["body", "video", "semantics", "flow", "dataset"],
    "training": ["body", "video", "semantics", "flow", "dataset", "model"],
    "rendering": ["body", "video", "semantics", "flow", "dataset", "model", "training"],
    "metrics": ["body", "video", "semantics", "flow", "dataset", "model", "training", "rendering"],
    "report": ["body", "video", "semantics", "flow", "dataset", "model", "training", "rendering", "metrics"],
    "synthetic": ["body", "video", "semantics", "flow"],
    "doctor": [],
}
HALL_MAY_IMPORT = {
    "layouts": {"numpy", "h5py"},
    "joining": {"h5py"},
    "inspection": {"numpy", "h5py"},
    "validation": {"jsonschema", "yaml"},
    "weights": {"yaml"},
}


def imported(file: Path) -> set[str]:
    """Return the dotted names a file imports, those inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively; write the whole name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def violations(package: Path) -> list[str]:
    """Return one sentence for each import that points backwards."""
    found = []
    for file in sorted(package.rglob("*.py")):
        place = file.relative_to(package).parts
        room = place[0] if len(place) > 1 else "the hall"
        for name in imported(file):
            steps = name.split(".")
            if steps[0] != package.name or len(steps) < 2:
                continue
            target = steps[1]
            if target in IN_FRONT and target != room and (room == "the hall" or target not in IN_FRONT[room]):
                found.append(f"{'/'.join(place)} in {room} imports {name}")
    return found


def test_imports_point_one_way():
    assert violations(PACKAGE) == []


def test_every_folder_is_a_room_with_an_empty_init():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(IN_FRONT)
    for init in PACKAGE.rglob("__init__.py"):
        assert init.read_text() == "", f"{init} is not empty"


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("flow/warp.py", "from understudy.training.step import advance"),
        ("video/decode.py", "import understudy.rendering.rollout"),
        ("synthetic/clip.py", "from understudy.model import contract"),
        ("layouts.py", "from understudy.body.model import Body"),
        ("flow/late.py", "def later():\n    from understudy.dataset import reader"),
    ],
)
def test_a_backward_import_is_found(tmp_path, place, line):
    package = tmp_path / "understudy"
    file = package / place
    file.parent.mkdir(parents=True)
    file.write_text(line)
    assert len(violations(package)) == 1


def test_no_room_is_a_junk_drawer():
    names = {file.stem for file in PACKAGE.rglob("*.py")}
    assert not names & {"utils", "util", "helpers", "common", "misc", "base"}


def test_hall_stands_on_the_standard_library():
    import sys

    for file in PACKAGE.glob("*.py"):
        outside = {name.split(".")[0] for name in imported(file)} - set(sys.stdlib_module_names) - {"understudy"}
        assert outside <= HALL_MAY_IMPORT.get(file.stem, set()), f"{file.name} imports {outside}"


def test_rooms_never_read_snakemake_nor_print():
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & {"snakemake", "print"}, f"{file} uses {names & {'snakemake', 'print'}}"
