from dataclasses import fields

import pytest
import torch

from planted import MODEL, planted_frame
from understudy.model.build import start_generator
from understudy.model.contract import Past
from understudy.model.neural_texture.registration import Registration, displaced, measured_offset, measured_on_plate
from understudy.model.neural_texture.start import atlas_texels
from understudy.model.neural_texture.unprojection import unproject

SIZE = 64


def shift(x: float, y: float, size: int = SIZE) -> torch.Tensor:
    return torch.tensor([float(x), float(y)]).view(1, 2, 1, 1).expand(1, 2, size, size).clone()


def frame(left: float, **changes):
    return planted_frame(left, SIZE, SIZE, **changes)


def test_without_an_offset_the_map_stays_to_the_bit():
    semantic, _ = frame(20.3, step=1.5)
    same = displaced(semantic, shift(0, 0), shift(0, 0))
    for one in fields(semantic):
        assert torch.equal(getattr(same, one.name), getattr(semantic, one.name)), one.name


def test_untrained_registration_leaves_every_map():
    torch.manual_seed(0)
    assert Registration()(frame(20.0)[0], shrink=1).abs().max() == 0


@pytest.mark.parametrize("shrink", [1, 2])
def test_a_prediction_is_as_large_as_the_picture(shrink):
    semantic, _ = planted_frame(9.0, height=44, width=36)
    assert Registration()(semantic, shrink).shape == (1, 2, 44, 36)


def test_a_moved_map_is_read_elsewhere():
    # read 3 px to the right, what stood at 20 px stands at 17
    moved, expected = displaced(frame(20.0)[0], shift(3, 0), shift(3, 0)), frame(17.0)[0]
    assert torch.equal(moved.part, expected.part)
    torch.testing.assert_close(moved.uv, expected.uv)
    assert torch.equal(moved.flow_valid, expected.flow_valid)


def test_flow_follows_both_moved_maps():
    semantic, _ = frame(20.0, step=2.0)  # came from 2 px to the left
    covered = displaced(semantic, shift(3, 0), shift(3, 0)).flow_valid
    both = displaced(semantic, shift(3, 0), shift(3, 0)).flow
    torch.testing.assert_close(both[:, 0], -2 * covered[:, 0])
    alone = displaced(semantic, shift(3, 0), shift(0, 0)).flow
    torch.testing.assert_close(alone[:, 0], 1 * covered[:, 0])


def test_a_planted_offset_is_measured():
    near = torch.zeros(1, 1, SIZE, SIZE)
    near[..., 8:56, 16:48] = 1
    torch.manual_seed(0)
    coarse = torch.rand(1, 3, 16, 16) * 1.6 - 0.8
    picture = torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic")
    rendered = torch.roll(picture, (1, 2), dims=(2, 3))  # real(x) = rendered(x + (2, 1))
    offset = measured_offset(rendered, picture, near)
    inside = offset[0, :, 20:44, 24:40].mean((1, 2))
    torch.testing.assert_close(inside, torch.tensor([2.0, 1.0]), atol=0.25, rtol=0)
    assert offset[..., :, :4].abs().max() < 0.1  # fades away from the person


def test_measured_offset_brings_a_wrong_map_onto_the_picture():
    frames = [frame(8 + 2.1 * number) for number in range(16)]
    generator = start_generator(frames, MODEL, seed=1)
    wrong, (_, truth) = frame(22.0)[0], frame(20.0)
    texture = generator.atlas(wrong)
    offset, _ = measured_on_plate(texture, generator.plate.picture, truth)
    right = displaced(wrong, offset, offset)
    covered = generator.atlas(right).coverage
    before = (texture.coverage - truth.matte).abs().mean()
    assert (covered - truth.matte).abs().mean() < 0.5 * before


def test_misplaced_maps_still_give_a_sharp_texture():
    chance = torch.Generator().manual_seed(0)
    errors = 3 * torch.rand(24, generator=chance) - 1.5  # px
    truths = [frame(8 + 1.3 * number) for number in range(24)]
    maps = [frame(8 + 1.3 * number + float(error))[0] for number, error in enumerate(errors)]
    generator = start_generator([(one, truth) for one, (_, truth) in zip(maps, truths, strict=True)], MODEL, seed=1)
    exact = start_generator(truths, MODEL, seed=1)
    blurred = _unregistered(maps, truths)
    distance = [(one - exact.atlas.colour)[:2].abs().mean() for one in (generator.atlas.colour, blurred)]
    assert distance[0] < 0.75 * distance[1]


def _unregistered(maps, truths) -> torch.Tensor:
    shown = [(one, truth.picture, truth.matte) for one, (_, truth) in zip(maps, truths, strict=True)]
    return unproject(shown, atlas_texels(MODEL, SIZE))


def test_prediction_learns_a_constant_error_and_mends_it_in_rendering():
    truths = [frame(10 + 2.3 * number) for number in range(14)]
    generator = start_generator(truths, MODEL, seed=1)
    wrong = [(misplaced(one, 2.0), truth) for one, truth in truths]
    past, valid = torch.zeros(1, 2, 3, SIZE, SIZE), torch.zeros(1, 2, 1, 1, 1)
    optimiser = torch.optim.Adam(generator.registration.parameters(), lr=2e-3)
    for number in range(60):
        semantic, truth = wrong[number % len(wrong)]
        _, terms = generator.teach([semantic] * 3, Past.of(past, valid), truth, None)
        optimiser.zero_grad()
        terms["registration"].backward()
        optimiser.step()
    semantic, truth = wrong[5]
    with torch.no_grad():
        drawn = generator([semantic] * 3, Past.of(past, valid))
    on_person = drawn.offset[0, 0][truth.matte[0, 0] > 0.5]
    assert on_person.mean() == pytest.approx(2.0, abs=0.7)


def misplaced(semantic, right: float):
    """The map as an estimator gives it that sees everything `right` px too far to the right."""
    return displaced(semantic, shift(-right, 0), shift(-right, 0))


def test_only_the_measurement_teaches_the_registration():
    generator = start_generator([frame(10 + 2.3 * number) for number in range(14)], MODEL, seed=1)
    semantic, truth = frame(20.0)
    past, valid = torch.zeros(1, 2, 3, SIZE, SIZE), torch.zeros(1, 2, 1, 1, 1)
    drawn, terms = generator.teach([semantic] * 3, Past.of(past, valid), truth, None)
    drawn.final.sum().backward()
    assert all(one.grad is None for one in generator.registration.parameters())
    terms["registration"].backward()
    assert generator.registration.offset.weight.grad is not None
