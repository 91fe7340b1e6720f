"""The overlay film of a tiny clip made by hand."""

from pathlib import Path

import numpy as np
import pytest

from understudy.errors import LayoutError
from understudy.layouts import create
from understudy.report.overlay import STRIP_PX, ClipPaths, draw_overlay
from understudy.video.source import SourceVideo

T, BARE = 5, "body_part"


def write_clip(folder: Path, height: int, width: int, bare: bool = True, flows: int = T) -> ClipPaths:
    """Write the files of a clip in which nobody is found in frame 2, and a second person in frame 3."""
    paths = ClipPaths(*(folder / f"{name}.h5" for name in ("frames", "people", "pose", "surface", "flow")))
    with create(paths.frames, "frames", "test") as writer:
        writer.extend(rgb=np.full((T, height, width, 3), 120, np.uint8))
        writer.attributes(
            {"rate_numerator": 25, "rate_denominator": 1, "source": "a.mp4", "crop": [0, 0, width, height]}
        )
    valid = np.arange(T) != 2
    body = np.zeros((T, 25, 3), np.float32)
    body[valid] = np.stack([np.linspace(10, width - 10, 25), np.linspace(5, height - 5, 25), np.ones(25)], 1)
    write_people(paths.people, body[[0, 1, 3, 3, 4]] - [[[x, 0, 0]] for x in (0, 0, 0, 5, 0)])
    with create(paths.pose, "pose", "test") as writer:
        writer.extend(
            body=body,
            face=np.zeros((T, 70, 3), np.float32),
            hands=np.zeros((T, 2, 21, 3), np.float32),
            person_box=np.zeros((T, 4), np.float32),
            valid=valid,
            row=np.array([0, 1, -1, 2, 4], np.int32),
        )
        writer.attributes({"person": "largest", "track": 1, "whole": False})
    part = np.zeros((T, 2 * height, 2 * width), np.uint8)
    part[valid, 20:80, 20:60] = 2
    matte = np.zeros((T, height, width), np.uint8)
    matte[valid, 10:40, 10:30] = 255
    uv = np.zeros((*part.shape, 2), np.uint8)
    with create(paths.surface, "surface", "test") as writer:
        writer.extend(part=part, uv=uv, matte=matte, valid=valid)
        if bare:
            writer.extend(body_part=part, body_uv=uv)
    with create(paths.flow, "flow", "test") as writer:
        writer.extend(
            "stride_1",
            backward=np.zeros((flows, height, width, 2), np.int16),
            confidence=np.full((flows, height, width), 255, np.uint8),
        )
    return paths


def write_people(path: Path, body: np.ndarray) -> None:
    """Write people.h5 of five frames: rows (5, 25, 3), none in frame 2, two in frame 3."""
    with create(path, "people", "test", {"people": 2}) as writer:
        writer.extend(
            count=np.array([1, 1, 0, 2, 1], np.int32),
            track=np.array([1, 1, 1, 2, 1], np.int32),
            body=body.astype(np.float32),
            face=np.zeros((5, 70, 3), np.float32),
            hands=np.zeros((5, 2, 21, 3), np.float32),
            person_box=np.concatenate([body[..., :2].min(1), body[..., :2].max(1)], 1).astype(np.float32),
            look=np.zeros((5, 2, 96), np.float32),
        )
        writer.attributes({"exact": False, "backend": "test 1"})


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (64, 32, (256 + STRIP_PX, 4 * 128)),  # upright: side by side
        (64, 96, (2 * 256 + STRIP_PX, 2 * 384)),  # wide: two by two
    ],
)
@pytest.mark.parametrize("bare", [True, False])
def test_the_film_has_four_panels_and_a_line_of_text(tmp_path, height, width, expected, bare):
    paths = write_clip(tmp_path, height, width, bare)
    draw_overlay(paths, film=tmp_path / "o.mp4", doubtful=tmp_path / "d.tsv", crf=18, numbers=True)
    source = SourceVideo(tmp_path / "o.mp4")
    assert (source.height, source.width) == expected
    assert source.rate == 25
    pictures = [frame.picture() for frame in source]
    assert len(pictures) == T
    strips = np.array([picture[3:8, -40:].mean((0, 1)) for picture in pictures])  # right of the text
    reds = strips[:, 0] - strips[:, 1]
    assert (reds > 100).tolist() == [False, False, True, True, False]


def test_the_table_names_the_frame_without_anybody(tmp_path):
    paths = write_clip(tmp_path, 64, 32)
    draw_overlay(paths, film=tmp_path / "o.mp4", doubtful=tmp_path / "d.tsv", crf=18, numbers=True)
    assert (tmp_path / "d.tsv").read_text().splitlines()[1:] == [
        "2\t0.080\tnobody found\t0.000",
        f"3\t0.120\tperhaps another person: crosses another person\t{7 / 17:.3f}",
    ]


def test_files_of_different_runs_are_refused(tmp_path):
    paths = write_clip(tmp_path, 64, 32, flows=4)
    with pytest.raises(LayoutError, match="flow has 4 rows"):
        draw_overlay(paths, film=tmp_path / "o.mp4", doubtful=tmp_path / "d.tsv", crf=18, numbers=True)
    assert not (tmp_path / "o.mp4").exists()
    assert not (tmp_path / "d.tsv").exists()
