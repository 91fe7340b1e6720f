"""Called by rule estimate_pose."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.semantics.choice import Choice
from understudy.semantics.pose import estimate_pose
from understudy.settings import PoseSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    estimate_pose(
        frames=Path(snakemake.input.frames),
        people=Path(snakemake.input.people),
        pose=Path(snakemake.output.pose),
        choice=Choice.of(snakemake.params.person, snakemake.input.sheet, snakemake.input.whole),
        settings=from_params(PoseSettings, snakemake.params.settings),
        threads=snakemake.threads,
        followed=snakemake.input.followed,
        segments=snakemake.input.segments,
    )
