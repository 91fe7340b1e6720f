"""Planning at scale: as many jobs as there should be, and no clip dearer than another."""

import importlib.util
import sys
from pathlib import Path

import pytest
import yaml

from understudy.validation import load_project

ROOT = Path(__file__).parents[1]
PER_PERFORMER = 24  # jobs: 7 of the own clip, 6 of the driving one, windows, 4 stages, 6 of film and figures
PACKAGE = str(ROOT / "workflow" / "scripts" / "understudy")


def benchmark():
    spec = importlib.util.spec_from_file_location("plan", ROOT / "benchmarks" / "plan.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["plan"] = module  # its dataclass looks there
    spec.loader.exec_module(module)
    return module


plan = benchmark()


def lines_of(act):
    """Count the lines of our package that a call runs: a loop that grows shows in it, however busy the machine is."""
    count = 0

    def trace(frame, event, _argument):
        nonlocal count
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


def ask_everything(project):
    """Ask what the rules ask, once for each clip, performer, stage and transfer."""
    by_clip = (
        "source_video clip_row decoded_row located_row decode_of locating_pose locating_files locating_state "
        "locating_gpus locates_by_backend pose_section pose_files pose_state people_pose people_of chooses "
        "surface_section surface_files surface_state pose_segments registered_segments segments fits_surface"
    )
    for clip in project.clips_in_use():
        for name in by_clip.split():
            getattr(project, name)(clip)
    for performer in project.performers():
        project.performer_clips(performer)
        for row in project.stages():
            stage = row["name"]
            project.stage_training(stage)
            project.stage_digest(stage)
            project.warm_weights(performer, stage)
    for performer, driving in project.transfers():
        project.transfer_rendering(performer, driving)
        project.transfer_truth(performer, driving)


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """Lines run to load a configuration of so many performers and to ask everything of it."""
    plan.write_project(tmp_path, 1)
    monkeypatch.chdir(tmp_path)
    ask_everything(load_project(yaml.safe_load(Path("config.yaml").read_text()), tmp_path))  # what is read but once

    def of(performers):
        plan.write_project(tmp_path, performers)
        settings = yaml.safe_load(Path("config.yaml").read_text())
        return lines_of(lambda: ask_everything(load_project(settings, tmp_path)))

    return of


def test_a_clip_costs_the_same_among_many(lines):
    few, some, many = lines(10), lines(40), lines(70)
    assert many - some == some - few, "twice the performers, twice the lines"


def test_weights_are_read_once_however_many_clips_need_them(tmp_path, monkeypatch):
    for name in ("detector.onnx", "pose.onnx"):
        (tmp_path / name).write_bytes(b"network")
    rtmw = {"detector": "detector.onnx", "pose": "pose.onnx"}
    config = plan.write_project(tmp_path, 5, pose={"backend": "rtmw", "rtmw": rtmw})
    monkeypatch.chdir(tmp_path)
    read = []
    monkeypatch.setattr("understudy.inputs.file_digest", lambda path: read.append(path) or "0" * 64)
    ask_everything(load_project(yaml.safe_load(config.read_text()), tmp_path))
    assert sorted(path.name for path in read) == ["detector.onnx", "pose.onnx"]


def test_a_clips_length_is_its_rows_or_its_videos(tmp_path, monkeypatch):
    """Of both the shorter one; a synthetic clip's is its setting, also where another row shows a part of it."""
    monkeypatch.chdir(tmp_path)
    rows = ["a\tlong.mp4\t0\t0", "b\tlong.mp4\t600\t0", "c\tlong.mp4\t60\t1e5", "d\tlong.mp4\t0\t100"]
    rows += ["e\tplain.ts\t0\t5000", "f\tplain.ts\t0\t0", "g\tresults/clips/g/synthetic.mp4\t0\t0"]
    rows += ["h\tresults/clips/g/synthetic.mp4\t10\t0"]
    Path("clips.tsv").write_text("\n".join(["clip\tvideo\tstart_s\tend_s", *rows]))
    for name in ("long.mp4", "plain.ts"):
        Path(name).touch()
    asked = []
    monkeypatch.setattr(
        "understudy.project.video_length_s", lambda video: asked.append(video) or {"long.mp4": 3600.0}.get(video)
    )
    settings = {"clips": "clips.tsv", "performers": {"p": {"clips": list("abcdefg")}}, "synthetic": {"g": {}}}
    project = load_project(settings, tmp_path)
    assert not asked, "only where a plan needs it"
    lengths = {clip: project.length_s(clip) for clip in "abcdefgh"}
    made = project.settings["synthetic"]["g"]["duration_s"]
    assert lengths == dict(zip("abcdefgh", [3600, 3000, 3540, 100, 5000, None, made, made - 10]))
    assert sorted(asked) == ["long.mp4", "plain.ts"], "each video is looked at once"
    assert len(project.segments("a")) == 6 == len(project.segments("a/whole"))
    assert project.segments("d") == project.segments("f") == []
    project.settings["segments"]["seconds"] = 60.0
    assert (len(project.segments("a")), len(project.pose_segments("a"))) == (60, 6), "MediaPipe's blocks stay whole"
    project.settings["pose"]["backend"] = "truth"
    assert len(project.pose_segments("a")) == 60
    project.settings["segments"]["seconds"] = 0.0
    assert project.pose_segments("a") == project.segments("a") == []


@pytest.mark.slow
def test_every_job_is_planned_and_none_twice(tmp_path):
    config = plan.write_project(tmp_path, 5)
    planned = plan.plan(tmp_path, "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(config))
    assert planned.jobs == 5 * PER_PERFORMER + 2  # the report, and `all`
