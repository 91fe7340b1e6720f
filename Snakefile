"""From two videos to a film: one person performs another's motion."""

from snakemake.utils import min_version

min_version("9.0")


report: "config/captions/workflow.rst"


include: "rules/common.smk"
include: "rules/synthetic.smk"
include: "rules/video.smk"
include: "rules/semantics.smk"
include: "rules/flow.smk"
include: "rules/segments.smk"
include: "rules/dataset.smk"
include: "rules/training.smk"
include: "rules/rendering.smk"
include: "rules/metrics.smk"
include: "rules/report.smk"
include: "rules/weights.smk"


# A job on a cluster node takes its GPU from that node, not from one pool for the whole cluster.
resource_scopes:
    gpu="local",


wildcard_constraints:
    clip="[A-Za-z0-9_-]+(/whole)?",
    driving="[A-Za-z0-9_-]+",
    performer="[A-Za-z0-9_-]+",
    segment="[0-9]+of[0-9]+",
    stage="s[0-9]+t[0-9]+",


onstart:
    # Before the first job, not when the job of hours is done.
    if refused := unwritable(
        file for job in workflow.dag.needrun_jobs() for file in job.output
    ):
        raise WorkflowError(refused)


localrules:
    all,
    coverage,
    overlays,
    previews,
    openpose_json,
    people,
    fetch_weights,


rule all:
    """Films, figures and coverage of every transfer, figures of every performer, and the report that shows them."""
    default_target: True
    input:
        films,
        figures,
        coverages,
        "results/report/index.html",


rule coverage:
    """How far each driving clip lies from its performer's footage, and what to film, before any training."""
    input:
        coverages,


rule overlays:
    """What the estimators saw, one film for each clip in use, before any training."""
    input:
        overlay_films,


rule previews:
    """What each transfer will move, over the performer's background, before any training."""
    input:
        preview_films,


rule openpose_json:
    """Poses of every clip in use, one folder each, as OpenPose would have written them."""
    input:
        exported_keypoints,


rule people:
    """The people in each clip in use, with their numbers, to choose one in the clip table."""
    input:
        people_sheets,
