"""A crowd made by hand: people who stand and walk as planted, their poses shuffled in every frame."""

from pathlib import Path

import numpy as np

from handmade import STANDING
from understudy.layouts import create
from understudy.semantics.boxes import person_boxes
from understudy.semantics.joints import BODY
from understudy.semantics.looks import BINS
from understudy.semantics.tracks import find_tracks

RATE = 25


def standing(x: float, y: float, height: float) -> np.ndarray:
    """BODY_25 (25, 3) of a person whose middle hip stands at x, y px."""
    body = np.zeros((25, 3))
    for name, row in BODY.items():
        side = 1 if name.startswith("left") else -1
        across, down = STANDING[name.removeprefix("left_").removeprefix("right_")]
        body[row] = (x + side * across * height / 100, y + (down - 52) * height / 100, 0.9)
    return body


def colours(number: int, generator: np.random.Generator) -> np.ndarray:
    """A look (2, BINS) of one's own: four bins of the person, and a little of anything."""
    look = 0.02 * generator.random((2, BINS))
    look[:, 7 * number : 7 * number + 4] += 1
    return (look / look.sum(1, keepdims=True)).astype(np.float32)


def shuffled(paths, generator, noise=1.0, looks=True):
    """Frames, bodies, looks and true owners of people's paths, in another order in every frame.

    Args:
        paths: for each person, frame to (x, y, height) px, or None where they are not seen.
    """
    frame, body, look, owner = [], [], [], []
    for now in range(max(len(path) for path in paths)):
        seen = [number for number, path in enumerate(paths) if now < len(path) and path[now] is not None]
        for number in generator.permutation(seen):
            joints = standing(*paths[number][now])
            joints[:, :2] += generator.normal(0, noise, (25, 2))
            frame.append(now)
            body.append(joints)
            look.append(colours(number, generator) if looks else np.zeros((2, BINS)))
            owner.append(number)
    return np.array(frame), np.stack(body), np.stack(look), np.array(owner)


def walk(start, end, frames, height=100.0, y=120.0, hidden=()):
    """Walk from start to end px; not seen in the frames of the ranges `hidden`."""
    path = [(x, y, height) for x in np.linspace(start, end, frames)]
    for first, last in hidden:
        path[first:last] = [None] * (last - first)
    return path


def write_crowd(folder: Path, paths, seed: int = 0, size=(240, 400), start_s: float = 2.0, **look) -> np.ndarray:
    """Write frames.h5 (twice as small as its source, which is cut 10 px from the left) and people.h5 of a crowd.

    Returns:
        (N,) int, the true owner of each row.
    """
    frame, body, looks, owner = shuffled(paths, np.random.default_rng(seed), noise=0.2, **look)
    count = np.bincount(frame, minlength=max(len(path) for path in paths))
    folder.mkdir(parents=True, exist_ok=True)
    with create(folder / "frames.h5", "frames", "test") as writer:
        writer.extend(rgb=np.full((len(count), *size, 3), 90, np.uint8))
        place = {"crop": [10, 0, 2 * size[1], 2 * size[0]], "scale_x": 0.5, "scale_y": 0.5, "start_s": start_s}
        writer.attributes({"rate_numerator": RATE, "rate_denominator": 1, "source": "crowd.mp4", **place})
    face, hands = np.zeros((len(frame), 70, 3), np.float32), np.zeros((len(frame), 2, 21, 3), np.float32)
    with create(folder / "people.h5", "people", "test", {"people": 4}) as writer:
        writer.extend(
            count=count.astype(np.int32),
            track=find_tracks(frame, body, looks, RATE),
            body=body.astype(np.float32),
            face=face,
            hands=hands,
            person_box=person_boxes(body, face, hands),
            look=looks.astype(np.float32),
        )
        writer.attributes({"exact": False, "backend": "test 1"})
    return owner
