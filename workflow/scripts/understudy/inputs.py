"""Files that a backend reads besides the clip: where the settings name them, and what stands for their content.

They are inputs of the backend's rule, so a missing one is named before any job; their state is one of its params, so
another content runs the job again and another date does not.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from understudy.errors import SettingsError
from understudy.job import file_digest
from understudy.weights import OPENPOSE, by_hand, load_weights, weights_at, weights_state

# Section of the settings, backend -> its keys that name files. A key's backend has a section of its own name there.
_NAMED = {
    "pose": {
        "openpose": ("model_folder",),
        "openpose_caffe": ("model_folder",),
        "openpose_json": ("path",),
        "rtmw": ("detector", "pose"),
    },
    "flow": {"raft": ("weights",)},
    "surface": {"densepose": ("config", "weights"), "densepose_dump": ("path",)},
}
_CONFIG_ENDINGS = (".yaml", ".yml")


def in_use(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section with the sections of backends that are not chosen emptied: each value as its type's own nothing.

    Args:
        section: with the key `backend`, or one without, which comes back as it is.
    """
    if "backend" not in section:
        return dict(section)
    return {
        name: {key: type(inner)() for key, inner in value.items()}
        if isinstance(value, Mapping) and name != section["backend"]
        else value
        for name, value in section.items()
    }


def for_clip(section: Mapping[str, Any], clip: str) -> dict[str, Any]:
    """Return a section with the clip's name where the paths of a backend say {clip}."""
    return {
        name: {key: inner.replace("{clip}", clip) if key == "path" else inner for key, inner in value.items()}
        if isinstance(value, Mapping)
        else value
        for name, value in section.items()
    }


def named_files(section: str, settings: Mapping[str, Any], clip: str, offline: bool = False) -> list[Path]:
    """List the files and folders that the chosen backend reads for a clip; those still to be fetched too.

    Args:
        section: name of the section, such as "surface".
        settings: the section.
        clip: stands where a path says {clip}.
        offline: nothing may be fetched.

    Raises:
        SettingsError: a path is empty, or nothing is there and nothing can be fetched.
    """
    backend = settings["backend"]
    settings = for_clip(settings, clip)
    files = []
    for key in _NAMED.get(section, {}).get(backend, ()):
        place, value = f"{section}.{backend}.{key}", settings[backend][key]
        if key == "config" and not value.endswith(_CONFIG_ENDINGS):
            continue  # a name within the backend's environment
        path = Path(value)
        if not value:
            raise SettingsError(
                f"{section}.backend is '{backend}', but {place} is empty; write a path there (docs/estimators.md names "
                "those that are fetched)."
            )
        wanted = _openpose_files(settings[backend]) if key == "model_folder" and path == OPENPOSE else [path]
        for file in wanted:
            check_there(file, f"{place} names {path} for the clip '{clip}', which", place, offline)
        files += wanted
    return files


def _openpose_files(settings: Mapping[str, Any]) -> list[Path]:
    """List the files of OpenPose's networks that are switched on, in the folder where they are fetched to."""
    wanted = {"pose", *(["face"] if settings["face"] else []), *(["hand"] if settings["hands"] else [])}
    paths = [weights.path for weights in load_weights().values()]
    return [path for path in paths if path.is_relative_to(OPENPOSE) and path.relative_to(OPENPOSE).parts[0] in wanted]


def check_there(path: Path, found: str, place: str, offline: bool) -> None:
    """Ask for a file or folder, unless it can be fetched.

    Args:
        path: of it.
        found: what names it, to begin the error with.
        place: of the setting that names it.
        offline: nothing may be fetched.

    Raises:
        SettingsError: it does not exist and may not or cannot be fetched.
    """
    wanted = weights_at(path)
    if path.exists() or (wanted and not offline):
        return
    if wanted:
        raise SettingsError(f"{path} is missing, and `offline` forbids to fetch it; {by_hand(wanted)}.")
    raise SettingsError(
        f"{found} does not exist (relative paths start at the working folder); put it there, or correct {place}."
    )


def input_state(path: str | Path) -> str:
    """Return what changes when an input does: of a file that is fetched the same before and after."""
    wanted = weights_at(Path(path))
    return weights_state(Path(path), wanted) if wanted else file_state(path)


def file_state(path: str | Path) -> str:
    """Return what changes when a file or a folder does: a digest of its bytes, of a folder's names and bytes.

    What is larger than a gibibyte counts by names, sizes and dates.
    """
    path = Path(path)
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    facts = [(file, file.stat()) for file in files]
    small = sum(fact.st_size for _, fact in facts) <= 2**30
    if small and path.is_file():
        return _content(path, path.stat().st_mtime_ns)
    rows = [
        f"{file.relative_to(path)}\t{_content(file, fact.st_mtime_ns) if small else (fact.st_size, fact.st_mtime_ns)}"
        for file, fact in facts
    ]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


@cache
def _content(path: Path, _changed_ns: int) -> str:
    return file_digest(path)
