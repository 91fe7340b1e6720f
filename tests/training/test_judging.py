import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from planted import DATASET, JUDGES, LOSSES, MODEL, planted_clip, planted_frame, stage, training, write_planted_clip
from understudy.dataset.batch import ClipBatch
from understudy.model.build import start_generator
from understudy.model.contract import Composition
from understudy.model.discriminator import Verdict
from understudy.training.judging import GAN_KINDS, Hearing, Panel, judge_terms, judged_crops
from understudy.training.stage import _judged_strides, train_stage
from understudy.training.step import Moment, Team, train_step
from understudy.validation import load_schema

JUDGED = Moment(step=0, rate=1e-3, judged=True)
PATCH = replace(JUDGES, kind="patch", width=4, levels=2)
ALL_LOSSES = replace(LOSSES, face_gan=0.05, face_features=0.5, hand_gan=0.05, hand_features=0.5)
SIZE = (32, 32)
FACE, LEFT_HAND, RIGHT_HAND = [10.0, 5, 16, 11], [4.0, 20, 8, 24], [22.0, 20, 26, 24]


def clip(clip_frames: int = 1, batch: int = 2, strides: tuple[int, ...] = (), boxes: tuple = (FACE,)) -> ClipBatch:
    """A planted clip whose frames show a face (and hands), with flows over longer strides."""
    made = planted_clip(clip_frames, batch)
    for one in made.maps:
        one.boxes[:, : len(boxes)] = torch.tensor(boxes)
    far = {stride: [(stride * one.flow, one.confidence) for one in made.truth] for stride in strides}
    return replace(made, far=far)


def drawn(batch: ClipBatch) -> Composition:
    """A drawn frame: noise whose final and raw pictures take gradients."""
    random = torch.Generator().manual_seed(3)
    final, raw = (torch.rand(len(batch), 3, *SIZE, generator=random).requires_grad_() for _ in range(2))
    return Composition(final, raw, torch.zeros(len(batch), 2, *SIZE), final[:, :1], final[:, :1], final)


def hearing(batch: ClipBatch, place: int | None = None) -> Hearing:
    """The last frame of a clip, or another, before the judges."""
    place = len(batch.maps) - 1 if place is None else place
    return Hearing(place, drawn(batch), batch, [one.picture for one in batch.truth[: place + 1]])


def panel(settings=JUDGES, strides: tuple[int, ...] = (1,), crops: tuple[str, ...] = ()) -> Panel:
    return Panel(settings, strides, crops, SIZE, seed=1)


def watch(judges: Panel) -> dict[str, list]:
    """Record what each judge sees and says: name -> pairs of input and verdict, or score and features of a level."""
    seen: dict[str, list] = {}
    for name, judge in judges.items():
        for inner, module in (("", judge), *((f" {key}", level) for key, level in judge.levels.items())):
            place = seen.setdefault(name + inner, [])
            module.register_forward_hook(lambda _, args, said, place=place: place.append((args[0], said)))
    return seen


def team(settings=PATCH, strides: tuple[int, ...] = (1, 3), crops: tuple[str, ...] = ("face",)) -> Team:
    frames = [planted_frame(2 + 1.3 * number) for number in range(10)]
    return Team(start_generator(frames, MODEL, seed=1), strides, seed=1, judging=settings, crops=crops)


@pytest.mark.parametrize("settings", [JUDGES, replace(JUDGES, levels=2), PATCH])
def test_a_step_has_three_image_four_temporal_and_two_face_passes(settings):
    players = team(settings)
    seen = watch(players.judges)
    train_step(players, clip(clip_frames=5, strides=(3,)), ALL_LOSSES, JUDGED, torch.Generator().manual_seed(0))
    counts = {name: sum(len(stack) for stack, _ in passes) // 2 for name, passes in seen.items()}  # of 2 clips
    levels = {"height_32", "height_16"} if settings.levels else {"height_32"}
    wanted = {"image": 3, "stride_1": 2, "stride_3": 2, "face": 2}  # real, final, raw; real, drawn; ...
    inner = {f"{name} {level}": wanted[name] for name in ("image", "stride_1", "stride_3") for level in levels}
    assert counts == wanted | inner | {"face height_16": 2}


def test_the_game_is_the_one_of_the_settings():
    figures = {}
    for gan in ("least_squares", "hinge"):
        judges, case = panel(replace(JUDGES, gan=gan), strides=()), clip()
        seen = watch(judges)
        with torch.no_grad():
            terms, error = judge_terms(judges, hearing(case))
        real, fake = (said.scores[0] for _, said in seen["image"])
        figures[gan] = real, fake, terms["image_gan"], error
    real, fake, wish, error = figures["least_squares"]
    assert wish.item() == pytest.approx(float((fake - 1).square().mean()))
    assert error.item() == pytest.approx(0.5 * float((real - 1).square().mean() + fake.square().mean()))
    real, fake, wish, error = figures["hinge"]
    assert wish.item() == pytest.approx(-float(fake.mean()))
    assert error.item() == pytest.approx(0.5 * float((1 - real).relu().mean() + (1 + fake).relu().mean()))


def test_games_are_summed_over_levels_and_features_averaged_over_the_judges_own():
    judges, case = panel(PATCH, crops=("face",)), clip()
    seen = watch(judges)
    with torch.no_grad():
        terms, _ = judge_terms(judges, hearing(case))

    def distance(real: Verdict, fake: Verdict) -> float:
        layers = [
            (one - two).abs().mean()
            for mine, theirs in zip(fake.features, real.features, strict=True)
            for one, two in zip(mine, theirs, strict=True)
        ]
        return float(sum(layers) / len(layers))

    verdicts = {name: [said for _, said in passes] for name, passes in seen.items() if " " not in name}
    assert [len(verdicts[name][0].scores) for name in ("image", "stride_1", "face")] == [2, 2, 1]
    for name, (real, fake) in {
        "image": verdicts["image"], "temporal": verdicts["stride_1"][::-1], "face": verdicts["face"][::-1],
    }.items():  # fmt: skip
        wish = sum(float((score - 1).square().mean()) for score in fake.scores)
        assert terms[f"{name}_gan"].item() == pytest.approx(wish, rel=1e-4), name
        assert terms[f"{name}_features"].item() == pytest.approx(distance(real, fake), rel=1e-4), name


def test_a_stride_is_judged_once_its_history_is_there():
    judges = panel(strides=(1, 3, 9))
    assert [judges.strides_at(place, 25) for place in (1, 2, 5, 6, 17, 18)] == [[], [1], [1], [1, 3], [1, 3], [1, 3, 9]]


def test_sparse_triplets_of_a_stride_share_no_frame():
    judges = panel(replace(JUDGES, frames="all", sparse=True), strides=(1, 3))
    for stride in judges.strides:
        ends = [place for place in judges.places(24) if stride in judges.strides_at(place, 24)]
        frames = [frame for end in ends for frame in range(end - 2 * stride, end + 1)]
        assert len(frames) == len(set(frames)) and max(frames) == 23 and min(frames) >= 0
        assert len(ends) == 24 // (2 * stride + 1)


def test_a_clip_at_the_start_of_a_run_has_no_history():
    judges, case = panel(), clip(batch=3)
    case.past_valid[1] = torch.tensor([0.0, 1.0])
    seen = watch(judges)
    judge_terms(judges, hearing(case))
    assert [len(args) for args, _ in seen["stride_1"]] == [2, 2]
    case.past_valid[:, 0] = 0
    assert "temporal_gan" not in judge_terms(judges, hearing(case))[0]


def test_a_frame_without_a_face_is_left_out():
    judges, case = panel(strides=(), crops=("face",)), clip(batch=3)
    case.maps[-1].boxes[1] = 0
    seen = watch(judges)
    terms, _ = judge_terms(judges, hearing(case))
    assert [len(args) for args, _ in seen["face"]] == [2, 2]
    assert {"face_gan", "face_features"} < set(terms)
    case.maps[-1].boxes[:] = 0
    assert "face_gan" not in judge_terms(judges, hearing(case))[0]


def test_each_face_is_cut_out_at_its_own_place():
    judges, case = panel(strides=(), crops=("face",)), clip(clip_frames=2)
    case.maps[-1].boxes[0, 0] = torch.tensor([3.0, 3, 8, 8])
    heard = hearing(case)
    judge_terms(judges, heard)[0]["face_gan"].backward()
    touched = heard.drawn.final.grad.abs().sum(1) > 0  # (B, H, W)
    assert touched[0, 3:8, 3:8].all() and not touched[0, 11:].any()
    assert touched[1, 5:11, 10:16].all() and not touched[1, :, :8].any()
    assert heard.drawn.raw.grad is None  # the final picture alone


def test_two_hands_are_two_crops_of_one_pass():
    judges, case = panel(strides=(), crops=("hand",)), clip(boxes=(FACE, LEFT_HAND, RIGHT_HAND))
    case.maps[-1].boxes[0, 2] = 0
    seen = watch(judges)
    terms, _ = judge_terms(judges, hearing(case))
    assert [args.shape for args, _ in seen["hand"]] == [(3, 9, 16, 16)] * 2
    assert "hand_gan" in terms and "face_gan" not in terms


def test_judges_of_crops_take_part_where_they_have_a_weight():
    assert judged_crops(LOSSES) == ()
    assert judged_crops(replace(LOSSES, hand_features=1.0)) == ("hand",)
    assert judged_crops(ALL_LOSSES) == ("face", "hand")


def test_judged_frames_have_the_weight_of_a_whole_clip():
    case, kinds = clip(clip_frames=5, strides=(3,)), ("last", "all")
    last, every = (panel(replace(JUDGES, frames=frames), strides=(1, 3)) for frames in kinds)
    assert (list(last.places(7)), list(every.places(7))) == ([6], [2, 3, 4, 5, 6])
    with torch.no_grad():
        (once, error), (often, part) = (judge_terms(each, hearing(case)) for each in (last, every))
        long = judge_terms(panel(replace(JUDGES, frames="all"), strides=(3,)), hearing(case))[0]["temporal_gan"]
        whole = judge_terms(panel(replace(JUDGES, frames="last"), strides=(3,)), hearing(case))[0]["temporal_gan"]
    for name in ("image_gan", "image_features", "temporal_gan", "temporal_features"):
        assert once[name].item() == pytest.approx(5 * often[name].item())
    assert error.item() == pytest.approx(5 * part.item())
    assert long.item() == pytest.approx(whole.item())  # one frame of five has the history


def test_without_a_weight_no_stride_is_judged():
    weightless = replace(LOSSES, temporal_gan=0.0, temporal_features=0.0)
    assert _judged_strides(SimpleNamespace(training=SimpleNamespace(losses=weightless))) == ()


def test_judges_take_one_step_with_the_generator_whatever_they_judge():
    players = team(replace(PATCH, frames="all"))
    usual, steps = players.judge_optimiser.step, []
    players.judge_optimiser.step = lambda: steps.append(1) or usual()
    seen = watch(players.judges)
    figures = train_step(players, clip(5, strides=(3,)), ALL_LOSSES, JUDGED, torch.Generator().manual_seed(0))
    assert len(steps) == 1
    looked = sum(len(stack) for stack, _ in seen["image"]) // 2  # of 2 clips
    assert looked == 2 + 4 * 3  # the first frame's final picture is made of a real past
    assert (len(seen["stride_1"]), len(seen["stride_3"]), len(seen["face"])) == (10, 2, 10)
    assert {"image_gan", "temporal_gan", "face_gan", "judges"} < set(figures)


def test_all_judges_learn_and_at_one_rate():
    players = team(crops=("face", "hand"))
    before = {name: one.detach().clone() for name, one in players.judges.named_parameters()}
    case = clip(5, strides=(3,), boxes=(FACE, LEFT_HAND, RIGHT_HAND))
    for rate in (1e-3, 2e-4):
        train_step(players, case, ALL_LOSSES, replace(JUDGED, rate=rate), torch.Generator().manual_seed(0))
        assert {group["lr"] for group in players.judge_optimiser.param_groups} == {0.6 * rate}
    learnt = {one for group in players.judge_optimiser.param_groups for one in group["params"]}
    assert learnt == set(players.judges.parameters())
    still = {name for name, one in players.judges.named_parameters() if torch.equal(one, before[name])}
    assert not {name for name in still if name.endswith("weight")}


def test_a_panel_goes_on_from_its_state():
    case, going, resumed = clip(2), team(strides=(1,)), team(strides=(1,))
    for number in range(2):
        train_step(going, case, ALL_LOSSES, JUDGED, torch.Generator().manual_seed(number))
    for name, part in resumed.parts().items():
        part.load_state_dict(copy.deepcopy(going.parts()[name].state_dict()))
    for one in (going, resumed):
        train_step(one, case, ALL_LOSSES, JUDGED, torch.Generator().manual_seed(9))
    assert all(map(torch.equal, going.judges.parameters(), resumed.judges.parameters()))


def test_a_panel_starts_from_its_seed_and_leaves_the_global_one():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one, two, other = panel(PATCH), panel(PATCH), Panel(PATCH, (1,), (), SIZE, seed=2)
    assert torch.equal(torch.get_rng_state(), state)
    first, same, different = (next(each.parameters()) for each in (one, two, other))
    assert torch.equal(first, same) and not torch.equal(first, different)


def test_every_game_in_the_schema_is_played():
    rules = load_schema()["properties"]["training"]["properties"]["judges"]["properties"]
    assert set(rules["gan"]["enum"]) == set(GAN_KINDS)
    for kind in rules["kind"]["enum"]:
        panel(replace(JUDGES, kind=kind))


def test_a_stage_trains_with_the_judges_of_its_settings(tmp_path):
    (tmp_path / "clip").mkdir()
    windows, row = write_planted_clip(tmp_path / "clip"), stage(steps=2, clip_frames=2, judges_from=0.0)
    settings = training(row, judges=replace(PATCH, gan="hinge", frames="all"), losses=ALL_LOSSES)
    weights, state = tmp_path / "generator.safetensors", tmp_path / "state"
    train_stage(windows, None, weights, state, MODEL, settings, DATASET, threads=1)
    saved = torch.load(max(state.glob("state-*.pt")), weights_only=True)
    names = {".".join(name.split(".")[:3]) for name in saved["judges"]}
    wanted = {"image": (32, 16), "stride_1": (32, 16), "face": (16,), "hand": (16,)}
    assert names == {f"{judge}.levels.height_{height}" for judge, heights in wanted.items() for height in heights}
    assert weights.is_file()
