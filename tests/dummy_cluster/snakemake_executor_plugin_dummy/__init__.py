"""A cluster that does nothing: Snakemake submits to it, it writes down what, makes empty files and says done.

Snakemake finds it by its name where this folder is on the Python path.
"""

import json
from collections.abc import AsyncGenerator
from pathlib import Path

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.settings import CommonSettings

SUBMITTED = Path("submitted.jsonl")  # in the working folder: of each submission its rules and what it asks for
common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    pass_default_storage_provider_args=False,
    pass_default_resources_args=False,
    pass_envvar_declarations_to_cmd=False,
    auto_deploy_default_storage_provider=False,
    init_seconds_before_status_checks=0,
)


class Executor(RemoteExecutor):
    """Takes jobs and groups of them."""

    def run_job(self, job: JobExecutorInterface) -> None:
        jobs = list(job.jobs) if job.is_group() else [job]
        asked_for = dict(job.resources.items())
        asked = {name: asked_for[name] for name in ("gpu", "mem_mb", "runtime") if name in asked_for}
        with SUBMITTED.open("a", encoding="utf-8") as file:
            rules = sorted(one.rule.name for one in jobs)
            file.write(json.dumps({"rules": rules, "threads": job.threads, **asked}) + "\n")
        for one in jobs:
            for output in [*one.output, *([one.benchmark] if one.benchmark else [])]:
                Path(output).parent.mkdir(parents=True, exist_ok=True)
                Path(output).touch()
        self.report_job_submission(SubmittedJobInfo(job, external_jobid="0"))

    async def check_active_jobs(self, active_jobs: list[SubmittedJobInfo]) -> AsyncGenerator[SubmittedJobInfo, None]:
        for submitted in active_jobs:
            self.report_job_success(submitted)
            if False:
                yield submitted

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """Nothing runs."""
