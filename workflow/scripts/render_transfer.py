"""Called by rule render_transfer."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.devices import own_gpus
from understudy.job import job_log
from understudy.rendering.transfer import Provenance, render_transfer
from understudy.settings import FilmSettings, ProvenanceSettings, RenderingSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
    render_transfer(
        weights=Path(snakemake.input.weights),
        driving=Path(snakemake.input.driving),
        driving_frames=Path(snakemake.input.frames),
        sound=Path(snakemake.input.sound),
        video=Path(snakemake.output.video),
        side_by_side_video=Path(snakemake.output.side_by_side),
        settings=from_params(RenderingSettings, snakemake.params.settings),
        film_settings=from_params(FilmSettings, snakemake.params.film),
        provenance=Provenance(
            **snakemake.params.statement, signing=from_params(ProvenanceSettings, snakemake.params.provenance)
        ),
        threads=snakemake.threads,
    )
