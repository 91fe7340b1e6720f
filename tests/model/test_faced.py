from dataclasses import replace

import pytest
import torch

from planted import LOSSES, MODEL, planted_clip, planted_frame
from understudy.model.build import add_face, load_generator, save_generator, start_generator
from understudy.model.contract import Past
from understudy.model.crops import MARGIN, crop, crop_size, paste
from understudy.training.step import Moment, Team, train_step

SIZE = 64
BOX = torch.tensor([[20.0, 14.0, 34.0, 26.0]])
NOWHERE = torch.zeros(1, 4)


def body():
    return start_generator([planted_frame(left, SIZE, SIZE) for left in (8.0, 20.0, 32.0)], MODEL, seed=1)


def taught():
    """A generator with a face whose last layer has moved."""
    faced = add_face(body(), 8, seed=1)
    with torch.no_grad():
        faced.face.residual.weight.normal_(0, 0.3)
    return faced


def with_box(semantic, box):
    return replace(semantic, boxes=torch.cat([box, NOWHERE, NOWHERE])[None].expand(len(semantic), -1, -1))


def draw(generator, box):
    semantic = with_box(planted_frame(16.0, SIZE, SIZE)[0], box)
    with torch.no_grad():
        return generator([semantic] * 3, Past.nothing(1, generator, torch.device("cpu")))


def test_it_starts_as_the_coarse_picture():
    inner = body()
    assert torch.equal(draw(add_face(inner, 8, seed=1), BOX).final, draw(inner, BOX).final)


def test_a_residual_changes_the_face_and_nothing_else():
    faced = taught()
    changed = (draw(faced, BOX).final - draw(faced.body, BOX).final).abs().amax(1)[0]
    half = MARGIN * 14 / 2
    assert changed[13:27, 20:34].mean() > 0.01
    changed[int(20 - half) : int(20 + half) + 1, int(27 - half) : int(27 + half) + 1] = 0
    assert changed.max() == 0


def test_a_pasted_square_has_no_seam():
    laid = paste(torch.ones(1, 1, 16, 16), BOX, (SIZE, SIZE))[0, 0]
    steps = torch.cat([laid.diff(dim=0).abs().flatten(), laid.diff(dim=1).abs().flatten()])
    assert laid[20, 27] == pytest.approx(1, abs=1e-3)
    assert steps.max() < 0.45  # a hard edge would step by 1
    assert laid[20, int(27 - MARGIN * 7) + 1] < 0.2


def test_what_was_cut_comes_back_to_its_place():
    picture = torch.linspace(0, 6, SIZE)[:, None].sin().expand(1, 3, SIZE, SIZE) * torch.linspace(0, 4, SIZE).cos()
    laid = paste(crop(picture, BOX, crop_size(256)), BOX, (SIZE, SIZE))
    torch.testing.assert_close(laid[..., 17:23, 24:30], picture[..., 17:23, 24:30], atol=0.02, rtol=0)


def test_frames_without_a_face_stay_as_they_are():
    faced = taught()
    assert torch.equal(draw(faced, NOWHERE).final, draw(faced.body, NOWHERE).final)
    semantic = planted_frame(16.0, SIZE, SIZE)[0]
    both = type(semantic).stack([with_box(semantic, BOX), with_box(semantic, NOWHERE)])
    with torch.no_grad():
        drawn = faced([both] * 3, Past.nothing(2, faced, torch.device("cpu"))).final
        plain = faced.body([both] * 3, Past.nothing(2, faced, torch.device("cpu"))).final
    assert torch.equal(drawn[1], plain[1])
    assert not torch.equal(drawn[0], plain[0])


def test_saved_and_loaded_draws_the_same(tmp_path):
    faced = taught()
    save_generator(tmp_path / "g.safetensors", faced, {})
    loaded = load_generator(tmp_path / "g.safetensors")
    assert torch.equal(draw(loaded, BOX).final, draw(faced, BOX).final)
    assert loaded.width == 8


def test_the_face_learns_while_the_rest_is_frozen():
    faced = add_face(body(), 8, seed=1)
    before = [one.detach().clone() for one in faced.body.parameters()]
    clip = planted_clip(clip_frames=1, size=SIZE)
    clip.maps[:] = [with_box(one, BOX) for one in clip.maps]
    for one in clip.truth:
        one.picture.mul_(0.5)  # the coarse face is too bright
    team = Team(faced, seed=1)
    weights = replace(LOSSES, face=1.0, registration=0.0)
    chance = torch.Generator().manual_seed(0)
    moment = Moment(step=0, rate=2e-3, judged=False, frozen=True)
    figures = [train_step(team, clip, weights, moment, chance)["face"] for _ in range(15)]
    assert figures[-1] < 0.85 * figures[0]
    assert all(torch.equal(old, new) for old, new in zip(before, faced.body.parameters(), strict=True))
