"""What befalls jobs on a cluster: the development cluster of the tests (Debian's Slurm, two nodes), and four faults."""

import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from injections import Case, MissedError, ended, newest_state, wait_for
from project import ROOT
from running import Run, start

sys.path.insert(0, str(ROOT / "tests"))
from slurm_cluster import Cluster, waited

AWAY = 5.0  # seconds that the controller is away
PATIENCE = 240.0  # for Slurm to notice something; it looks every half minute whether a job's time is up


@dataclass
class ClusterCase(Case):
    """A case whose jobs go through Slurm to a node with GPUs, where others may push them aside."""

    cluster: Cluster | None = None

    def start(self, before: Callable[[], None] | None = None) -> Run:
        self.logs += 1
        words = self.base.words_through_slurm(self.folder, self.target.rule, "gpu", self.target.outputs[0])
        return start(words, self.folder.parent / f"{self.folder.name}-{self.logs}.log", self.target.rule, before)

    def job(self) -> dict[str, str]:
        """What Slurm knows of the newest job of the rule: this case's, for there is one case at a time."""
        own = [job for job in self.cluster.jobs() if job.get("Comment", "").startswith(f"rule_{self.target.rule}")]
        return max(own, key=lambda job: int(job["JobId"]), default={})

    def process(self, run: Run) -> psutil.Process:
        """Wait for the job's own process on its node.

        Raises:
            MissedError: the run ended before it was seen.
            RuntimeError: the run failed before.
        """
        while run.process.poll() is None:
            for process in psutil.process_iter(["cmdline"]):
                words = process.info["cmdline"] or [""]
                with suppress(psutil.Error):
                    ours = "python" in Path(words[0]).name and words[-1].endswith(f".{self.target.rule}.py")
                    if ours and process.cwd() == str(self.folder):
                        return process
            time.sleep(0.05)
        if run.process.returncode:
            raise RuntimeError(f"the job did not begin: {run.text()[-3000:]}")
        raise MissedError


def struck(strike: Callable[[ClusterCase, psutil.Process], None]) -> Callable[[Case], None]:
    """Make a fault: it strikes at a random moment of the job, and the run that goes on is waited for."""

    def act(case: ClusterCase) -> None:
        run = case.start()
        job = case.process(run)
        if not wait_for(case.moment(), case, job):
            run.end()
            raise MissedError
        saved = newest_state(case)
        strike(case, job)
        if case.target.state and not job.is_running() and newest_state(case) != saved:
            case.lost_s = 0.0  # it saved before it ended
        while run.process.poll() is None:
            case.cluster.release()  # else Slurm holds what it queued again for two minutes
            time.sleep(0.5)
        submitted = run.text().count("has been submitted")
        case.notes.append(f"exit code {run.end()}, submitted {submitted} times, queued again {case.job()['Restarts']}")

    return act


def node_dies(case: ClusterCase, job: psutil.Process) -> None:
    """Kill all that runs on the node, its slurmd too; it comes back when it has been missed."""
    case.cluster.kill_node("node2")
    _await(lambda: case.cluster.state("node2") == "down", "the node to be missed")
    case.cluster.start_node("node2")


def controller_restarts(case: ClusterCase, job: psutil.Process) -> None:
    """Kill the controller; it comes back after some seconds, in which nobody can ask after a job."""
    case.cluster.kill_daemon("slurmctld", signal.SIGKILL)
    time.sleep(AWAY)
    case.cluster.start_controller()
    case.lost_s = 0.0


def preempted(case: ClusterCase, job: psutil.Process) -> None:
    """Submit a job that wants the whole node and goes first."""
    case.cluster.ask("sbatch", "-p", "urgent", "--exclusive", "--gpus=3", "-o", "/dev/null", "--wrap", "sleep 1")
    ended(job)


def time_is_up(case: ClusterCase, job: psutil.Process) -> None:
    """Let the job stand still, as on a disk that does not answer, until Slurm ends it."""
    job.suspend()
    case.cluster.ask("scontrol", "update", f"JobId={case.job()['JobId']}", "TimeLimit=1")
    _await(lambda: not _alive(job), "the end of the job's time")


def _alive(job: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return job.is_running() and job.status() != psutil.STATUS_ZOMBIE
    return False


def _await(comes: Callable[[], bool], what: str) -> None:
    if not waited(comes, PATIENCE):
        raise RuntimeError(f"waited {PATIENCE:g} s for {what}")


CLUSTER_FAULTS: dict[str, Callable[[Case], None]] = {
    "node dies": struck(node_dies),
    "controller restarts": struck(controller_restarts),
    "job preempted": struck(preempted),
    "time limit": struck(time_is_up),
}
# Each takes a minute or two of waiting. Every rule is submitted alike, so one of every kind of work stands for all.
ON_CLUSTER = ("decode_clip", "estimate_pose", "train_stage s0t0", "train_stage s1t1", "render_transfer")
