import copy
from dataclasses import replace

import pytest
import torch

from planted import LOSSES, MODEL, planted_clip, planted_frame
from understudy.errors import TrainingError
from understudy.model.build import start_generator
from understudy.training import step as stepping
from understudy.training.step import Moment, Team, train_step

QUIET = Moment(step=0, rate=1e-3, judged=False)
JUDGED = Moment(step=0, rate=1e-3, judged=True)


def new_team(strides: tuple[int, ...] = (1,)) -> Team:
    frames = [planted_frame(2 + 1.3 * number) for number in range(10)]
    return Team(start_generator(frames, MODEL, seed=1), strides, seed=1)


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def values(module: torch.nn.Module) -> list[torch.Tensor]:
    return [one.detach().clone() for one in module.parameters()]


def changed(module: torch.nn.Module, before: list[torch.Tensor]) -> bool:
    return any(not torch.equal(new, old) for new, old in zip(module.parameters(), before, strict=True))


def test_steps_lower_the_loss_on_a_toy():
    team, clip = new_team(), planted_clip(clip_frames=2)
    for one in clip.truth:
        one.picture.mul_(0.5)  # darker than the texture: there is something to learn
    figures = [train_step(team, clip, LOSSES, QUIET, random())["total"] for _ in range(12)]
    assert figures[-1] < 0.8 * figures[0]


def test_every_term_with_a_weight_is_reported():
    figures = train_step(new_team(), planted_clip(clip_frames=2), LOSSES, JUDGED, random())
    wanted = {name for name, weight in vars(LOSSES).items() if weight > 0 and name != "person"}
    assert set(figures) == wanted | {"total", "judges"}


def test_a_term_of_weight_zero_is_not_computed():
    figures = train_step(new_team(), planted_clip(), replace(LOSSES, flow=0.0, mask=0.0), QUIET, random())
    assert not {"flow", "mask"} & set(figures)


def test_without_judges_they_stay_as_they_are():
    team = new_team()
    judges, generator = values(team.judges), values(team.generator)
    train_step(team, planted_clip(), LOSSES, QUIET, random())
    assert not changed(team.judges, judges)
    assert changed(team.generator, generator)


def test_the_generator_teaches_no_judge_and_no_judge_the_generator(monkeypatch):
    team, clip = new_team(), planted_clip(clip_frames=2)
    at_judges: list[list] = []
    usual = stepping._teach_judges

    def watched(team, loss):
        at_judges.append([one.grad for one in team.judges.parameters()])
        before = [one.grad.clone() for one in team.generator.parameters() if one.grad is not None]
        result = usual(team, loss)
        after = [one.grad for one in team.generator.parameters() if one.grad is not None]
        assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))
        return result

    monkeypatch.setattr(stepping, "_teach_judges", watched)
    judges = values(team.judges)
    train_step(team, clip, LOSSES, JUDGED, random())
    assert at_judges and all(gradient is None for gradient in at_judges[0])
    assert changed(team.judges, judges)


def test_no_judge_looks_twice_at_the_same():
    team, clip = new_team(), planted_clip(clip_frames=2)
    looks = []
    for name, judge in team.judges.items():
        judge.register_forward_hook(lambda *_, name=name: looks.append(name))
    train_step(team, clip, LOSSES, JUDGED, random())
    assert sorted(looks) == ["image"] * 3 + ["stride_1"] * 2  # real, final, raw; real, drawn


def test_temporal_judge_of_a_long_stride_waits_for_its_history():
    team, clip = new_team(strides=(1, 3)), planted_clip(clip_frames=2)
    figures = train_step(team, clip, LOSSES, JUDGED, random())
    assert "temporal_gan" in figures


def test_a_roll_out_feeds_on_its_own_pictures(monkeypatch):
    team, clip = new_team(), planted_clip(clip_frames=3)
    pasts = []
    teach = team.generator.teach
    drawn = []

    def watched(maps, past, truth, before):
        pasts.append(past)
        frame, terms = teach(maps, past, truth, before)
        drawn.append(frame)
        return frame, terms

    monkeypatch.setattr(team.generator, "teach", watched)
    list(stepping.roll_out(team, clip, random()))
    for place in (1, 2):
        past = pasts[place]
        assert torch.equal(past.finest[:, -1], drawn[place - 1].final.clamp(-1, 1))
        assert not past.finest.requires_grad
        assert past.valid[:, -1].min() == 1


def test_a_roll_out_starts_with_a_noisy_past_or_none():
    clip = planted_clip(batch=64, size=16)
    first = stepping._first_past(clip, random(), scales=1)
    past, valid = first.finest, first.valid
    kept = valid[:, 1, 0, 0, 0] == 1
    assert 16 < kept.sum() < 48
    assert past[~kept].abs().max() == 0
    noise = past[kept] - torch.stack([one.picture for one in clip.truth[:2]], dim=1)[kept]
    assert 0.08 < noise.std() < 0.16


def test_running_average_follows_slowly():
    team = new_team()
    before = values(team.average)
    train_step(team, planted_clip(), LOSSES, Moment(step=10**6, rate=1e-3, judged=False), random())
    now, start = values(team.generator), before
    for mean, old, new in zip(team.average.parameters(), start, now, strict=True):
        torch.testing.assert_close(mean, old + 0.002 * (new - old))


def test_the_atlas_learns_five_times_faster():
    team = new_team()
    train_step(team, planted_clip(), LOSSES, QUIET, random())
    assert [group["lr"] for group in team.optimiser.param_groups] == [1e-3, 5e-3, 1e-3]


def test_same_chance_same_step_to_the_bit():
    one, two = new_team(), new_team()
    for team in (one, two):
        for number in range(2):
            train_step(team, planted_clip(clip_frames=2), LOSSES, JUDGED, random(number))
    assert not changed(one.generator, values(two.generator))
    assert not changed(one.judges, values(two.judges))


def test_a_loss_that_is_not_finite_stops_and_names_step_and_terms():
    team, clip = new_team(), planted_clip()
    clip.truth[2].picture[0, 0, 3, 3] = float("nan")
    before = copy.deepcopy(team.generator.state_dict())
    with pytest.raises(TrainingError, match=r"Step 7.*picture nan.*gradient.*flow.*total nan"):
        train_step(team, clip, LOSSES, Moment(step=7, rate=1e-3, judged=False), random())
    assert all(torch.equal(value, before[name]) for name, value in team.generator.state_dict().items())


def test_a_mask_is_taught_by_the_generators_own_past_only():
    team, clip = new_team(), planted_clip(clip_frames=2)
    for rolled in stepping.roll_out(team, clip, random()):
        rolled.drawn.mask.retain_grad()
        terms = stepping.frame_terms(rolled, clip, LOSSES)
        stepping.weighted_sum(terms, LOSSES).backward()
        assert (rolled.drawn.mask.grad is None) == (rolled.place == 2)
