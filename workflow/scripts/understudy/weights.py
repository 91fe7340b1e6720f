"""Files of networks that can be fetched: what config/weights.yaml says of each, and whether a file is that one."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from understudy.errors import WeightsError

FOLDER = Path("weights")  # where they go, in the working folder
OPENPOSE = FOLDER / "openpose"  # laid out like OpenPose's own folder models
TABLE = Path(__file__).parents[3] / "config" / "weights.yaml"
USES = ("any", "non-commercial", "unclear")
_NAME = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_URL = re.compile(r"https?://[!-~]+")  # printable signs alone
_DIGITS = {"sha256": 64, "md5": 32}
_REQUIRED = ("url", "licence", "use", "purpose")
_OPTIONAL = ("mirrors", "member", "sha256", "md5", "size")


@dataclass(frozen=True)
class Weights:
    """One file: its name under `weights`, where it can be had, and what it must be.

    Of the sums, 0 or more are known (hexadecimal digits, empty where unknown); size is in bytes, 0 where unknown.
    """

    name: str
    urls: tuple[str, ...]
    member: str
    sha256: str
    md5: str
    size: int
    licence: str
    use: str
    purpose: str

    @property
    def path(self) -> Path:
        """Where the file goes, relative to the working folder."""
        return FOLDER / self.name

    @property
    def known(self) -> bool:
        """Whether a sum of the file is known."""
        return bool(self.sha256 or self.md5)

    def expected(self) -> str:
        """Say what the file must be, for a message."""
        parts = [f"SHA-256 {self.sha256}"] if self.sha256 else []
        parts += [f"MD5 {self.md5}"] if self.md5 else []
        parts += [f"{self.size} bytes"] if self.size else []
        return ", ".join(parts) or "nothing known of it"


@dataclass(frozen=True)
class Sums:
    """What a file is: both sums as hexadecimal digits, size in bytes."""

    sha256: str
    md5: str
    size: int

    def __str__(self) -> str:
        return f"SHA-256 {self.sha256}, MD5 {self.md5}, {self.size} bytes"

    def fit(self, wanted: Weights) -> bool:
        """Whether all that is known of the wanted file agrees; what is not known cannot disagree."""
        pairs = [(getattr(wanted, name), getattr(self, name)) for name in ("sha256", "md5", "size")]
        return all(found == expected for expected, found in pairs if expected)


def measure(path: Path) -> Sums:
    """Read a file once and return its sums."""
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
            md5.update(block)
            size += len(block)
    return Sums(sha256.hexdigest(), md5.hexdigest(), size)


@cache
def load_weights(table: Path = TABLE) -> dict[str, Weights]:
    """Read the table of files, by name.

    Raises:
        WeightsError: an entry cannot be right.
    """
    import yaml  # here, because jobs that only ask where a file belongs have none

    try:
        rows = yaml.safe_load(table.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as broken:
        raise WeightsError(f"{table} is no YAML that can be read as UTF-8 ({broken}). Correct it.") from broken
    if not isinstance(rows, dict):
        raise WeightsError(
            f"{table} holds {type(rows).__name__}, expected entries: files' names and their keys. Correct it."
        )
    return {name: _entry(name, row, table) for name, row in rows.items()}


def _entry(name: str, row: Mapping[str, Any], table: Path) -> Weights:
    if not isinstance(row, Mapping) or not isinstance(name, str):
        raise WeightsError(
            f"{table}: the entry {str(name)[:80]!r} is {type(row).__name__} under {type(name).__name__}, expected a "
            "file's name and the keys url, licence, use and purpose. Correct it."
        )
    wrong = [f"lacks {key}" for key in _REQUIRED if key not in row]
    wrong += [f"has the unknown key {key}" for key in row if key not in (*_REQUIRED, *_OPTIONAL)]
    if Path(name).is_absolute() or ".." in Path(name).parts:
        wrong.append("leaves the folder weights")
    elif not _NAME.fullmatch(name):
        wrong.append("has a name of other signs than letters, digits, '.', '_', '-' and '/'")
    mirrors = row.get("mirrors", ())
    urls = (row.get("url", ""), *(mirrors if isinstance(mirrors, (list, tuple)) else [mirrors]))
    wrong += [f"has the address {url!r}, which is not http(s)" for url in urls if not _URL.fullmatch(str(url))]
    for sum_, digits in _DIGITS.items():
        value = str(row.get(sum_, ""))
        if value and not re.fullmatch(f"[0-9a-f]{{{digits}}}", value):
            wrong.append(f"has {sum_} {value!r}, expected {digits} hexadecimal digits in lower case")
    size = row.get("size", 0)
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        wrong.append(f"has size {size!r}, expected bytes")
    if not isinstance(row.get("member", ""), str) or "/" in row.get("member", ""):
        wrong.append(f"has the member {row['member']!r}, expected the name of a file without its folders")
    if row.get("use", "any") not in USES:
        wrong.append(f"has the use {row['use']!r}, expected one of {', '.join(USES)}")
    if wrong:
        raise WeightsError(f"{table}: the entry '{name}' {'; it '.join(wrong)}. Correct it.")
    rest = {key: str(row.get(key, "")) for key in ("member", "sha256", "md5", "licence", "use", "purpose")}
    return Weights(name=name, urls=urls, size=size, **rest)


def weights_at(path: Path) -> Weights | None:
    """Return the entry of the file that belongs at a path; None for a path that is the user's own business."""
    if path.is_absolute() or path.parts[:1] != FOLDER.parts:
        return None
    return load_weights().get(path.relative_to(FOLDER).as_posix())


def weights_state(path: Path, wanted: Weights) -> str:
    """Return what stands for a file's content; before it is fetched, what stands for it afterwards.

    A SHA-256 where one is known, or else an MD5; of a file of which nothing is known, nothing before it is there.
    """
    kind = "md5" if wanted.md5 and not wanted.sha256 else "sha256"
    found = _measured(path, path.stat().st_mtime_ns) if path.is_file() else wanted
    return f"md5:{found.md5}" if kind == "md5" else found.sha256


@cache
def _measured(path: Path, _changed_ns: int) -> Sums:
    return measure(path)


def by_hand(wanted: Weights) -> str:
    """Tell how to bring a file without fetching it, for a message."""
    member = f", take {wanted.member} out of it" if wanted.member else ""
    return f"download {' or '.join(wanted.urls)}{member} and put it at {wanted.path} ({wanted.expected()})"
