"""The whole workflow on the tiny configuration, and what a change makes run again."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import av
import pytest
import torch
import yaml

from densepose_files import true_maps, write_pictures
from planted import vgg19_weights
from understudy.layouts import open_file

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "rules", "workflow", "config", "profiles", "envs")
REPORTED = {"find_film_people", "measure_performer", "measure_transfer", "build_report"}
AFTER_TRAINING = {"render_transfer", *REPORTED, "all"}
BEFORE_TRAINING = {"fit_driving", "measure_coverage"}
AFTER_SURFACES = {"estimate_camera", "index_windows", "train_stage", *BEFORE_TRAINING, *AFTER_TRAINING}
TOLD = {"build_report", "all"}  # of a change that nothing made depends on: the report shows every setting

pytestmark = pytest.mark.slow


def command(project, *words, config="config/smoke.yaml"):
    return [
        *(sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/embedded", "--cores", "2"),
        *("--directory", str(project), *words, "--configfile", config),  # it would take words behind it for files
    ]


def snakemake(project, *words, config="config/smoke.yaml", expect=0):
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    made = subprocess.run(
        command(project, *words, config=config), cwd=project, env=environment, capture_output=True, text=True
    )
    text = made.stdout + made.stderr
    assert made.returncode == expect, text[-6000:]
    return text


def planned(project, *words, config="config/smoke.yaml"):
    """Return the jobs a dry run plans: rule name to the stages or clips it names."""
    text = snakemake(project, "--dry-run", *words, config=config)
    jobs = {}
    for name, body in re.findall(r"^(?:local)?rule (\w+):\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL):
        found = re.search(r"(?:stage|clip)=(\w+)", body)
        jobs.setdefault(name, set()).add(found.group(1) if found else "")
    return jobs


def copy_project(folder):
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "own"))
        else:
            shutil.copy2(source, folder / part)
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """A copy of the repository in which the tiny configuration has run to its end."""
    folder = copy_project(tmp_path_factory.mktemp("project"))
    snakemake(folder)
    return folder


@pytest.fixture
def changed_config(project):
    """Write a changed copy of the tiny configuration into the project and return its name."""

    def write(change):
        settings = yaml.safe_load((project / "config" / "smoke.yaml").read_text())
        change(settings)
        (project / "config" / "changed.yaml").write_text(yaml.safe_dump(settings))
        return "config/changed.yaml"

    return write


def test_every_promised_file_is_there(project):
    folder = project / "results"
    for clip in ("ada", "ben"):
        for name in ("frames.h5", "pose.h5", "surface.h5", "sound.mka", "truth.h5"):
            assert (folder / "clips" / clip / name).is_file(), name
    with av.open(str(folder / "transfers" / "ada" / "ben" / "video.mp4")) as film:
        stream = film.streams.video[0]
        assert (stream.height, stream.frames, stream.average_rate) == (128, 15, 15)
        assert film.streams.audio, "the driving clip's sound is in the film"
    figures = json.loads((folder / "transfers" / "ada" / "ben" / "metrics.json").read_text())
    assert figures
    assert list((folder / "performers" / "ada" / "s0t0").glob("state-*/*.png")), "previews in the state folder"


def test_a_finished_run_has_nothing_to_do(project):
    assert "Nothing to be done" in snakemake(project, "--dry-run")


def test_snakemakes_own_report_shows_films_and_figures_with_captions(project, tmp_path):
    snakemake(project, "--report", str(tmp_path / "report.zip"))
    with zipfile.ZipFile(tmp_path / "report.zip") as kept:
        names = {Path(name).name for name in kept.namelist()}
        page = kept.read(next(name for name in kept.namelist() if name.endswith("report.html"))).decode()
    assert {"video.mp4", "side_by_side.mp4", "metrics.json", "coverage.png"} <= names
    shown = re.search(r'<script id="results">(.*?)</script>', page, re.DOTALL)[1]
    assert "drawn by the trained" in shown and "held out of training" in shown and "lies from anything in the" in shown
    assert "Films here are synthetic media" in page


def test_the_run_ends_with_a_report(project):
    page = (project / "results" / "report" / "index.html").read_text()
    assert "ada performs ben" in page and "They fit it; it is unchanged" in page


def test_a_changed_stage_reruns_itself_and_what_follows(project, changed_config):
    def change(settings):
        settings["training"]["stages"][1]["learning_rate"] = 0.0001

    jobs = planned(project, config=changed_config(change))
    assert jobs.pop("train_stage") == {"s0t1", "s1t1"}
    assert set(jobs) == AFTER_TRAINING


def test_changed_figures_rerun_the_figures_only(project, changed_config):
    def change(settings):
        settings["metrics"] = {"tolerance_px": 3}

    figures = {"measure_coverage", "measure_performer", "measure_transfer", "build_report", "all"}
    assert set(planned(project, config=changed_config(change))) == figures


def test_changed_flow_reruns_flow_and_training_but_no_pose(project, changed_config):
    def change(settings):
        settings["flow"]["quality"] = "fine"

    jobs = planned(project, config=changed_config(change))
    assert jobs["train_stage"] == {"s0t0", "s0t1", "s1t1"}
    assert {"estimate_flow", "index_windows"} <= set(jobs)
    assert not {"estimate_pose", "estimate_surface", "decode_clip", "synthesize_clip"} & set(jobs)


def test_changed_smoothing_decodes_nothing_anew(project, changed_config):
    def change(settings):
        settings["pose"] = {"smooth_frames": 5}

    jobs = planned(project, config=changed_config(change))
    assert {"estimate_pose", "estimate_surface", "train_stage"} <= set(jobs)
    assert not {"locate_person", "decode_clip", "find_people", "estimate_flow"} & set(jobs)


def test_another_person_is_followed_without_the_estimator(project, changed_config):
    """Only a clip that is cropped to the person is decoded anew; who that is, is chosen in its whole picture."""
    pose = "results/clips/again/pose.h5"

    def plan(person, crop, act=planned):
        row = f"again\tresults/clips/ada/synthetic.mp4\t0\t0.3\t{person}\t{crop}\n"
        table = (project / "config" / "smoke_clips.tsv").read_text() + row
        (project / "config" / "changed_clips.tsv").write_text(table)
        change = changed_config(lambda settings: settings.update(clips="config/changed_clips.tsv"))
        return act(project, pose, config=change)

    plan("1", "none", snakemake)
    assert (project / "results" / "clips" / "again" / "people.png").is_file()
    assert "Nothing to be done" in plan("1", "none", lambda *words, **config: snakemake(*words, "--dry-run", **config))
    assert set(plan("central", "none")) == {"estimate_pose"}
    assert set(plan("60,70@0.1", "none")) == {"estimate_pose"}
    assert set(plan("1", "person")) == {"locate_person", "decode_clip", "find_people", "draw_people", "estimate_pose"}


def test_a_long_clip_is_split_joined_and_split_anew(project, tmp_path):
    """Two seconds in three segments, one second whole. The join says what was asked, so a change reruns all of it."""
    folder = shutil.copytree(project, tmp_path / "project", symlinks=True)

    def config(**sections):
        settings = yaml.safe_load((folder / "config" / "smoke.yaml").read_text()) | {"segments": {"seconds": 0.7}}
        (folder / "config" / "split.yaml").write_text(yaml.safe_dump(settings | sections))
        return "config/split.yaml"

    def jobs(*words, **sections):
        text = snakemake(folder, "--dry-run", *words, config=config(**sections))
        return dict(re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE))

    flow, surface = "results/clips/ada/flow.h5", "results/clips/ada/surface.h5"
    assert "Nothing to be done" in snakemake(folder, "--dry-run", "results/clips/ben/surface.h5", config=config())
    with open_file(folder / flow, "flow") as file:
        whole = {name: data[:] for name, data in file["stride_1"].items()}
    snakemake(folder, flow, config=config())
    with open_file(folder / flow, "flow") as file:
        assert all((file["stride_1"][name][:] == data).all() for name, data in whole.items())
    assert not list((folder / "results/clips/ada").glob("segments/*")), "segments that are joined go"
    assert not jobs(flow)
    finer = jobs(flow, flow={"strides": [1], "quality": "fine"})
    assert finer == {"estimate_flow_segment": "3", "estimate_flow": "1", "total": "4"}
    halves = jobs(flow, segments={"seconds": 1})
    assert halves == {"estimate_flow_segment": "2", "estimate_flow": "1", "total": "3"}
    (folder / flow).unlink()
    assert jobs(flow) == {"estimate_flow_segment": "3", "estimate_flow": "1", "total": "4"}
    drawn = {"fit_surface": "1", "estimate_surface_segment": "3", "estimate_surface": "1"}
    registered = {"follow_person": "1", "register_segment": "3", "estimate_pose": "1"}
    assert jobs(surface) == registered | drawn | {"total": "10"}, "MediaPipe's blocks are longer than the clip"
    found = {"find_people_segment": "3", "find_people": "1", "estimate_pose": "1"}
    assert jobs(surface, pose={"backend": "truth"}) == found | drawn | {"total": "10"}


def test_reordered_keys_and_touched_code_rerun_nothing(project, changed_config):
    def change(settings):
        settings["training"]["stages"] = [dict(reversed(row.items())) for row in settings["training"]["stages"]]

    config = changed_config(change)
    module = project / "workflow" / "scripts" / "understudy" / "flow" / "warp.py"
    module.write_text(module.read_text() + "\n# a comment\n")
    script = project / "workflow" / "scripts" / "estimate_flow.py"
    script.write_text(script.read_text() + "\n# a comment\n")
    assert "Nothing to be done" in snakemake(project, "--dry-run", config=config)


def test_a_typo_is_refused_before_any_job(project, changed_config):
    def change(settings):
        settings["flow"]["qualty"] = "fine"

    text = snakemake(project, config=changed_config(change), expect=1)
    assert "Unknown key 'qualty' at flow" in text and "did you mean 'quality'" in text
    assert "rule " not in text


def test_killed_training_goes_on_with_the_same_command(project, changed_config):
    def change(settings):
        settings["training"]["save_seconds"] = 1
        settings["training"]["stages"] = [
            {"name": "s0t9", "height_px": 64, "clip_frames": 1, "batch": 1, "steps": 80, "seconds": 0}
        ]

    config = changed_config(change)
    target = "results/performers/ada/s0t9/generator.safetensors"
    with (project / "killed.log").open("w") as log:
        run = subprocess.Popen(
            command(project, target, config=config), cwd=project, stdout=log, stderr=log, start_new_session=True
        )
        deadline = time.monotonic() + 120
        folder = project / "results" / "performers" / "ada" / "s0t9"
        while not list(folder.glob("state-*/state-*.pt")):
            assert run.poll() is None, (project / "killed.log").read_text()[-3000:]
            assert time.monotonic() < deadline, "no state was saved"
            time.sleep(0.1)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert not (project / target).exists()
    text = snakemake(project, target, config=config)
    assert (project / target).is_file()
    assert re.search(r"s0t9: goes on from step [1-9]", text), text[-3000:]


def test_a_touched_perceptual_file_retrains_nothing_a_changed_one_does(project, changed_config):
    def change(settings):
        settings["training"]["losses"] = {"perceptual": 1}
        settings["training"]["perceptual"] = {"weights": "vgg19.pth"}
        settings["training"]["stages"] = [{"name": "s0t8", "height_px": 64, "clip_frames": 1, "batch": 1, "steps": 2}]

    config, file = changed_config(change), project / "vgg19.pth"
    target = "results/performers/ada/s0t8/generator.safetensors"
    refused = snakemake(project, target, config=config, expect=1)
    assert "does not exist: vgg19.pth" in refused and "rule " not in refused
    torch.save(vgg19_weights(3), file)
    snakemake(project, target, config=config)
    os.utime(file)
    assert "Nothing to be done" in snakemake(project, "--dry-run", target, config=config)
    torch.save(vgg19_weights(4), file)
    assert planned(project, target, config=config) == {"train_stage": {"s0t8"}}


def test_overlays_run_without_training(project):
    jobs = planned(project, "overlays")
    assert set(jobs) == {"draw_overlay", "estimate_flow", "overlays"}
    assert jobs["estimate_flow"] == {"ben"}, "a clip that only drives has had no use for flow so far"
    snakemake(project, "overlays")
    assert (project / "results" / "clips" / "ben" / "overlay.mp4").is_file()
    assert (project / "results" / "clips" / "ben" / "doubtful.tsv").read_text().startswith("frame\t")


def test_previews_run_without_training(project):
    assert set(planned(project, "previews")) == {"preview_transfer", "previews"}
    snakemake(project, "previews")
    with av.open(str(project / "results/transfers/ada/ben/preview.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 15


def test_vid2vid_draws_from_limbs_alone_with_a_face_and_a_warm_start(project, tmp_path):
    """No surface, two heights, a face network in the last stage; a second performer starts from the first one's."""
    folder = shutil.copytree(project, tmp_path / "project", symlinks=True)
    settings = yaml.safe_load((folder / "config" / "smoke.yaml").read_text())
    settings |= {
        "performers": {"eve": {"clips": ["ada"]}, "dan": {"clips": ["ada"], "warm_start": "eve"}},
        "transfers": [{"performer": "eve", "driving": "ben", "retarget": "global"}],
        "surface": {"backend": "none"},
        "model": {"generator": "vid2vid", "width": 8},
    }
    row = {"batch": 1, "clip_frames": 2, "steps": 3}
    settings["training"]["losses"] = {"face": 1}
    settings["training"]["stages"] = [
        {"name": "s0t1", "height_px": 64, **row},
        {"name": "s1t1", "height_px": 128, "freeze": 0.5, "judges_from": 0.5, **row},
        {"name": "s1t2", "height_px": 128, "freeze": 1, "face": 8, **row},
    ]
    (folder / "config" / "vid2vid.yaml").write_text(yaml.safe_dump(settings))
    text = snakemake(folder, config="config/vid2vid.yaml")
    assert "carried over legend" in text
    with av.open(str(folder / "results/transfers/eve/ben/video.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 15
    figures = json.loads((folder / "results/performers/eve/metrics.json").read_text())["figures"]
    assert figures["clipped_maps"]["generator"]["psnr_face_db"] > 0
    assert not planned(folder, config="config/vid2vid.yaml")


def test_another_reader_decodes_anew_and_another_writer_only_writes(project, changed_config):
    jobs = planned(project, config=changed_config(lambda settings: settings["decode"].update(backend="ffmpeg")))
    assert jobs["decode_clip"] == {"ada", "ada_as_ben", "ben"}
    assert {"find_people", "estimate_pose", "estimate_surface", "estimate_flow", "train_stage"} <= set(jobs)
    assert "synthesize_clip" not in jobs
    jobs = planned(project, config=changed_config(lambda settings: settings.update(film={"backend": "ffmpeg"})))
    assert set(jobs) == {"render_transfer", "find_film_people", "measure_transfer", "build_report", "all"}
    idle = changed_config(lambda settings: settings["decode"].update(ffmpeg={"hardware": "cuda"}))
    assert set(planned(project, config=idle)) == TOLD, "the default reader does not read it"


def test_another_surface_backend_reruns_what_stands_on_surfaces(project, changed_config):
    """DensePose's results are asked for before any job; with them, poses and flows stay as they are."""

    def change(settings):
        settings["surface"] = {"backend": "densepose_dump", "densepose_dump": {"path": "iuv/{clip}"}}
        settings["transfers"][0]["retarget"] = "global"

    config = changed_config(change)
    refused = snakemake(project, "--dry-run", config=config, expect=1)
    assert "path names iuv/ada for the clip 'ada', which does not exist" in refused
    for clip in ("ada", "ben"):
        maps = true_maps(project / "results" / "clips" / clip / "truth.h5")
        write_pictures(project / "iuv" / clip, maps)
    jobs = planned(project, config=config)
    assert set(jobs) == {"estimate_surface", *AFTER_SURFACES}
    assert jobs["estimate_surface"] == {"ada", "ben"}


def test_another_pose_backend_reruns_what_stands_on_poses(project, tmp_path):
    """Where clips are cropped to the person, the crop too, because the backend finds it; else they stay as they are."""
    folder = shutil.copytree(project, tmp_path / "project", symlinks=True)
    snakemake(folder, "openpose_json")
    for clip in ("ada", "ben"):
        shutil.copytree(folder / "results" / "clips" / clip / "openpose_json", folder / "keypoints" / clip)
    settings = yaml.safe_load((folder / "config" / "smoke.yaml").read_text()) | {"pose": {"backend": "openpose_json"}}
    (folder / "config" / "files.yaml").write_text(yaml.safe_dump(settings))
    on_poses = {"find_people", "estimate_pose", "estimate_surface"}
    jobs = planned(folder, config="config/files.yaml")
    assert set(jobs) == (on_poses | AFTER_SURFACES) - {"find_film_people"}, "its files know nothing of the film"
    assert jobs["find_people"] == jobs["estimate_pose"] == jobs["estimate_surface"] == {"ada", "ben"}

    table = folder / "config" / "smoke_clips.tsv"
    table.write_text(table.read_text().replace("none", "person"))
    snakemake(folder, "results/clips/ada/surface.h5")
    assert "Nothing to be done" in snakemake(folder, "--dry-run", "results/clips/ada/surface.h5")
    jobs = planned(folder, "results/clips/ada/surface.h5", config="config/files.yaml")
    assert jobs == {rule: {"ada"} for rule in ("locate_person", "decode_clip", *on_poses)}


def test_another_flow_backend_reruns_what_stands_on_flows(project, changed_config):
    """And nothing else: poses, surfaces, cameras and pictures stay. What a backend that is not chosen reads is idle."""

    def change(settings):
        settings["flow"] |= {"backend": "raft", "raft": {"weights": "weights/raft/raft-things.pth"}}

    jobs = planned(project, config=changed_config(change))
    expected = {"fetch_weights", "estimate_flow", "index_windows", "train_stage", *BEFORE_TRAINING, *AFTER_TRAINING}
    assert set(jobs) == expected
    assert jobs["estimate_flow"] == {"ada"}, "a clip that only drives needs none"

    def idle(settings):
        settings["flow"]["raft"] = {"weights": "weights/raft/raft-things.pth", "device": "cuda"}
        settings["pose"] = {"rtmw": {"device": "cuda"}, "openpose": {"net_resolution": "-1x256"}}

    assert set(planned(project, config=changed_config(idle))) == TOLD


def test_results_of_densepose_make_a_film(project, tmp_path):
    """Surfaces without a fitted body, of another atlas: from IUV pictures to a film, by the retargeting `global`."""
    folder = shutil.copytree(project, tmp_path / "project", symlinks=True)
    settings = yaml.safe_load((folder / "config" / "smoke.yaml").read_text())
    settings["surface"] = {"backend": "densepose_dump", "densepose_dump": {"path": "maps/{clip}"}}
    settings["training"]["stages"] = [{"name": "s0t1", "height_px": 64, "clip_frames": 2, "batch": 1, "steps": 3}]
    (folder / "config" / "dump.yaml").write_text(yaml.safe_dump(settings))
    for clip in ("ada", "ben"):
        write_pictures(folder / "maps" / clip, true_maps(folder / "results" / "clips" / clip / "truth.h5"))
    refused = snakemake(folder, config="config/dump.yaml", expect=1)
    assert "surface.backend is 'densepose_dump', which fits none; set rendering.retarget" in refused
    settings["rendering"] = {"retarget": "global"}
    (folder / "config" / "dump.yaml").write_text(yaml.safe_dump(settings))
    snakemake(folder, config="config/dump.yaml")
    with open_file(folder / "results/transfers/ada/ben/driving.h5", "driving") as driving:
        assert driving.attrs["chart"] == "densepose"
    figures = json.loads((folder / "results/transfers/ada/ben/metrics.json").read_text())["figures"]
    assert figures["transfer"]["psnr_person_db"] > 11, "the performer stands where the true transfer has them"

    shutil.copy(folder / "maps" / "ben" / "000001_IUV.png", folder / "maps" / "ben" / "000002_IUV.png")
    jobs = planned(folder, config="config/dump.yaml")
    assert jobs["estimate_surface"] == {"ben"} and "train_stage" not in jobs


def test_openposes_files_go_out_and_stand_in_for_an_estimator(project, tmp_path):
    """A missing folder is refused before any job; a backend reruns what depends on it; content counts, dates do not."""
    folder = shutil.copytree(project, tmp_path / "project", symlinks=True)
    settings = yaml.safe_load((folder / "config" / "smoke.yaml").read_text())
    settings["pose"] = {"backend": "openpose_json"}
    config = "config/files.yaml"
    (folder / config).write_text(yaml.safe_dump(settings))
    refused = snakemake(folder, config=config, expect=1)
    assert "clip 'ada' does not exist: keypoints/ada" in refused and "rule " not in refused
    snakemake(folder, "openpose_json")
    (folder / "keypoints").mkdir()
    for clip in ("ada", "ben"):
        shutil.move(folder / "results" / "clips" / clip / "openpose_json", folder / "keypoints" / clip)
    jobs = planned(folder, config=config)
    assert jobs["find_people"] == jobs["estimate_pose"] == {"ada", "ben"}
    assert {"estimate_surface", "index_windows", "train_stage"} <= set(jobs)
    assert not {"synthesize_clip", "locate_person", "decode_clip", "estimate_flow"} & set(jobs)
    target, file = "results/clips/ada/surface.h5", folder / "keypoints" / "ada" / "ada_000000000003_keypoints.json"
    snakemake(folder, target, config=config)
    os.utime(file)
    assert "Nothing to be done" in snakemake(folder, "--dry-run", target, config=config)
    file.write_text('{"version":1.3,"people":[]}')
    assert set(planned(folder, target, config=config)) == {"find_people", "estimate_pose", "estimate_surface"}
