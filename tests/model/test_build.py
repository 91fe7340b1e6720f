from dataclasses import replace
from random import Random

import pytest
import torch
from torch.nn import functional

from planted import MODEL, planted_frame
from understudy.errors import DamageError, TrainingError
from understudy.model.build import (
    grow_generator,
    load_generator,
    read_facts,
    save_generator,
    start_generator,
    warm_up,
    weights_digest,
)
from understudy.model.contract import Past

LEFTS = [2 + 1.3 * number for number in range(10)]


def taught(size: int = 32):
    """A generator whose every weight has moved a little, as after some training."""
    frames = [planted_frame(left * size / 32, size, size) for left in LEFTS]
    generator = start_generator(frames, MODEL, seed=1)
    chance = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in generator.trunk.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=chance))
    return generator


def draw(generator, left, size, past=None):
    semantic, _ = planted_frame(left, size, size)
    past = torch.zeros(1, 2, 3, size, size) if past is None else past
    with torch.no_grad():
        return generator([semantic] * 3, Past.of(past, torch.zeros(1, 2, 1, 1, 1)))


def test_saved_and_loaded_draws_the_same(tmp_path):
    generator = taught()
    save_generator(tmp_path / "g.safetensors", generator, {"stage": "s0t0", "step": 3})
    loaded = load_generator(tmp_path / "g.safetensors")
    assert (loaded.height_px, loaded.width_px) == (32, 32)
    assert loaded.settings == MODEL
    assert read_facts(tmp_path / "g.safetensors") == {"stage": "s0t0", "step": 3}
    assert torch.equal(draw(loaded, 8.0, 32).final, draw(generator, 8.0, 32).final)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_grown_and_saved_loads_with_its_refiners(tmp_path):
    frames = [planted_frame(2 * left, 64, 64) for left in LEFTS]
    grown = grow_generator(taught(), [truth for _, truth in frames], seed=1)
    save_generator(tmp_path / "g.safetensors", grown, {})
    loaded = load_generator(tmp_path / "g.safetensors")
    assert len(loaded.refiners) == 1
    assert torch.equal(draw(loaded, 16.0, 64).final, draw(grown, 16.0, 64).final)


@pytest.mark.parametrize("factor", [2, 4])
def test_growing_keeps_the_picture(factor):
    size = 32 * factor
    small = taught()
    frames = [planted_frame(left * factor, size, size) for left in LEFTS]
    grown = grow_generator(small, [truth for _, truth in frames], seed=1)
    assert grown.atlas.texels == factor * small.atlas.texels
    before, after = draw(small, 8.0, 32), draw(grown, 8.0 * factor, size)
    difference = (functional.avg_pool2d(after.final, factor) - before.final).abs().mean()
    untaught = start_generator([planted_frame(left) for left in LEFTS], MODEL, seed=1)
    learnt = (before.final - draw(untaught, 8.0, 32).final).abs().mean()
    assert learnt > 0.1
    assert difference < 0.3 * learnt


def test_growing_refuses_what_does_not_double():
    frames = [planted_frame(left, 48, 48) for left in LEFTS]
    with pytest.raises(ValueError, match="does not double"):
        grow_generator(taught(), [truth for _, truth in frames], seed=1)


def test_start_is_the_same_for_the_same_seed_and_leaves_the_global_state():
    frames = [planted_frame(left) for left in LEFTS]
    state = torch.random.get_rng_state()
    one, two, other = (start_generator(frames, MODEL, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one.atlas.latent, two.atlas.latent)
    assert not torch.equal(one.atlas.latent, other.atlas.latent)


def test_broken_and_foreign_files_are_refused(tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")
    with pytest.raises(TrainingError, match="readable"):
        load_generator(broken)
    with pytest.raises(TrainingError, match="readable"):
        load_generator(tmp_path / "missing.safetensors")


def test_no_flipped_byte_changes_the_weights(tmp_path):
    path, chance = tmp_path / "g.safetensors", Random(0)
    save_generator(path, taught(), {"stage": "s0t0", "step": 3})
    data, true = path.read_bytes(), load_generator(path).state_dict()
    header = 8 + int.from_bytes(data[:8], "little")
    places = chance.sample(range(header), 60) + chance.sample(range(header, len(data)), 20)
    for place in places:
        path.write_bytes(data[:place] + bytes([data[place] ^ chance.randrange(1, 256)]) + data[place + 1 :])
        try:
            found = load_generator(path).state_dict()
            assert all(torch.equal(value, found[name]) for name, value in true.items()), place
            assert read_facts(path) == {"stage": "s0t0", "step": 3}, place
        except (DamageError, TrainingError) as error:
            assert str(path) in str(error) and "again" in str(error)


def test_a_digest_is_of_what_is_drawn_with_and_not_of_the_writing(tmp_path):
    for name, step in (("a", 3), ("b", 4)):
        save_generator(tmp_path / name, taught(), {"stage": "s0t0", "step": step})
    assert weights_digest(tmp_path / "a") == weights_digest(tmp_path / "b")
    other = taught()
    with torch.no_grad():
        next(other.parameters()).view(-1)[0] += 1e-6
    save_generator(tmp_path / "b", other, {"stage": "s0t0", "step": 3})
    assert weights_digest(tmp_path / "a") != weights_digest(tmp_path / "b")


def test_warm_start_carries_the_networks_and_nothing_of_the_person(tmp_path, caplog):
    save_generator(tmp_path / "other.safetensors", taught(), {})
    other = load_generator(tmp_path / "other.safetensors")
    fresh = start_generator([planted_frame(left + 1) for left in LEFTS], MODEL, seed=2)
    person = {name: value.clone() for name, value in fresh.state_dict().items() if name.split(".")[0] in fresh.personal}
    with caplog.at_level("INFO"):
        warm_up(fresh, tmp_path / "other.safetensors")
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, person[name] if name in person else other.state_dict()[name])
    assert person
    assert "carried over registration" in caplog.text and "trunk" in caplog.text
    assert "atlas" in caplog.text.split("own footage")[1]


def test_warm_start_from_another_kind_is_refused(tmp_path):
    save_generator(tmp_path / "other.safetensors", taught(), {})
    other = replace(MODEL, generator="vid2vid")
    with pytest.raises(TrainingError, match=r"No layer of .* fits a vid2vid of width 8"):
        warm_up(start_generator([planted_frame(4.0)], other, seed=1), tmp_path / "other.safetensors")
