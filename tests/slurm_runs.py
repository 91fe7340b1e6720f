"""The workflow on a real Slurm of two nodes: every job where it belongs, and a training that survives what befalls it.

Slurm takes root and Debian's packages, so `make test` leaves this file out (by its name); `make test-cluster` runs it.
"""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

import slurm_cluster
from test_workflow import ROOT, copy_project

ALONE = ("index_windows", "fit_driving", "measure_coverage", "measure_performer")
ON_GPUS = ("training_train_stage", "film_find_film_people_measure_transfer_render_transfer", "measure_performer")
# One job for all that is done to a clip, to a model, to a film: each job costs ten seconds and two more processes.
OF_A_CLIP = ("synthesize_clip", "locate_person", "decode_clip", "find_people", "estimate_pose", "estimate_surface",
             "estimate_flow", "estimate_camera")  # fmt: skip
GROUPS = (
    *(f"{rule}=clip" for rule in OF_A_CLIP),
    "train_stage=training",
    "render_transfer=film",
    "find_film_people=film",
    "measure_transfer=film",
)
# No conda in the tests: rules run in this environment. Finished jobs are asked after sooner than on a shared cluster.
HERE = ("--software-deployment-method", "env-modules", "--slurm-init-seconds-before-status-checks", "2")
SECONDS = 900  # the longest a run may take before it is interrupted, which ends it and its jobs


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = slurm_cluster.Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
    except slurm_cluster.NoSlurmError as reason:
        pytest.skip(str(reason))
    yield cluster
    cluster.stop()
    assert not slurm_cluster.LINK.is_symlink(), "nothing is left of it"


@pytest.fixture(scope="module")
def project(tmp_path_factory, cluster):
    """A copy of the repository in which the tiny configuration has run on the cluster, to its end."""
    folder = copy_project(tmp_path_factory.mktemp("project"))
    (folder / "slurm").symlink_to((ROOT / "slurm").readlink())
    with snakemake(folder, "--configfile", "config/smoke.yaml", "--groups", *GROUPS) as run:
        assert run.wait() == 0, said(folder)
    return folder


@contextmanager
def snakemake(folder, *words):
    """Start the command that a cluster's user starts, and see to its end."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["timeout", "--signal=INT", str(SECONDS), "snakemake", "--profile", "slurm", *HERE, *words]
    with (folder / "run.log").open("w") as log:
        run = subprocess.Popen(command, cwd=folder, env=os.environ | {"PATH": path}, stdout=log, stderr=log)
        try:
            yield run
        finally:
            if run.poll() is None:
                run.send_signal(signal.SIGINT)
                run.wait(60)


def said(folder):
    return (folder / "run.log").read_text()


def jobs_of(cluster, rule):
    return [job for job in cluster.jobs() if re.match(rf"(rule|group)_{rule}(_|$)", job.get("Comment", ""))]


def test_films_and_figures_are_made_and_nothing_is_left_to_do(project):
    for name in ("video.mp4", "side_by_side.mp4", "metrics.json"):
        assert (project / "results" / "transfers" / "ada" / "ben" / name).stat().st_size > 0
    with snakemake(project, "--configfile", "config/smoke.yaml", "--dry-run") as run:
        assert run.wait() == 0 and "Nothing to be done" in said(project)


def test_jobs_that_ask_for_a_gpu_get_one_on_the_node_that_has_some_and_no_others_do(project, cluster):
    for rule in ON_GPUS:
        (job,) = jobs_of(cluster, rule)
        assert (job["Partition"], job["NodeList"], job["TresPerJob"]) == ("gpu", "node2", "gres:gpu:1"), job
    others = [job for rule in ("clip", *set(ALONE) - set(ON_GPUS)) for job in jobs_of(cluster, rule)]
    assert len(others) == 3 + len(set(ALONE) - set(ON_GPUS)), "three clips, and one job of each other rule"
    assert {(job["Partition"], job["NodeList"], "TresPerJob" in job) for job in others} == {("cpu", "node1", False)}
    logs = [log.read_text() for log in (project / "results" / "logs" / "train_stage").rglob("*.log")]
    assert len(logs) == 3 and all(re.search(r"keeps \d to itself", log) for log in logs), "one of node2's three"


def test_jobs_ask_for_what_their_rules_say_and_their_logs_are_kept(project, cluster):
    (measure,) = jobs_of(cluster, "measure_performer")
    asked = {name: measure[name] for name in ("MinMemoryNode", "TimeLimit", "CPUs/Task", "Requeue")}
    assert asked == {"MinMemoryNode": "8000M", "TimeLimit": "02:00:00", "CPUs/Task": "1", "Requeue": "1"}
    for rule in ("group_clip", "group_training", "group_film", *(f"rule_{rule}" for rule in ALONE)):
        assert [*(project / "results" / "logs" / "slurm").glob(f"{rule}*/**/*.log")], rule


def test_a_training_on_two_gpus_is_preempted_and_loses_its_node_and_goes_on_by_itself(project, cluster):
    """Nobody repeats the command: Slurm queues the one job again each time, and it goes on from its state."""
    settings = yaml.safe_load((project / "config" / "smoke.yaml").read_text())
    row = {"name": "s0t9", "height_px": 64, "clip_frames": 1, "batch": 2, "steps": 120, "seconds": 0}
    settings["training"] |= {"save_seconds": 2, "gpus": 2, "stages": [row]}
    (project / "config" / "long.yaml").write_text(yaml.safe_dump(settings))
    stage = project / "results" / "performers" / "ada" / "s0t9"
    weights = stage / "generator.safetensors"

    def step():
        states = sorted(stage.glob("state-*/state-*.pt"))
        return int(states[-1].name[6:14]) if states else 0

    def until(comes, what):
        assert slurm_cluster.waited(comes, 240), f"{what}\n{said(project)}\n{log()}"

    def log():
        logs = (project / "results" / "logs" / "slurm" / "rule_train_stage").glob("ada_s0t9/*.log")
        return "".join(log.read_text() for log in logs)

    def job():
        (one,) = jobs_of(cluster, "train_stage_wildcards_ada_s0t9")
        return one

    target = str(weights.relative_to(project))
    with snakemake(project, target, "--configfile", "config/long.yaml") as run:
        until(step, "a state is saved")
        assert job()["TresPerJob"] == "gres:gpu:2"
        cluster.ask("sbatch", "-p", "urgent", "--gpus=3", "-o", "/dev/null", "--wrap", "sleep 1")
        until(lambda: "asked to end (SIGTERM) at step" in log(), "the preempted training saves")
        until(lambda: job()["Restarts"] == "1" and job()["JobState"] == "PENDING", "it is queued again")
        preempted = step()
        until(lambda: cluster.release() or job()["JobState"] == "RUNNING", "it runs again")
        until(lambda: step() > preempted, "it goes on")

        cluster.kill_node("node2")
        until(lambda: cluster.state("node2") == "down", "the node is missed")
        killed = step()
        cluster.start_node("node2")
        until(lambda: cluster.release() or job()["JobState"] == "RUNNING", "it runs a third time")
        assert run.wait() == 0, said(project)
    assert job()["Restarts"] == "2"
    assert said(project).count("has been submitted") == 1
    gone_on = [int(found) for found in re.findall(r"s0t9: goes on from step (\d+)", log())]
    assert gone_on == [preempted, killed], "not a step that was saved is lost"
    assert log().count("keeps 0, 1 to itself") == 3
    assert weights.is_file()


def test_a_job_that_nobody_can_run_says_so_and_attempts_ask_for_more(project, cluster):
    """A refused job is tried again as a failed one is; each attempt asks for once more of memory and time."""
    target = "results/performers/ada/windows.h5"
    more = ("--force", target, "--set-resources", "index_windows:slurm_extra='--licenses=none'", "--retries", "1")
    with snakemake(project, *more, "--configfile", "config/smoke.yaml") as run:
        assert run.wait() == 1
    calls = re.findall(r"sbatch --parsable .* -t (\d+) --mem (\d+)", said(project))
    assert calls == [("240", "4000"), ("480", "8000")]
    assert "Invalid license specification" in said(project)
