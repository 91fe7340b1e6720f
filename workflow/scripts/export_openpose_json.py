"""Called by rule export_openpose_json."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.semantics.openpose_export import export_openpose_json

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    export_openpose_json(
        frames=Path(snakemake.input.frames),
        pose=Path(snakemake.input.pose),
        keypoints=Path(snakemake.output.keypoints),
        clip=snakemake.wildcards.clip,
    )
