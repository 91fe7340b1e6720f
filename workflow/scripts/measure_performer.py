"""Called by rule measure_performer."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.devices import own_gpus
from understudy.job import job_log
from understudy.metrics.performer import measure_performer
from understudy.settings import MetricsSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
    measure_performer(
        weights=Path(snakemake.input.weights),
        windows=Path(snakemake.input.windows),
        metrics=Path(snakemake.output.metrics),
        settings=from_params(MetricsSettings, snakemake.params.settings),
        threads=snakemake.threads,
    )
