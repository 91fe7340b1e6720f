from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from planted import LOSSES, MODEL, planted_clip, planted_frame
from understudy.model.build import grow_generator, load_generator, save_generator, start_generator
from understudy.model.contract import Past, channel_order
from understudy.model.vid2vid.net import MAP_CHANNELS, PARTS, Vid2Vid, coverage, map_channels
from understudy.model.vid2vid.scales import Refiner, Trunk
from understudy.training.step import Moment, Team, train_step

SETTINGS = replace(MODEL, generator="vid2vid", width=8)


def generator(height: int = 32, width: int = 32, scales: int = 1) -> Vid2Vid:
    """A generator whose every weight, the heads' too, is drawn by chance."""
    torch.manual_seed(1)
    made = Vid2Vid(SETTINGS, height, width, scales)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made


def some_past(made: Vid2Vid, batch: int = 1, valid: float = 1.0) -> Past:
    pictures = torch.rand(batch, 2, 3, made.height_px, made.width_px) * 2 - 1
    return Past.of(pictures, torch.full((batch, 2, 1, 1, 1), valid), made.scales)


def maps_of(size: int = 32, left: float = 8.0):
    return [planted_frame(left - step, size, size, step=1.0)[0] for step in (2, 1, 0)]


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("width", "millions"), [(32, 22.86), (64, 91.29), (128, 364.83)])
def test_the_trunk_has_the_originals_parameters(width, millions):
    with torch.device("meta"):
        original, ours = Trunk(18, 6, width), Vid2Vid(replace(SETTINGS, width=width), 64, 64)
    assert count(original) / 1e6 == pytest.approx(millions, abs=0.005)
    assert count(ours) - count(original) == (MAP_CHANNELS + 1) * 6  # the legend of the maps, nothing else


def test_refiners_have_the_originals_parameters():
    with torch.device("meta"):
        assert count(Refiner(18, 6, 32, 40.0)) / 1e6 == pytest.approx(0.57, abs=0.005)
        assert count(Refiner(18, 6, 16, 80.0)) / 1e6 == pytest.approx(0.15, abs=0.005)


def test_final_is_mask_times_raw_and_the_rest_warped_past():
    made = generator()
    with torch.no_grad():
        drawn = made(maps_of(), some_past(made))
    torch.testing.assert_close(drawn.final, drawn.mask * drawn.raw + (1 - drawn.mask) * drawn.warped)
    assert drawn.mask.min() > 0 and drawn.mask.max() < 1
    assert drawn.raw.abs().max() <= 1


def test_without_a_past_everything_is_drawn_afresh():
    made = generator(scales=2, height=64, width=64)
    with torch.no_grad():
        drawn = made(maps_of(64), some_past(made, valid=0.0))
    assert drawn.mask.min() == 1
    assert torch.equal(drawn.final, drawn.raw)


def test_every_map_and_every_own_picture_is_seen():
    made, maps = generator(), maps_of()
    past = some_past(made)
    with torch.no_grad():
        usual = made(maps, past).raw
        for place in range(3):
            other = [planted_frame(20.0)[0] if one == place else maps[one] for one in range(3)]
            assert not torch.equal(made(other, past).raw, usual)
        for place in range(2):
            pictures = past.finest.clone()
            pictures[:, place] = 0
            assert not torch.equal(made(maps, Past.of(pictures, past.valid)).raw, usual)


def test_each_scale_has_a_past_of_its_own():
    made = generator(64, 64, scales=3)
    past = some_past(made)
    assert [one.shape[-1] for one in past.pictures] == [16, 32, 64]
    with torch.no_grad():
        drawn = made(maps_of(64), past)
        following = past.then(drawn)
        assert [one.shape[-1] for one in drawn.coarser] == [16, 32]
        for old, new, picture in zip(past.pictures, following.pictures, (*drawn.coarser, drawn.final), strict=True):
            assert torch.equal(new[:, 0], old[:, 1])
            assert torch.equal(new[:, 1], picture.clamp(-1, 1))
        blind = Past((torch.zeros_like(past.pictures[0]), *past.pictures[1:]), past.valid)
        assert not torch.equal(made(maps_of(64), blind).final, drawn.final)  # the coarsest past matters by itself


def test_parts_are_names_and_not_quantities():
    semantic, _ = planted_frame(8.5)
    channels = map_channels(semantic)
    assert channels.shape == (1, MAP_CHANNELS, 32, 32)
    shares = (channels[:, :PARTS] + 1) / 2
    assert (
        shares[0, :, 16, 8].tolist() == [0, 0.5] + [0] * 22
    )  # the left half is part 2, its border covers half a pixel
    halved = functional.avg_pool2d(shares, 2)
    assert halved[:, 2:].abs().max() == 0  # no part between 1 and 2, and none beyond, comes from averaging them
    torch.testing.assert_close(coverage(channels)[0, 0, 16, 8], torch.tensor(0.5))


def test_maps_without_a_surface_are_drawn_from_the_limbs():
    made = generator()
    semantic = planted_frame(8.0)[0]
    bare = replace(semantic, part=torch.zeros_like(semantic.part), uv=torch.zeros_like(semantic.uv))
    limbs = replace(bare, drawing=torch.rand(1, 3, 32, 32))
    with torch.no_grad():
        one, two = (made([each] * 3, some_past(made)) for each in (bare, limbs))
    assert torch.isfinite(one.final).all()
    assert not torch.equal(one.raw, two.raw)


def test_sizes_that_do_not_halve_evenly_are_drawn():
    made = generator(56, 40, scales=2)
    maps = [planted_frame(5.0, height=56, width=40)[0]] * 3
    with torch.no_grad():
        drawn = made(maps, some_past(made))
    assert drawn.final.shape == (1, 3, 56, 40)
    assert drawn.coarser[0].shape == (1, 3, 28, 20)


def test_no_layer_mixes_the_batch_and_training_equals_rendering():
    made = generator().train()
    maps = [planted_frame(left)[0] for left in (6.0, 11.0)]
    both = type(maps[0]).stack(maps)
    past = some_past(made, batch=2)
    with torch.no_grad():
        together = made([both] * 3, past).final
        made.eval()
        alone = [
            made([one] * 3, Past.of(past.finest[place : place + 1], past.valid[:1])).final
            for place, one in enumerate(maps)
        ]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-3, rtol=0)


@pytest.mark.parametrize("factor", [2, 4])
def test_growing_starts_with_the_picture_below_upsampled(factor):
    small, size = generator(), 32 * factor
    truths = [planted_frame(8.0 * factor, size, size)[1]]
    grown = grow_generator(small, truths, seed=1)
    assert grown.scales == 1 + factor // 2
    past = some_past(grown, valid=0.0)
    maps = maps_of(size, 8.0 * factor)
    with torch.no_grad():
        drawn = grown(maps, past)
        below = drawn.coarser[0]
        again = small.trunk(
            functional.avg_pool2d(torch.cat([small.legend(map_channels(one)) for one in maps], 1), factor),
            past.pictures[0].flatten(1, 2),
        )
    torch.testing.assert_close(below, again.picture.tanh())  # the old network, unchanged
    enlarged = again.picture
    for _ in range(factor // 2):
        enlarged = functional.interpolate(enlarged, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(drawn.raw, enlarged.tanh())


def test_growing_refuses_what_does_not_double():
    with pytest.raises(ValueError, match="does not double"):
        generator().grown(48, 48)


def test_saved_and_loaded_draws_the_same(tmp_path):
    made = generator(64, 64, scales=2)
    save_generator(tmp_path / "g.safetensors", made, {})
    loaded = load_generator(tmp_path / "g.safetensors")
    past = some_past(made)
    with torch.no_grad():
        assert torch.equal(loaded(maps_of(64), past).final, made(maps_of(64), past).final)
    assert loaded.scales == 2


def test_a_roll_out_learns_and_recurs_at_every_scale():
    truths = [planted_frame(left)[1] for left in (4.0, 8.0)]
    small = start_generator([planted_frame(4.0)], SETTINGS, seed=1)
    small.height_px = small.width_px = 16
    team = Team(grow_generator(small, truths, seed=1), seed=1)
    clip = planted_clip(clip_frames=3)
    chance = torch.Generator().manual_seed(0)
    moment = Moment(step=0, rate=1e-3, judged=True)
    totals = [train_step(team, clip, LOSSES, moment, chance)["picture"] for _ in range(12)]
    assert min(totals[-3:]) < 0.8 * totals[0]


def test_channels_come_first_on_a_cpu_and_last_on_a_gpu():
    made = generator().to(memory_format=torch.channels_last)
    assert made.placed(torch.device("cpu")) is made
    assert all(weight.is_contiguous() for weight in made.parameters())
    assert channel_order(torch.device("cuda")) == torch.channels_last
