"""Runs cases of the corpus one after the other in a process that they may take down: python -m hostile.worker."""

import json
import os
import sys
import tempfile
from pathlib import Path

from hostile.case import judge
from hostile.corpus import CASES
from hostile.witnesses import WITNESSES


def main(folder: Path, outcomes: Path, titles: list[str]) -> None:
    """Judge the cases of these titles, each in a folder of its own; write a line before and after each."""
    by_title = {case.title: case for case in (*CASES, *WITNESSES.values())}
    os.environ["UNDERSTUDY_MATERIAL"] = str(folder / "material")
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "inductor")  # PyTorch's own, made when it is imported
    tempfile.tempdir = None
    with outcomes.open("a", encoding="utf-8") as file:
        for number, title in enumerate(titles):
            print(json.dumps({"begins": title}), file=file, flush=True)
            outcome = judge(by_title[title], folder / f"case-{os.getpid()}-{number}")
            print(outcome.to_json(), file=file, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text(encoding="utf-8")))
