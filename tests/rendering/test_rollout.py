import weakref
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from understudy.dataset.batch import SemanticMap
from understudy.model.contract import Composition, Generator
from understudy.rendering.rollout import draw_alone, roll_out, to_bytes


def semantic_map(number: int, size: int = 8) -> SemanticMap:
    """A map whose drawing shows its number."""
    return SemanticMap(
        part=torch.zeros(1, size, size, dtype=torch.int64),
        uv=torch.zeros(1, 2, size, size),
        drawing=torch.full((1, 3, size, size), float(number)),
        flow=torch.zeros(1, 2, size, size),
        flow_valid=torch.zeros(1, 1, size, size),
    )


class Counter(Generator):
    """Draws the number of its frame (over 100) and notes what it was given."""

    def __init__(self):
        super().__init__()
        self.height_px = self.width_px = 8
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[tuple[list[int], list[float], list[float]]] = []

    def learning_groups(self):
        return {"network": [self.weight]}

    def shape(self):
        return {}

    def forward(self, maps, past):
        numbers = [int(each.drawing.mean()) for each in maps]
        self.seen.append((numbers, past.finest.mean((0, 2, 3, 4)).tolist(), past.valid.flatten().tolist()))
        final = torch.full_like(past.finest[:, 0], numbers[-1] / 100) + self.weight
        nothing = final[:, :1]
        return Composition(final, final, final[:, :2], nothing, nothing, final)


def test_maps_and_own_pictures_are_handed_on_in_order():
    generator = Counter()
    pictures = list(roll_out(generator, map(semantic_map, range(1, 5))))
    maps, past, valid = zip(*generator.seen)
    assert list(maps) == [[1, 1, 1], [1, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert np.allclose(past, [[0, 0], [0, 0.01], [0.01, 0.02], [0.02, 0.03]])
    assert list(valid) == [[0, 0], [0, 1], [1, 1], [1, 1]]
    assert len(pictures) == 4  # the first frame too
    assert [int(picture[0, 0, 0]) for picture in pictures] == [129, 130, 131, 133]


def test_alone_every_frame_is_the_first():
    generator = Counter()
    pictures = list(draw_alone(generator, map(semantic_map, range(1, 4))))
    maps, past, valid = zip(*generator.seen)
    assert list(maps) == [[1, 1, 1], [2, 2, 2], [3, 3, 3]]
    assert list(past) == list(valid) == [[0, 0]] * 3
    assert [int(picture[0, 0, 0]) for picture in pictures] == [129, 130, 131]


def test_pictures_are_bytes_and_clamped():
    shown = to_bytes(torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0]).view(1, 1, 5))
    assert shown.dtype == np.uint8
    assert shown.ravel().tolist() == [0, 0, 128, 255, 255]


def test_own_past_is_clamped_like_the_film():
    generator = Counter()
    list(roll_out(generator, map(semantic_map, (400, 1))))
    assert generator.seen[1][1] == [0, 1]


def most_alive(frames: int) -> int:
    """Most maps and drawn pictures alive at once while so many frames are drawn and thrown away."""
    references = []

    def maps() -> Iterator[SemanticMap]:
        for number in range(frames):
            drawn = semantic_map(number)
            references.append(weakref.ref(drawn.part))
            yield drawn

    class Noting(Counter):
        def forward(self, *given):
            drawn = super().forward(*given)
            references.append(weakref.ref(drawn.final))
            return drawn

    return max(sum(reference() is not None for reference in references) for _ in roll_out(Noting(), maps()))


def test_memory_does_not_grow_with_the_clip():
    assert most_alive(300) == most_alive(30) <= 8


def test_maps_are_read_one_at_a_time():
    read = []

    def maps() -> Iterator[SemanticMap]:
        for number in range(10):
            read.append(number)
            yield semantic_map(number)

    film = roll_out(Counter(), maps())
    next(film)
    next(film)
    assert read == [0, 1]
