"""Called by rule follow_person."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.semantics.choice import Choice
from understudy.semantics.pose import follow_person
from understudy.settings import PoseSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    follow_person(
        frames=Path(snakemake.input.frames),
        people=Path(snakemake.input.people),
        followed=Path(snakemake.output.followed),
        choice=Choice.of(snakemake.params.person, snakemake.input.sheet, snakemake.input.whole),
        settings=from_params(PoseSettings, snakemake.params.settings),
    )
