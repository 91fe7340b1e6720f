import torch
from torch.nn import functional

from planted import background, planted_frame
from understudy.model.neural_texture.plate import Plate, start_plate


def footage(lefts: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
    frames = [planted_frame(left)[1] for left in lefts]
    return torch.cat([one.picture for one in frames]), torch.cat([one.matte for one in frames])


def parts(plate: Plate) -> tuple[torch.Tensor, torch.Tensor]:
    return plate.start[0], plate.seen[0]


def test_a_caption_that_comes_and_goes_is_its_mean_and_counts_little():
    pictures, mattes = torch.zeros(8, 3, 16, 16), torch.zeros(8, 1, 16, 16)
    pictures[:3, :, 12:] = 1.0  # shown in three frames of eight: the median would not know of it
    plate = start_plate(pictures, mattes)
    assert plate.steady[0, 0, :12].min() == 1
    assert plate.steady[0, 0, 12:].max() < 0.25
    caption = plate.start[0, :, 12:]
    assert caption.min() > 0.25 and caption.max() < 0.38  # near 3/8
    assert plate.start[0, :, :12].abs().max() < 0.01  # 8-bit rounding


def test_background_behind_a_moving_figure_is_recovered():
    start, seen = parts(start_plate(*footage([1, 3, 5, 14, 16, 18])))
    truth = torch.from_numpy(background(32, 32)).permute(2, 0, 1).float()
    assert seen.min() == 1
    torch.testing.assert_close(start, truth, atol=1e-6, rtol=0)


def test_what_was_never_seen_is_inpainted_and_marked():
    pictures, mattes = footage([10, 11, 12])
    start, seen = parts(start_plate(pictures, mattes))
    hidden = mattes.min(0).values[0] > 0  # (H, W), behind the figure in all frames
    assert seen[0][hidden].max() == 0
    assert 0.3 < seen.mean() < 0.8
    # a median of all frames would show the figure there
    figure, truth = pictures[1], torch.from_numpy(background(32, 32)).permute(2, 0, 1)
    assert (start - truth)[:, hidden].abs().mean() < 0.5 * (figure - truth)[:, hidden].abs().mean()


def test_a_board_goes_on_behind_who_stands_before_it():
    """A person who never leaves hides a strip; smoothing inwards from its rim would leave a grey smear there."""
    wall = torch.full((3, 96, 96), -0.2)
    wall[:, 60:66] = 0.9
    mattes = torch.zeros(4, 1, 96, 96)
    mattes[:, :, 20:90, 36:60] = 1
    pictures = torch.where(mattes > 0, torch.tensor(-1.0), wall)
    start, seen = parts(start_plate(pictures, mattes))
    hidden = seen[0] == 0
    assert hidden.sum() >= 70 * 24
    assert start[:, 61:65][:, hidden[61:65]].mean() > 0.7
    assert (start - wall)[:, hidden].abs().mean() < 0.05
    large = functional.interpolate(pictures, scale_factor=4), functional.interpolate(mattes, scale_factor=4)
    start, seen = parts(start_plate(*large))  # filled on a smaller picture
    assert start[:, 246:258][:, seen[0, 246:258] == 0].mean() > 0.6


def test_a_place_that_is_always_covered_gives_grey():
    start, seen = parts(start_plate(torch.rand(3, 3, 16, 16), torch.ones(3, 1, 16, 16)))
    assert start.abs().max() == 0 and seen.max() == 0


def test_growing_keeps_what_was_learnt():
    small = Plate(torch.zeros(3, 8, 8), torch.ones(1, 8, 8))
    with torch.no_grad():
        small.picture += 0.25
    start = torch.rand(3, 16, 16)
    grown = small.grown(Plate(start, torch.ones(1, 16, 16)))
    torch.testing.assert_close(grown.picture[0], start + 0.25)
    assert torch.equal(grown.start[0], start)
    assert functional.l1_loss(grown(torch.eye(3).expand(2, 3, 3))[0][1], grown.picture[0]) == 0
