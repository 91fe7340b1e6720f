"""Called by rule estimate_surface_segment."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.devices import own_gpus
from understudy.job import job_log
from understudy.segments import Segment
from understudy.semantics.surface import estimate_surface_segment
from understudy.settings import SurfaceSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
    estimate_surface_segment(
        frames=Path(snakemake.input.frames),
        pose=Path(snakemake.input.pose),
        surface=Path(snakemake.output.surface),
        segment=Segment.of(snakemake.params.segment),
        settings=from_params(SurfaceSettings, snakemake.params.settings),
        threads=snakemake.threads,
        fit=snakemake.input.fit,
    )
