"""The small project in which everything has run undisturbed, and copies of it that lack one job's outputs."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from targets import FETCHED, Target

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "rules", "workflow", "config", "profiles", "envs")
# Through Slurm: rules run in this environment, and finished jobs are asked after sooner than on a shared cluster.
THROUGH_SLURM = ("--software-deployment-method", "env-modules", "--slurm-init-seconds-before-status-checks", "2")
SAVE_SECONDS = 1.0  # a training's save interval
FETCH_SECONDS = 2.5  # that a download takes, in pieces with pauses
CONTENT = b"weights" * 40_000  # of the file that is fetched
COPIED = {".snakemake", "logs", "benchmarks"}  # written in place; all else is replaced whole, so copies share it


@dataclass(frozen=True)
class Base:
    """The undisturbed project.

    Attributes:
        folder: where it lies; `code` in it is the workflow that all copies run.
    """

    folder: Path

    @property
    def code(self) -> Path:
        return self.folder / "code"

    @property
    def results(self) -> Path:
        return self.folder / "project"

    def seconds(self, target: Target) -> float:
        """Processor's time that the job took when nothing disturbed it, by its benchmark."""
        kept = json.loads((self.folder / "seconds.json").read_text(encoding="utf-8"))
        return kept[target.name]

    def words(self, project: Path, *files: str, settings: Sequence[str] = ()) -> list[str]:
        """The command: the same before and after a fault."""
        return [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(self.code / "Snakefile"), "--cores", "2"),
            *("--workflow-profile", str(self.code / "profiles" / "embedded"), "--directory", str(project)),
            *(*files, "--configfile", str(self.code / "config" / "faults.yaml")),
            *(("--config", *settings) if settings else ()),
        ]

    def words_through_slurm(self, project: Path, rule: str, partition: str, *files: str) -> list[str]:
        """The command on a cluster: `snakemake --profile slurm`, with a rule's jobs in a partition of the caller's."""
        profile = self.code / "profiles" / "slurm"
        settings = yaml.safe_load((profile / "config.yaml").read_text(encoding="utf-8"))
        own = dict(settings["set-resources"].get(rule, {}))  # the command line's take the place of the profile's
        own["slurm_partition"] = partition
        return [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(self.code / "Snakefile")),
            *(
                "--profile",
                str(profile),
                "--workflow-profile",
                str(self.code / "profiles" / "default"),
                "--directory",
                str(project),
            ),
            *("--slurm-partition-config", str(profile / "partitions.yaml"), *THROUGH_SLURM),
            *(*files, "--configfile", str(self.code / "config" / "faults.yaml")),
            *("--set-resources", *(f"{rule}:{name}={value}" for name, value in own.items())),
        ]


def make_base(folder: Path, address: str, targets: Sequence[Target]) -> Base:
    """Copy the workflow and run all of it once; what an earlier call has done stays.

    Args:
        folder: to make it in.
        address: of the server that gives the weights.
        targets: whose outputs are made, with all they need.
    """
    base = Base(folder)
    if not (folder / "seconds.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        base.results.mkdir(parents=True)
        base.code.mkdir()
        for part in PARTS:
            ignored = shutil.ignore_patterns("__pycache__", "own")
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
            copy(ROOT / part, base.code / part, **({"ignore": ignored} if copy is shutil.copytree else {}))
        _write_config(base.code / "config")
    _name_server(base.code / "config" / "weights.yaml", address)
    if not (folder / "seconds.json").is_file():
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        with (folder / "base.log").open("w") as log:
            for settings in sorted({target.settings for target in targets}):
                files = [target.outputs[0] for target in targets if target.settings == settings]
                words = base.words(base.results, *files, "--notemp", settings=settings)
                subprocess.run(words, stdout=log, stderr=log, env=environment, check=True)
        seconds = {target.name: _benchmark(base.results, target) for target in targets}
        (folder / "seconds.json").write_text(json.dumps(seconds, indent=1), encoding="utf-8")
    return base


def make_case(base: Base, folder: Path, target: Target, linked: bool = True) -> Path:
    """Copy the project with the job's outputs, and its training's state, missing.

    Args:
        base: the undisturbed project.
        folder: to make it in; there, but empty.
        target: whose outputs are missing.
        linked: whether files may be shared with the base where they are only ever replaced.
    """
    for source, names, files in os.walk(base.results):
        place = folder / Path(source).relative_to(base.results)
        place.mkdir(exist_ok=True)
        names[:] = [name for name in names if not _left_out(Path(source, name), base, target)]
        shared = linked and not COPIED & set(Path(source).relative_to(base.results).parts)
        for name in files:
            if not _left_out(Path(source, name), base, target):
                (os.link if shared else shutil.copy2)(Path(source, name), place / name)
    for output in target.outputs:
        (folder / output).parent.mkdir(parents=True, exist_ok=True)
    return folder


def own_copy(path: Path) -> None:
    """Give a case a file of its own in place of one it shares with the base; its date stays."""
    beside = path.with_name(path.name + ".copy")
    shutil.copy2(path, beside)
    beside.replace(path)


def _left_out(path: Path, base: Base, target: Target) -> bool:
    place = path.relative_to(base.results).as_posix()
    return place in target.outputs or (bool(target.state) and place == target.state) or place == ".snakemake/log"


def _write_config(folder: Path) -> None:
    """The tests' tiny run, shorter clips, and trainings that last long enough to be hit."""
    settings = yaml.safe_load((folder / "smoke.yaml").read_text(encoding="utf-8"))
    for name, seconds in (("ada", 1.7), ("ben", 0.8), ("ada_as_ben", 0.8)):
        settings["synthetic"][name]["duration_s"] = seconds
    settings["training"] |= {"save_seconds": SAVE_SECONDS, "preview_frames": 1}
    row = {"batch": 1, "seconds": 0}
    settings["training"]["stages"] = [
        {"name": "s0t0", "height_px": 64, "clip_frames": 1, "steps": 40, **row},
        {"name": "s1t1", "height_px": 128, "clip_frames": 2, "steps": 16, "judges_from": 0.5, **row},
    ]
    settings["flow"]["backend"] = "dis"
    settings["segments"] = {"seconds": 0.6}
    (folder / "faults.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def _name_server(table: Path, address: str) -> None:
    """Let the file that is fetched come from a server of this machine."""
    rows = yaml.safe_load(table.read_text(encoding="utf-8"))
    name = FETCHED.removeprefix("weights/")
    rows[name] |= {"url": f"{address}/net.pth", "sha256": hashlib.sha256(CONTENT).hexdigest(), "member": ""}
    rows[name] |= {"size": len(CONTENT)}
    table.write_text(yaml.safe_dump(rows), encoding="utf-8")


def _benchmark(project: Path, target: Target) -> float:
    """Seconds of the processor's time a job took, from the table Snakemake wrote of it; of a download those in all."""
    log = project / "results" / "benchmarks" / target.rule
    words = set(Path(target.outputs[0]).parts)
    pieces = words | {Path(target.outputs[0]).stem.rpartition("_")[2]}  # 2of3 of people_2of3.h5
    tables = [path for path in log.rglob("*.tsv") if path.stem in pieces or target.rule == "fetch_weights"]
    names, values = (line.split("\t") for line in tables[0].read_text(encoding="utf-8").splitlines()[:2])
    return float(dict(zip(names, values, strict=True))["cpu_time"]) if target.rule != "fetch_weights" else FETCH_SECONDS
