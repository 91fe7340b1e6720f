"""A bad input, what is run on it, and how it must end: in a right result or in an error that a user understands."""

import io
import json
import logging
import os
import re
import resource
import runpy
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from understudy.errors import UnderstudyError

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
CPU_S = 20  # of a case; more is a hang
MEMORY_BYTES = 3 * 2**30  # that a case may take beyond what the process holds
LONGEST_MESSAGE = 2500
_MISTAKE = re.compile(r"^[\d:]{8} understudy\.job: (\w+Error): (.*)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        kind: of input, such as "video".
        name: what is wrong with it.
        act: gets the case's own folder, which is the working folder too; writes the input and runs the job on it.
        words: pattern of the message it must be refused with; empty where the job must end well.
        check: looks at the results of a job that ended well.
        lenient: it may end well or be refused; which, is a matter of luck with the bytes.
        cpu_s: of the processor that it may take; more is a hang.
    """

    kind: str
    name: str
    act: Callable[[Path], None]
    words: str = ""
    check: Callable[[Path], None] | None = None
    lenient: bool = False
    cpu_s: int = CPU_S

    @property
    def title(self) -> str:
        """Kind and name, which no two cases share."""
        return f"{self.kind}: {self.name}"


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes:
        end: right, refused, traceback, crash, hang or wrong.
        message: the error, or what was wrong.
        seconds: of the processor.
        mebibytes: most memory the process held meanwhile.
        stray: files outside results/ that were made, changed or removed, and half-written ones anywhere.
    """

    title: str
    end: str
    message: str
    seconds: float
    mebibytes: float
    stray: list[str]

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class Refused(Exception):  # noqa: N818
    """A job or a plan ended in a user's mistake; carries its message."""


def run_script(name: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any], **more: Any) -> None:
    """Run a rule's script on files as Snakemake would; `more` are params, threads, wildcards and resources.

    Raises:
        Refused: the job failed with a user's mistake.
        RuntimeError: it failed with anything else.
    """
    log = Path("results") / "logs" / f"{name}.log"
    job = SimpleNamespace(
        input=_Inputs(inputs),
        output=_Named(outputs),
        params=_Named(more.get("params", {})),
        wildcards=_Named(more.get("wildcards", {})),
        resources=_Named(more.get("resources", {"gpu": 0})),
        threads=more.get("threads", 1),
        log=[str(log)],
    )
    already = len(log.read_text(encoding="utf-8")) if log.is_file() else 0
    try:
        runpy.run_path(str(SCRIPTS / f"{name}.py"), init_globals={"snakemake": job})
    except SystemExit as end:
        said = log.read_text(encoding="utf-8")[already:]
        mistake = _MISTAKE.search(said)
        if end.code != 1 or mistake is None or "Traceback (most recent call last)" in said:
            raise RuntimeError(said[-3000:]) from None
        raise Refused(f"{mistake[1]}: {mistake[2].strip()}") from None


@contextmanager
def planning() -> Iterator[None]:
    """Turn a user's mistake in what runs before any job into `Refused`, as the Snakefile does into its own error."""
    try:
        yield
    except UnderstudyError as mistake:
        raise Refused(f"{type(mistake).__name__}: {mistake}") from None


def judge(case: Case, folder: Path) -> Outcome:
    """Run a case in an empty folder of its own and say how it ended."""
    inside = folder / "project"
    inside.mkdir(parents=True)
    (folder / "neighbour.txt").write_text("not yours")
    temporary = folder / "temporary"
    temporary.mkdir()
    with _bounded(case.cpu_s), _standing_in(inside, temporary), redirect_stderr(io.StringIO()):
        _reset_peak()
        started = _cpu_s()
        made: dict[str, tuple[int, int]] = {}
        end, message = _ended(case, inside, made)
        seconds = _cpu_s() - started
        stray = _strays(folder, made)
    return Outcome(case.title, end, message, round(seconds, 2), round(_peak_bytes() / 2**20), stray)


_PREPARED: list[Callable[[], None]] = []


def prepared() -> None:
    """Called by a case when its input is written: what is new in the folder afterwards is the job's doing."""
    for note in _PREPARED:
        note()


def _ended(case: Case, inside: Path, made: dict[str, tuple[int, int]]) -> tuple[str, str]:
    _PREPARED[:] = [lambda: made.update(_files(inside.parent))]
    try:
        case.act(inside)
        if case.words and not case.lenient:
            return "wrong", "it went through, expected a refusal"
        if case.check:
            case.check(inside)
        return "right", ""
    except Refused as refusal:
        return _judged(case, str(refusal))
    except AssertionError as wrong:
        return "wrong", f"the result is wrong: {wrong}"
    except BaseException:
        return "traceback", traceback.format_exc()[-3000:]
    finally:
        for handler in logging.getLogger().handlers:
            handler.flush()


def _judged(case: Case, message: str) -> tuple[str, str]:
    """Hold a refusal to what is expected of it."""
    if not case.words and not case.lenient:
        return "wrong", f"it was refused, expected a right result: {message}"
    if not re.search(case.words, message, re.DOTALL):
        return "wrong", f"another message than {case.words!r}: {message}"
    if "mend the backend" in message:
        return "wrong", f"the message blames the code: {message}"
    if len(message) > LONGEST_MESSAGE:
        return "wrong", f"a message of {len(message)} letters: {message[:300]} ..."
    return "refused", message


class _Named(SimpleNamespace):
    """What Snakemake gives a script: attributes, and keys too."""

    def __init__(self, values: Mapping[str, Any]):
        super().__init__(**values)

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


class _Inputs(_Named):
    """Inputs of a job; what a rule asks for only at times is not there."""

    def __getattr__(self, name: str) -> Any:
        return []


@contextmanager
def _standing_in(folder: Path, temporary: Path) -> Iterator[None]:
    """Work in a folder, with another for temporary files."""
    before, kept = Path.cwd(), os.environ.get("TMPDIR")
    os.chdir(folder)
    os.environ["TMPDIR"] = str(temporary)
    tempfile.tempdir = None  # it remembers the folder it chose first
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.pop("TMPDIR")
        tempfile.tempdir = None
        if kept is not None:
            os.environ["TMPDIR"] = kept


@contextmanager
def _bounded(cpu_s: int) -> Iterator[None]:
    """Bound memory and time of the processor: too much of the first is an error, of the second the process's end."""
    held = _status_bytes("VmData")
    memory, time_ = resource.getrlimit(resource.RLIMIT_DATA), resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_DATA, (held + MEMORY_BYTES, memory[1]))
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + cpu_s + 1, time_[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, memory)
        resource.setrlimit(resource.RLIMIT_CPU, time_)


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _status_bytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return 1024 * int(found[1])


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes() -> int:
    return _status_bytes("VmHWM")


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and date of everything in a folder, links as links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        fact = path.lstat()
        found[str(path.relative_to(folder))] = (0, 0) if path.is_dir() else (fact.st_size, fact.st_mtime_ns)
    return found


def _strays(folder: Path, before: dict[str, tuple[int, int]]) -> list[str]:
    """What was made, changed or removed outside project/results, and what was left half-written anywhere."""
    after = _files(folder)
    changed = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    ours = re.compile(r"project/(results|\.snakemake)(/.*)?")  # the second is Snakemake's own record
    outside = [name for name in changed if not ours.fullmatch(name)]
    return outside + [name for name in after if ".part" in name and name not in before]
