"""Called by rule find_film_people."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.devices import own_gpus
from understudy.job import job_log
from understudy.semantics.film import find_film_people
from understudy.settings import PoseSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
    find_film_people(
        video=Path(snakemake.input.video),
        people=Path(snakemake.output.people),
        settings=from_params(PoseSettings, snakemake.params.settings),
    )
