"""Locks of killed runs go, those of living ones stay; a job ends with the Snakemake that started it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from understudy.running import VARIABLE, claim_folder, unwritable

SCRIPTS = Path(__file__).parents[1] / "workflow" / "scripts"
RUN = """
import sys, time
from pathlib import Path
sys.path.append(sys.argv[1])
from understudy.running import claim_folder
kept = claim_folder(Path(sys.argv[2]))
print("claimed", flush=True)
sys.stdin.readline()
"""
PARENT = """
import subprocess, sys, time
sys.path.append(sys.argv[1])
from understudy.running import name_parent
name_parent()
job = subprocess.Popen(["sh", "-c", f"{sys.executable} -c '{sys.argv[2]}' {sys.argv[1]} ; true"], stdout=sys.stdout)
time.sleep(60)
"""
JOB = """
import sys, time, os
sys.path.append(sys.argv[1])
from understudy.running import end_with_parent
end_with_parent()
print(os.getpid(), flush=True)
time.sleep(60)
"""


def start(folder):
    words = [sys.executable, "-c", RUN, str(SCRIPTS), str(folder)]
    run = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "claimed\n"
    return run


def lock(folder):
    (folder / "locks").mkdir(parents=True, exist_ok=True)
    (folder / "locks" / "0.output.lock").write_text("results/clips/ada/pose.h5\n")
    return folder / "locks" / "0.output.lock"


def test_the_lock_of_a_killed_run_goes(tmp_path):
    run = start(tmp_path)
    stale = lock(tmp_path)
    run.kill()
    run.wait()
    assert claim_folder(tmp_path) is not None
    assert not stale.exists()


def test_the_lock_of_a_living_run_stays_and_that_of_one_beside_a_killed_one(tmp_path):
    first, second = start(tmp_path), start(tmp_path)
    kept = lock(tmp_path)
    first.kill()
    first.wait()
    third = start(tmp_path)
    assert kept.exists()
    for run in (second, third):
        run.communicate("\n")
    start(tmp_path).communicate("\n")
    assert not kept.exists()


def test_a_run_of_another_machine_that_did_not_end_keeps_its_lock(tmp_path):
    other = tmp_path / "running-elsewhere.lock"
    other.write_text("a run began here\n")
    kept = lock(tmp_path)
    start(tmp_path).communicate("\n")
    assert kept.exists(), "nobody here can tell whether it still runs"
    other.write_text("")
    start(tmp_path).communicate("\n")
    assert not kept.exists()


def test_a_run_that_ended_well_says_so(tmp_path):
    start(tmp_path).communicate("\n")
    assert (tmp_path / f"running-{socket.gethostname()}.lock").read_text() == ""


def test_a_job_ends_soon_after_its_snakemake_is_killed():
    words = [sys.executable, "-c", PARENT, str(SCRIPTS), JOB]
    parent = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    job = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{job}").exists() and Path(f"/proc/{job}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "the job runs on"
        time.sleep(0.1)


def test_a_job_that_no_snakemake_started_runs_on(monkeypatch):
    monkeypatch.setenv(VARIABLE, str(os.getpid() + 1_000_000))
    words = [sys.executable, "-c", JOB.replace("60", "2"), str(SCRIPTS)]
    assert subprocess.run(words, stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_a_folder_that_cannot_be_written_is_named_before_the_first_job(tmp_path, monkeypatch):
    protected = tmp_path / "results" / "clips" / "ben"
    protected.mkdir(parents=True)
    outputs = [f"{protected}/pose.h5", f"{protected}/surface.h5", f"{tmp_path}/results/clips/ada/new/pose.h5"]
    assert unwritable(outputs) == ""
    monkeypatch.setattr(os, "access", lambda folder, mode: Path(folder) != protected)  # the user may be root
    told = unwritable(outputs)
    assert told.startswith(f"{protected} cannot be written") and "run the same command again" in told
    assert unwritable(outputs[2:]) == "", "what no job writes into may be protected"
    monkeypatch.setattr(os, "access", lambda folder, mode: False)
    assert "and 1 more" in unwritable(outputs)
