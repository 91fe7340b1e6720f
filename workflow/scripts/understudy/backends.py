"""Backends are files: the name in the configuration is the name of a module that holds a class `Backend`."""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from understudy.errors import BackendError


def load_backend(package: str, name: str) -> type:
    """Import the class `Backend` of one backend.

    Args:
        package: dotted name of the folder, such as "understudy.semantics.pose_backends".
        name: file name without its ending, as written in the configuration.

    Raises:
        BackendError: there is no such file, or one of its imports is not installed.
    """
    names = list_backends(package)
    if name not in names:
        folder = package.replace(".", "/")
        raise BackendError(
            f"The configuration names the backend '{name}', but {folder} holds {', '.join(names)}; "
            f"choose one of them or add {folder}/{name}.py."
        )
    try:
        module: ModuleType = import_module(f"{package}.{name}")
    except ImportError as missing:
        raise BackendError(
            f"The backend '{name}' needs the Python package '{missing.name}', which is not installed here; "
            f"install it, or run with --sdm conda so that the rule's own environment is used."
        ) from missing
    return module.Backend


def list_backends(package: str) -> list[str]:
    """Name the backends of a folder: every module that does not start with an underscore."""
    folder = Path(import_module(package).__path__[0])
    return sorted(file.stem for file in folder.glob("*.py") if not file.name.startswith("_"))


@cache
def backend_fact(package: str, name: str, fact: str) -> Any:
    """Read a plain value of a class `Backend` from its source, so that nothing it imports need be installed.

    Args:
        package, name: as for `load_backend`.
        fact: attribute of the class that is set to a plain value, such as "has_body".

    Raises:
        ValueError: the class sets no such value.
    """
    file = Path(import_module(package).__path__[0]) / f"{name}.py"
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and node.name == "Backend":
            for line in node.body:
                if isinstance(line, ast.Assign) and fact in [ast.unparse(target) for target in line.targets]:
                    return ast.literal_eval(line.value)
    raise ValueError(f"{file} sets no {fact} in its class Backend")
