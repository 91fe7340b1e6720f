"""Called by rule estimate_flow_segment."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.devices import own_gpus
from understudy.flow.estimate import estimate_flow_segment
from understudy.job import job_log
from understudy.segments import Segment
from understudy.settings import FlowSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
    estimate_flow_segment(
        frames=Path(snakemake.input.frames),
        flow=Path(snakemake.output.flow),
        segment=Segment.of(snakemake.params.segment),
        settings=from_params(FlowSettings, snakemake.params.settings),
        threads=snakemake.threads,
    )
