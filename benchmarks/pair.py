"""Run the judged pair at 128 px with estimated and with true maps and print what each step between them costs.

    .venv/bin/python benchmarks/pair.py results/pair_128

Ten minutes on two cores; what is there already is not run again. Yardsticks stand in the same table: the nearest
training frame by pose, and the previous frame of the truth repeated.
"""

import json
import logging
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = {
    "true maps of the performer": ("pair_128_true_maps", "ada/ada_as_ben"),
    "performer's own estimated maps": ("pair_128", "ada/ada_as_ben"),
    "another body's estimated maps": ("pair_128", "ada/ben"),
}
logger = logging.getLogger("pair")


def run(config: str, folder: Path) -> None:
    """Run one configuration to its end in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "all"]
    words += ["--workflow-profile", str(ROOT / "profiles" / "embedded"), "--directory", str(folder)]
    words += ["--configfile", str(ROOT / "config" / f"{config}.yaml"), "--quiet"]
    subprocess.run(words, check=True)


def main(folder: Path) -> None:
    """Run what is missing, then print one row for each kind of maps."""
    for config in dict.fromkeys(config for config, _ in RUNS.values()):
        run(config, (folder / config).resolve())
    for name, (config, transfer) in RUNS.items():
        path = folder / config / "results" / "transfers" / transfer / "metrics.json"
        logger.info("%s\n%s", name, json.dumps(json.loads(path.read_text()), indent=1))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main(Path(sys.argv[1]))
