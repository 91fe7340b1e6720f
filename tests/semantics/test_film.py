"""A finished film is looked at as it is; one that shows nobody is no mistake."""

from fractions import Fraction

import numpy as np

from defaults import pose_settings
from understudy.layouts import open_file
from understudy.semantics.film import find_film_people, write_film_frames
from understudy.semantics.people import open_people
from understudy.video.encode import Film
from understudy.video.frames import Frames


def grey_film(path, frames: int = 3):
    with Film(path, Fraction(25), 16) as film:
        for number in range(frames):
            film.write(np.full((64, 96, 3), 60 + 50 * number, np.uint8))
    return path


def test_every_frame_is_there_in_its_size_and_rate(tmp_path):
    write_film_frames(grey_film(tmp_path / "film.mp4"), tmp_path / "frames.h5")
    with Frames(tmp_path / "frames.h5") as frames:
        assert (len(frames), frames.height, frames.width, frames.rate) == (3, 64, 96, 25)
        assert np.allclose([frame.mean() for frame in frames], [60, 110, 160], atol=2)


def test_a_film_of_nobody_has_no_people(tmp_path):
    people = tmp_path / "people.h5"
    find_film_people(grey_film(tmp_path / "film.mp4"), people, pose_settings("mediapipe"))
    with open_people(people) as everyone:
        assert everyone.frames == 3 and len(everyone.track) == 0
    with open_file(people, "people") as file:
        assert file["body"].shape == (0, 25, 3)
