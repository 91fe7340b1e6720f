"""Called by rule find_people_segment."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.devices import own_gpus
from understudy.job import job_log
from understudy.segments import Segment
from understudy.semantics.people import find_people_segment
from understudy.settings import PoseSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
    find_people_segment(
        frames=Path(snakemake.input.frames),
        people=Path(snakemake.output.people),
        segment=Segment.of(snakemake.params.segment),
        settings=from_params(PoseSettings, snakemake.params.settings),
    )
