import copy

import pytest
import torch

from planted import MODEL, planted_frame
from understudy.model.build import start_generator
from understudy.model.contract import Past
from understudy.model.neural_texture.net import LIGHT_REACH, MASK_FLOOR, MASK_START, NeuralTexture, lit

LEFTS = [2 + 0.7 * number for number in range(20)]


@pytest.fixture(scope="module")
def generator() -> NeuralTexture:
    return start_generator([planted_frame(left) for left in LEFTS], MODEL, seed=1)


def draw(generator, left=8.0, past=None, **frame):
    semantic, truth = planted_frame(left, **frame)
    height, width = truth.picture.shape[-2:]
    valid = torch.zeros(1, 2, 1, 1, 1) if past is None else torch.ones(1, 2, 1, 1, 1)
    past = torch.zeros(1, 2, 3, height, width) if past is None else past
    with torch.no_grad():
        return generator([semantic] * 3, Past.of(past, valid)), truth


def test_before_the_first_step_it_shows_atlas_on_plate(generator):
    drawn, truth = draw(generator)
    texture = generator.atlas(planted_frame(8.0)[0])
    plate = generator.plate.picture
    inside, outside = texture.coverage == 1, texture.coverage == 0
    torch.testing.assert_close(drawn.matte, texture.coverage.clamp(0.02, 0.98))
    colour = 0.98 * texture.colour + 0.02 * plate
    assert ((drawn.raw - colour).abs() * inside).max() < 1e-4
    assert ((drawn.raw - plate).abs() * outside).max() < 0.02
    assert (drawn.final - truth.picture).abs().mean() < 0.03


def test_a_pixel_half_covered_is_half_texture_half_plate(generator):
    drawn, _ = draw(generator, left=8.5)
    texture = generator.atlas(planted_frame(8.5)[0])
    assert texture.coverage[0, 0, 16, 8] == 0.5
    expected = 0.5 * texture.colour[0, :, 16, 8] + 0.5 * generator.plate.picture[0, :, 16, 8]
    torch.testing.assert_close(drawn.raw[0, :, 16, 8], expected)


def test_without_a_past_everything_is_drawn_afresh(generator):
    drawn, _ = draw(generator)
    assert drawn.mask.min() == 1
    assert torch.equal(drawn.final, drawn.raw)


def test_past_comes_through_only_on_the_surface(generator):
    past = torch.rand(1, 2, 3, 32, 32)
    drawn, _ = draw(generator, past=past, step=2.0)
    covered = planted_frame(8.0)[0].flow_valid
    share = MASK_FLOOR + (1 - MASK_FLOOR) / (1 + torch.tensor(-MASK_START).exp())
    torch.testing.assert_close(drawn.mask, 1 - covered * (1 - share))
    torch.testing.assert_close(drawn.flow[:, 0], -2.0 * covered[:, 0])
    moved = past[0, 1, :, 16, 10]  # pixel 12 was pixel 10
    torch.testing.assert_close(drawn.warped[0, :, 16, 12], moved, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        drawn.final[0, :, 16, 12], share * drawn.raw[0, :, 16, 12] + (1 - share) * moved, atol=1e-5, rtol=0
    )


def test_sizes_that_do_not_halve_three_times_are_drawn(generator):
    frames = [planted_frame(left, height=28, width=20) for left in (2.0, 6.0, 10.0)]
    odd = start_generator(frames, MODEL, seed=1)
    drawn, _ = draw(odd, left=5.0, height=28, width=20)
    assert drawn.final.shape == (1, 3, 28, 20)


def test_no_layer_mixes_the_batch(generator):
    torch.manual_seed(0)
    generator = copy.deepcopy(generator)  # others want it as it starts
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    maps = [planted_frame(left)[0] for left in (6.0, 11.0)]
    past, valid = torch.rand(2, 2, 3, 32, 32), torch.ones(2, 2, 1, 1, 1)
    both = type(maps[0]).stack(maps)
    with torch.no_grad():
        together = generator([both] * 3, Past.of(past, valid)).final
        alone = torch.cat(
            [generator([one] * 3, Past.of(past[i : i + 1], valid[:1])).final for i, one in enumerate(maps)]
        )
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_training_equals_rendering(generator):
    before, _ = draw(generator.train())
    after, _ = draw(generator.eval())
    assert torch.equal(before.final, after.final)


def test_learning_groups_hold_every_parameter_once(generator):
    listed = [id(one) for group in generator.learning_groups().values() for one in group]
    assert sorted(listed) == sorted(id(one) for one in generator.parameters())


def captioned(left: float, colour: float):
    """A planted frame with a caption over its lower half that does not count."""
    semantic, truth = planted_frame(left)
    truth.picture[..., 18:28, :] = colour
    truth.counted[..., 18:28, :] = 0
    return semantic, truth


def test_what_does_not_count_gets_into_neither_plate_nor_texture_nor_offsets():
    made = [start_generator([captioned(left, colour) for left in LEFTS], MODEL, seed=1) for colour in (-1.0, 1.0)]
    for one, two in zip(made[0].parameters(), made[1].parameters(), strict=True):
        assert torch.equal(one, two)
    plate, seen = made[0].plate.picture[0], made[0].plate.seen[0, 0]
    assert seen[18:28].max() == 0 and seen[:16].mean() > 0.9
    assert plate.abs().max() < 0.9  # inpainted from what is about it, as where nothing was ever seen
    taught = [
        made[0].teach([semantic] * 3, Past.nothing(1, made[0], "cpu"), truth, None)
        for semantic, truth in (captioned(8.0, -1.0), captioned(8.0, 1.0))
    ]
    assert torch.equal(taught[0][0].final, taught[1][0].final)
    assert torch.equal(taught[0][1]["registration"], taught[1][1]["registration"])


def test_light_multiplies_the_texture_and_leaves_the_background():
    generator = start_generator([planted_frame(left) for left in LEFTS[::4]], MODEL, seed=1)
    bright = copy.deepcopy(generator)
    with torch.no_grad():
        bright.trunk.light.bias[0] = 10  # red, as bright as it gets
    coverage = generator.atlas(planted_frame(8.0)[0]).coverage
    plain, changed = draw(generator)[0].raw, draw(bright)[0].raw
    colour = generator.atlas(planted_frame(8.0)[0]).colour
    expected = plain[:, 0] + 0.98 * (torch.tensor(LIGHT_REACH).exp() - 1) * (colour[:, 0] + 1)
    inside, outside = coverage[:, 0] == 1, coverage[:, 0] == 0
    torch.testing.assert_close(changed[:, 0][inside], expected[inside], atol=1e-4, rtol=0)
    torch.testing.assert_close(changed[:, 1:], plain[:, 1:])
    assert (changed - plain)[:, 0][outside].abs().max() < 0.05


def test_light_keeps_black_black_and_no_light_changes_nothing():
    colour = torch.tensor([-1.0, 0.0, 0.5]).view(1, 3, 1, 1)
    assert torch.equal(lit(colour, torch.zeros(1, 3, 1, 1)), colour)
    assert lit(colour, torch.ones(1, 3, 1, 1))[0, 0] == -1
