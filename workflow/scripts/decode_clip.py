"""Called by rule decode_clip."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.clips import Clip
from understudy.job import job_log
from understudy.settings import DecodeSettings, from_params
from understudy.video.decode import decode_clip

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    decode_clip(
        video=Path(snakemake.input.video),
        crop=Path(snakemake.input.crop),
        frames=Path(snakemake.output.frames),
        sound=Path(snakemake.output.sound),
        clip=from_params(Clip, snakemake.params.clip),
        settings=from_params(DecodeSettings, snakemake.params.settings),
    )
