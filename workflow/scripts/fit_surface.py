"""Called by rule fit_surface."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.semantics.surface import fit_surface
from understudy.settings import SurfaceSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    fit_surface(
        frames=Path(snakemake.input.frames),
        pose=Path(snakemake.input.pose),
        fit=Path(snakemake.output.fit),
        settings=from_params(SurfaceSettings, snakemake.params.settings),
        threads=snakemake.threads,
    )
