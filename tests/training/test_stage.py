import itertools
import logging
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from planted import DATASET, LOSSES, MODEL, stage, training, vgg19_weights, write_planted_clip
from understudy.dataset.reader import Footage
from understudy.errors import TrainingError
from understudy.job import file_digest
from understudy.model.build import load_generator, read_facts
from understudy.settings import PerceptualSettings, RolloutSettings
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


def last_step(state: Path) -> int:
    """Step of the newest state in a folder; -1 where there is none."""
    return max((int(path.name[6:14]) for path in state.glob("state-*.pt")), default=-1)


@pytest.mark.slow
def test_killed_at_random_moments_and_started_again_ends_with_equal_weights(windows, tmp_path):
    row, chance = {"steps": 40, "clip_frames": 2, "judges_from": 0.3}, Random(4)
    state = tmp_path / "killed" / "s0t0" / "state"
    paths = [str(ROOT), str(ROOT / "tests"), str(ROOT / "workflow" / "scripts")]
    code = RUNNER.format(paths=paths, windows=str(windows), folder=str(tmp_path / "killed"), row=row)
    for reached in (-1, 6, 20):  # -1: in its first moments, before or in its first save
        process = subprocess.Popen([sys.executable, "-c", code])
        while process.poll() is None and not (state.exists() and last_step(state) >= reached):
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.2))  # in a step, a save, a preview, or between them
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert last_step(state) < 40
    assert not (tmp_path / "killed" / "s0t0" / "generator.safetensors").exists()
    resumed = run(windows, tmp_path / "killed", stage(**row))
    undisturbed = run(windows, tmp_path / "undisturbed", stage(**row))
    assert equal(resumed, undisturbed)


@pytest.mark.parametrize("asking", [signal.SIGTERM, signal.SIGUSR1])
def test_asked_to_end_it_saves_and_the_same_call_goes_on(windows, tmp_path, monkeypatch, caplog, asking):
    usual, count = staging.train_step, []

    def interrupted(*arguments):
        count.append(1)
        if len(count) == 3:
            os.kill(os.getpid(), asking)
        return usual(*arguments)

    monkeypatch.setattr(staging, "train_step", interrupted)
    with pytest.raises(SystemExit) as ended:
        run(windows, tmp_path, stage(steps=6))
    assert ended.value.code == 75
    assert [path.name[:14] for path in (tmp_path / "s0t0" / "state").glob("state-*")] == ["state-00000003"]
    assert signal.getsignal(asking) == signal.SIG_DFL
    with caplog.at_level(logging.INFO, "understudy"):
        weights = run(windows, tmp_path, stage(steps=6))
    assert "goes on from step 3" in caplog.text
    assert len(count) == 6
    monkeypatch.undo()
    assert equal(weights, run(windows, tmp_path / "other", stage(steps=6)))


@pytest.mark.parametrize("moment", ["check_memory", "save_generator"])
def test_asked_to_end_before_the_first_step_or_after_the_last_it_ends_at_once(windows, tmp_path, monkeypatch, moment):
    usual = getattr(staging, moment)

    def interrupted(*arguments, **named):
        os.kill(os.getpid(), signal.SIGTERM)
        return usual(*arguments, **named)

    monkeypatch.setattr(staging, moment, interrupted)
    with pytest.raises(SystemExit) as ended:
        run(windows, tmp_path, stage(steps=2))
    assert ended.value.code == 75
    assert not (tmp_path / "s0t0" / "generator.safetensors").exists()
    monkeypatch.undo()
    assert equal(run(windows, tmp_path, stage(steps=2)), run(windows, tmp_path / "other", stage(steps=2)))


def test_asked_to_end_in_a_preview_it_ends_without_another_step(windows, tmp_path, monkeypatch, caplog):
    usual = staging.draw_preview

    def interrupted(*arguments):
        if list((tmp_path / "s0t0" / "state").glob("state-*")):
            os.kill(os.getpid(), signal.SIGUSR1)
        return usual(*arguments)

    monkeypatch.setattr(staging, "draw_preview", interrupted)
    with caplog.at_level(logging.INFO, "understudy"), pytest.raises(SystemExit):
        run(windows, tmp_path, stage(steps=6), save_seconds=0.0)
    assert last_step(tmp_path / "s0t0" / "state") == 1
    assert "asked to end (SIGUSR1) at step 1; saved" in caplog.text


def test_the_best_preview_s_weights_are_kept(windows, tmp_path, monkeypatch, caplog):
    figures = iter((20.0, 30.0, 25.0, 24.0))
    usual = staging.draw_preview
    monkeypatch.setattr(staging, "draw_preview", lambda *arguments: replace(usual(*arguments), psnr=next(figures)))
    with caplog.at_level(logging.INFO, "understudy"):
        weights = run(windows, tmp_path, stage(steps=3), save_seconds=0.0)
    assert "a preview on the way was better, 30.00 dB at step 1; its weights are in best.safetensors" in caplog.text
    best = tmp_path / "s0t0" / "state" / "best.safetensors"
    assert (read_facts(best)["step"], read_facts(best)["person_psnr"]) == (1, 30.0)
    assert read_facts(weights)["step"] == 3
    assert read_facts(best).keys() == read_facts(weights).keys()
    assert load_generator(best).height_px == 32


def test_it_goes_on_without_preparing_frames_or_making_another_start(windows, tmp_path, monkeypatch):
    usual, count = staging.train_step, []

    def interrupted(*arguments):
        count.append(1)
        if len(count) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return usual(*arguments)

    monkeypatch.setattr(staging, "train_step", interrupted)
    state = tmp_path / "s0t0" / "state"
    with pytest.raises(SystemExit):
        run(windows, tmp_path, stage(steps=5))
    assert len(list(state.glob("frames-*.npy"))) == 1
    with monkeypatch.context() as forbidden:
        for name in ("_make_generator", "check_memory"):
            forbidden.setattr(staging, name, lambda *_: pytest.fail("done when the stage began"))
        forbidden.setattr(Footage, "spread", lambda *_: pytest.fail("done when the stage began"))
        weights = run(windows, tmp_path, stage(steps=5))
    assert not list(state.glob("frames-*.npy"))
    monkeypatch.undo()
    assert equal(weights, run(windows, tmp_path / "other", stage(steps=5)))


@pytest.mark.slow
def test_accumulated_frozen_and_rolled_out_it_goes_on_with_equal_weights(windows, tmp_path, monkeypatch):
    first = run(windows, tmp_path, stage(height_px=16))
    row = stage(
        name="s1t1", clip_frames=3, steps=6, accumulate=2, batch=1, judges_from=0.3, freeze=0.5,
        max_frames_backpropagate=2, rollout=RolloutSettings(frames=12, share=0.6), decay="linear",
    )  # fmt: skip
    usual, count, led = staging.train_step, [], []

    def interrupted(team, batch, weights, moment, random, more):
        count.append(moment.frozen)
        led.append(batch.lead is not None)
        watched = (led.append(one.lead is not None) or one for one in more)
        if len(count) in (2, 5):
            os.kill(os.getpid(), signal.SIGTERM)
        return usual(team, batch, weights, moment, random, watched)

    monkeypatch.setattr(staging, "train_step", interrupted)
    for _ in range(2):
        with pytest.raises(SystemExit):
            run(windows, tmp_path, row, first)
    stopped = run(windows, tmp_path, row, first)
    assert count == [True] * 3 + [False] * 3
    assert len(led) == 12 and any(led) and not all(led)
    monkeypatch.undo()
    assert equal(stopped, run(windows, tmp_path / "undisturbed", row, first))


def test_an_epoch_ends_when_every_training_frame_has_had_its_clip(windows, tmp_path):
    facts = read_facts(run(windows, tmp_path, stage(steps=0, epochs=2.0, batch=8, accumulate=2)))
    with Footage(windows, 32) as footage:
        assert facts["step"] == math.ceil(2 * len(footage) / 16)


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


@pytest.mark.slow
def test_compiled_networks_learn_the_same_and_keep_their_names(windows, tmp_path, monkeypatch):
    usual, compiled = torch.nn.Module.compile, []

    def without_code(network) -> None:
        compiled.append(type(network).__name__)
        usual(network, backend="aot_eager")

    monkeypatch.setattr(torch.nn.Module, "compile", without_code)
    row = stage(clip_frames=2, judges_from=0.5, steps=3)
    mine, theirs = (
        load_file(run(windows, tmp_path / str(compiling), row, compile=compiling)) for compiling in (True, False)
    )
    assert compiled == ["Trunk"]
    assert mine.keys() == theirs.keys()
    for name, weight in mine.items():
        torch.testing.assert_close(weight, theirs[name], rtol=0, atol=1e-4)


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
