"""Called by rule train_stage."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.devices import own_gpus
from understudy.job import job_log
from understudy.settings import DatasetSettings, ModelSettings, TrainingSettings, from_params
from understudy.training.stage import train_stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
    train_stage(
        windows=Path(snakemake.input.windows),
        previous=next(map(Path, snakemake.input.previous), None),
        warm=next(map(Path, snakemake.input.warm), None),
        weights=Path(snakemake.output.weights),
        state_folder=Path(snakemake.params.state),
        model=from_params(ModelSettings, snakemake.params.model),
        training=from_params(TrainingSettings, snakemake.params.training),
        dataset=from_params(DatasetSettings, snakemake.params.dataset),
        threads=snakemake.threads,
        gpus=snakemake.resources.gpu,
    )
