"""Called by rule synthesize_clip."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.settings import SyntheticSettings, from_params
from understudy.synthetic.clip import synthesize_clip

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    synthesize_clip(
        video=Path(snakemake.output.video),
        truth=Path(snakemake.output.truth),
        settings=from_params(SyntheticSettings, snakemake.params.settings),
    )
