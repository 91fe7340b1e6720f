from fractions import Fraction

import numpy as np
import pytest

from handmade import standing_track, write_clip
from understudy.dataset.windows import index_windows, read_windows
from understudy.errors import LayoutError
from understudy.layouts import open_file
from understudy.rendering.driver import fit_driving
from understudy.rendering.preview import draw_preview, performer_plate, preview_transfer
from understudy.settings import DatasetSettings, FilmSettings, RenderingSettings
from understudy.video.source import SourceVideo

SETTINGS = RenderingSettings(retarget="body", place="ground", camera="still", crf=4)
SHAPE = {"px_per_m": 60.0, "thickness": 1.1, "head_px_per_m": 60.0}
FILM = FilmSettings(backend="pyav", encoder="libx264")


def make(folder, frames=20):
    """Windows of a performer, a driving clip, and its driving.h5."""
    clip = write_clip(folder / "performer", standing_track(30, sway=4), shape=SHAPE)
    driver = write_clip(folder / "driver", standing_track(frames, scale=2, x=150, ground=230), height=256, width=320)
    windows, driving = folder / "windows.h5", folder / "driving.h5"
    files = [clip.frames], [clip.pose], [clip.surface], [clip.flow]
    index_windows(*files, windows, DatasetSettings(held_out=0.2, gap_frames=2, surface="both"))
    fit_driving(driver.pose, driver.surface, windows, driving, SETTINGS, 2)
    return windows, driving, driver


def test_the_film_has_the_drivers_frames_and_rate(tmp_path):
    windows, driving, driver = make(tmp_path)
    preview_transfer(driving, windows, driver.frames, tmp_path / "preview.mp4", SETTINGS, FILM)
    film = SourceVideo(tmp_path / "preview.mp4")
    assert len(list(film)) == 20
    assert film.width > 2 * 128 and film.rate == Fraction(24)


def test_the_figure_stands_over_the_background(tmp_path):
    windows, driving, _ = make(tmp_path)
    plate = performer_plate(read_windows(windows), 1.0)
    with open_file(driving, "driving") as file:
        drawn = draw_preview(file, 0, plate, 1.0)
        part = file["part"][0]
    behind = ((plate.picture[0].detach().clamp(-1, 1) + 1) * 127.5).numpy().transpose(1, 2, 0)
    assert drawn.shape == (128, 128, 3)
    free = ~part.reshape(128, 2, 128, 2).any((1, 3))
    free[:, 20:110] = False  # lines stand out from the surface by a little
    assert np.abs(drawn[free] - behind[free]).max() <= 1
    assert np.abs(drawn - behind)[part[::2, ::2] > 0].mean() > 20


def test_another_clips_frames_are_refused(tmp_path):
    windows, driving, _ = make(tmp_path)
    other = write_clip(tmp_path / "other", standing_track(18))
    with pytest.raises(LayoutError, match="holds 20 frames, but"):
        preview_transfer(driving, windows, other.frames, tmp_path / "preview.mp4", SETTINGS, FILM)
