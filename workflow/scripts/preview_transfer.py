"""Called by rule preview_transfer."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.rendering.preview import preview_transfer
from understudy.settings import FilmSettings, RenderingSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    preview_transfer(
        driving=Path(snakemake.input.driving),
        windows=Path(snakemake.input.windows),
        driving_frames=Path(snakemake.input.frames),
        video=Path(snakemake.output.video),
        settings=from_params(RenderingSettings, snakemake.params.settings),
        film_settings=from_params(FilmSettings, snakemake.params.film),
    )
