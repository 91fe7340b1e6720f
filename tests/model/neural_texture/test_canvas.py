"""A canvas against a large planted background, filmed by a camera of known homographies."""

import pytest
import torch
from torch import Tensor

from planted import background, planted_frame
from understudy.model.neural_texture.canvas import Canvas, canvas_about
from understudy.model.neural_texture.plate import Plate, start_plate

SIZE = 32


def shifts(*places: tuple[float, float]) -> Tensor:
    """Cameras (T, 3, 3) that look `places` px to the right and down of the reference picture."""
    camera = torch.eye(3).repeat(len(places), 1, 1)
    camera[:, :2, 2] = torch.tensor(places)
    return camera


def wall() -> Tensor:
    """Colours (3, 96, 96) of a wall; the reference picture starts at 32, 32."""
    return torch.from_numpy(background(96, 96)).permute(2, 0, 1).float()


def views(places: list[tuple[int, int]]) -> Tensor:
    return torch.stack([wall()[:, 32 + y : 64 + y, 32 + x : 64 + x] for x, y in places])


def test_a_camera_at_rest_needs_no_canvas():
    assert canvas_about(shifts((0, 0), (0, 0)), SIZE, SIZE) is None


def test_the_canvas_holds_every_view_and_no_more():
    canvas = canvas_about(shifts((0, 0), (-5, 0), (7, 3)), SIZE, SIZE)
    assert canvas == Canvas(rows=35, columns=44, left=5, top=0, height=SIZE, width=SIZE)


def test_a_long_pan_is_cut_to_the_bound():
    canvas = canvas_about(shifts(*((8 * step, 0) for step in range(-20, 21))), SIZE, SIZE)
    assert SIZE * SIZE < canvas.rows * canvas.columns <= 3 * SIZE * SIZE
    assert canvas.left > 0 and canvas.columns - canvas.left > SIZE, "the reference picture stays whole"


def test_a_plate_is_laid_together_and_seen_again():
    places = [(0, 0), (-6, 2), (9, 0), (4, -3)]
    plate = start_plate(views(places), torch.zeros(4, 1, SIZE, SIZE), shifts(*places))
    assert plate.size == (SIZE, SIZE) and plate.picture.shape[-1] == SIZE + 15
    picture, seen = plate(shifts(*places))
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))  # what half lies beyond a border is not laid
    torch.testing.assert_close(picture[inner], views(places)[inner], atol=0.02, rtol=0)
    assert seen[inner].min() == 1


def test_between_pixels_a_view_is_near_the_wall():
    places = [(float(x), 0.0) for x in range(-6, 7)]
    pictures = views([(int(x), 0) for x, _ in places])
    plate = start_plate(pictures, torch.zeros(13, 1, SIZE, SIZE), shifts(*places))
    halfway, _ = plate(shifts((2.5, 0)))
    torch.testing.assert_close(halfway[0], (pictures[8] + pictures[9]) / 2, atol=0.02, rtol=0)


def test_what_lies_beyond_is_stated_as_unseen():
    places = [(0, 0), (6, 0)]
    plate = start_plate(views(places), torch.zeros(2, 1, SIZE, SIZE), shifts(*places))
    _, seen = plate(shifts((20, 0), (-20, 0)))
    assert seen[0, 0, 5:-5, : SIZE - 16].min() == 1 and seen[0, 0, :, SIZE - 13 :].max() == 0
    assert seen[1, 0, :, :19].max() == 0 and seen[1, 0, 5:-5, 22:].min() == 1


def test_a_person_seen_from_two_places_uncovers_the_wall():
    places = [(0, 0), (8, 0)]
    mattes = torch.zeros(2, 1, SIZE, SIZE)
    mattes[:, :, 8:24, 12:18] = 1  # stands at one place of the picture, so at two of the wall
    pictures = torch.where(mattes > 0, torch.ones(()), views(places))
    plate = start_plate(pictures, mattes, shifts(*places))
    _, seen = plate(shifts((0, 0)))
    assert seen[0, 0, 2:-2, 2:-2].min() == 1
    still = start_plate(pictures, mattes)
    assert still.seen.min() == 0


def test_a_camera_at_rest_gives_the_plate_of_before_to_the_bit():
    frames = [planted_frame(left)[1] for left in (1, 6, 14, 18)]
    pictures, mattes = (torch.cat([getattr(one, name) for one in frames]) for name in ("picture", "matte"))
    plain, resting = start_plate(pictures, mattes), start_plate(pictures, mattes, torch.eye(3).repeat(4, 1, 1))
    assert resting.canvas is None
    for name, value in plain.state_dict().items():
        assert torch.equal(value, resting.state_dict()[name]), name
    assert resting(torch.eye(3)[None])[0].data_ptr() == resting.picture.data_ptr(), "seen as it is, not sampled"


def test_what_a_view_teaches_lands_on_the_canvas():
    canvas = Canvas(rows=32, columns=48, left=8, top=0, height=32, width=32)
    plate = Plate(torch.zeros(3, 32, 48), torch.ones(1, 32, 48), canvas=canvas)
    plate(shifts((4, 0)))[0][..., 10, 20].sum().backward()
    row, column = plate.picture.grad[0, 0].nonzero()[0].tolist()
    assert (row, column) == (10, 8 + 4 + 20)
    assert plate.picture.grad.sum() == pytest.approx(3)


def test_the_canvas_grows_with_the_pictures():
    canvas = Canvas(rows=32, columns=48, left=8, top=0, height=32, width=32)
    small = Plate(torch.zeros(3, 32, 48), torch.ones(1, 32, 48), canvas=canvas)
    with torch.no_grad():
        small.picture += 0.25
    large = canvas.scaled(2)
    assert large == Canvas(rows=64, columns=96, left=16, top=0, height=64, width=64)
    grown = small.grown(Plate(torch.zeros(3, 64, 96), torch.ones(1, 64, 96), canvas=large))
    assert grown.size == (64, 64) and grown(shifts((8, 0)))[0].mean().item() == pytest.approx(0.25)


def test_bfloat16_networks_see_it_all_the_same():
    places = [(0, 0), (-6, 2), (9, 0)]
    plate = start_plate(views(places), torch.zeros(3, 1, SIZE, SIZE), shifts(*places))
    camera = shifts((2.3, 1.6))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = [*plate(camera), plate.steadiness(camera)]
    for one, other in zip(mixed, [*plate(camera), plate.steadiness(camera)], strict=True):
        assert torch.equal(one, other)
