"""Called by rule measure_transfer."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.metrics.measure import measure_transfer
from understudy.settings import MetricsSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    measure_transfer(
        video=Path(snakemake.input.video),
        driving=Path(snakemake.input.driving),
        windows=Path(snakemake.input.windows),
        truth=next(map(Path, snakemake.input.truth), None),
        metrics=Path(snakemake.output.metrics),
        settings=from_params(MetricsSettings, snakemake.params.settings),
    )
