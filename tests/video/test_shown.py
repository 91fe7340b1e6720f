"""Frames know which picture of their video they show: the number drawn in it says so too."""

from fractions import Fraction

import numpy as np
import pytest

from filming import Take, barcode, read_barcode, write_video
from understudy.errors import VideoError
from understudy.video.frames import Frames
from understudy.video.shown import shown_pictures

PICTURES = 200
STUMBLING = [40 * number + (13 if number % 3 else 0) + (400 if number > 90 else 0) for number in range(PICTURES)]


@pytest.mark.parametrize(
    ("take", "changes"),
    [
        (Take(), {}),
        (Take(), {"rate_fps": 10}),
        (Take(), {"rate_fps": 60}),
        (Take(), {"start_s": 1.3, "end_s": 4.1}),
        (Take(), {"start_s": 6.02}),
        (Take(rate=Fraction(30000, 1001)), {"start_s": 2.0, "rate_fps": 25}),
        (Take(ticks=STUMBLING), {}),
        (Take(ticks=STUMBLING), {"start_s": 5.5, "rate_fps": 30}),
    ],
)
def test_numbers_are_those_drawn_in_the_frames(take, changes, ingest, tmp_path):
    video = write_video(tmp_path / "video.mp4", [barcode(number) for number in range(PICTURES)], take)
    made = ingest(video, **changes)
    with Frames(made.frames) as frames:
        shown = shown_pictures(frames)
    assert shown.pictures == PICTURES
    assert (shown.height, shown.width) == (64, 64)
    assert shown.numbers.tolist() == [read_barcode(picture) for picture in made.rgb]


def test_a_replaced_video_is_named(ingest, tmp_path):
    video = write_video(tmp_path / "video.mp4", [barcode(number) for number in range(30)])
    made = ingest(video)
    write_video(video, [barcode(number) for number in range(20)])
    with Frames(made.frames) as frames, pytest.raises(VideoError, match=r"30 frames, but its video .* for only 20"):
        shown_pictures(frames)
    video.unlink()
    with Frames(made.frames) as frames, pytest.raises(VideoError, match="does not exist"):
        shown_pictures(frames)


def test_numbers_count_from_the_videos_first_picture(ingest, tmp_path):
    video = write_video(tmp_path / "video.mp4", [barcode(number) for number in range(50)])
    with Frames(ingest(video, start_s=1.0).frames) as frames:
        np.testing.assert_array_equal(shown_pictures(frames).numbers, np.arange(25, 50))
