import pytest
import torch

from planted import planted_clip, planted_frame
from understudy.model.discriminator import (
    CONDITION,
    CompactLevel,
    ImageJudge,
    Judge,
    JudgeShape,
    PatchLevel,
    TemporalJudge,
    halved,
    judge_condition,
    level_heights,
)

COMPACT = JudgeShape("compact", 8, (32,))
SHAPES = [COMPACT, JudgeShape("compact", 8, (32, 16)), JudgeShape("patch", 4, (32, 16))]


def weights(module: torch.nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())


def test_condition_shows_drawing_chart_and_coverage():
    semantic, truth = planted_frame(left=9.5)
    condition = judge_condition(semantic)
    assert condition.shape == (1, CONDITION, 32, 32)
    torch.testing.assert_close(condition[:, 5:], truth.matte)
    assert condition[:, 3:5].abs().max() <= 1


def test_image_judge_sees_picture_and_map():
    torch.manual_seed(0)
    judge, (semantic, truth) = ImageJudge(COMPACT), planted_frame()
    verdict = judge.look(truth.picture, judge_condition(semantic))
    assert [score.shape for score in verdict.scores] == [(1, 1, 4, 4)]
    assert [len(layers) for layers in verdict.features] == [4]
    other = judge.look(truth.picture, judge_condition(planted_frame(left=14.0)[0]))
    assert not torch.allclose(verdict.scores[0], other.scores[0])


@pytest.mark.parametrize("shape", SHAPES)
def test_temporal_judge_depends_on_every_picture_and_flow(shape):
    torch.manual_seed(0)
    judge, clip = TemporalJudge(1, shape), planted_clip(batch=1)
    pictures = [one.picture.clone().requires_grad_() for one in clip.truth]
    flows = [clip.truth[place].flow.clone().requires_grad_() for place in (2, 1)]
    for score in judge.look(pictures, flows, judge_condition(clip.maps[2])).scores:
        for one in pictures + flows:
            one.grad = None
        score.sum().backward(retain_graph=True)
        assert all(one.grad.abs().sum() > 0 for one in pictures + flows)


@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_of_a_batch_do_not_mix(shape):
    torch.manual_seed(0)
    judge = ImageJudge(shape)
    seen = torch.rand(2, 3 + CONDITION, 32, 32)
    for both, alone in zip(judge(seen).scores, judge(seen[:1]).scores, strict=True):
        torch.testing.assert_close(both[:1], alone, atol=1e-5, rtol=0)


def test_a_level_of_the_patch_judge_has_the_originals_weights():
    assert round(weights(PatchLevel(9)) / 1e6, 2) == 2.77
    assert round(weights(Judge(13, JudgeShape("patch", 0, (256, 128)))) / 1e6, 2) == 5.55
    convolutions = [one for one in PatchLevel(9).modules() if isinstance(one, torch.nn.Conv2d)]
    assert [one.out_channels for one in convolutions] == [64, 128, 256, 512, 1]
    assert [one.stride[0] for one in convolutions] == [2, 2, 2, 1, 1]
    assert {(one.kernel_size[0], one.padding[0]) for one in convolutions} == {(4, 2)}


def test_the_patch_judge_returns_every_inner_feature():
    score, features = PatchLevel(9, width=4)(torch.rand(2, 9, 32, 32))
    assert [one.shape for one in features] == [(2, 4, 17, 17), (2, 8, 9, 9), (2, 16, 5, 5), (2, 32, 6, 6)]
    assert score.shape == (2, 1, 7, 7)


def test_one_score_of_the_patch_judge_sees_seventy_pixels():
    level = PatchLevel(9, width=4)
    for layer in level.layers[1:]:
        del layer[1]  # the norm, which sees everything
    seen = torch.rand(1, 9, 160, 160, requires_grad=True)
    level(seen)[0][0, 0, 11, 11].backward()
    rows = seen.grad[0].abs().sum((0, 2)).nonzero()
    assert rows.max() - rows.min() + 1 == 70


def test_weights_start_small_in_the_patch_judge():
    level = PatchLevel(9).requires_grad_(False)
    assert level.layers[2][0].weight.std() == pytest.approx(0.02, rel=0.05)
    assert level.layers[2][1].weight.mean() == pytest.approx(1, abs=0.01)


def test_every_level_sees_half_the_size_of_the_one_before():
    judge, sizes = ImageJudge(JudgeShape("patch", 4, (64, 32, 16))), []
    for level in judge.levels.values():
        level.register_forward_hook(lambda _, args, __: sizes.append(tuple(args[0].shape[-2:])))
    judge(torch.rand(1, 3 + CONDITION, 64, 96))
    assert sizes == [(64, 96), (32, 48), (16, 24)]


def test_levels_are_named_by_their_height_so_that_weights_can_follow():
    small, large = (ImageJudge(JudgeShape("patch", 4, heights)) for heights in ((32, 16), (64, 32, 16)))
    assert set(small.state_dict()) < set(large.state_dict())
    missing, unexpected = large.load_state_dict(small.state_dict(), strict=False)
    assert not unexpected and all(name.startswith("levels.height_64.") for name in missing)


def test_no_level_is_smaller_than_sixteen_pixels():
    assert level_heights(256, 192, 2) == (256, 128)
    assert level_heights(128, 64, 6) == (128, 64, 32)
    assert level_heights(8, 8, 3) == (8,)
    assert level_heights(70, 70, 3) == (70, 35, 18)  # an odd row is kept


def test_halving_averages_pictures_and_chooses_chart_values():
    semantic, _ = planted_frame(left=9.0)
    seen = torch.cat([torch.rand(1, 3, 32, 32), judge_condition(semantic)], dim=1)
    half = halved(seen)
    assert half.shape == (1, 9, 16, 16)
    assert torch.equal(half[:, 6:8], seen[:, 6:8, ::2, ::2])
    torch.testing.assert_close(half[0, :6, 4, 5], seen[0, :6, 7:10, 9:12].mean((1, 2)))
    torch.testing.assert_close(half[0, 8, 4, 5], seen[0, 8, 7:10, 9:12].mean())
    torch.testing.assert_close(halved(torch.ones(1, 9, 8, 8)), torch.ones(1, 9, 4, 4))  # edges do not darken


def test_the_compact_judge_takes_odd_sizes():
    score, _ = CompactLevel(9, width=4)(torch.rand(1, 9, 35, 18))
    assert score.shape == (1, 1, 4, 2)
