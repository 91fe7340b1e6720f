import torch

from planted import planted_clip, planted_frame
from understudy.model.discriminator import CONDITION, ImageJudge, TemporalJudge, judge_condition


def test_condition_shows_drawing_chart_and_coverage():
    semantic, truth = planted_frame(left=9.5)
    condition = judge_condition(semantic)
    assert condition.shape == (1, CONDITION, 32, 32)
    torch.testing.assert_close(condition[:, 5:], truth.matte)
    assert condition[:, 3:5].abs().max() <= 1


def test_image_judge_sees_picture_and_map():
    torch.manual_seed(0)
    judge, (semantic, truth) = ImageJudge(width=8), planted_frame()
    verdict = judge.look(truth.picture, judge_condition(semantic))
    assert verdict.score.shape == (1, 1, 4, 4)
    assert len(verdict.features) == 4
    other = judge.look(truth.picture, judge_condition(planted_frame(left=14.0)[0]))
    assert not torch.allclose(verdict.score, other.score)


def test_temporal_judge_depends_on_every_picture_and_flow():
    torch.manual_seed(0)
    judge, clip = TemporalJudge(stride=1, width=8), planted_clip(batch=1)
    pictures = [one.picture.clone().requires_grad_() for one in clip.truth]
    flows = [clip.truth[place].flow.clone().requires_grad_() for place in (2, 1)]
    judge.look(pictures, flows, judge_condition(clip.maps[2])).score.sum().backward()
    assert all(one.grad.abs().sum() > 0 for one in pictures + flows)


def test_pictures_of_a_batch_do_not_mix():
    torch.manual_seed(0)
    judge = ImageJudge(width=8)
    seen = torch.rand(2, 3 + CONDITION, 32, 32)
    torch.testing.assert_close(judge(seen).score[:1], judge(seen[:1]).score, atol=1e-5, rtol=0)
