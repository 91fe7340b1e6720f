"""Reading frames.h5."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from understudy.errors import LayoutError
from understudy.layouts import create
from understudy.video.frames import Frames


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rgb = np.random.default_rng(0).integers(0, 256, (7, 32, 64, 3), dtype=np.uint8)
    with create(tmp_path / "frames.h5", "frames", "test", {"height_px": 32}) as writer:
        writer.extend(rgb=rgb)
        writer.attributes(
            {"rate_numerator": 30000, "rate_denominator": 1001, "source": "films/me.mp4", "crop": [10, 20, 128, 64]}
        )
        writer.attributes({"scale_x": 0.5, "scale_y": 0.5})
    np.save(tmp_path / "rgb.npy", rgb)
    return tmp_path / "frames.h5"


def test_frames_are_read_one_by_one_in_slices_and_as_a_stream(path):
    rgb = np.load(path.with_name("rgb.npy"))
    with Frames(path) as frames:
        assert (len(frames), frames.height, frames.width) == (7, 32, 64)
        assert np.array_equal(frames[3], rgb[3])
        assert np.array_equal(frames[-1], rgb[-1])
        assert np.array_equal(frames[2:5], rgb[2:5])
        assert all(np.array_equal(a, b) for a, b in zip(frames, rgb, strict=True))
        with pytest.raises(IndexError):
            frames[7]


def test_a_part_is_frames_numbered_anew(path):
    rgb = np.load(path.with_name("rgb.npy"))
    with Frames(path) as frames:
        part = frames.part(2, 6)
        assert (len(part), part.first, part.rate) == (4, 2, frames.rate)
        assert all(np.array_equal(a, b) for a, b in zip(part, rgb[2:6], strict=True))
        assert np.array_equal(part[-1], rgb[5]) and np.array_equal(part[1:3], rgb[3:5])
        assert len(part[3:9]) == 1 and len(part[3:2]) == 0
        assert np.array_equal(part.part(1, 2)[0], rgb[3]), "a part of a part"
        with pytest.raises(IndexError):
            part[4]
        with pytest.raises(IndexError):
            frames.part(2, 8)


def test_rate_and_source_are_plain_values(path):
    with Frames(path) as frames:
        assert frames.rate == Fraction(30000, 1001)
        assert frames.source == Path("films/me.mp4")
        assert frames.attrs["settings"] == {"height_px": 32}
        assert frames.crop == (10, 20, 128, 64)


def test_points_of_the_source_are_carried_along(path):
    with Frames(path) as frames:
        points = np.array([[[10.0, 20.0], [12.0, 20.0]], [[138.0, 84.0], [10.0, 21.0]]])
        expected = np.array([[[0.0, 0.0], [1.0, 0.0]], [[64.0, 32.0], [0.0, 0.5]]])
        assert frames.to_frame(points) == pytest.approx(expected)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LayoutError, match=r"frames\.h5 does not exist"):
        Frames(tmp_path / "frames.h5")
