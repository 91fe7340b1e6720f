"""Holds a configuration to what this machine has: its backends, their files, their licences."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from understudy.doctor.finding import Finding, Licence
from understudy.doctor.machine import examine_machine, gpus, has_program
from understudy.doctor.packages import clashes, imports_of, installed, is_there, try_imports
from understudy.errors import UnderstudyError

SECTIONS = ("decode", "pose", "surface", "flow", "film")
ENVIRONMENTS = {"decode": "video_{}", "film": "train"}  # where they are not named after section and backend
LICENCES = Path(__file__).parents[4] / "config" / "licences.yaml"


def examine(config: Path, folder: Path) -> tuple[list[Finding], list[Licence]]:
    """Look at the machine and at everything a configuration needs of it.

    Args:
        config: file of the configuration.
        folder: working folder.
    """
    findings = examine_machine(folder)
    settings, trouble = _settings(config)
    backend = settings["pose"]["backend"] if settings else ""
    findings += clashes(installed(), wants_caffe=backend == "openpose_caffe")
    if trouble:
        findings.append(trouble)
    if not settings:
        return findings, []
    files, lacks = _files(settings)
    findings += [*_backends(settings), *_gpu(settings), *lacks, *_weights(files, settings["offline"])]
    return findings, _licences(settings, files)


def _settings(config: Path) -> tuple[dict[str, Any] | None, Finding | None]:
    """Return the completed settings, or what is wrong with them."""
    missing = [name for name in ("yaml", "jsonschema") if not is_there(name)]
    if missing:
        advice = "`make demo` installs everything into .venv; then run this with .venv/bin/python"
        return None, Finding("configuration", "lack", f"not read: no package {', '.join(missing)}", advice)
    import yaml

    from understudy.validation import complete

    try:
        return complete(yaml.safe_load(config.read_text(encoding="utf-8")) or {}), None
    except (UnderstudyError, OSError, yaml.YAMLError, ValueError, RecursionError, AttributeError) as mistake:
        return None, Finding("configuration", "lack", f"{config}: {mistake}", "correct it, or name another by --config")


def _backends(settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Say of each backend whether what it imports is here: of the chosen ones by importing it."""
    from understudy.backends import list_backends
    from understudy.validation import BACKEND_FOLDERS

    chosen = {name: f"{BACKEND_FOLDERS[name]}.{settings[name]['backend']}" for name in SECTIONS}
    tried = try_imports({*set().union(*map(imports_of, chosen.values())), "torch"})
    cuda = tried["torch"].get("gpus", [])
    torch = tried["torch"].get("version", "")
    yield Finding("PyTorch", "ok" if torch else "lack", *_about_torch(tried["torch"], torch, cuda))
    yield from _programs(settings)
    for section in SECTIONS:
        others = []
        for backend in list_backends(BACKEND_FOLDERS[section]):
            needed = imports_of(f"{BACKEND_FOLDERS[section]}.{backend}")
            if backend == settings[section]["backend"]:
                yield _chosen(section, backend, {name: tried[name].get("error", "") for name in needed})
            else:
                missing = sorted(name for name in needed if not is_there(name))
                others.append(f"{backend} ({'lacks ' + ', '.join(missing) if missing else 'ready'})")
        yield Finding(f"{section}, others", "ok", "; ".join(others) or "none")


def _programs(settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Ask for the programs that the chosen reader and writer of videos run."""
    conda = has_program("conda", "mamba")
    advice = "run with --sdm conda: the rules' environments bring them" if conda else "install ffmpeg, 5.1 or newer"
    for section, programs in (("decode", ("ffmpeg", "ffprobe")), ("film", ("ffmpeg", "ffprobe"))):
        missing = [name for name in programs if not has_program(name)]
        if settings[section]["backend"] == "ffmpeg" and missing:
            found = f"{section}.backend is ffmpeg, and {', '.join(missing)} cannot be found"
            yield Finding(f"{section}, programs", "note" if conda else "lack", found, advice)


def _about_torch(tried: Mapping[str, Any], version: str, cuda: list[str]) -> tuple[str, str]:
    if not version:
        return tried["error"], "training and rendering need it: `make demo` installs it, or --sdm conda for each rule"
    if not cuda and gpus()[0]:
        return f"{version}, sees no GPU", "nvidia-smi does: install a build of PyTorch with CUDA"
    return f"{version}, {', '.join(cuda) or 'no GPU'}", ""


def _chosen(section: str, backend: str, errors: Mapping[str, str]) -> Finding:
    wrong = [f"{name}: {error}" for name, error in sorted(errors.items()) if error]
    if not wrong:
        return Finding(section, "ok", f"{backend}, imports {', '.join(sorted(errors)) or 'nothing'}")
    environment = f"envs/{ENVIRONMENTS.get(section, section + '_{}').format(backend)}.yaml"
    if has_program("conda", "mamba"):
        advice = f"run with --sdm conda (profiles/default does): {environment} brings it"
        return Finding(section, "note", f"{backend} cannot run in this Python: {'; '.join(wrong)}", advice)
    advice = f"install what {environment} lists, or conda and run with --sdm conda"
    return Finding(section, "lack", f"{backend} cannot run: {'; '.join(wrong)}", advice)


def _gpu(settings: Mapping[str, Any]) -> Iterator[Finding]:
    """Hold the backends that are told to use a GPU to the GPUs there are."""
    for section in SECTIONS:
        chosen = settings[section].get(settings[section]["backend"], {})
        if not (str(chosen.get("device", "")).startswith("cuda") or chosen.get("gpu", -1) >= 0) or gpus()[0]:
            continue
        key = f"{section}.{settings[section]['backend']}.{'device' if 'device' in chosen else 'gpu'}"
        found, advice = f"{key} asks for a GPU and there is none", f"set {key} to {'cpu' if 'device' in chosen else -1}"
        yield Finding("GPU asked for", "note" if has_program("sbatch") else "lack", found, advice)


def _files(settings: Mapping[str, Any]) -> tuple[list[Path], list[Finding]]:
    """Return the files that the chosen backends read, and what is missing of them for good."""
    from understudy.inputs import named_files

    files, lacks = [], []
    for section in SECTIONS:
        try:
            files += named_files(section, settings[section], "{clip}", offline=settings["offline"])
        except UnderstudyError as mistake:
            if "{clip}" not in str(mistake):
                lacks.append(Finding(f"{section}, files", "lack", str(mistake)))
    training = settings["training"]
    if training["losses"]["perceptual"] > 0 and training["perceptual"]["weights"]:
        files.append(Path(training["perceptual"]["weights"]))
    return files, lacks


def _weights(files: list[Path], offline: bool) -> Iterator[Finding]:
    """Check the files of weights in use, and whatever else of the table is there."""
    from understudy.weights import by_hand, load_weights, measure, weights_at

    for wanted in load_weights().values():
        path, used = wanted.path, wanted in [weights_at(file) for file in files]
        if path.is_file():
            found = measure(path)
            if found.fit(wanted):
                kind = "right" if wanted.known else f"there, no checksum known: {found}"
                yield Finding(str(path), "ok" if wanted.known else "note", kind)
            else:
                advice = (
                    f"remove it to have it fetched; a file of your own belongs elsewhere. Expected {wanted.expected()}"
                )
                yield Finding(str(path), "lack" if used else "note", f"another file: {found}", advice)
        elif used:
            size = f"{wanted.size / 1e6:.0f} MB" if wanted.size else "size unknown"
            advice = by_hand(wanted) if offline else f"the run fetches it ({size}) from {wanted.urls[0]}"
            yield Finding(str(path), "lack" if offline else "note", "not there", advice)


def _licences(settings: Mapping[str, Any], files: list[Path]) -> list[Licence]:
    """List the licences of the chosen backends and of the files they read."""
    import yaml

    from understudy.weights import weights_at

    table = yaml.safe_load(LICENCES.read_text(encoding="utf-8"))
    rows = []
    for section in SECTIONS:
        name = f"{section}.{settings[section]['backend']}"
        row = table.get(
            name, {"what": "a backend of your own", "licence": "not in config/licences.yaml", "use": "unclear"}
        )
        rows.append(Licence(f"{name}: {row['what']}", row["licence"], row["use"]))
    for file in files:
        wanted = weights_at(file)
        known = (wanted.licence, wanted.use) if wanted else ("your own file", "unclear")
        rows.append(Licence(str(file), *known))
    return rows
