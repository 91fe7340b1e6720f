"""One of several processes that train a stage together: `python -m understudy.training.rank order.json`.

`launch` starts it; so can torchrun.
"""

import ctypes
import json
import logging
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from understudy.errors import UnderstudyError
from understudy.model.ranks import rank, ranks
from understudy.settings import DatasetSettings, ModelSettings, TrainingSettings, from_params
from understudy.training.launch import LOG_FORM
from understudy.training.stage import Job, train_rank
from understudy.training.together import joined

logger = logging.getLogger("understudy.training.rank")  # not __main__, as which it runs

PARENT_DEATH = 1  # PR_SET_PDEATHSIG of Linux' prctl


def train_ordered(order: Mapping[str, Any]) -> None:
    """Train a stage as one of its ranks.

    Args:
        order: what `stage.train_stage` was given, as JSON has it.
    """
    job = Job(
        windows=Path(order["windows"]),
        previous=_path(order["previous"]),
        warm=_path(order["warm"]),
        model=from_params(ModelSettings, order["model"]),
        training=from_params(TrainingSettings, order["training"]),
        dataset=from_params(DatasetSettings, order["dataset"]),
    )
    threads = max(1, order["threads"] // ranks())
    cv2.setNumThreads(threads)  # it would take every core in every rank
    train_rank(job, Path(order["weights"]), Path(order["state_folder"]), threads)


@contextmanager
def rank_log() -> Iterator[None]:
    """Log to standard error: rank 0 all, the others what is wrong; an error ends the process with exit code 1."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(LOG_FORM))
    logging.getLogger().addHandler(handler)
    logging.getLogger("understudy").setLevel(logging.WARNING if rank() else logging.INFO)
    try:
        yield
    except UnderstudyError as mistake:
        logger.error("%s: %s", type(mistake).__name__, mistake)
        raise SystemExit(1) from None
    except Exception:
        logger.exception("failed")
        raise SystemExit(1) from None


def end_with_parent() -> None:
    """Have this process killed when its starter dies, where the system can: nobody would be left to stop it."""
    control = getattr(ctypes.CDLL(None), "prctl", None)
    if control is not None:
        control(PARENT_DEATH, signal.SIGKILL)


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None


if __name__ == "__main__":
    end_with_parent()
    with joined(), rank_log():
        train_ordered(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
