"""Looks for bytes that a reader cannot bear, guided by the lines of our code they reach: make fuzz.

Usage: python benchmarks/fuzz.py [TARGET ...] [--seconds 20]
Needs atheris (requirements/fuzz.txt; Linux, x86-64). What is found is written to results/fuzz/, to be read again by
python benchmarks/fuzz.py TARGET --again FILE.
"""

import argparse
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "workflow" / "scripts")]
FOUND = ROOT / "results" / "fuzz"
LONGEST_BYTES, LONGEST_S, MOST_MEBIBYTES = 2**20, 20, 4096  # of an input, its time, its memory
ONE = "UNDERSTUDY_FUZZ"  # a target's name, in the process that drives it


def main() -> int:
    """Drive each target in a process of its own; 1 where one of them found something."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help="all where none is named")
    parser.add_argument("--seconds", type=int, default=20, help="for each target")
    parser.add_argument("--again", type=Path, help="a file that was found, to be read once more")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="understudy-") as folder:
        os.environ["UNDERSTUDY_MATERIAL"] = f"{folder}/material"
        from hostile.targets import TARGETS

        names = arguments.targets or list(TARGETS)
        if arguments.again:
            TARGETS[names[0]](arguments.again.read_bytes())
            return 0
        sys.stdout.write("| reader | inputs tried | lines reached | found |\n|---|---|---|---|\n")
        with contextlib.redirect_stderr(io.StringIO()):  # what the jobs log that make the seeds
            seeds = {name: TARGETS[name].seeds() for name in names}
        found = [name for name in names if drive(name, seeds[name], Path(folder), arguments.seconds)]
        return int(bool(found))


def drive(name: str, seeds: list[bytes], folder: Path, seconds: int) -> bool:
    """Drive one target and write its row; whether anything was found."""
    corpus, found = folder / name, FOUND / name
    corpus.mkdir()
    found.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    command = [sys.executable, str(Path(__file__).resolve()), f"-max_total_time={seconds}", f"-timeout={LONGEST_S}"]
    command += [f"-max_len={LONGEST_BYTES}", f"-rss_limit_mb={MOST_MEBIBYTES}", f"-artifact_prefix={found}/", "-seed=1"]
    made = subprocess.run(
        [*command, "-print_final_stats=1", str(corpus)], env=os.environ | {ONE: name}, capture_output=True, text=True,
        errors="replace",
    )  # fmt: skip
    said = made.stdout + made.stderr
    tried = re.search(r"number_of_executed_units:\s*(\d+)", said)
    reached = re.findall(r"cov: (\d+)", said) or ["?"]
    what = (
        "nothing"
        if made.returncode == 0
        else " ".join(re.findall(r"^[\w.]*(?:Error|Exception)\b.*|==\d+== ?ERROR.*", said, re.M)[:1])
    )
    sys.stdout.write(f"| {name} | {tried[1] if tried else '?'} | {reached[-1]} | {what or said[-300:]} |\n")
    sys.stdout.flush()
    return made.returncode != 0


def drive_here(name: str) -> None:
    """Drive one target in this process, until libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["understudy"], enable_loader_override=False):
        from hostile.targets import TARGETS
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    if ONE in os.environ:
        drive_here(os.environ[ONE])
    sys.exit(main())
