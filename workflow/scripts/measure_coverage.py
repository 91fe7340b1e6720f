"""Called by rule measure_coverage."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.metrics.coverage import measure_coverage
from understudy.settings import MetricsSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    measure_coverage(
        driving=Path(snakemake.input.driving),
        windows=Path(snakemake.input.windows),
        coverage=Path(snakemake.output.coverage),
        sheet=Path(snakemake.output.sheet),
        settings=from_params(MetricsSettings, snakemake.params.settings),
    )
