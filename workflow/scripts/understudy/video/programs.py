"""The programs `ffmpeg` and `ffprobe`: where they are, and what they say when they fail."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from understudy.errors import BackendError

OLDEST = (5, 1)  # the first with -fps_mode, which keeps every picture at its own time
LAST_LINES = 3
_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")


@dataclass(frozen=True)
class Programs:
    """Paths of both programs, and their version as they name it."""

    ffmpeg: str
    ffprobe: str
    version: str


def find_programs() -> Programs:
    """Find both on the search path, which is where a rule's environment puts them.

    Raises:
        BackendError: one is missing, does not run, or is too old.
    """
    return _find(os.environ.get("PATH", ""))


def address(path: Path) -> str:
    """Name a file so that it is never read as an option, an address or a pattern, whatever its letters."""
    return f"file:{path.absolute()}"


def last_words(text: bytes | None) -> str:
    """Shorten what ffmpeg wrote before it ended to its last lines, without addresses in memory."""
    lines = [line.strip() for line in (text or b"").decode(errors="replace").splitlines() if line.strip()]
    return _ADDRESS.sub("", "; ".join(lines[-LAST_LINES:])) or "it gave no reason"


@cache
def _find(search: str) -> Programs:
    found = {name: shutil.which(name, path=search) for name in ("ffmpeg", "ffprobe")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise BackendError(
            f"The video backend 'ffmpeg' needs the program {' and '.join(missing)}, not found on the search path; run "
            "with --sdm conda, install it (Debian and Ubuntu: apt-get install ffmpeg; macOS: brew install ffmpeg), or "
            "choose the backend 'pyav'."
        )
    said = subprocess.run([found["ffmpeg"], "-hide_banner", "-version"], capture_output=True, check=False)
    words = said.stdout.decode(errors="replace").split()
    if said.returncode or words[:2] != ["ffmpeg", "version"]:
        raise BackendError(f"{found['ffmpeg']} does not run ({last_words(said.stderr)}); install ffmpeg anew.")
    number = re.match(r"n?(\d+)\.(\d+)", words[2])  # versions between releases have no number
    if number and (int(number[1]), int(number[2])) < OLDEST:
        raise BackendError(
            f"{found['ffmpeg']} is version {words[2]}, expected {OLDEST[0]}.{OLDEST[1]} or newer; update it, or choose "
            "the backend 'pyav'."
        )
    return Programs(found["ffmpeg"], found["ffprobe"], words[2])
