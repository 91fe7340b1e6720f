"""Called by rule estimate_surface."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.devices import own_gpus
from understudy.job import job_log
from understudy.semantics.surface import estimate_surface
from understudy.settings import SurfaceSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
    estimate_surface(
        frames=Path(snakemake.input.frames),
        pose=Path(snakemake.input.pose),
        surface=Path(snakemake.output.surface),
        settings=from_params(SurfaceSettings, snakemake.params.settings),
        threads=snakemake.threads,
        segments=snakemake.input.segments,
        fit=snakemake.input.fit,
    )
