"""The generator before a camera that pans along a wall: what it shows, how it grows, what its file keeps."""

from dataclasses import replace

import pytest
import torch

from planted import MODEL, background, planted_frame
from understudy.dataset.batch import FrameTruth, SemanticMap
from understudy.model.build import grow_generator, load_generator, save_generator, start_generator
from understudy.model.contract import Past

PANS = (-8, -5, -2, 0, 3, 6, 9, 12)  # px to the right of the reference picture, at 32 px height


def filmed(pan: int, factor: int = 1) -> tuple[SemanticMap, FrameTruth]:
    """Map and truth of a block that stands on one place of the picture, the wall passing behind it."""
    size = 32 * factor
    semantic, truth = planted_frame(10.0 * factor, size, size)
    y, x = slice(0, size), slice(16 * factor + pan * factor, 48 * factor + pan * factor)
    wall = torch.from_numpy(background(size, 80 * factor))[y, x].permute(2, 0, 1).float()[None]
    camera = torch.eye(3)[None].clone()
    camera[0, 0, 2] = pan * factor
    picture = torch.where(truth.matte > 0, truth.picture, wall)
    return replace(semantic, camera=camera), replace(truth, picture=picture)


def drawn(generator, semantic):
    size = semantic.drawing.shape[-2:]
    with torch.no_grad():
        return generator([semantic] * 3, Past.of(torch.zeros(1, 2, 3, *size), torch.zeros(1, 2, 1, 1, 1))).final


def wall_error(generator, semantic, truth) -> float:
    away = (drawn(generator, semantic) - truth.picture).abs() * (truth.matte == 0)
    return float(away[..., 2:-2, 4:-4].mean())


@pytest.fixture(scope="module")
def generator():
    return start_generator([filmed(pan) for pan in PANS], MODEL, seed=1)


def test_every_view_shows_its_own_part_of_the_wall(generator):
    assert generator.plate.size == (32, 32) and generator.plate.picture.shape[-1] == 52
    blind = start_generator([(replace(m, camera=torch.eye(3)[None]), t) for m, t in map(filmed, PANS)], MODEL, seed=1)
    for pan in (-6, 0, 4):  # -6 and 4 were never filmed
        semantic, truth = filmed(pan)
        assert wall_error(generator, semantic, truth) < 0.02
    assert wall_error(blind, *filmed(-6)) > 0.06


def test_each_clip_of_a_batch_is_seen_by_its_own_camera(generator):
    one, two = (filmed(pan)[0] for pan in (-5, 9))
    both = drawn(generator, SemanticMap.stack([one]))[0], drawn(generator, SemanticMap.stack([two]))[0]
    size = (32, 32)
    with torch.no_grad():
        past = Past.of(torch.zeros(2, 2, 3, *size), torch.zeros(2, 2, 1, 1, 1))
        batch = generator([SemanticMap.stack([one, two])] * 3, past).final
    torch.testing.assert_close(batch, torch.stack(both), atol=1e-4, rtol=0)
    assert generator.steadiness(SemanticMap.stack([one, two])).shape == (2, 1, 32, 32)


def test_a_grown_generator_keeps_canvas_and_file(generator, tmp_path):
    frames = [filmed(pan, 2) for pan in PANS]
    cameras = torch.cat([semantic.camera for semantic, _ in frames])
    grown = grow_generator(generator, [truth for _, truth in frames], seed=1, cameras=cameras)
    assert grown.plate.canvas == generator.plate.canvas.scaled(2) and (grown.height_px, grown.width_px) == (64, 64)
    assert wall_error(grown, *filmed(4, 2)) < 0.02
    save_generator(tmp_path / "g.safetensors", grown, {})
    loaded = load_generator(tmp_path / "g.safetensors")
    assert torch.equal(drawn(loaded, filmed(3, 2)[0]), drawn(grown, filmed(3, 2)[0]))
