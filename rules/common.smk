"""Settings, clips and the small functions by which recipes ask for them."""

import json
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.append(str(Path(workflow.basedir) / "workflow" / "scripts"))

from understudy.devices import has_gpus
from understudy.errors import UnderstudyError
from understudy.running import claim_folder, name_parent, unwritable
from understudy.validation import load_project
from understudy.weights import load_weights

JOIN_MB = 4000  # memory of a job that joins segments

# Threads that wait for each other spin for a quarter of a millisecond, then sleep. Never spinning halves the steps of a
# quiet machine, spinning for long costs a busy one up to four fifths of them (measured, docs/figures.md).
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# A training that is asked to end saves first; a shell that died of SIGTERM before it would end the whole job.
shell.prefix("trap : TERM; set -euo pipefail; ")

# The GPUs of a workstation (profiles/default, which is read besides any profile) limit no job on a cluster, and none on a
# machine without one, where jobs wait for processors only.
if workflow.resource_settings.nodes or not has_gpus():
    workflow.register_resource("gpu", 1024)

# A killed run leaves no lock that stops the same command, and no job that runs on behind it.
name_parent()
claimed = claim_folder(Path(".snakemake")) if workflow.is_main_process else None

try:
    project = load_project(config, Path(workflow.basedir))
except UnderstudyError as mistake:
    raise WorkflowError(str(mistake)) from None


def growing(amount):
    """Return an amount of memory or time that a job gets once more with each attempt; what it stands for fits the first.

    A job that was killed because it had too little asks for more by itself (the profile's `retries`).
    """

    def grown(wildcards, attempt):
        return attempt * (amount(wildcards) if callable(amount) else amount)

    return grown


def section(name):
    """Return one section of the settings, as the only settings a job gets."""
    return project.section(name)


def locating_pose(wildcards):
    """Return what of the pose section decides where a clip is cropped."""
    return project.locating_pose(wildcards.clip)


def locating_files(wildcards):
    """Return what the pose backend reads, where it finds where a clip is cropped."""
    return [ancient(path) for path in project.locating_files(wildcards.clip)]


def locating_state(wildcards):
    return project.locating_state(wildcards.clip)


def locating_gpus(wildcards):
    return project.locating_gpus(wildcards.clip)


def pose_section(wildcards):
    """Return the pose section of a clip, without what other backends than the chosen one read."""
    return project.pose_section(wildcards.clip)


def pose_files(wildcards):
    """Return what the pose backend reads besides the clip; `pose_state`, not their date, stands for them."""
    return [ancient(path) for path in project.pose_files(wildcards.clip)]


def pose_state(wildcards):
    return project.pose_state(wildcards.clip)


def pose_gpus(wildcards):
    return project.pose_gpus()


def pose_memory_mb(wildcards):
    return project.pose_memory_mb()


def people_segments(wildcards):
    """Return everyone found in each segment of a clip; nothing where it stays whole."""
    folder = f"results/clips/{wildcards.clip}/segments"
    return [
        f"{folder}/people_{segment}.h5"
        for segment in project.pose_segments(wildcards.clip)
    ]


def followed_person(wildcards):
    """Return the person followed through a clip, where it is split to register their joints."""
    split = project.registered_segments(wildcards.clip)
    return [f"results/clips/{wildcards.clip}/segments/followed.h5"] if split else []


def registered_segments(wildcards):
    folder = f"results/clips/{wildcards.clip}/segments"
    return [
        f"{folder}/shifts_{segment}.h5"
        for segment in project.registered_segments(wildcards.clip)
    ]


def people_gpus(wildcards):
    """Return the GPUs of a pose job; one that only joins segments takes none."""
    return 0 if project.pose_segments(wildcards.clip) else project.pose_gpus()


def people_memory_mb(wildcards):
    return (
        JOIN_MB if project.pose_segments(wildcards.clip) else project.pose_memory_mb()
    )


def people_pose(wildcards):
    """Return what of the pose section decides who is found in a clip."""
    return project.people_pose(wildcards.clip)


def chosen_person(wildcards):
    return project.clip_row(wildcards.clip)["person"]


def whole_picture(wildcards):
    """Return frames and people of the whole picture, where the person to crop to is chosen among them."""
    if not project.chooses_in_whole(wildcards.clip):
        return []
    folder = f"results/clips/{project.people_of(wildcards.clip)}"
    return [f"{folder}/frames.h5", f"{folder}/people.h5"]


def people_sheet(wildcards):
    """Return the contact sheet, where a person is chosen by it."""
    if not project.chooses(wildcards.clip):
        return []
    return [f"results/clips/{wildcards.clip}/people.png"]


def whole_sheet(wildcards):
    """Return the contact sheet of the whole picture, where the person to crop to is chosen by it."""
    return people_sheet(wildcards) if project.chooses_in_whole(wildcards.clip) else []


def sheet_frames(wildcards):
    return f"results/clips/{project.people_of(wildcards.clip)}/frames.h5"


def sheet_people(wildcards):
    return f"results/clips/{project.people_of(wildcards.clip)}/people.h5"


def own_numbers(wildcards):
    """Return whether the clip table's numbers are those of the clip's own people, not of the whole picture's."""
    return project.people_of(wildcards.clip) == wildcards.clip


def people_sheets(wildcards):
    return [f"results/clips/{clip}/people.png" for clip in project.clips_in_use()]


def locating_decode():
    """Return the decode section; what only other readers read is left empty."""
    return project.locating_decode()


def decode_of(wildcards):
    return project.decode_of(wildcards.clip)


def located_row(wildcards):
    return project.located_row(wildcards.clip)


def decoded_row(wildcards):
    return project.decoded_row(wildcards.clip)


def version(room):
    """Return a room's version; raised when the meaning of its output changes."""
    return project.version(room)


def environment(job, name):
    """Return the conda environment of the backend chosen for a job."""
    return f"../envs/{job}_{project.section(name)['backend']}.yaml"


def locating_environment(wildcards):
    """Return the environment of a crop: the backend's only where it finds the person; so another leaves the rest alone."""
    if project.locates_by_backend(wildcards.clip):
        return environment("pose", "pose")
    return "../envs/pose_openpose_json.yaml"


def surface_section(wildcards):
    """Return the surface section of a clip, without what other backends than the chosen one read."""
    return project.surface_section(wildcards.clip)


def flow_section():
    """Return the flow section; what only other backends read is left empty."""
    return project.flow_section()


def flow_files(wildcards):
    """Return what the flow backend reads besides the clip; `flow_state`, not their date, stands for them."""
    return [ancient(path) for path in project.flow_files()]


def flow_state(wildcards):
    return project.flow_state()


def flow_gpus(wildcards):
    return project.flow_gpus()


def flow_memory_mb(wildcards):
    return project.flow_memory_mb()


def segments_of(kind):
    """Return an input function: one kind of file of each segment of a clip; nothing where it stays whole."""

    def files(wildcards):
        folder = f"results/clips/{wildcards.clip}/segments"
        return [
            f"{folder}/{kind}_{segment}.h5"
            for segment in project.segments(wildcards.clip)
        ]

    return files


def unless_split(asked, joining):
    """Return what an estimator asks for; where a clip is split, what joining its segments asks for."""

    def resource(wildcards):
        return joining if project.segments(wildcards.clip) else asked(wildcards)

    return resource


def surface_files(wildcards):
    """Return what the surface backend reads besides the clip; `surface_state`, not their date, stands for them."""
    return [ancient(path) for path in project.surface_files(wildcards.clip)]


def surface_state(wildcards):
    return project.surface_state(wildcards.clip)


def surface_fit(wildcards):
    """Return what is fitted once to a split clip, where its backend fits anything."""
    fitted = project.fits_surface(wildcards.clip)
    return [f"results/clips/{wildcards.clip}/segments/fit.json"] if fitted else []


def surface_gpus(wildcards):
    return project.surface_gpus()


def surface_memory_mb(wildcards):
    return project.surface_memory_mb()


def source_video(wildcards):
    return project.source_video(wildcards.clip)


def synthetic_section(wildcards):
    return project.synthetic_section(wildcards.clip)


def performer_files(name):
    """Return an input function: one kind of file of all clips that show the performer."""

    def files(wildcards):
        return [
            f"results/clips/{clip}/{name}"
            for clip in project.performer_clips(wildcards.performer)
        ]

    return files


def previous_weights(wildcards):
    """Return the weights a stage starts from; none for the first."""
    before = project.stage_before(wildcards.stage)
    return (
        [f"results/performers/{wildcards.performer}/{before}/generator.safetensors"]
        if before
        else []
    )


def warm_weights(wildcards):
    """Return another performer's weights that a first stage starts from, where the configuration names any."""
    path = project.warm_weights(wildcards.performer, wildcards.stage)
    return [path] if path else []


def final_weights(wildcards):
    stage = project.last_stage()
    return f"results/performers/{wildcards.performer}/{stage}/generator.safetensors"


def known_weights():
    """Return a pattern of the files that config/weights.yaml tells how to fetch."""
    return "|".join(re.escape(name) for name in load_weights())


def fetch_allowed(wildcards):
    """Return nothing, or an error where a file is missing and `offline` forbids to fetch it."""
    try:
        project.check_fetch(f"weights/{wildcards.name}")
    except UnderstudyError as mistake:
        raise WorkflowError(str(mistake)) from None
    return []


def perceptual_weights(wildcards):
    """Return the weights of the perceptual loss, where it is on; their digest, not their date, stands for them."""
    path = project.perceptual_weights()
    return [ancient(path)] if path else []


def stage_training(wildcards):
    return project.stage_training(wildcards.stage)


def stage_state(wildcards):
    """Return the folder of a stage's state; its name is a digest of every setting that decides the result."""
    digest = project.stage_digest(wildcards.stage)
    return f"results/performers/{wildcards.performer}/{wildcards.stage}/state-{digest}"


def training_gpus(wildcards):
    return project.training_gpus()


def training_threads(wildcards):
    return project.training_threads()


def training_memory_mb(wildcards):
    return project.training_memory_mb()


def stage_minutes(wildcards):
    return project.stage_minutes(wildcards.stage)


def rendering_crf():
    """Return the quality of films; all that overlays need of the rendering section."""
    return project.section("rendering")["crf"]


def transfer_rendering(wildcards):
    return project.transfer_rendering(wildcards.performer, wildcards.driving)


def shown(path, caption, category, shows):
    """Mark an output for `snakemake --report`: its caption in config/captions, its category, what it shows."""
    names = {
        "performer": "performer",
        "driving": "driving clip",
        "clip": "clip",
    }
    labels = {
        word: f"{{{name}}}" for name, word in names.items() if f"{{{name}}}" in path
    }
    return report(
        path,
        caption=f"../config/captions/{caption}.rst",
        category=category,
        labels={**labels, "shows": shows},
    )


def transfer_statement(wildcards):
    """Return what a transfer's films say of themselves: who performs what, and the digest of the settings behind it."""
    return project.transfer_statement(wildcards.performer, wildcards.driving)


def signing_files(wildcards):
    """Return the user's certificate and key; `signing_state`, not their date, stands for them."""
    return [ancient(path) for path in project.signing_files()]


def signing_state(wildcards):
    return project.signing_state()


def transfer_truth(wildcards):
    """Return the frames of the true transfer, where the configuration names it."""
    truth = project.transfer_truth(wildcards.performer, wildcards.driving)
    return [f"results/clips/{truth}/frames.h5"] if truth else []


def film_people(wildcards):
    """Return everyone the pose estimator finds in a film, where it looks at pictures."""
    if not project.looks_at_films():
        return []
    return [
        f"results/transfers/{wildcards.performer}/{wildcards.driving}/film_people.h5"
    ]


def film_pose():
    """Return the pose section as a film needs it; what only other backends read is left empty."""
    return project.film_pose()


def film_people_pose():
    """Return what of it decides who is found in a film."""
    return project.film_people_pose()


def metrics_section():
    """Return the metrics section, the sum of each file of networks put in."""
    return project.metrics_section()


def coverage_metrics():
    """Return the metrics section as coverage needs it."""
    return project.coverage_metrics()


def metrics_files(wildcards):
    """Return the files of networks that figures need; their sums, not their dates, stand for them."""
    return [ancient(path) for path in project.metrics_files()]


def film_pose_files(wildcards):
    return [ancient(path) for path in project.film_pose_files()]


def film_pose_state(wildcards):
    return project.film_pose_state()


def film_pose_gpus(wildcards):
    return project.pose_gpus()


def films(wildcards):
    folders = [
        f"results/transfers/{performer}/{driving}"
        for performer, driving in project.transfers()
    ]
    return [
        f"{folder}/{film}"
        for folder in folders
        for film in ("video.mp4", "side_by_side.mp4")
    ]


def figures(wildcards):
    transfers = [
        f"results/transfers/{performer}/{driving}/metrics.json"
        for performer, driving in project.transfers()
    ]
    return transfers + [
        f"results/performers/{performer}/metrics.json"
        for performer in project.performers()
    ]


def coverages(wildcards):
    return [
        f"results/transfers/{performer}/{driving}/{file}"
        for performer, driving in project.transfers()
        for file in ("coverage.json", "coverage.png")
    ]


def report_inputs(wildcards):
    """Return everything the report shows that a rule makes."""
    truths = [
        f"results/clips/{truth}/frames.h5"
        for performer, driving in project.transfers()
        if (truth := project.transfer_truth(performer, driving))
    ]
    return [
        *films(wildcards),
        *figures(wildcards),
        *coverages(wildcards),
        *dict.fromkeys(truths),
    ]


def report_transfers(wildcards):
    return project.report_transfers()


def configuration(wildcards):
    """Return the whole configuration, for the report alone: whatever changes in it but the order of keys writes the
    page anew."""
    return json.loads(json.dumps(project.settings, sort_keys=True))


def exported_keypoints(wildcards):
    return [f"results/clips/{clip}/openpose_json" for clip in project.clips_in_use()]


def preview_films(wildcards):
    return [
        f"results/transfers/{performer}/{driving}/preview.mp4"
        for performer, driving in project.transfers()
    ]


def overlay_films(wildcards):
    return [
        f"results/clips/{clip}/{file}"
        for clip in project.clips_in_use()
        for file in ("overlay.mp4", "doubtful.tsv")
    ]
