import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from planted import JUDGES, LOSSES, MODEL, planted_clip, planted_frame
from understudy.dataset.batch import ClipBatch, Lead, SemanticMap
from understudy.errors import TrainingError
from understudy.model.build import add_face, start_generator
from understudy.model.contract import Past
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
        judge.register_forward_hook(lambda _, seen, __, name=name: looks.extend([name] * (len(seen[0]) // len(clip))))
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
    list(stepping.roll_out(team, clip, stepping.first_past(team, clip, random())))
    for place in (1, 2):
        past = pasts[place]
        assert torch.equal(past.finest[:, -1], drawn[place - 1].final.clamp(-1, 1))
        assert not past.finest.requires_grad
        assert past.valid[:, -1].min() == 1


def test_a_roll_out_starts_with_a_noisy_past_or_none():
    clip = planted_clip(batch=64, size=16)
    first = stepping._noisy_past(clip, random(), scales=1)
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
    for rolled in stepping.roll_out(team, clip, stepping.first_past(team, clip, random())):
        rolled.drawn.mask.retain_grad()
        terms = stepping.frame_terms(rolled, clip, LOSSES)
        stepping.weighted_sum(terms, LOSSES).backward()
        assert (rolled.drawn.mask.grad is None) == (rolled.place == 2)


@pytest.mark.parametrize("rate", [1e-3, 2e-4, 0.0])
def test_every_rate_keeps_its_documented_pace(rate):
    team = new_team(strides=(1, 3))
    train_step(team, planted_clip(clip_frames=2), LOSSES, Moment(step=0, rate=rate, judged=True), random())
    network, texture, plate = (group["lr"] for group in team.optimiser.param_groups)
    assert (network, texture, plate) == (rate, stepping.TEXTURE_PACE * rate, rate)
    owners = {id(one) for group in team.judge_optimiser.param_groups for one in group["params"]}
    assert owners == {id(one) for one in team.judges.parameters()}  # no judge is left out
    assert {group["lr"] for group in team.judge_optimiser.param_groups} == {team.judging.pace * rate}


def without_noise(monkeypatch):
    for name in ("TINT", "GRAIN", "PAST_DROP"):
        monkeypatch.setattr(stepping, name, 0.0)


def gradients(team: Team) -> dict[str, torch.Tensor]:
    parts = {"generator": team.generator, "judges": team.judges}
    return {
        f"{part}.{name}": one.grad
        for part, module in parts.items()
        for name, one in module.named_parameters()
        if one.grad is not None
    }


def test_two_batches_of_one_learn_like_one_batch_of_two(monkeypatch):
    without_noise(monkeypatch)
    clip = planted_clip(clip_frames=2, batch=2)
    together, apart = new_team(), new_team()
    monkeypatch.setattr(nn.utils, "clip_grad_norm_", lambda *_: torch.zeros(()))  # gradients as they come
    one = train_step(together, clip, LOSSES, JUDGED, random())
    two = train_step(apart, clip[0], LOSSES, JUDGED, random(), more=[clip[1]])
    assert two == pytest.approx(one, rel=1e-4, abs=1e-6)
    mine, theirs = gradients(together), gradients(apart)
    assert mine.keys() == theirs.keys()
    for name, gradient in mine.items():
        torch.testing.assert_close(theirs[name], gradient, rtol=1e-3, atol=2e-3 * float(gradient.norm()) + 1e-5)


def test_further_batches_are_asked_for_one_by_one(monkeypatch):
    asked = []
    usual = stepping.learn_from
    monkeypatch.setattr(stepping, "learn_from", lambda *given: asked.append("learnt") or usual(*given))

    def further():
        for _ in range(2):
            asked.append("drawn")
            yield planted_clip()

    train_step(new_team(), planted_clip(), LOSSES, QUIET, random(), further())
    assert asked == ["learnt", "drawn", "learnt", "drawn", "learnt"]


@pytest.mark.parametrize(("backpropagate", "reached"), [(1, [2]), (2, [1, 2]), (3, [0, 1, 2]), (9, [0, 1, 2])])
def test_gradients_flow_through_so_many_own_frames(monkeypatch, backpropagate, reached):
    without_noise(monkeypatch)
    team, clip = new_team(), planted_clip(clip_frames=3)
    past = stepping.first_past(team, clip, random())
    frames = list(stepping.roll_out(team, clip, past, backpropagate))
    if backpropagate == 2:
        frames, reached = frames[:2], [0, 1]  # the third starts a part of its own
    for rolled in frames:
        rolled.drawn.raw.retain_grad()
    frames[-1].drawn.final.square().mean().backward()
    felt = [place for place, rolled in enumerate(frames) if rolled.drawn.raw.grad is not None]
    assert felt == reached


def test_the_graph_is_cut_at_the_end_of_each_part():
    team, clip = new_team(), planted_clip(clip_frames=5)
    frames = stepping.roll_out(team, clip, stepping.first_past(team, clip, random()), backpropagate=2)
    assert [(rolled.cut, rolled.before.requires_grad) for rolled in frames] == [
        (False, False), (True, True), (False, False), (True, True), (True, False),
    ]  # fmt: skip


def test_longer_back_propagation_changes_what_is_learnt_and_not_what_is_drawn():
    teams = [new_team() for _ in range(2)]
    figures = [
        train_step(team, planted_clip(clip_frames=3), LOSSES, replace(JUDGED, backpropagate=frames), random())
        for team, frames in zip(teams, (1, 3), strict=True)
    ]
    assert figures[0] == pytest.approx(figures[1], rel=1e-5)
    assert changed(teams[0].generator, values(teams[1].generator))


def most_kept(clip_frames: int, backpropagate: int) -> int:
    """Most bytes autograd holds at any moment of a step."""
    held = [0, 0]  # now, at most

    class Kept:
        def __init__(self, tensor: torch.Tensor):
            self.tensor = tensor
            held[0] += tensor.nbytes
            held[1] = max(held)

        def __del__(self) -> None:
            held[0] -= self.tensor.nbytes

    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda kept: kept.tensor):
        moment = replace(QUIET, backpropagate=backpropagate)
        train_step(new_team(), planted_clip(clip_frames=clip_frames), LOSSES, moment, random())
    assert held[0] == 0
    return held[1]


def test_memory_grows_with_the_frames_gradients_flow_through_and_not_with_the_clip():
    usual = most_kept(clip_frames=4, backpropagate=2)
    assert most_kept(clip_frames=8, backpropagate=2) == usual
    assert 1.8 < most_kept(clip_frames=4, backpropagate=4) / usual < 2.2


def read_planted(batch: ClipBatch, lead: int, missing: int = 0) -> ClipBatch:
    """The batch with a lead-in whose first `missing` frames lie before the first clip's run."""
    clips = len(batch)
    rows = [
        SemanticMap.stack([planted_frame(6.0 + number + t - lead, step=1.0)[0] for number in range(clips)])
        for t in range(lead + 2)
    ]
    inside = torch.ones(clips, lead + 2, dtype=torch.bool)
    inside[0, : 2 + missing] = False
    numbers = torch.arange(lead + 2).expand(clips, -1)
    return replace(
        batch, lead=Lead(numbers, inside, ("body",) * clips, lambda places, kinds: rows[places[0]][: len(places)])
    )


def test_a_lead_in_is_drawn_from_nothing_as_rendering_draws_it():
    team, batch = new_team(), read_planted(planted_clip(), lead=4)
    past = stepping.first_past(team, batch, random())
    expected = Past.nothing(2, team.generator, team.device)
    with torch.no_grad():
        for maps, _ in batch.lead:
            expected = expected.then(team.generator(maps, expected))
    assert torch.equal(past.finest, expected.finest) and past.valid.min() == 1
    assert not past.finest.requires_grad


def test_a_lead_in_starts_with_its_clips_run():
    team = new_team()
    late = stepping.first_past(team, read_planted(planted_clip(), lead=4, missing=2), random())
    short = stepping.first_past(team, read_planted(planted_clip(), lead=4, missing=3), random())
    none = stepping.first_past(team, read_planted(planted_clip(), lead=4, missing=4), random())
    assert late.valid[:, :, 0, 0, 0].tolist() == [[1, 1], [1, 1]]
    assert short.valid[:, :, 0, 0, 0].tolist() == [[0, 1], [1, 1]]
    assert none.valid[:, :, 0, 0, 0].tolist() == [[0, 0], [1, 1]]
    assert none.finest[0].abs().max() == 0 and short.finest[0, 0].abs().max() == 0
    torch.testing.assert_close(none.finest[1], late.finest[1])  # the other clip does not notice


def test_after_a_lead_in_every_frame_has_an_own_past_and_no_chance_is_used(monkeypatch):
    team, batch = new_team(), read_planted(planted_clip(clip_frames=2), lead=3)
    chance = random()
    past = stepping.first_past(team, batch, chance)
    assert torch.equal(chance.get_state(), random().get_state())
    assert [rolled.own for rolled in stepping.roll_out(team, batch, past)] == [True, True]
    heard = []
    usual = stepping.judge_terms
    monkeypatch.setattr(stepping, "judge_terms", lambda *given: heard.append(given[1]) or usual(*given))
    train_step(team, batch, LOSSES, JUDGED, chance)
    assert torch.equal(heard[0].history[1], past.finest[:, 1])


def test_what_was_there_before_rests_while_it_is_frozen_and_learns_after_it(monkeypatch):
    team, clip = new_team(), planted_clip(clip_frames=2)
    old = list(team.generator.trunk.parameters())
    monkeypatch.setattr(team.generator, "old_parameters", lambda: old)
    frozen, free = replace(JUDGED, frozen=True), JUDGED
    before, new = [one.detach().clone() for one in old], values(team.generator.atlas)
    for _ in range(2):
        train_step(team, clip, LOSSES, frozen, random())
    assert all(torch.equal(one, start) for one, start in zip(old, before, strict=True))
    assert not any(one in team.optimiser.state for one in old)  # Adam has no moments of theirs
    assert changed(team.generator.atlas, new)
    train_step(team, clip, LOSSES, free, random())
    assert any(not torch.equal(one, start) for one, start in zip(old, before, strict=True))
    moments = {name: value.clone() for name, value in team.optimiser.state[old[0]].items()}
    now = [one.detach().clone() for one in old]
    train_step(team, clip, LOSSES, frozen, random())
    assert all(torch.equal(one, start) for one, start in zip(old, now, strict=True))
    assert all(torch.equal(value, moments[name]) for name, value in team.optimiser.state[old[0]].items())


def test_a_face_network_alone_learns_nothing_from_frames_without_a_face():
    body = new_team().generator
    team = Team(add_face(body, 8, seed=1), (1,), seed=1)
    before = values(team.generator)
    for judged in (False, True):
        train_step(team, planted_clip(), LOSSES, Moment(0, 1e-3, judged, frozen=True), random())  # its boxes are empty
    assert not changed(team.generator, before)


def test_momentum_and_the_judges_pace_are_those_of_the_settings():
    generator = start_generator([planted_frame(6.0)], MODEL, seed=1)
    team = Team(generator, momentum=0.5, judging=replace(JUDGES, pace=1.0, momentum=0.3))
    train_step(team, planted_clip(), LOSSES, JUDGED, random())
    assert {group["betas"][0] for group in team.optimiser.param_groups} == {0.5}
    assert {group["betas"][0] for group in team.judge_optimiser.param_groups} == {0.3}
    assert team.judge_optimiser.param_groups[0]["lr"] == team.optimiser.param_groups[0]["lr"]
