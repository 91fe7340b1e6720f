"""Called by rule draw_overlay."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.report.overlay import ClipPaths, draw_overlay
from understudy.settings import FilmSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    draw_overlay(
        files=ClipPaths(
            frames=Path(snakemake.input.frames),
            people=Path(snakemake.input.people),
            pose=Path(snakemake.input.pose),
            surface=Path(snakemake.input.surface),
            flow=Path(snakemake.input.flow),
        ),
        film=Path(snakemake.output.film),
        doubtful=Path(snakemake.output.doubtful),
        crf=snakemake.params.crf,
        settings=from_params(FilmSettings, snakemake.params.film),
        numbers=snakemake.params.numbers,
    )
