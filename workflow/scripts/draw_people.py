"""Called by rule draw_people."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.report.contact_sheet import draw_people

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    draw_people(
        frames=Path(snakemake.input.frames),
        people=Path(snakemake.input.people),
        sheet=Path(snakemake.output.sheet),
    )
