"""A Slurm cluster of two nodes on this machine, of Debian's packages: a controller, and a slurmd for each node.

    sudo python tests/slurm_cluster.py start FOLDER     # until `stop`: sinfo, squeue, snakemake --profile slurm
    sudo python tests/slurm_cluster.py stop FOLDER

node1 is the partition `cpu`, node2 with its GPUs the partition `gpu`; jobs in `urgent` push those in `gpu` aside, which
are queued again. Processors, memory and GPUs are what Slurm counts with, not what the machine has: no device stands
behind a GPU. Nothing listens beyond this machine; all lies in the folder, but for the link /etc/slurm/slurm.conf.
"""

import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

logger = logging.getLogger(__name__)

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
PACKAGES = "munge slurmctld slurmd slurm-client"
NODES = ("node1", "node2")
HERE = "127.0.0.1"
# A step of a job finds its cluster here and nowhere else: Snakemake's plugin takes SLURM_CONF out of its environment.
LINK = Path("/etc/slurm/slurm.conf")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Slurm 22.05 answers at 127.0.0.1 and listens where the machine's name points: it must be the same.
RENAMED = ("unshare", "--uts", "sh", "-c", 'hostname localhost && exec "$@"', "sh")

CONFIGURATION = """\
ClusterName=understudy
SlurmctldHost={host}({here})
SlurmctldPort={port}
SrunPortRange={steps}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
MailProg=/bin/true
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
# without cgroups, which a container may not have: each step's memory is sampled every second
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
KillWait=30
# finished jobs can be asked after for an hour
MinJobAge=3600
AccountingStorageType=accounting_storage/none
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
NodeName=node1 NodeHostname={host} NodeAddr={here} Port={port1} CPUs=32 RealMemory=256000
NodeName=node2 NodeHostname={host} NodeAddr={here} Port={port2} CPUs=32 RealMemory=256000 Gres=gpu:{gpus}
PartitionName=cpu Nodes=node1 Default=YES DefaultTime=10 MaxTime=7-00:00:00
PartitionName=gpu Nodes=node2 DefaultTime=10 MaxTime=7-00:00:00 PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes=node2 DefaultTime=10 PriorityTier=2 PreemptMode=OFF
"""


class NoSlurmError(Exception):
    """Slurm cannot be had here; the message says why."""


class Cluster:
    """A cluster that lives in a folder; its jobs run as root."""

    def __init__(self, folder: Path, gpus: int = 3, port: int = 26800):
        self.folder, self.gpus, self.port = Path(folder).resolve(), gpus, port
        self._released: set[tuple[str, str]] = set()

    def start(self) -> None:
        """Write the configuration, start every daemon and wait until the nodes take jobs.

        Raises:
            NoSlurmError: programs or rights are missing, or another cluster is here.
        """
        check_possible(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # munge refuses a socket that others cannot reach
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir(exist_ok=True)
        self._configure()
        LINK.parent.mkdir(exist_ok=True)
        LINK.unlink(missing_ok=True)
        LINK.symlink_to(self.folder / "slurm.conf")
        self._start_munge()
        self.start_controller()
        for node in NODES:
            self.start_node(node)

    def stop(self) -> None:
        """Cancel every job and end every process of the cluster."""
        if self.runs("slurmctld"):
            self.ask("scancel", *self.ask("squeue", "-h", "-o", "%A").split())
            waited(lambda: not self.ask("squeue", "-h"), 10)
        for node in NODES:
            self.kill_node(node)
        for daemon in ("slurmctld", "munged"):
            self.kill_daemon(daemon, signal.SIGTERM)
        if LINK.is_symlink() and LINK.readlink() == self.folder / "slurm.conf":
            LINK.unlink()

    def _start_munge(self) -> None:
        files = {"key-file": "munge.key", "seed-file": "munge.seed", "socket": "munge.socket"}
        files |= {"pid-file": "munged.pid", "log-file": "munged.log"}
        self._launch("munged", "--force", *(f"--{option}={self.folder / name}" for option, name in files.items()))

    def start_controller(self) -> None:
        self._launch("slurmctld", "-f", str(self.folder / "slurm.conf"))
        self._wait(lambda: "is UP" in self.ask("scontrol", "ping"), "the controller")

    def start_node(self, node: str) -> None:
        """Start a node, for the first time or after it was killed, and wait until it takes jobs."""
        self._launch("slurmd", "-f", str(self.folder / "slurm.conf"), "-N", node)
        self._wait(lambda: self.state(node) in ("idle", "mixed", "allocated"), node)

    def kill_node(self, node: str) -> None:
        """Let a node die at once, as by a power cut: its slurmd, its jobs' managers, everything its jobs started."""
        own = self.ask("squeue", "-h", "-w", node, "-o", "%A").split() if self.runs("slurmctld") else []
        self.kill_daemon(f"slurmd-{node}", signal.SIGKILL)
        managers = tuple(f"slurmstepd: [{job}." for job in own)
        for process in running():
            if process.title.startswith(managers) or {f"SLURMD_NODENAME={node}", self._mark} <= process.environment:
                process.kill()

    def kill_daemon(self, daemon: str, how: signal.Signals) -> None:
        """End slurmctld, munged, slurmd-node1 or slurmd-node2 alone."""
        if self.runs(daemon):
            process = self._process(daemon)
            os.kill(process, how)
            self._wait(lambda: not name_of(process), f"the end of {daemon}")

    def runs(self, daemon: str) -> bool:
        """Whether a daemon's process lives."""
        name = name_of(self._process(daemon))
        return bool(name) and daemon.startswith(name)

    def state(self, node: str) -> str:
        """idle, mixed, allocated, down or another of Slurm's words, in small letters."""
        found = re.search(r"State=([A-Z]+)", self.ask("scontrol", "-o", "show", "node", node))
        return found[1].lower() if found else ""

    def jobs(self) -> list[dict[str, str]]:
        """What Slurm knows of every job of the last hour, the first one first."""
        told = [line for line in self.ask("scontrol", "-o", "show", "job").splitlines() if line.startswith("JobId=")]
        return [dict(word.split("=", 1) for word in line.split(" ") if "=" in word) for line in told]

    def release(self) -> None:
        """Let jobs that were queued again start now, once each; Slurm holds them for two minutes.

        The first ten seconds they are left alone: until the controller has told the node that the job is over there,
        another start of it can bring the controller down (Slurm 22.05).
        """
        for job in self.jobs():
            again = (job["JobId"], job["Restarts"])
            if job["Reason"] != "BeginTime" or again in self._released:
                continue
            if datetime.fromisoformat(job["EligibleTime"]) - datetime.now() < timedelta(seconds=110):
                self._released.add(again)
                self.ask("scontrol", "update", f"JobId={job['JobId']}", "StartTime=now")

    def ask(self, *command: str) -> str:
        """Run one of Slurm's programs and return what it says, errors too."""
        made = subprocess.run(command, capture_output=True, text=True, check=False, env=self._environment)
        return (made.stdout + made.stderr).strip()

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": PATH, "LANG": "C.UTF-8", "SLURM_CONF": str(self.folder / "slurm.conf")}

    @property
    def _mark(self) -> str:
        """What stands in the environment of every job of this cluster."""
        return "SLURM_CLUSTER_NAME=understudy"

    def _configure(self) -> None:
        """Write slurm.conf, the GPUs and the key of munge."""
        values = {"host": "localhost" if renames() else socket.gethostname(), "here": HERE, "folder": self.folder}
        ports = {"port": self.port, "port1": self.port + 1, "port2": self.port + 2}
        steps = f"{self.port + 100}-{self.port + 299}"
        text = CONFIGURATION.format(**values, **ports, steps=steps, gpus=self.gpus)
        (self.folder / "slurm.conf").write_text(text)
        for number in range(self.gpus):  # Slurm counts devices only, and takes links to one for as many
            gpu = self.folder / f"gpu{number}"
            gpu.unlink(missing_ok=True)
            gpu.symlink_to("/dev/null")
        devices = self.folder / f"gpu[0-{self.gpus - 1}]"
        (self.folder / "gres.conf").write_text(f"NodeName=node2 Name=gpu File={devices}\n")
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))

    def _launch(self, program: str, *arguments: str) -> None:
        """Start a daemon, which goes to the background by itself, free of what this process has open."""
        log = self.folder / f"{program}.out"
        with log.open("a") as out:
            command = [*(RENAMED if renames() else ()), program, *arguments]
            quiet = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out}
            made = subprocess.run(command, **quiet, env=self._environment, check=False)
        if made.returncode:
            raise RuntimeError(f"{program} did not start: {log.read_text()[-2000:]}")

    def _process(self, daemon: str) -> int:
        file = self.folder / f"{daemon}.pid"
        words = file.read_text().split() if file.exists() else []
        return int(words[0]) if words else 0

    def _wait(self, comes: Callable[[], bool], what: str) -> None:
        if not waited(comes, 60):
            logs = "\n".join(f"{log}: {log.read_text()[-1000:]}" for log in self.folder.glob("*.log"))
            raise RuntimeError(f"waited a minute for {what}\n{logs}")


class Process:
    """A process of this machine, as /proc tells of it."""

    def __init__(self, folder: Path):
        self.number = int(folder.name)
        try:
            self.title = (folder / "cmdline").read_bytes().decode(errors="replace")
            self.environment = set((folder / "environ").read_bytes().decode(errors="replace").split("\0"))
        except OSError:  # it has ended
            self.title, self.environment = "", set()

    def kill(self) -> None:
        try:
            os.kill(self.number, signal.SIGKILL)
        except ProcessLookupError:
            logger.debug("%d ended by itself", self.number)


def name_of(process: int) -> str:
    """Return the program's name; "" where the process is gone, or dead and only its parent does not know it yet."""
    try:
        told = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    name, _, rest = told.partition("(")[2].rpartition(")")
    return "" if rest.split()[0] in "ZX" else name


def running() -> Iterator[Process]:
    return (Process(folder) for folder in Path("/proc").iterdir() if folder.name.isdigit())


def waited(comes: Callable[[], bool], seconds: float) -> bool:
    """Wait until something comes; False where it does not in time."""
    until = time.monotonic() + seconds
    while not comes():
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


def renames() -> bool:
    """Whether the cluster has to live under another name of the machine than its own."""
    try:
        return socket.gethostbyname(socket.gethostname()) != HERE
    except OSError:
        return True


def check_possible(folder: Path) -> None:
    """Raise NoSlurmError with the reason where no cluster can be started in a folder."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]
    if missing:
        raise NoSlurmError(
            f"Slurm is not installed, {', '.join(missing)} missing; on Debian: apt-get install {PACKAGES}"
        )
    if os.geteuid():
        raise NoSlurmError("a development cluster needs root, for /etc/slurm/slurm.conf")
    if LINK.exists() and LINK.resolve() != folder.resolve() / "slurm.conf":
        raise NoSlurmError(f"{LINK} belongs to another cluster; stop that one first")
    if renames() and subprocess.run([*RENAMED, "true"], capture_output=True, check=False).returncode:
        raise NoSlurmError(
            f"the machine's name, {socket.gethostname()}, is not {HERE} and cannot be changed for a process here; "
            "write it into /etc/hosts, or start the container with --hostname localhost"
        )


if __name__ == "__main__":
    act, where = sys.argv[1:]
    {"start": Cluster.start, "stop": Cluster.stop}[act](Cluster(Path(where)))
