"""Called by rule register_segment."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.segments import Segment
from understudy.semantics.pose import register_segment
from understudy.settings import PoseSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    register_segment(
        frames=Path(snakemake.input.frames),
        followed=Path(snakemake.input.followed),
        shifts=Path(snakemake.output.shifts),
        segment=Segment.of(snakemake.params.segment),
        settings=from_params(PoseSettings, snakemake.params.settings),
        threads=snakemake.threads,
    )
