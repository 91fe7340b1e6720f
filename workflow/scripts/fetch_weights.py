"""Called by rule fetch_weights."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.fetch import fetch_weights
from understudy.job import job_log

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    fetch_weights(name=snakemake.params.name, file=Path(snakemake.output.file))
