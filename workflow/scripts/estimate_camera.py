"""Called by rule estimate_camera."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.flow.camera import estimate_camera
from understudy.job import job_log
from understudy.settings import CameraSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    estimate_camera(
        frames=Path(snakemake.input.frames),
        surface=Path(snakemake.input.surface),
        camera=Path(snakemake.output.camera),
        settings=from_params(CameraSettings, snakemake.params.settings),
    )
