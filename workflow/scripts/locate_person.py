"""Called by rule locate_person."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.clips import Clip
from understudy.devices import own_gpus
from understudy.job import job_log
from understudy.semantics.choice import Choice
from understudy.semantics.locate import locate_person
from understudy.settings import DecodeSettings, PoseSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]), own_gpus(snakemake.resources.gpu):
    locate_person(
        video=Path(snakemake.input.video),
        crop=Path(snakemake.output.crop),
        clip=from_params(Clip, snakemake.params.clip),
        choice=Choice.of(snakemake.params.clip["person"], snakemake.input.sheet, snakemake.input.whole),
        pose=from_params(PoseSettings, snakemake.params.pose),
        decode=from_params(DecodeSettings, snakemake.params.decode),
    )
