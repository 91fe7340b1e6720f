"""Called by rule measure_transfer."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.devices import own_gpus
from understudy.job import job_log
from understudy.metrics.transfer import Films, TransferFiles, measure_transfer
from understudy.settings import FilmSettings, MetricsSettings, PoseSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
    measure_transfer(
        files=TransferFiles(
            *(Path(snakemake.input[name]) for name in ("video", "driving", "windows", "weights")),
            truth=next(map(Path, snakemake.input.truth), None),
            people=next(map(Path, snakemake.input.people), None),
        ),
        metrics=Path(snakemake.output.metrics),
        settings=from_params(MetricsSettings, snakemake.params.settings),
        films=Films(
            snakemake.params.crf,
            from_params(FilmSettings, snakemake.params.film),
            from_params(PoseSettings, snakemake.params.pose),
        ),
        threads=snakemake.threads,
    )
