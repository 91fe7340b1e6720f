from dataclasses import replace

import pytest
import torch

from planted import DATASET, LOSSES, MODEL, planted_clip, planted_frame, stage, training, write_planted_clip
from understudy.errors import TrainingError
from understudy.model.build import start_generator
from understudy.training import memory
from understudy.training.memory import GIB, Amount, Need, advice, probe
from understudy.training.stage import train_stage
from understudy.training.step import Moment, Team, train_step


def new_team(size: int = 32) -> Team:
    frames = [planted_frame(2 + 1.3 * number, size, size) for number in range(3)]
    return Team(start_generator(frames, MODEL, seed=1), (1,), seed=1)


def need(frame: float = 1.0, judged: float = 0.0, still: float = 0.0, every_frame: bool = False) -> Need:
    """A need in GiB of the peak, for each clip."""
    each = [Amount(0, int(size * GIB / memory.BACKWARD)) for size in (frame, judged)]
    return Need(int(still * GIB), 0, *each, every_frame)


def test_two_probes_tell_what_every_clip_takes():
    assert Amount.between(one=13, two=23).of(5) == 53
    assert Amount.between(one=13, two=26) == Amount(0, 13)


def test_memory_grows_with_clips_and_with_frames_that_hang_together():
    one = need(frame=1, judged=0.5, still=2)
    assert one.bytes(batch=1, frames=1) / GIB == pytest.approx(3.5)
    assert one.bytes(batch=4, frames=1) / GIB == pytest.approx(8)
    assert one.bytes(batch=1, frames=3) / GIB == pytest.approx(5.5)  # one frame is judged
    assert replace(one, every_frame=True).bytes(batch=1, frames=3) / GIB == pytest.approx(6.5)


@pytest.mark.parametrize(
    ("row", "free", "words"),
    [
        ({"max_frames_backpropagate": 4, "clip_frames": 9}, 6.5, "max_frames_backpropagate from 4 to 3."),
        ({"batch": 4}, 3.5, "Lower batch from 4 to 3, and set accumulate to 2"),
        ({"batch": 4, "accumulate": 3}, 2.5, "batch from 4 to 2, and set accumulate to 6"),
        (
            {"batch": 4, "max_frames_backpropagate": 2, "clip_frames": 2},
            3.5,
            "max_frames_backpropagate from 2 to 1 and batch from 4 to 3",
        ),
        ({"batch": 1}, 0.5, r"takes 1.00 GiB, 0.00 of them for its judges; lower height_px, model.width, or"),
    ],
)
def test_advice_names_the_least_change_that_fits(row, free, words):
    assert words in advice(need(), stage(**({"batch": 2} | row)), int(free * GIB))


def test_a_probe_changes_nothing():
    one, other = new_team(), new_team()
    probe(one, planted_clip(clip_frames=2), LOSSES, judged=True)
    for team in (one, other):
        assert all(each.grad is None for each in (*team.generator.parameters(), *team.judges.parameters()))
        train_step(team, planted_clip(), LOSSES, Moment(0, 1e-3, judged=True), torch.Generator().manual_seed(0))
    pairs = zip(one.generator.parameters(), other.generator.parameters(), strict=True)
    assert all(torch.equal(mine, theirs) for mine, theirs in pairs)


def test_kept_memory_follows_the_pictures_size_and_the_clips():
    small, large = (probe(new_team(size), planted_clip(size=size), LOSSES, judged=True) for size in (32, 64))
    for name in ("frame", "judged"):
        assert getattr(large, name).each == pytest.approx(4 * getattr(small, name).each, rel=0.15)
    assert large.clip == 4 * small.clip - 3 * 3 * (3 * 4 + 9) * 4  # boxes and cameras of three frames do not grow
    four, _ = memory._kept(new_team(), planted_clip(batch=4), LOSSES, judged=True)
    assert four == pytest.approx(small.frame.of(4), rel=0.02)


def test_moments_that_are_there_already_are_not_asked_for():
    team, clip = new_team(), planted_clip()
    weights = sum(one.nbytes for part in (team.generator, team.judges) for one in part.parameters())
    assert probe(team, clip, LOSSES, judged=True).still == 3 * weights
    train_step(team, clip, LOSSES, Moment(0, 1e-3, judged=True), torch.Generator().manual_seed(0))
    unasked = [one for one in (*team.generator.parameters(), *team.judges.parameters()) if one.grad is None]
    assert probe(team, clip, LOSSES, judged=True).still == weights + 2 * sum(one.nbytes for one in unasked)


def test_what_a_scheduler_allows_is_seen(tmp_path):
    own, job = tmp_path / "own", tmp_path / "groups" / "slurm" / "job"
    job.mkdir(parents=True)
    own.write_text("0::/slurm/job\n")
    (job / "memory.max").write_text("max\n")
    (job / "memory.current").write_text("100\n")
    (job.parent / "memory.max").write_text("5000\n")
    (job.parent / "memory.current").write_text("2000\n")
    assert list(memory._group_limits(tmp_path / "groups", own)) == [3000]
    assert list(memory._group_limits(tmp_path / "groups", tmp_path / "none")) == []


def test_free_memory_is_less_than_all():
    assert 0 < memory.free_bytes(torch.device("cpu")) < 2**50


def test_a_stage_that_does_not_fit_is_refused_before_its_first_step(tmp_path, monkeypatch):
    windows = write_planted_clip(tmp_path)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 50 * 2**20)
    monkeypatch.setattr("understudy.training.stage.train_step", lambda *_: pytest.fail("trained"))
    row = stage(batch=64, height_px=32)
    with pytest.raises(
        TrainingError, match=r"Stage 's0t0' takes about .* 0.05 GiB are free. Lower batch from 64 to \d"
    ):
        train_stage(
            windows, None, tmp_path / "w.safetensors", tmp_path / "state", MODEL, training(row), DATASET, threads=1
        )
