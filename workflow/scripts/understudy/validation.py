"""Checks a whole configuration before any job: schema, names, backends, stages, videos.

Runs in Snakemake's own environment (jsonschema and PyYAML come with it); no job imports it.
"""

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from understudy.backends import backend_fact, list_backends
from understudy.clips import read_clips, too_long
from understudy.errors import BackendError, ClipTableError, SettingsError
from understudy.project import POSE_BACKENDS, SURFACE_BACKENDS, Project, listed, made_video, nearest
from understudy.stages import grown_stages
from understudy.weights import weights_at

BACKEND_FOLDERS = {
    "decode": "understudy.video.backends",
    "film": "understudy.video.film_backends",
    "pose": POSE_BACKENDS,
    "surface": SURFACE_BACKENDS,
    "flow": "understudy.flow.backends",
}
MOST_VALUES = 1_000_000  # of a configuration: a hundred thousand performers have half of it
MOST_NUMBER = 2**53  # larger ones are not exact
_LOSSES_OF_ANY_FRAME = ("picture", "gradient", "matte", "flow", "flow_warp", "registration", "perceptual")


def load_project(config: Mapping[str, Any], root: Path) -> Project:
    """Check a configuration, fill its defaults, read its clip table and hold the two together.

    Args:
        config: the configuration as Snakemake read it.
        root: folder of the Snakefile; the clip table may be named relative to it or to the working folder.

    Raises:
        SettingsError, ClipTableError, BackendError: with the place, what was found, what was expected, what to do.
    """
    if not config:
        raise SettingsError("No configuration was given; add --configfile config/config.yaml, or your own.")
    settings = complete(config)
    table = Path(settings["clips"])
    project = Project(settings, read_clips(table if table.is_file() else root / table))
    _check_backends(settings)
    _check_names(project)
    _check_stages(settings)
    _check_surface(project)
    _check_warm_starts(project)
    _check_perceptual(project)
    project.metrics_files()
    _check_videos(project)
    _check_keypoints(project)
    _check_files(project)
    return project


def complete(config: Mapping[str, Any]) -> dict[str, Any]:
    """Check a configuration against the schema and return a copy with every default filled in."""
    schema = load_schema()
    _check_plain(config)
    settings = json.loads(json.dumps(config))
    if settings.get("offline") in ("true", "false"):  # what `--config offline=true` makes of it
        settings["offline"] = settings["offline"] == "true"
    for error in sorted(jsonschema.Draft202012Validator(schema).iter_errors(settings), key=lambda error: error.path):
        raise SettingsError(_explain(error))
    training = settings.get("training", {})
    for limited in (*training.get("stages", []), *([training["grow"]] if "grow" in training else [])):
        if limited.get("steps") or limited.get("epochs"):
            limited.setdefault("seconds", 0)  # its default would end a stage that is counted otherwise
    filled = _filled(settings, schema)
    table = filled["training"]
    grow = table.pop("grow")  # written out here, so that a job's params hold its row however the row was given
    table["stages"] = table["stages"] or grown_stages(grow)
    return filled


def _check_plain(config: Any) -> None:
    """Refuse what is no plain value, and a configuration that its anchors make endless or unbearably large.

    YAML holds more than settings need: dates, sets, numbers that are none, aliases that repeat a value a billion times.

    Raises:
        SettingsError: with the place.
    """
    waiting: list[tuple[str, Any]] = [("", config)]
    for _ in range(MOST_VALUES):
        if not waiting:
            return
        place, value = waiting.pop()
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if not isinstance(key, (str, int)) or isinstance(key, bool):
                    raise SettingsError(
                        f"The key {key!r} at {place or 'the top level'} of the configuration is no text; write it in "
                        "quotes."
                    )
                waiting.append((f"{place}.{key}".strip("."), inner))
        elif isinstance(value, list):
            waiting += [(place, inner) for inner in value]
        else:
            _check_value(place, value)
    raise SettingsError(
        f"The configuration holds more than {MOST_VALUES} values, or repeats itself without end (an alias within its "
        f"own anchor), last at {_shortened(place)}; write it without anchors and aliases."
    )


def _check_value(place: str, value: Any) -> None:
    """Refuse a single value that no setting can have."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if number and not abs(value) <= MOST_NUMBER:
        raise SettingsError(f"{place} is {_shown(value)} in the configuration, expected a finite number; correct it.")
    if isinstance(value, str) and ("\0" in value or too_long(value)):
        raise SettingsError(
            f"{place} is {_shown(value)} in the configuration, expected text that a path can hold; correct it."
        )
    if not isinstance(value, (str, int, float, bool, type(None))):
        raise SettingsError(
            f"{place} is {_shown(value)} ({type(value).__name__}) in the configuration, expected text, a number, true "
            "or false; write text in quotes."
        )


def _shown(value: Any) -> str:
    """Write a value for a message; a number of thousands of digits is none that Python writes."""
    return "a number of many digits" if isinstance(value, int) else _shortened(repr(value))


def _shortened(text: str) -> str:
    return text if len(text) < 80 else f"{text[:77]}..."


@cache
def load_schema() -> dict[str, Any]:
    """Read the schema that stands in config/schemas."""
    path = Path(__file__).parents[3] / "config" / "schemas" / "config.schema.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _filled(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a copy of a value with the schema's defaults, keys in the schema's order."""
    if schema.get("type") == "object":
        named = schema.get("properties", {})
        known = {
            key: _filled(value.get(key, deepcopy(rule.get("default"))), rule)
            for key, rule in named.items()
            if key in value or "default" in rule
        }
        rest = schema.get("additionalProperties")
        return known | {key: _filled(item, rest) for key, item in value.items() if key not in named}
    if schema.get("type") == "array":
        return [_filled(item, schema["items"]) for item in value]
    return float(value) if schema.get("type") == "number" else value


def _explain(error: jsonschema.ValidationError) -> str:
    """Put a schema error into words: where, what was found, what was expected, what to do."""
    place = ".".join(str(step) for step in error.absolute_path) or "the top level"
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        unknown = next(key for key in error.instance if key not in known)
        return (
            f"Unknown key '{unknown}' at {place} of the configuration{nearest(unknown, known)}; "
            f"known there: {listed(known)}. Correct or remove it."
        )
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return f"The key '{missing}' is missing at {place} of the configuration; add it (docs/settings.md explains it)."
    meaning = error.schema.get("description", "")
    found = json.dumps(error.instance)
    close = nearest(error.instance, error.validator_value) if error.validator == "enum" else ""
    return (
        f"{place} is {_shortened(found)} in the configuration, expected "
        f"{_expected(error)}{close}. {meaning} Correct it."
    )


def _expected(error: jsonschema.ValidationError) -> str:
    words = {
        "type": "a value of type {}",
        "enum": "one of {}",
        "minimum": "at least {}",
        "maximum": "at most {}",
        "exclusiveMinimum": "more than {}",
        "exclusiveMaximum": "less than {}",
        "multipleOf": "a multiple of {}",
        "minItems": "at least {} entries",
        "minProperties": "at least {} entries",
        "pattern": "letters, digits and signs that match {}",
        "maxItems": "at most {} entries",
        "uniqueItems": "entries that differ",
        "contains": "a list that holds {}",
    }
    value = error.validator_value
    if error.validator == "enum":
        value = listed(value)
    return words.get(error.validator, error.message).format(value)


def _check_backends(settings: Mapping[str, Any]) -> None:
    for name, package in BACKEND_FOLDERS.items():
        known, chosen = list_backends(package), settings[name]["backend"]
        if chosen not in known:
            raise BackendError(
                f"{name}.backend is '{chosen}' in the configuration{nearest(chosen, known)}; there are {listed(known)}."
            )


def _check_names(project: Project) -> None:
    """Hold performers, transfers and synthetic clips to the clip table, and what signs films to what is there."""
    project.signing_files()
    for performer in project.performers():
        for clip in project.performer_clips(performer):
            project.clip_row(clip)
    seen = set()
    for row in project.settings["transfers"]:
        project.performer_clips(row["performer"])
        project.clip_row(row["driving"])
        if row["truth"]:
            project.clip_row(row["truth"])
            project.synthetic_section(row["truth"])
        pair = row["performer"], row["driving"]
        if pair in seen:
            raise SettingsError(f"transfers names {pair[0]} performing {pair[1]} twice; remove one.")
        seen.add(pair)
    for clip in project.settings["synthetic"]:
        made = made_video(clip)
        if project.source_video(clip) != made:
            raise ClipTableError(
                f"The clip '{clip}' stands under `synthetic`, but its video in the clip table is "
                f"'{project.source_video(clip)}'; write {made} there, or remove the entry."
            )


def _check_stages(settings: Mapping[str, Any]) -> None:
    """Hold the table of stages to itself and to the height of the frames."""
    height, gpus = settings["decode"]["height_px"], settings["training"]["gpus"]
    allowed = [height // factor for factor in (1, 2, 4, 8) if height % factor == 0 and height // factor % 8 == 0]
    names: set[str] = set()
    before = face = 0
    for row in settings["training"]["stages"]:
        name = row["name"]
        if name in names:
            raise SettingsError(f"training.stages names the stage '{name}' twice; rename one.")
        names.add(name)
        if row["height_px"] not in allowed:
            raise SettingsError(
                f"Stage {name}: height_px is {row['height_px']}, but frames are {height} px high (decode.height_px); "
                f"choose one of {listed(sorted(allowed))}, or change decode.height_px."
            )
        if row["height_px"] < before:
            raise SettingsError(
                f"Stage {name}: height_px {row['height_px']} is lower than in the stage before; S only grows."
            )
        if face and (row["height_px"], row["face"]) != (before, face):
            raise SettingsError(
                f"Stage {name} comes after one with a face network, so its height_px must be {before} and its face "
                f"{face}; add the face in the last stages only."
            )
        before, face = row["height_px"], row["face"]
        if row["batch"] % gpus:
            raise SettingsError(
                f"Stage {name}: its batch is {row['batch']}, but training.gpus is {gpus}, and each of them takes as "
                f"many clips of it; set batch to a multiple of {gpus} (under grow, the batch halves as the height "
                "doubles), or lower gpus."
            )
        if not row["steps"] and not row["epochs"] and not row["seconds"]:
            raise SettingsError(
                f"Stage {name} has neither steps nor epochs nor seconds, so it would never end; set one of them."
            )
    losses = settings["training"]["losses"]
    if not any(losses[name] for name in _LOSSES_OF_ANY_FRAME):
        raise SettingsError(
            f"training.losses switches off every term that a single frame has; give one of "
            f"{listed(_LOSSES_OF_ANY_FRAME)} a weight above 0."
        )
    if settings["pose"]["smooth_frames"] % 2 == 0:
        raise SettingsError(f"pose.smooth_frames is {settings['pose']['smooth_frames']}, expected an odd number.")


def _check_surface(project: Project) -> None:
    """Refuse what stands on a surface, or on a fitted body, where surface.backend gives none."""
    settings = project.settings
    backend = settings["surface"]["backend"]
    if backend_fact(BACKEND_FOLDERS["surface"], backend, "has_body"):
        return
    if backend == "none" and settings["model"]["generator"] == "neural_texture":
        raise SettingsError(
            "model.generator is 'neural_texture', which wears a texture on the body's surface, but surface.backend is "
            "'none'; set surface.backend to body_model, or model.generator to vid2vid."
        )
    for performer, driving in project.transfers():
        if project.transfer_rendering(performer, driving)["retarget"] == "body":
            raise SettingsError(
                f"The transfer of {driving} to {performer} is retargeted by 'body', which poses a fitted body, but "
                f"surface.backend is '{backend}', which fits none; set rendering.retarget (or the transfer's retarget) "
                "to limbs, or surface.backend to body_model."
            )
    if settings["dataset"]["surface"] == "body":
        raise SettingsError(
            f"dataset.surface is 'body', but surface.backend '{backend}' fits none; set dataset.surface to clipped."
        )


def _check_warm_starts(project: Project) -> None:
    """Hold every warm start to a performer or a file that is there, and refuse circles."""
    others = {name: row["warm_start"] for name, row in project.settings["performers"].items()}
    for name, other in others.items():
        if other.endswith(".safetensors"):
            if not Path(other).is_file():
                raise SettingsError(
                    f"performers.{name}.warm_start names a file that does not exist: {other} (relative paths start at "
                    "the working folder). Correct it, or remove it to start from chance."
                )
            continue
        seen = [name]
        while other and not other.endswith(".safetensors"):
            if other not in others:
                raise SettingsError(
                    f"performers.{seen[-1]}.warm_start is '{other}', which is no performer"
                    f"{nearest(other, others)}; there are {listed(others)}. A file's name ends in .safetensors."
                )
            seen.append(other)
            if other in seen[:-1]:
                raise SettingsError(f"Warm starts go round in a circle: {' from '.join(seen)}; remove one of them.")
            other = others[other]


def _check_perceptual(project: Project) -> None:
    """Ask for the weights of the perceptual loss where it has a weight."""
    path = project.perceptual_weights()
    if path is None:
        return
    loss = project.settings["training"]["losses"]["perceptual"]
    if not path:
        raise SettingsError(
            f"training.losses.perceptual is {loss:g}, but training.perceptual.weights names no file; write the path of "
            "VGG-19's weights in torchvision's layout there (docs/settings.md), or set the loss to 0."
        )
    if not Path(path).is_file() and not weights_at(Path(path)):
        raise SettingsError(
            f"training.perceptual.weights names a file that does not exist: {path} (relative paths start at the "
            "working folder). Correct it, or set training.losses.perceptual to 0."
        )
    project.check_fetch(path)


def _check_videos(project: Project) -> None:
    for clip in project.clips_in_use():
        video = project.source_video(clip)
        if clip not in project.settings["synthetic"] and not Path(video).is_file():
            raise ClipTableError(
                f"The video of clip '{clip}' does not exist: {video}. Correct its path in the clip table "
                f"(relative paths start at the working folder)."
            )


def _check_keypoints(project: Project) -> None:
    """Hold every clip in use to the folder of OpenPose's files that its poses are read from."""
    if project.settings["pose"]["backend"] != "openpose_json":
        return
    folders: dict[str, str] = {}
    for clip in project.clips_in_use():
        folder = project.pose_section(clip)["openpose_json"]["path"]
        if not folder or not any(Path(folder).glob("*_keypoints.json")):
            found = "holds no file *_keypoints.json" if Path(folder).is_dir() else "does not exist"
            raise SettingsError(
                f"pose.backend is openpose_json, but pose.openpose_json.path of clip '{clip}' {found}: {folder} "
                f"(paths start at the working folder). Make it: openpose.bin --video {project.source_video(clip)} "
                f"--write_json {folder} --face --hand --display 0 --render_pose 0, or correct that setting."
            )
        if folder in folders:
            raise SettingsError(
                f"pose.openpose_json.path is the same for the clips '{folders[folder]}' and '{clip}': {folder}; "
                "write {clip} into it where the clip's name belongs."
            )
        folders[folder] = clip


def _check_files(project: Project) -> None:
    """Ask for the files that backends read wherever an older result of theirs stands.

    Snakemake takes an output whose inputs are gone as it is: the surface of another backend would pass for this one's.
    Without such an output it is Snakemake that asks, once the files are needed.
    """
    for clip in project.clips_in_use():
        if Path(f"results/clips/{clip}/pose.h5").is_file():
            project.pose_files(clip)
        if Path(f"results/clips/{clip}/surface.h5").is_file():
            project.surface_files(clip)
        if Path(f"results/clips/{clip}/flow.h5").is_file():
            project.flow_files()
