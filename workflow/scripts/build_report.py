"""Called by rule build_report."""

from pathlib import Path
from typing import TYPE_CHECKING

from understudy.job import job_log
from understudy.report.page import build_report
from understudy.settings import ReportSettings, from_params

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job_log(snakemake.log[0]):
    build_report(
        page=Path(snakemake.output.page),
        results=Path("results"),
        transfers=snakemake.params.transfers,
        configuration=snakemake.params.configuration,
        settings=from_params(ReportSettings, snakemake.params.settings),
    )
