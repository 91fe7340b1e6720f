"""A checked configuration, as the rules ask for it: which clips, which stages, which settings a job gets."""

import hashlib
import json
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from understudy.backends import backend_fact
from understudy.clips import Clip
from understudy.errors import ClipTableError, SettingsError
from understudy.inputs import check_there, for_clip, in_use, input_state, named_files
from understudy.lengths import video_length_s
from understudy.segments import segment_names
from understudy.settings import VERSIONS

# They do not decide what is learnt; but the perceptual file does, and the state's own manifest holds its digest.
_OUTSIDE_THE_DIGEST = ("gpus", "compile", "save_seconds", "preview_frames", "perceptual", "stages")
POSE_BACKENDS = "understudy.semantics.pose_backends"
SURFACE_BACKENDS = "understudy.semantics.surface_backends"
_UNSMOOTHED = {
    "smooth_frames": 1,
    "gap_frames": 0,
    "motion_weight": 0,
}  # smoothing or steadying anew looks for nobody anew
_WRITTEN_POSES = ("openpose_json", "truth")  # read poses of a clip that somebody else wrote
_POSE_NETWORKS = ("openpose", "openpose_caffe", "rtmw")
THREADS_PER_GPU, MEMORY_PER_GPU_MB = 8, 16000  # of a training, on the CPU's side

WHOLE = "/whole"  # a clip's whole picture is a clip of its own, named like this behind the clip's name
WHOLE_PX = 512  # least height of its frames; people are small in it
CROWD = 6  # people looked for at least where one of several is to be chosen
FIRST_LEVELS = 2  # sizes at which a patch judge of the first height looks; Source: Wang et al., pix2pixHD, CVPR 2018


class Project:
    """A checked configuration and its clip table."""

    def __init__(self, settings: dict[str, Any], clips: dict[str, Clip]):
        self.settings = settings
        self.clips = clips
        # By pair, so that a thousand transfers are not gone through for each; the first of two alike counts.
        self._transfers = {(row["performer"], row["driving"]): row for row in reversed(settings["transfers"])}
        self._stage_training: dict[str, dict[str, Any]] = {}  # by stage: the same for every performer
        self._stage_digests: dict[str, str] = {}
        self._made = {made_video(clip): made for clip, made in settings["synthetic"].items()}
        self._lengths_s: dict[str, float | None] = {}  # by video

    def section(self, name: str) -> dict[str, Any]:
        """Return one section as a plain mapping, keys always in the schema's order."""
        return deepcopy(self.settings[name])

    def surface_section(self, clip: str) -> dict[str, Any]:
        """Return a clip's surface section; what only other backends read is left empty, so that it reruns nothing."""
        return for_clip(in_use(self.section("surface")), self._named(clip))

    def surface_files(self, clip: str) -> list[str]:
        """Return the files and folders the surface backend reads besides the clip."""
        return [str(path) for path in self._named_files("surface", self._named(clip))]

    def surface_state(self, clip: str) -> dict[str, str]:
        """Return what stands for the content of `surface_files`: another content is another surface."""
        return {path: input_state(path) for path in self.surface_files(clip)}

    def surface_gpus(self) -> int:
        """Return the GPUs a surface job takes."""
        surface = self.settings["surface"]
        return int(surface["backend"] == "densepose" and surface["densepose"]["device"].startswith("cuda"))

    def surface_memory_mb(self) -> int:
        """Return the memory of the machine that a surface job takes, MiB; a network with CUDA is the largest."""
        return MEMORY_PER_GPU_MB if self.settings["surface"]["backend"] == "densepose" else 4000

    def locating_pose(self, clip: str) -> dict[str, Any]:
        """Return what of the pose section decides where a clip is cropped: nothing, where no backend finds the person.

        It leaves out what only acts over time, so that smoothing anew never decodes anew.
        """
        pose = in_use(self.section("pose")) | _UNSMOOTHED
        if self.locates_by_backend(clip):
            return pose
        idle = {key: value if isinstance(value, dict) else type(value)() for key, value in pose.items()}
        return in_use(idle)

    def locates_by_backend(self, clip: str) -> bool:
        """Whether the pose backend itself finds where a clip is cropped."""
        return self._clip(clip).crop == "person" and not self.chooses_in_whole(clip)

    def locating_files(self, clip: str) -> list[str]:
        """Return the files the pose backend reads to find where a clip is cropped; none where it does not look."""
        return self.pose_files(clip) if self.locates_by_backend(clip) else []

    def locating_state(self, clip: str) -> dict[str, str]:
        """Return what stands for the content of `locating_files`."""
        return {path: input_state(path) for path in self.locating_files(clip)}

    def locating_gpus(self, clip: str) -> int:
        """Return the GPUs a job takes that finds where a clip is cropped."""
        return self.pose_gpus() if self.locates_by_backend(clip) else 0

    def pose_section(self, clip: str) -> dict[str, Any]:
        """Return a clip's pose section; what only other backends read is left empty."""
        return for_clip(in_use(self.section("pose")), self._named(clip))

    def pose_files(self, clip: str) -> list[str]:
        """Return the files and folders the pose backend reads besides the clip."""
        return [str(path) for path in self._named_files("pose", self._named(clip))]

    def pose_state(self, clip: str) -> dict[str, str]:
        """Return what stands for the content of `pose_files`: another content is another pose."""
        return {path: input_state(path) for path in self.pose_files(clip)}

    def looks_at_films(self) -> bool:
        """Whether the pose backend looks at pictures, and not at files that were made for a clip."""
        return self.settings["pose"]["backend"] not in _WRITTEN_POSES

    def film_pose(self) -> dict[str, Any]:
        """Return the pose section for a finished film, in which there is one person."""
        return in_use(self.section("pose")) | {"people": 1, "motion_weight": 0}

    def film_people_pose(self) -> dict[str, Any]:
        """Return what of it decides who is found in a film: smoothing anew never looks anew."""
        return self.film_pose() | _UNSMOOTHED

    def film_pose_files(self) -> list[str]:
        """Return the files the pose backend reads besides a film."""
        return [str(path) for path in self._named_files("pose", "")] if self.looks_at_films() else []

    def film_pose_state(self) -> dict[str, str]:
        """Return what stands for the content of `film_pose_files`."""
        return {path: input_state(path) for path in self.film_pose_files()}

    def pose_gpus(self) -> int:
        """Return the GPUs a pose job takes."""
        backend = self.settings["pose"]["backend"]
        chosen = self.settings["pose"].get(backend, {})
        return int(chosen.get("device") == "cuda" or (backend == "openpose" and chosen["gpu"] >= 0))

    def pose_memory_mb(self) -> int:
        """Return the memory of the machine that a pose job takes, MiB; networks of their own, with CUDA or without."""
        return MEMORY_PER_GPU_MB if self.settings["pose"]["backend"] in _POSE_NETWORKS else 4000

    def flow_section(self) -> dict[str, Any]:
        """Return the flow section; what only other backends read is left empty, so that it reruns nothing."""
        return in_use(self.section("flow"))

    def flow_files(self) -> list[str]:
        """Return the files the flow backend reads besides the clip."""
        return [str(path) for path in self._named_files("flow", "")]

    def flow_state(self) -> dict[str, str]:
        """Return what stands for the content of `flow_files`: other weights are another flow."""
        return {path: input_state(path) for path in self.flow_files()}

    def flow_gpus(self) -> int:
        """Return the GPUs a flow job takes."""
        flow = self.settings["flow"]
        return int(flow["backend"] == "raft" and flow["raft"]["device"] == "cuda")

    def flow_memory_mb(self) -> int:
        """Return the memory of the machine that a flow job takes, MiB; RAFT compares all pixels, on a CPU too."""
        return MEMORY_PER_GPU_MB if self.settings["flow"]["backend"] == "raft" else 4000

    def pose_segments(self, clip: str) -> list[str]:
        """Name the segments in which a clip's people are found; none where it stays whole.

        A backend that remembers takes no shorter ones than the blocks it begins anew in.
        """
        wanted_s = self.settings["segments"]["seconds"]
        block_s = backend_fact(POSE_BACKENDS, self.settings["pose"]["backend"], "block_s")
        return segment_names(self.length_s(clip), max(wanted_s, block_s) if wanted_s else 0.0)

    def registered_segments(self, clip: str) -> list[str]:
        """Name the segments in which a clip's joints are registered to the mattes; none where that is no work."""
        backend = self.settings["pose"]["backend"]
        has_matte, exact = (backend_fact(POSE_BACKENDS, backend, fact) for fact in ("has_matte", "exact"))
        return self.segments(clip) if has_matte and not exact else []

    def segments(self, clip: str) -> list[str]:
        """Name the segments in which a clip's surface and flow are estimated; none where it stays whole."""
        return segment_names(self.length_s(clip), self.settings["segments"]["seconds"])

    def length_s(self, clip: str) -> float | None:
        """Return about how long a clip is, seconds; None where neither its row nor its video's header says it."""
        row = self._clip(clip)
        ends = [end for end in (row.end_s, self._video_length_s(row.video)) if end]
        return max(0.0, min(ends) - row.start_s) if ends else None

    def _video_length_s(self, video: str) -> float | None:
        made = self._made.get(video)
        if made is not None:
            return made["duration_s"]
        if video not in self._lengths_s:
            self._lengths_s[video] = video_length_s(video)
        return self._lengths_s[video]

    def fits_surface(self, clip: str) -> bool:
        """Whether a split clip's surfaces stand on something that is fitted to all of it."""
        backend = self.settings["surface"]["backend"]
        return bool(self.segments(clip)) and backend_fact(SURFACE_BACKENDS, backend, "fits_clip")

    def people_pose(self, clip: str) -> dict[str, Any]:
        """Return what of the pose section decides who is found in a clip; several where one of them is chosen."""
        pose = self.pose_section(clip) | _UNSMOOTHED
        if clip.endswith(WHOLE) or self.chooses(clip):
            pose["people"] = max(pose["people"], CROWD)
        return pose

    def chooses(self, clip: str) -> bool:
        """Whether the clip table asks for somebody else than the largest person."""
        return self._clip(clip).person != "largest"

    def chooses_in_whole(self, clip: str) -> bool:
        """Whether that person is chosen in the whole picture, because the clip is cropped to them.

        So is the largest among poses that were written for the video: they are found in no single picture.
        """
        written = self.settings["pose"]["backend"] == "openpose_json"
        return (self.chooses(clip) or written) and self._clip(clip).crop == "person"

    def people_of(self, clip: str) -> str:
        """Return the clip whose people the clip table can name: itself, or its whole picture."""
        return clip + WHOLE if self._clip(clip).crop == "person" else clip

    def located_row(self, clip: str) -> dict[str, Any]:
        """Return a clip's row as its crop needs it: another person changes nothing unless it is cropped to them."""
        row = self.clip_row(clip) if self.chooses_in_whole(clip) else self.decoded_row(clip)
        return row | {"ignore": ""}

    def decoded_row(self, clip: str) -> dict[str, Any]:
        """Return a clip's row as decoding needs it, which knows the crop and not the person."""
        return self.clip_row(clip) | {"person": "largest"}

    def locating_decode(self) -> dict[str, Any]:
        """Return the decode section; what only other backends read is left empty."""
        return in_use(self.section("decode"))

    def decode_of(self, clip: str) -> dict[str, Any]:
        """Return the decode section for a clip."""
        decode = in_use(self.section("decode"))
        if clip.endswith(WHOLE):
            decode["height_px"] = max(decode["height_px"], WHOLE_PX)
        return decode

    def version(self, room: str) -> int:
        return VERSIONS[room]

    def clip_row(self, clip: str) -> dict[str, Any]:
        """Return a clip's row without its consent, which changes no picture."""
        return asdict(replace(self._clip(clip), consent=""))

    def consent(self, clip: str) -> str:
        return self._clip(clip).consent

    def source_video(self, clip: str) -> str:
        return self._clip(clip).video

    def synthetic_section(self, clip: str) -> dict[str, Any]:
        if clip not in self.settings["synthetic"]:
            raise SettingsError(
                f"The clip '{clip}' has no entry under `synthetic`; add one, or name a video of your own."
            )
        return deepcopy(self.settings["synthetic"][clip])

    def performers(self) -> list[str]:
        return list(self.settings["performers"])

    def performer_clips(self, performer: str) -> list[str]:
        if performer not in self.settings["performers"]:
            raise SettingsError(f"No performer '{performer}' under `performers`; it has {listed(self.performers())}.")
        return list(self.settings["performers"][performer]["clips"])

    def warm_weights(self, performer: str, stage: str) -> str | None:
        """Return the weights of another performer that a first stage starts from; None where there are none."""
        other = self.settings["performers"].get(performer, {}).get("warm_start", "")
        if not other or self.stage_before(stage) is not None:
            return None
        if other.endswith(".safetensors"):
            return other
        return f"results/performers/{other}/{self.last_stage()}/generator.safetensors"

    def transfers(self) -> list[tuple[str, str]]:
        return [(row["performer"], row["driving"]) for row in self.settings["transfers"]]

    def transfer_truth(self, performer: str, driving: str) -> str:
        return self._transfer(performer, driving)["truth"]

    def transfer_rendering(self, performer: str, driving: str) -> dict[str, Any]:
        """Return the rendering section with the transfer's own `retarget` put in."""
        settings = self.section("rendering")
        settings["retarget"] = self._transfer(performer, driving)["retarget"] or settings["retarget"]
        return settings

    def transfer_statement(self, performer: str, driving: str) -> dict[str, str]:
        """Return what the films of a transfer say of themselves."""
        return {
            "performer": performer,
            "driving_clip": driving,
            "settings_sha256": self.transfer_digest(performer, driving),
        }

    def transfer_digest(self, performer: str, driving: str) -> str:
        """Digest every setting that decides a film: those of its clips, of the last stage, and of the rendering."""
        clips = [*self.performer_clips(performer), driving]
        decisive = {
            "stage": self.stage_digest(self.last_stage()),
            "warm_start": self.settings["performers"][performer].get("warm_start", ""),
            "clips": [self.clip_row(clip) for clip in clips],
            "synthetic": {clip: self.settings["synthetic"].get(clip) for clip in clips},
            "rendering": self.transfer_rendering(performer, driving),
            "versions": {room: VERSIONS[room] for room in ("synthetic", "rendering")},
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    def report_transfers(self) -> list[dict[str, Any]]:
        """Return what the report shows of each transfer besides its files."""
        return [
            {
                "performer": performer,
                "driving": driving,
                "truth": self.transfer_truth(performer, driving),
                "stages": [row["name"] for row in self.stages()],
                "clips": {clip: self._shown(clip) for clip in [*self.performer_clips(performer), driving]},
                "settings_sha256": self.transfer_digest(performer, driving),
            }
            for performer, driving in self.transfers()
        ]

    def _shown(self, clip: str) -> dict[str, Any]:
        """Return what the report says of a clip."""
        row = self._clip(clip)
        return {"video": row.video, "consent": row.consent, "synthetic": clip in self.settings["synthetic"]}

    def signing_files(self) -> list[str]:
        """Return the certificate and key that sign films; none where they are made here.

        Raises:
            SettingsError: one is missing.
        """
        named = self.settings["provenance"]
        paths = {key: path for key, path in named.items() if path}
        if len(paths) == 1:
            there = next(iter(paths))
            lacking = next(key for key in named if key not in paths)
            raise SettingsError(
                f"provenance.{there} is given, but provenance.{lacking} is empty; name both, or leave both empty."
            )
        for key, path in paths.items():
            check_there(Path(path), f"provenance.{key} names {path}, which", f"provenance.{key}", False)
        return list(dict.fromkeys(paths.values()))

    def signing_state(self) -> dict[str, str]:
        """Return what stands for the content of `signing_files`: another certificate signs the films anew."""
        return {path: input_state(path) for path in self.signing_files()}

    def clips_in_use(self) -> list[str]:
        """Name every clip a performer or a transfer asks for, each once."""
        named = [clip for performer in self.performers() for clip in self.performer_clips(performer)]
        named += [driving for _, driving in self.transfers()]
        return list(dict.fromkeys(named))

    def stages(self) -> list[dict[str, Any]]:
        return self.settings["training"]["stages"]

    def last_stage(self) -> str:
        return self.stages()[-1]["name"]

    def stage_before(self, stage: str) -> str | None:
        place = self._stage_place(stage)
        return self.stages()[place - 1]["name"] if place else None

    def stage_training(self, stage: str) -> dict[str, Any]:
        """Return the training section with this stage's row only, so that other rows never retrain it."""
        if stage not in self._stage_training:
            self._stage_training[stage] = self._training_of(stage)
        return self._stage_training[stage]

    def _training_of(self, stage: str) -> dict[str, Any]:
        training = self.section("training")
        training["stages"] = [deepcopy(self.stages()[self._stage_place(stage)])]
        training["perceptual"] = self._perceptual_in_use()
        training["judges"]["levels"] = self._judge_levels(stage)
        return training

    def _judge_levels(self, stage: str) -> int:
        """Return the sizes at which judges look; left open, the patch judge gains one each time the height doubles."""
        judges = self.settings["training"]["judges"]
        if judges["levels"] or judges["kind"] != "patch":
            return judges["levels"]
        heights = [row["height_px"] for row in self.stages()]
        return FIRST_LEVELS + max(0, (heights[self._stage_place(stage)] // heights[0]).bit_length() - 1)

    def coverage_metrics(self) -> dict[str, Any]:
        """Return the metrics section as coverage needs it: no networks."""
        return self._metrics_with({})

    def metrics_section(self) -> dict[str, Any]:
        """Return the metrics section, the sum of each file of networks put in: other content measures anew."""
        return self._metrics_with({path: input_state(path) for path in self.metrics_files()})

    def metrics_files(self) -> list[str]:
        """Return the files of networks that figures need.

        Raises:
            SettingsError: one does not exist, or LPIPS has one of its two files.
        """
        networks = self.settings["metrics"]["networks"]
        if bool(networks["lpips"]["trunk"]) != bool(networks["lpips"]["heads"]):
            raise SettingsError(
                "metrics.networks.lpips names one file, but needs two, trunk and heads; write the other, or neither."
            )
        places = {
            f"metrics.networks.{name}.{key}": one[key]
            for name, one in networks.items()
            for key in ("trunk", "heads", "weights")
            if one.get(key)
        }
        for place, path in places.items():
            if not Path(path).is_file():
                raise SettingsError(
                    f"{place} names a file that does not exist: {path} (relative paths start at the working folder). "
                    "Correct it, or leave it empty to do without the figure."
                )
        return list(places.values())

    def _metrics_with(self, sums: dict[str, str]) -> dict[str, Any]:
        """Return the metrics section with the networks that have a sum; the others are left empty."""
        metrics = self.section("metrics")
        for one in metrics["networks"].values():
            for file, sha in (("trunk", "trunk_sha256"), ("heads", "heads_sha256"), ("weights", "sha256")):
                if file in one:
                    one[sha] = (one[sha] or sums[one[file]]) if one[file] in sums else ""
                    one[file] = one[file] if one[file] in sums else ""
        return metrics

    def perceptual_weights(self) -> str | None:
        """Return the path of the perceptual loss's weights; None while the loss has no weight."""
        training = self.settings["training"]
        return training["perceptual"]["weights"] if training["losses"]["perceptual"] > 0 else None

    def _perceptual_in_use(self) -> dict[str, str]:
        """Return the perceptual section as what it reads: another file's content retrains, another date does not."""
        path = self.perceptual_weights()
        if path is None:
            return {"weights": "", "sha256": ""}
        return {"weights": path, "sha256": self.settings["training"]["perceptual"]["sha256"] or input_state(path)}

    def training_gpus(self) -> int:
        return self.settings["training"]["gpus"]

    def training_threads(self) -> int:
        return THREADS_PER_GPU * self.training_gpus()

    def training_memory_mb(self) -> int:
        return MEMORY_PER_GPU_MB * self.training_gpus()

    def stage_minutes(self, stage: str) -> int:
        """Return the time to ask of a cluster, minutes: the stage's budget and as much again for start and saves."""
        row = self.stages()[self._stage_place(stage)]
        return int(30 + row["seconds"] / 30) if row["seconds"] else 2880

    def stage_digest(self, stage: str) -> str:
        """Digest every setting that decides a stage's result: its row, those before it, and the rooms behind them."""
        if stage not in self._stage_digests:
            self._stage_digests[stage] = self._digest_of(stage)
        return self._stage_digests[stage]

    def _digest_of(self, stage: str) -> str:
        training = {key: value for key, value in self.settings["training"].items() if key not in _OUTSIDE_THE_DIGEST}
        rooms = ("video", "semantics", "flow", "dataset", "model", "training")
        sections = ("decode", "pose", "surface", "flow", "camera", "dataset", "model")
        decisive = {
            "training": training,
            "stages": self.stages()[: self._stage_place(stage) + 1],
            "versions": {room: VERSIONS[room] for room in rooms},
            **{name: in_use(self.settings[name]) for name in sections},
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:12]

    def check_fetch(self, path: str) -> None:
        """Refuse to fetch a missing file where `offline` forbids it."""
        check_there(Path(path), path, "offline", self.settings["offline"])

    def _named_files(self, section: str, clip: str) -> list[Path]:
        return named_files(section, self.settings[section], clip, self.settings["offline"])

    def _named(self, clip: str) -> str:
        """Return the name a clip has in the clip table; its whole picture has none of its own."""
        return self._clip(clip).clip.removesuffix(WHOLE)

    def _clip(self, clip: str) -> Clip:
        if clip.endswith(WHOLE):
            return replace(self._clip(clip.removesuffix(WHOLE)), person="largest", crop="none")
        if clip not in self.clips:
            raise ClipTableError(
                f"No clip '{clip}' in the clip table; it has {listed(self.clips)}{nearest(clip, self.clips)}."
            )
        return self.clips[clip]

    def _transfer(self, performer: str, driving: str) -> dict[str, Any]:
        by_path_only = {"truth": "", "retarget": ""}
        return self._transfers.get((performer, driving), by_path_only)

    def _stage_place(self, stage: str) -> int:
        names = [row["name"] for row in self.stages()]
        if stage not in names:
            raise SettingsError(f"No stage '{stage}' under training.stages; it has {listed(names)}.")
        return names.index(stage)


def made_video(clip: str) -> str:
    """Return where a synthetic clip's video is made."""
    return f"results/clips/{clip}/synthetic.mp4"


def nearest(wrong: Any, known: Iterable[Any]) -> str:
    """Return ' (did you mean ...?)' for the nearest known name, or nothing when none is near."""
    found = get_close_matches(str(wrong), [str(item) for item in known], 1, 0.5)
    return f" (did you mean '{found[0]}'?)" if found else ""


def listed(names: Iterable[Any]) -> str:
    """Write names in a row, for an error message."""
    return ", ".join(str(name) for name in names) or "none"
