"""Configurations as texts: broken YAML, bombs, values of every wrong kind; planned, some by Snakemake itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from hostile import material
from hostile.case import ROOT, Case, Refused, planning, prepared
from understudy.validation import load_project

HEAD = "clips: clips.tsv\nperformers: {me: {clips: [me]}}\n"
BOMB = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10) if n else 'x'}]\n" for n in range(10))
DICT_BOMB = "".join(
    f"  - &a{n} {{{', '.join(f'k{i}: *a{n - 1}' for i in range(10)) if n else 'k: x'}}}\n" for n in range(9)
)
# What is wrong, the text, and the message.
TEXTS: dict[str, tuple[str, str]] = {
    "empty": ("", "configfile|must be given"),
    "a list": ("- a\n- b\n", "must be given"),
    "a word": ("hello\n", "must be given"),
    "only a comment": ("# nothing\n", "configfile|must be given"),
    "a tab in its indentation": ("performers:\n\tme: {}\n", "not valid"),
    "a bracket that is never closed": ("performers: {me: [\n", "not valid"),
    "two documents": (f"{HEAD}---\nclips: other.tsv\n", "not valid"),
    "a program": ("a: !!python/object/apply:os.system ['touch stray']\n", "not valid"),
    "a name of Python's": ("a: !!python/name:os.system\n", "not valid|a is <built-in"),
    "a new kind of value": (f"{HEAD}decode: !secret {{}}\n", "not valid"),
    "lists that repeat a billion times": (f"{HEAD}{BOMB}transfers: *a9\n", "values|repeats|Unknown key"),
    "keys that repeat a billion times": (f"{HEAD}transfers:\n{DICT_BOMB}", "values|repeats|Unknown key"),
    "an alias within itself": (f"{HEAD}transfers: &a [*a]\n", "repeats itself"),
    "an unknown alias": (f"{HEAD}transfers: *nothing\n", "not valid"),
    "a key twice": (f"{HEAD}clips: other.tsv\n", "does not exist"),
    "no performer": ("clips: clips.tsv\nperformers: {}\n", "performers"),
    "a performer who is a list": ("clips: clips.tsv\nperformers: [me]\n", "performers is"),
    "a performer without clips": ("clips: clips.tsv\nperformers: {me: {clips: []}}\n", "clips"),
    "a performer without anything": ("clips: clips.tsv\nperformers: {me: }\n", "performers.me"),
    "a clip that is a number": ("clips: clips.tsv\nperformers: {me: {clips: [7]}}\n", "clips"),
    "a clip there is none of": ("clips: clips.tsv\nperformers: {me: {clips: [you]}}\n", "No clip 'you'"),
    "an unknown section": (f"{HEAD}colours: {{}}\n", "Unknown key 'colours'"),
    "an unknown key": (f"{HEAD}decode: {{heigth_px: 256}}\n", "did you mean 'height_px'"),
    "a section that is a list": (f"{HEAD}decode: [256]\n", "decode is"),
    "a section that is nothing": (f"{HEAD}decode:\n", "decode is"),
    "a section that is a date": (f"{HEAD}decode: 2026-11-22\n", "decode is"),
    "a set": (f"{HEAD}transfers: !!set {{a, b}}\n", "transfers|not valid"),
    "bytes": (f"{HEAD}clips: !!binary aGVsbG8=\n", "clips is|not valid"),
    "a key that is a yes": (f"{HEAD}yes: 1\n", "key True|Unknown key"),
    "a key that is nothing": (f"{HEAD}~: 1\n", "key None|Unknown key"),
    "a key that is a list": (f"{HEAD}? [a, b]\n: 1\n", "key|not valid"),
    "a table that is a number": ("clips: 7\nperformers: {me: {clips: [me]}}\n", "clips is 7"),
    "a table that is nowhere": ("clips: nowhere.tsv\nperformers: {me: {clips: [me]}}\n", "nowhere.tsv does not exist"),
    "a table that is a video": ("clips: me.mp4\nperformers: {me: {clips: [me]}}\n", "no UTF-8|sign"),
    "a table's name with a null": ('clips: "a\\0b"\nperformers: {me: {clips: [me]}}\n', "clips is"),
    "a table's name of 10000 letters": (f"clips: {'a' * 10000}\nperformers: {{me: {{clips: [me]}}}}\n", "clips is"),
    "a transfer to nobody": (f"{HEAD}transfers: [{{performer: you, driving: me}}]\n", "No performer 'you'"),
    "a transfer of nobody": (f"{HEAD}transfers: [{{performer: me, driving: you}}]\n", "No clip 'you'"),
    "a transfer twice": (f"{HEAD}transfers: [&t {{performer: me, driving: me}}, *t]\n", "twice"),
    "a backend there is none of": (f"{HEAD}flow: {{backend: magic}}\n", "'magic'"),
    "a backend that is a path": (f"{HEAD}flow: {{backend: ../../../tmp/evil}}\n", "evil"),
    "a backend that is a module": (f"{HEAD}pose: {{backend: os.system}}\n", "os.system"),
    "a backend that is hidden": (f"{HEAD}pose: {{backend: _contract}}\n", "_contract"),
    "a warm start in a circle": (
        "clips: clips.tsv\nperformers: {me: {clips: [me], warm_start: me}}\n", "circle"
    ),
    "a warm start from nowhere": (
        "clips: clips.tsv\nperformers: {me: {clips: [me], warm_start: ../no.safetensors}}\n", "does not exist"
    ),
    "a stage that leaves its folder": (
        f"{HEAD}training: {{stages: [{{name: ../s0t0, height_px: 256, clip_frames: 1}}]}}\n", "name is"
    ),
    "a stage named with an end of line": (
        f'{HEAD}training: {{stages: [{{name: "s0t0\\n", height_px: 256, clip_frames: 1}}]}}\n', "name is"
    ),
    "more stages than anybody trains": (
        f"{HEAD}training: {{grow: {{heights_px: {[*range(64, 2000)]}}}}}\n", "heights_px|entries"
    ),
    "a seed below nothing": (f"{HEAD}training: {{seed: -1}}\n", "seed is -1"),
    "losses of nothing at all": (f"{HEAD}training: {{losses: {{picture: .nan}}}}\n", "picture is nan"),
}  # fmt: skip
PERFORMERS = {
    "of nothing": '""', "with a blank": '"my self"', "with a quote": "\"it's\"", "that leaves its folder": "../me",
    "that is a root": "/me", "with an end of line": '"me\\n"', "with a wildcard": '"{clip}"',
    "with a command": '"$(touch x)"',
    "with a null": '"a\\0b"', "of 300 letters": "a" * 300, "of another script": '"мe"',
}  # fmt: skip
# A key, and values that it must refuse.
VALUES = {
    "decode.height_px": (
        "tall",
        "-32",
        "0",
        "100",
        "1e9",
        "99999999999999999999",
        "true",
        "[256]",
        ".inf",
        "256.5",
        '"256"',
    ),
    "decode.rate_fps": ("-1", ".nan", "1e9", "fast"),
    "model.width": ("0", "100000", "wide", ".nan"),
    "model.texels": ("-8", "1000000000", "null"),
    "training.gpus": ("-1", "1000000", "all"),
    "training.save_seconds": ("-1", ".nan", "1e400"),
    "pose.smooth_frames": ("4", "-1", "1000000001"),
    "pose.people": ("0", "100000", "everyone"),
    "flow.strides": ("[]", "[3]", "[0, 1]", "[1, 1]", "1", "[1, many]"),
    "surface.samples": ("0", "1000", "two"),
    "rendering.crf": ("-1", "52", "good"),
    "pose.openpose.net_resolution": ("368", "-1x", '"-1x368\\n"', f"{'9' * 50}x-1"),
    "surface.densepose.device": ("gpu", "cuda:"),
    "flow.raft.sha256": ("abc", '"' + "A" * 64 + '"', '"' + "a" * 64 + '\\n"'),
}


def cases() -> Iterator[Case]:
    """Every configuration."""
    for name, (text, words) in TEXTS.items():
        yield Case("configuration", name, partial(_plan, text), words)
    for name, performer in PERFORMERS.items():
        text = f"clips: clips.tsv\nperformers: {{{performer}: {{clips: [me]}}}}\n"
        yield Case("configuration", f"performer's name {name}", partial(_plan, text), "performers")
    for key, values in VALUES.items():
        section, _, rest = key.partition(".")
        for value in values:
            inner = "".join(f"{{{step}: " for step in rest.split(".")) + value + "}" * len(rest.split("."))
            shown = value if len(value) < 30 else f"{value[:8]}... of {len(value)} letters"
            text = f"{HEAD}{section}: {inner}\n"
            yield Case("configuration", f"{key}: {shown}", partial(_plan, text), key.rpartition(".")[2] + "|not valid")
    yield from _commands()


def _plan(text: str | bytes, folder: Path) -> None:
    """Read a configuration with Snakemake's own reader and plan a run with it."""
    from snakemake.common.configfile import load_configfile
    from snakemake_interface_common.exceptions import WorkflowError

    Path("me.mp4").write_bytes(material.plain_video())
    Path("clips.tsv").write_text("clip\tvideo\nme\tme.mp4\n")
    Path("config.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    prepared()
    with planning():
        try:
            config = load_configfile(Path("config.yaml"))
        except WorkflowError as refusal:
            raise Refused(f"Snakemake: {refusal}") from None
        load_project(config, ROOT)


def _commands() -> Iterator[Case]:
    """The few that run the command itself: names that Snakemake might take for something else, and what it refuses."""
    names = {
        "with a blank and quotes": 'it\'s "my" video.mp4',
        "with a leading dash": "-n.mp4",
        "with a star": "[a]*?.mp4",
    }
    for name, video in names.items():
        yield Case("command", f"a video's name {name}", partial(_run, HEAD, video, "me", ()))
    lines = partial(_run, HEAD, "two\nlines.mp4", "me", ())
    yield Case("command", "a video's name with an end of line", lines, "column 'video' is empty")
    braces = partial(_run, HEAD, "{clip} {threads}.mp4", "me", ())
    yield Case("command", "a video's name with a wildcard", braces, "braces in its name")
    yield Case(
        "command",
        "a video that is its own result",
        partial(_run, HEAD, "results/clips/me/frames.h5", "me", ()),
        "does not exist|[Cc]yclic",
    )
    yield Case(
        "command",
        "a clip's name that leaves its folder",
        partial(_run, HEAD, "me.mp4", "../me", ()),
        "may hold only letters",
    )
    yield Case(
        "command",
        "a configuration that is refused",
        partial(_run, f"{HEAD}flow: {{qualty: fine}}\n", "me.mp4", "me", ()),
        "did you mean 'quality'",
    )
    target = "results/clips/../../stray/frames.h5"
    yield Case(
        "command",
        "a target outside the results",
        partial(_run, HEAD, "me.mp4", "me", (target,)),
        "MissingRuleException|No rule",
    )


def _run(text: str, video: str, clip: str, words: tuple[str, ...], folder: Path) -> None:
    """Plan a run by the command snakemake, in the case's folder."""
    if not Path(video).parent.name:
        Path(video).write_bytes(material.plain_video())
    quoted = video.replace('"', '""')
    Path("clips.tsv").write_text(f'clip\tvideo\n{clip}\t"{quoted}"\n', encoding="utf-8")
    Path("config.yaml").write_text(text.replace("[me]", f'["{clip}"]'), encoding="utf-8")
    prepared()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", "--dry-run"]
    command += ["--workflow-profile", str(ROOT / "profiles" / "embedded")]
    command += ["--directory", ".", "--nolock", *words, "--configfile", "config.yaml"]
    made = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"XDG_CACHE_HOME": "results/cache"})
    said = made.stdout + made.stderr
    if "Traceback (most recent call last)" in said:
        raise RuntimeError(said[-3000:])
    if made.returncode:
        raise Refused(said[-1500:])
    assert "estimate_pose" in said and clip in said, said[-2000:]
