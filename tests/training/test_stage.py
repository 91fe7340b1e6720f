import itertools
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from planted import DATASET, LOSSES, MODEL, stage, training, vgg19_weights, write_planted_clip
from understudy.errors import TrainingError
from understudy.job import file_digest
from understudy.model.build import load_generator, read_facts
from understudy.settings import PerceptualSettings
from understudy.training import stage as staging
from understudy.training.stage import number_type, train_stage

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> Path:
    return write_planted_clip(tmp_path_factory.mktemp("clip"))


def run(windows: Path, folder: Path, row, previous: Path | None = None, model=MODEL, **changes) -> Path:
    weights = folder / row.name / "generator.safetensors"
    train_stage(
        windows, previous, weights, folder / row.name / "state", model, training(row, **changes), DATASET, threads=1
    )
    return weights


def equal(one: Path, two: Path) -> bool:
    mine, theirs = load_file(one), load_file(two)
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_stages_chain_from_one_frame_to_clips_to_a_greater_height(windows, tmp_path, caplog):
    with caplog.at_level(logging.INFO, "understudy"):
        first = run(windows, tmp_path, stage(name="s0t0", height_px=16))
        second = run(windows, tmp_path, stage(name="s0t1", height_px=16, clip_frames=2, judges_from=0.5), first)
        third = run(windows, tmp_path, stage(name="s1t1", height_px=32, clip_frames=2), second)
    generator = load_generator(third)
    assert (generator.height_px, generator.width_px, len(generator.refiners)) == (32, 32, 1)
    facts = read_facts(third)
    assert (facts["stage"], facts["step"]) == ("s1t1", 4)
    assert facts["person_psnr"] > 15
    assert "the start, texture on plate, person" in caplog.text
    assert "steps/s" in caplog.text and "s left" in caplog.text and "temporal_difference" in caplog.text
    previews = sorted(path.name for path in (tmp_path / "s0t0" / "state").glob("preview-*.png"))
    assert previews == ["preview-00000000.png", "preview-00000004.png"]


RUNNER = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
from tests.training.test_stage import run
from planted import stage
run(Path({windows!r}), Path({folder!r}), stage(**{row!r}), save_seconds=0.0)
"""


@pytest.mark.slow
def test_killed_and_started_again_ends_with_equal_weights(windows, tmp_path):
    row = {"steps": 60, "clip_frames": 2, "judges_from": 0.3}
    state = tmp_path / "killed" / "s0t0" / "state"
    paths = [str(ROOT), str(ROOT / "tests"), str(ROOT / "workflow" / "scripts")]
    code = RUNNER.format(paths=paths, windows=str(windows), folder=str(tmp_path / "killed"), row=row)
    process = subprocess.Popen([sys.executable, "-c", code])
    while not list(state.glob("state-000000[1-5]*")) and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "s0t0" / "generator.safetensors").exists()
    resumed = run(windows, tmp_path / "killed", stage(**row))
    undisturbed = run(windows, tmp_path / "undisturbed", stage(**row))
    assert equal(resumed, undisturbed)


def test_asked_to_end_it_saves_and_the_same_call_goes_on(windows, tmp_path, monkeypatch, caplog):
    usual, count = staging.train_step, []

    def interrupted(*arguments):
        count.append(1)
        if len(count) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return usual(*arguments)

    monkeypatch.setattr(staging, "train_step", interrupted)
    with pytest.raises(SystemExit) as ended:
        run(windows, tmp_path, stage(steps=6))
    assert ended.value.code != 0
    assert [path.name[:14] for path in (tmp_path / "s0t0" / "state").glob("state-*")] == ["state-00000003"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with caplog.at_level(logging.INFO, "understudy"):
        weights = run(windows, tmp_path, stage(steps=6))
    assert "goes on from step 3" in caplog.text
    assert len(count) == 6
    monkeypatch.undo()
    assert equal(weights, run(windows, tmp_path / "other", stage(steps=6)))


def test_a_changed_setting_never_goes_on_from_the_old_state(windows, tmp_path, caplog):
    run(windows, tmp_path, stage())
    with caplog.at_level(logging.INFO, "understudy"):
        again = run(windows, tmp_path, stage(learning_rate=5e-4))
    assert "starting afresh" in caplog.text
    assert equal(again, run(windows, tmp_path / "other", stage(learning_rate=5e-4)))


def test_how_often_is_saved_and_shown_does_not_change_the_result(windows, tmp_path):
    rare = run(windows, tmp_path / "rare", stage())
    often = run(windows, tmp_path / "often", stage(), save_seconds=0.0, preview_frames=3)
    assert equal(rare, often)


def test_a_time_budget_counts_training_only_and_is_added_up(windows, tmp_path, monkeypatch):
    clock = itertools.count(step=0.0625)  # s that pass from one look at the clock to the next
    monkeypatch.setattr(staging, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    facts = read_facts(run(windows, tmp_path, stage(steps=0, seconds=0.25)))
    assert (facts["step"], facts["seconds"]) == (4, 0.25)  # reports, saves and previews looked at the clock too
    # called again with its state still there, nothing is left to train
    monkeypatch.setattr(staging, "train_step", lambda *_: pytest.fail("trained beyond the budget"))
    run(windows, tmp_path, stage(steps=0, seconds=0.25))


def test_a_broken_frame_stops_the_stage_and_keeps_the_state(windows, tmp_path, monkeypatch):
    usual, count = staging.train_step, []

    def poisoned(team, batch, *rest):
        count.append(1)
        if len(count) == 3:
            batch.truth[2].picture.fill_(float("nan"))
        return usual(team, batch, *rest)

    monkeypatch.setattr(staging, "train_step", poisoned)
    with pytest.raises(TrainingError, match=r"Step 2: not finite \(picture nan"):
        run(windows, tmp_path, stage(steps=6), save_seconds=0.0)
    assert list((tmp_path / "s0t0" / "state").glob("state-00000002-*"))
    assert not (tmp_path / "s0t0" / "generator.safetensors").exists()


def test_other_model_settings_than_the_stage_before_are_refused(windows, tmp_path):
    first = run(windows, tmp_path, stage())
    with pytest.raises(TrainingError, match="hold for all stages"):
        run(windows, tmp_path, stage(name="s0t1"), first, model=replace(MODEL, width=12))


def test_the_perceptual_file_decides_the_result_and_stands_beside_the_weights(windows, tmp_path, caplog):
    file = tmp_path / "vgg19.pth"
    losses = replace(LOSSES, perceptual=0.1)

    def perceived(folder: str, **changes) -> Path:
        settings = PerceptualSettings(str(file), changes.pop("sha256", ""))
        return run(windows, tmp_path / folder, stage(steps=2), losses=losses, perceptual=settings, **changes)

    with pytest.raises(TrainingError, match="do not exist"):
        perceived("one")
    torch.save(vgg19_weights(3), file)
    with pytest.raises(TrainingError, match="has the SHA-256"):
        perceived("one", sha256="0" * 64)
    first = load_file(perceived("one"))
    assert read_facts(tmp_path / "one/s0t0/generator.safetensors")["perceptual"] == file_digest(file)
    torch.save(vgg19_weights(4), file)
    with caplog.at_level(logging.INFO, "understudy"):
        second = load_file(perceived("one"))
    assert "starting afresh" in caplog.text
    assert not all(torch.equal(first[name], second[name]) for name in first)
    assert read_facts(run(windows, tmp_path / "without", stage(steps=2)))["perceptual"] is None


def test_number_type():
    cpu = torch.device("cpu")
    assert number_type("float32", cpu) == torch.float32
    assert number_type("bfloat16", cpu) == torch.bfloat16
    assert number_type("auto", cpu) in (torch.float32, torch.bfloat16)


def test_bfloat16_trains_close_to_float32(windows, tmp_path):
    figures = [
        read_facts(run(windows, tmp_path / name, stage(steps=8), precision=name))["person_psnr"]
        for name in ("float32", "bfloat16")
    ]
    assert figures[1] == pytest.approx(figures[0], abs=0.7)
