"""Called by rule index_windows."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.dataset.windows import index_windows
from understudy.job import job_log
from understudy.settings import DatasetSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    index_windows(
        frames=list(map(Path, snakemake.input.frames)),
        pose=list(map(Path, snakemake.input.pose)),
        surface=list(map(Path, snakemake.input.surface)),
        flow=list(map(Path, snakemake.input.flow)),
        camera=list(map(Path, snakemake.input.camera)),
        windows=Path(snakemake.output.windows),
        settings=from_params(DatasetSettings, snakemake.params.settings),
    )
