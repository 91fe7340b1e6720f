"""Called by rule estimate_flow."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.devices import own_gpus
from understudy.flow.estimate import estimate_flow
from understudy.job import job_log
from understudy.settings import FlowSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
    estimate_flow(
        frames=Path(snakemake.input.frames),
        flow=Path(snakemake.output.flow),
        settings=from_params(FlowSettings, snakemake.params.settings),
        threads=snakemake.threads,
        segments=snakemake.input.segments,
    )
