"""The faults: each breaks one thing while a job runs (or before it begins), and says what came of that run."""

import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil
from project import Base, own_copy
from running import LONGEST, Run, start
from targets import Target

DELETE = re.compile(r"((?:results|weights)/[^\s:;,()]+)[^\n]*?delete (?:it|(\S+)) and run")
ERRORS = re.compile(r"understudy\.job: .*|(?:^|\n)[A-Za-z]*Error.*")
TRACE = "Traceback (most recent call last)"


@dataclass
class Case:
    """One injection: a copy of the project, the job under fire, and the chance that decides the moment.

    Attributes:
        mounts: whether this process may mount (a small disk, a read-only folder).
        lost_s: work that has to be done once more, seconds.
        notes: what happened, in words.
    """

    base: Base
    target: Target
    folder: Path
    chance: Random
    mounts: bool
    lost_s: float = 0.0
    told: str = ""
    notes: list[str] = field(default_factory=list)
    logs: int = 0

    def start(self, before: Callable[[], None] | None = None) -> Run:
        """Start the command of this case; always the same."""
        self.logs += 1
        words = self.base.words(self.folder, self.target.outputs[0], settings=self.target.settings)
        return start(words, self.folder.parent / f"{self.folder.name}-{self.logs}.log", self.target.rule, before)

    def moment(self) -> float:
        """Seconds of the processor's time since the job's start, by chance; evenly over what it takes undisturbed."""
        return self.chance.uniform(0, 1) * self.base.seconds(self.target)

    def slack(self) -> float:
        """Seconds that may pass beyond the save interval: the step and the save that are under way."""
        return 2.0

    def place(self, name: str) -> Path:
        return self.folder / name


class MissedError(Exception):
    """The job had ended before the moment came; the case counts for nothing and is tried again."""


def killed(who: Callable[[Run, psutil.Process, int], None], number: int) -> Callable[[Case], None]:
    """Make a fault: a signal at a random moment of the job."""

    def act(case: Case) -> None:
        run = case.start()
        job = _job_of(run)
        if not wait_for(case.moment(), case, job) or run.process.poll() is not None:
            run.end()
            raise MissedError
        saved = newest_state(case)
        who(run, job, number)
        if number != signal.SIGKILL and case.target.state:
            ended(job)
            if newest_state(case) != saved:
                case.lost_s = 0.0  # it saved before it ended
        if who is not _snakemake:
            run.end()
        else:
            run.process.wait()

    return act


def _one(run: Run, job: psutil.Process, number: int) -> None:
    with suppress(psutil.Error):
        job.send_signal(number)


def _all(run: Run, job: psutil.Process, number: int) -> None:
    run.signal_all(number)


def _snakemake(run: Run, job: psutil.Process, number: int) -> None:
    """Snakemake alone: its locks stay, and its job runs on for a moment; the same command comes at once."""
    run.process.send_signal(number)


def disk_full(case: Case) -> None:
    """The project lies on a disk with room for a part of what the job writes; then the disk grows."""
    need = sum(_size(case.base.results / name) for name in case.target.outputs)
    room = int(case.chance.uniform(0, 1) * (need + 40_000))
    if not case.mounts:
        case.notes.append("by a limit on a file's size")
        run = case.start(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (max(4096, room), resource.RLIM_INFINITY)))
        _failed(case, run)
        return
    used = int(subprocess.check_output(["du", "-sk", str(case.folder)]).split()[0])
    aside = case.folder.with_name(case.folder.name + "-disk")
    case.folder.rename(aside)
    case.folder.mkdir()
    size = used + 64 + room // 1024
    _mount("-t", "tmpfs", "-o", f"size={used * 3 + 65536}k", "tmpfs", case.folder)
    subprocess.run(["cp", "-a", f"{aside}/.", str(case.folder)], check=True)
    shutil.rmtree(aside)
    used = int(subprocess.check_output(["df", "--output=used", "-k", str(case.folder)]).split()[1])
    _mount("-o", f"remount,size={used + 4 + room // 1024}k", case.folder)
    case.notes.append(f"{room // 1024} KiB of room for {need // 1024}")
    _failed(case, case.start())
    _mount("-o", f"remount,size={size * 3 + 65536}k", case.folder)


def read_only(case: Case) -> None:
    """The folder of the outputs can only be read; then it can be written."""
    folder = case.place(case.target.outputs[0]).parent
    if case.mounts:
        _mount("--bind", folder, folder)
        _mount("-o", "remount,ro,bind", folder)
    else:
        folder.chmod(0o555)
    try:
        _failed(case, case.start())
    finally:
        if case.mounts:
            subprocess.run(["umount", str(folder)], check=True)
        else:
            folder.chmod(0o755)


def half_written(case: Case) -> None:
    """What a kill leaves of a file that is not written aside: its first part, under its own name."""
    killed(_one, signal.SIGKILL)(case)
    name = case.chance.choice(case.target.outputs)
    whole, place = case.base.results / name, case.place(name)
    if whole.is_dir():
        shutil.copytree(whole, place, dirs_exist_ok=True)
        place = case.chance.choice(sorted(place.iterdir()))
        whole = whole / place.name
    data = whole.read_bytes()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data[: case.chance.randrange(1, len(data))])
    mark = case.folder / ".snakemake" / "incomplete"
    if not any(mark.rglob("*")):  # Snakemake saw the kill and tidied up; a power cut leaves its mark
        from base64 import urlsafe_b64encode

        record = mark / urlsafe_b64encode(name.encode()).decode()
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text('{"external_jobid": null}')


def two_at_once(case: Case) -> None:
    """The same command twice, the second at a random moment of the first."""
    first = case.start()
    if job := first.wait_for_job():
        wait_for(case.moment(), case, job)
    second = case.start()
    case.lost_s = 0.0
    codes = [run.end() for run in (first, second)]
    case.notes.append(f"exit codes {codes}")
    if None in codes:
        raise RuntimeError("hangs")
    if codes[0] != 0:
        raise RuntimeError("the second one disturbed the first")
    if codes[1] != 0 and "cannot be locked" not in second.text():
        case.told = "other"


def damaged_input(change: Callable[[bytearray, Random], bytearray], during: bool) -> Callable[[Case], None]:
    """Make a fault: an input is other than it was written, before the job begins or while it reads."""

    def act(case: Case) -> None:
        name = case.chance.choice(case.target.inputs)
        path = case.place(name)
        if path.stat().st_size == 0:
            raise MissedError
        own_copy(path)
        if not during:
            _change(path, change, case.chance)
        run = case.start()
        if during:
            wait_for(case.moment(), case, _job_of(run))
            _change(path, change, case.chance)
        code = run.end()
        case.notes.append(f"{name}: exit code {code}")
        if code is None:
            raise RuntimeError("hangs")
        if code == 0:
            case.lost_s = 0.0
            case.told = "unharmed"
            return
        _delete_as_told(case, run)

    return act


def cut(data: bytearray, chance: Random) -> bytearray:
    return data[: chance.randrange(len(data))]


def flip(data: bytearray, chance: Random) -> bytearray:
    data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    return data


def _change(path: Path, change: Callable[[bytearray, Random], bytearray], chance: Random) -> None:
    """Change a file in place; its date stays, as a failing disk leaves it."""
    stat = path.stat()
    data = change(bytearray(path.read_bytes()), chance)
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _delete_as_told(case: Case, run: Run) -> None:
    """Do what the errors say, and nothing else: delete the file they name; again while there are others."""
    for _ in range(3):
        text = run.text()
        found = DELETE.search(text)
        if not found:
            case.told = "traceback" if TRACE in text else "unclear"
            raise RuntimeError(f"no word on what to delete: {text[-1500:]}")
        name = (found[2] or found[1]).strip("'\"`")
        name = name[name.index(found[1].split("/")[0]) :] if "/" in name else found[1]
        case.notes.append(f"deleted {name}")
        case.told = "clear"
        path = case.place(name)
        if not path.is_file():
            raise RuntimeError(f"told to delete {name}, which is not there")
        path.unlink()
        run = case.start()
        if run.end() == 0:
            return
    raise RuntimeError(f"three files deleted as told, and no end: {run.text()[-1500:]}")


def _job_of(run: Run) -> psutil.Process:
    job = run.wait_for_job()
    if job is None:
        raise RuntimeError(f"the job did not begin: {run.text()[-3000:]}")
    return job


def wait_for(moment: float, case: Case, job: psutil.Process) -> bool:
    """Wait until a job has used so much of the processor's time, which no other work on the machine stretches.

    Notes what would be lost then: of a training what it did since its last save, or since its first step; of any other
    job all.

    Returns:
        False where it ended before.
    """
    started, newest, saved = time.monotonic(), "", 0.0
    try:
        while True:
            times = job.cpu_times()
            used = time.monotonic() - started if case.target.rule == "fetch_weights" else times.user + times.system
            if case.target.state and (found := newest_state(case)) != newest:
                newest, saved = found, used
            case.lost_s = used - saved if newest or not case.target.state else 0.0
            if used >= moment:
                return job.is_running()
            time.sleep(0.02)
    except psutil.Error:
        return False


def ended(job: psutil.Process) -> None:
    """Wait until the job's own process is gone."""
    with suppress(psutil.Error):
        job.wait(120)


def newest_state(case: Case) -> str:
    """Name of a training's newest state, of its first preview where it has none, empty before its first step."""
    folder = case.place(case.target.state)
    names = [path.name for path in folder.glob("state-*/state-*.pt")]
    return max(names, default="preview" if list(folder.glob("state-*/preview-*.png")) else "")


def _failed(case: Case, run: Run) -> None:
    """Wait for a run that has too little room or no right to write; it may fail, and must not hang."""
    if job := run.wait_for_job():
        wait_for(LONGEST, case, job)
    code = run.end()
    if code is None:
        raise RuntimeError("hangs")
    text = run.text()
    case.notes.append(f"exit code {code}")
    if code == 0:
        case.lost_s = 0.0
    else:
        case.told = "clear" if "then run the same command again" in text else "traceback" if TRACE in text else "other"


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


FAULTS: dict[str, Callable[[Case], None]] = {
    "kill -9 of the job": killed(_one, signal.SIGKILL),
    "kill -9 of all": killed(_all, signal.SIGKILL),
    "kill -9 of snakemake (stale lock)": killed(_snakemake, signal.SIGKILL),
    "SIGTERM to the job": killed(_one, signal.SIGTERM),
    "SIGTERM to all": killed(_all, signal.SIGTERM),
    "disk full": disk_full,
    "read-only folder": read_only,
    "input cut before": damaged_input(cut, during=False),
    "input cut mid-way": damaged_input(cut, during=True),
    "byte flipped before": damaged_input(flip, during=False),
    "byte flipped mid-way": damaged_input(flip, during=True),
    "output half-written": half_written,
    "two at once": two_at_once,
}
NEED_INPUT = {name for name in FAULTS if name.startswith(("input", "byte"))}
