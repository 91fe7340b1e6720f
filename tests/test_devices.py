"""GPUs of a workstation are kept to one job each; the driver's program is a double that lists what the test says."""

import os
import select
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from understudy.devices import VISIBLE, listed_gpus, own_gpus

ROOT = Path(__file__).parents[1]
JOB = """
import sys
sys.path.insert(0, {scripts!r})
from understudy.devices import VISIBLE, own_gpus
import os
with own_gpus({count}):
    print(os.environ.get(VISIBLE, "all"), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """A machine of two GPUs that no other test knows, in no scheduler's job."""
    names = [f"GPU-{uuid.uuid4()}" for _ in range(2)]
    install(tmp_path, [f"GPU {n}: NVIDIA H200 (UUID: {name})" for n, name in enumerate(names)])
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for name in (VISIBLE, "SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID"):
        monkeypatch.delenv(name, raising=False)
    return names


@pytest.fixture
def start(gpus):
    """Start a process that keeps GPUs until it is ended, with other words in its environment."""
    started = []

    def job(count=1, **environment):
        code = JOB.format(scripts=str(ROOT / "workflow" / "scripts"), count=count)
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", code]
        process = subprocess.Popen(command, env=os.environ | environment, stdin=pipe, stdout=pipe, text=True)
        started.append(process)
        return process

    yield job
    for process in started:
        process.kill()
        process.communicate()


def install(folder, lines):
    program = folder / "nvidia-smi"
    program.write_text("\n".join(["#!/bin/sh", *(f"echo '{line}'" for line in lines)]))
    program.chmod(0o755)


def kept(process):
    return process.stdout.readline().strip()


def waits(process):
    """Whether a job keeps nothing after two seconds, in which it tries at least once."""
    return not select.select([process.stdout], [], [], 2)[0]


def test_two_jobs_never_share_a_gpu_and_a_third_waits_for_a_crash(gpus, start):
    first, second = start(), start()
    own = {process: kept(process) for process in (first, second)}
    assert sorted(own.values()) == sorted(gpus)
    third = start()
    assert waits(third), "both are kept"
    first.kill()  # SIGKILL: it can clean up nothing
    assert kept(third) == own[first]


def test_a_training_on_both_waits_until_both_are_free(gpus, start):
    one = start()
    assert kept(one) == gpus[0]
    both = start(count=2)
    assert waits(both)
    other = start()
    assert kept(other) == gpus[1], "who waits for two keeps none meanwhile"
    other.communicate("")
    one.communicate("")
    assert kept(both) == ",".join(gpus)


def test_gpus_named_by_a_person_are_the_only_ones(gpus, start):
    assert kept(start(CUDA_VISIBLE_DEVICES="1")) == gpus[1]
    assert kept(start()) == gpus[0], "the same GPU by its number and by its name"


def test_a_scheduler_s_gpus_are_its_job_s_own(gpus, start):
    """Behind cgroups each job's GPU has the number 0; jobs grouped in one allocation share it out."""
    for job in ("7", "8"):
        assert kept(start(SLURM_JOB_ID=job, CUDA_VISIBLE_DEVICES="0")) == "0"
    group = [start(SLURM_JOB_ID="9", CUDA_VISIBLE_DEVICES="2,3") for _ in range(2)]
    assert sorted(map(kept, group)) == ["2", "3"]


def test_a_job_that_asks_for_none_sees_none_and_puts_things_back(gpus, monkeypatch):
    monkeypatch.setenv(VISIBLE, "0,1")
    with own_gpus(0):
        assert os.environ[VISIBLE] == ""
    with own_gpus(3):
        assert os.environ[VISIBLE] == ",".join(gpus), "fewer than asked for, but all there are"
    assert os.environ[VISIBLE] == "0,1"


def test_without_a_driver_nothing_is_touched(gpus, tmp_path):
    install(tmp_path, ["NVIDIA-SMI has failed because it could not talk to the driver.", "'; exit 9; echo '"])
    assert listed_gpus() == []
    with own_gpus(1):
        assert VISIBLE not in os.environ


def test_parts_of_a_gpu_stand_for_it(gpus, tmp_path):
    parts = [f"  MIG 1g.18gb     Device  {n}: (UUID: MIG-{n})" for n in range(2)]
    install(tmp_path, ["GPU 0: NVIDIA H200 (UUID: GPU-a)", *parts, "GPU 1: NVIDIA H200 (UUID: GPU-b)"])
    assert listed_gpus() == ["MIG-0", "MIG-1", "GPU-b"]
