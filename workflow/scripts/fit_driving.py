"""Called by rule fit_driving."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.rendering.driver import fit_driving
from understudy.settings import RenderingSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    fit_driving(
        pose=Path(snakemake.input.pose),
        surface=Path(snakemake.input.surface),
        camera=Path(snakemake.input.camera),
        windows=Path(snakemake.input.windows),
        driving=Path(snakemake.output.driving),
        settings=from_params(RenderingSettings, snakemake.params.settings),
        samples=snakemake.params.surface["samples"],
    )
