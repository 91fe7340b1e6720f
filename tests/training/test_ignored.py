"""What lies in an ignored box of the footage teaches nothing and is not judged."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from planted import LOSSES, MODEL, planted_clip, planted_frame
from understudy.dataset.batch import ClipBatch
from understudy.model.build import start_generator
from understudy.model.contract import Past
from understudy.training.judging import Hearing, judge_terms
from understudy.training.step import Moment, RolledFrame, Team, frame_terms, train_step


def new_team(*crops: str) -> Team:
    frames = [planted_frame(2 + 1.3 * number) for number in range(10)]
    return Team(start_generator(frames, MODEL, seed=1), (1,), seed=1, crops=crops)


def ignoring(clip: ClipBatch) -> ClipBatch:
    """Leave a box over the block and its background out of a planted clip, as the dataset does."""
    for one in clip.truth:
        one.counted[..., 14:26, 4:20] = 0
        one.confidence[..., 14:26, 4:21] = 0  # flows are 1 px to the left, so they end there from one column more
        one.picture.mul_(one.counted)
    return clip


@pytest.mark.parametrize("own", [False, True])
def test_nothing_is_learnt_in_an_ignored_box(own):
    weights = replace(
        LOSSES, detail=0.25, perceptual=0.3, face=1.0, matte=0.0, face_gan=0.05, face_features=0.5, registration=0.0
    )
    clip = ignoring(planted_clip(clip_frames=3))
    for one in clip.maps:
        one.boxes[:, 0] = torch.tensor([6.0, 8, 14, 16])  # half of the face lies in the ignored box
    team = new_team("face")
    place = 4 if own else 2
    with torch.no_grad():
        past = Past.of(
            torch.stack([one.picture for one in clip.truth[place - 2 : place]], 1), torch.ones(2, 2, 1, 1, 1)
        )
        drawn = team.generator(clip.maps[place - 2 : place + 1], past)
    final, raw = drawn.final.clone().requires_grad_(), drawn.raw.clone().requires_grad_()
    drawn = replace(drawn, final=final, raw=raw)
    rolled = RolledFrame(place, drawn, past.finest[:, -1], own, cut=True, terms={})

    def perceive(pictures, real):
        return sum((functional.avg_pool2d(one - real, 3) ** 2).mean() for one in pictures)

    terms = frame_terms(rolled, clip, weights, team.generator.steadiness(clip.maps[place]), perceive)
    history = [one.picture for one in clip.truth[:place]] + [final.clamp(-1, 1)]
    judged, judge_loss = judge_terms(team.judges, Hearing(place, drawn, clip, history))
    learning = {name: one for name, one in (terms | judged | {"judges": judge_loss}).items() if one.requires_grad}
    assert {
        "picture",
        "gradient",
        "detail",
        "face",
        "perceptual",
        "image_gan",
        "temporal_gan",
        "face_gan",
    } <= learning.keys()
    for name, term in learning.items():
        for gradient in torch.autograd.grad(term, [final, raw], retain_graph=True, allow_unused=True):
            if gradient is not None:
                assert gradient[..., 14:26, 4:20].abs().max() == 0, name
    total = sum((terms | judged).values())
    learnt = [one for one in torch.autograd.grad(total, [final, raw], allow_unused=True) if one is not None]
    assert all(one.abs().max() > 0 for one in learnt)


def test_pictures_before_an_ignored_box_are_judged_alike_whatever_stands_in_it():
    figures = []
    for colour in (-1.0, 1.0):
        clip, team = ignoring(planted_clip(clip_frames=2)), new_team()
        for one in clip.truth[2:]:
            one.picture[..., 14:26, 4:20] = colour  # were the dataset to let it through
        figures.append(
            train_step(team, clip, LOSSES, Moment(step=0, rate=1e-3, judged=True), torch.Generator().manual_seed(0))
        )
    assert figures[0] == figures[1]
