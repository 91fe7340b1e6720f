"""The log of a job, and outputs that appear whole or not at all."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from understudy import job
from understudy.backends import list_backends, load_backend
from understudy.errors import BackendError, VideoError
from understudy.job import atomic_folder, atomic_path, in_threads, job_log


def test_a_users_mistake_is_one_sentence_without_traceback(tmp_path):
    with pytest.raises(SystemExit) as stop, job_log(tmp_path / "logs" / "job.log"):
        raise VideoError("me.mp4 holds no picture; choose another file.")
    text = (tmp_path / "logs" / "job.log").read_text()
    assert stop.value.code == 1
    assert "me.mp4 holds no picture" in text and "Traceback" not in text


def test_any_other_error_keeps_its_traceback(tmp_path):
    with pytest.raises(SystemExit), job_log(tmp_path / "job.log"):
        raise KeyError("surprise")
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_log_lines_of_the_package_reach_the_file_and_handlers_go(tmp_path):
    before = list(logging.getLogger().handlers)
    with job_log(tmp_path / "job.log"):
        logging.getLogger("understudy.flow").info("frame 3 of 9")
    assert "frame 3 of 9" in (tmp_path / "job.log").read_text()
    assert logging.getLogger().handlers == before


def test_atomic_path_replaces_only_when_all_went_well(tmp_path):
    path = tmp_path / "film.mp4"
    with atomic_path(path) as beside:
        beside.write_text("first")
    with pytest.raises(RuntimeError), atomic_path(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, sys
from understudy.job import atomic_path
with atomic_path(sys.argv[1]) as beside:
    beside.write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_left_is_removed_and_what_a_running_one_writes_is_not(tmp_path):
    path = tmp_path / "film.mp4"
    environment = os.environ | {"PYTHONPATH": str(Path(job.__file__).parents[1])}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name != path.name
    foreign = tmp_path / ".film.another-machine-1.part.mp4"
    foreign.touch()
    with atomic_path(tmp_path / "first.h5") as first, atomic_path(path) as beside:
        first.touch()
        beside.write_text("whole")
    assert {each.name for each in tmp_path.iterdir()} == {"first.h5", "film.mp4", foreign.name}


def test_a_file_that_a_library_wrote_for_its_owner_only_is_readable_by_others(tmp_path):
    with atomic_path(tmp_path / "weights") as beside:
        beside.touch(mode=0o600)
    plain = tmp_path / "plain"
    plain.touch()
    assert (tmp_path / "weights").stat().st_mode == plain.stat().st_mode


def test_backends_are_files(tmp_path, monkeypatch):
    folder = tmp_path / "some_backends"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "_contract.py").write_text("")
    (folder / "center.py").write_text("class Backend:\n    name = 'center'\n")
    (folder / "lame.py").write_text("import a_package_nobody_has\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert list_backends("some_backends") == ["center", "lame"]
    assert load_backend("some_backends", "center").name == "center"
    with pytest.raises(BackendError, match="holds center, lame"):
        load_backend("some_backends", "centre")
    with pytest.raises(BackendError, match="a_package_nobody_has"):
        load_backend("some_backends", "lame")


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_keep_the_order_and_run_few_items_ahead(threads):
    read = []

    def items():
        for number in range(40):
            read.append(number)
            yield number

    squares = in_threads(lambda number: number**2, items(), threads)
    assert [next(squares) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(read) <= 5 + 2 * threads + 1
    assert list(squares) == [number**2 for number in range(5, 40)]


def test_an_error_in_a_thread_comes_up_at_its_result():
    results = in_threads(lambda number: 1 / number, [2, 0, 1], threads=2)
    assert next(results) == 0.5
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with atomic_folder(tmp_path / "made") as beside:
        (beside / "one").write_text("1")
        assert not (tmp_path / "made").exists()
    with pytest.raises(KeyError), atomic_folder(tmp_path / "made") as beside:
        (beside / "two").write_text("2")
        raise KeyError("surprise")
    assert [path.name for path in tmp_path.rglob("*")] == ["made", "one"]
    with atomic_folder(tmp_path / "made") as beside:
        (beside / "three").write_text("3")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["three"]


def test_a_folder_left_by_a_killed_job_is_removed(tmp_path):
    code = (
        "import os, sys; sys.path.append('workflow/scripts')\n"
        "from understudy.job import atomic_folder\n"
        f"with atomic_folder({str(tmp_path / 'made')!r}) as beside:\n"
        "    (beside / 'one').write_text('1'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1])
    assert len(list(tmp_path.iterdir())) == 1
    with atomic_folder(tmp_path / "made"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
