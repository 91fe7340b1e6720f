import hashlib
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import understudy.rendering.transfer as transfer
from handmade import standing_track, write_clip
from understudy.dataset.windows import index_windows
from understudy.errors import LayoutError, TrainingError
from understudy.model.contract import Composition, Generator
from understudy.rendering.driver import fit_driving
from understudy.rendering.examination import examine_film
from understudy.rendering.layout import GAP_PX, draw_map, join_panels
from understudy.rendering.maps import DrivingMaps
from understudy.settings import DatasetSettings, ProvenanceSettings, RenderingSettings
from understudy.video.encode import USUAL
from understudy.video.frames import Frames

SETTINGS = RenderingSettings(retarget="none", place="ground", camera="still", crf=16)
FRAMES = 30


class Echo(Generator):
    """Draws the semantic map's drawing."""

    def __init__(self, height: int):
        super().__init__()
        self.height_px, self.width_px = height, height
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def learning_groups(self):
        return {"network": [self.weight]}

    def shape(self):
        return {}

    def forward(self, maps, past):
        final = maps[-1].drawing + self.weight
        return Composition(final, final, final[:, :2], final[:, :1], final[:, :1], final)


@pytest.fixture
def files(tmp_path, monkeypatch):
    clip = write_clip(tmp_path / "clip", standing_track(FRAMES, sway=10))
    windows = tmp_path / "windows.h5"
    index_windows([clip.frames], [clip.pose], [clip.surface], [clip.flow], windows, DatasetSettings(0.2, 2, "body"))
    fit_driving(clip.pose, clip.surface, windows, tmp_path / "driving.h5", SETTINGS, 2)
    monkeypatch.setattr(transfer, "load_generator", lambda weights: Echo(64))
    return clip, tmp_path / "driving.h5", tmp_path


def render(files) -> tuple[Path, Path]:
    clip, driving, folder = files
    films = folder / "video.mp4", folder / "side_by_side.mp4"
    transfer.render_transfer(Path("weights"), driving, clip.frames, None, *films, SETTINGS, USUAL, None, threads=1)
    return films


def read_film(path: Path) -> tuple[list[np.ndarray], Fraction]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)], film.streams.video[0].average_rate


def test_films_have_every_frame_at_the_drivers_rate(files):
    video, beside = render(files)
    for path in (video, beside):
        pictures, rate = read_film(path)
        assert len(pictures) == FRAMES
        assert rate == 24
    assert read_film(video)[0][0].shape == (64, 64, 3)
    assert read_film(beside)[0][0].shape[1] == 3 * 128 + 2 * GAP_PX  # all at the driving clip's height


def test_films_say_what_they_were_made_from(files, monkeypatch):
    clip, driving, folder = files
    monkeypatch.chdir(folder)
    (folder / "weights").write_bytes(b"weights")
    films = folder / "video.mp4", folder / "side_by_side.mp4"
    said = transfer.Provenance("ada", "ben", 64 * "5", ProvenanceSettings("", ""))
    transfer.render_transfer(folder / "weights", driving, clip.frames, None, *films, SETTINGS, USUAL, said, threads=1)
    kinds = []
    for film in films:
        found = examine_film(film)
        assert found.verdict == "whole" and found.statement.performer == "ada"
        assert found.statement.model_sha256 == hashlib.sha256(b"weights").hexdigest()
        assert found.statement.settings_sha256 == 64 * "5"
        with Frames(clip.frames) as frames:
            assert found.statement.driving_sha256 == frames.attrs["source_sha256"]
        kinds.append(found.source_type.rsplit("/")[-1])
    assert kinds == ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"]
    assert (folder / "results" / "credentials" / "self_made.pem").is_file()


def test_the_first_frame_is_drawn_like_any_other(files):
    pictures, _ = read_film(render(files)[0])
    with DrivingMaps(files[1], 64) as maps:
        for picture, semantic in zip(pictures, maps, strict=True):
            wanted = ((semantic.drawing[0] + 1) * 127.5).permute(1, 2, 0).numpy()
            bright = wanted.max(2) > 200
            assert picture.max(2)[bright].mean() > 120
            assert np.abs(picture.mean(2) - wanted.mean(2)).mean() < 6


def test_driving_of_another_clip_is_refused(files):
    _, driving, folder = files
    other = write_clip(folder / "other", standing_track(10))
    with pytest.raises(LayoutError, match=r"30 frames, but .* 10"):
        render((other, driving, folder))
    assert not (folder / "video.mp4").exists()


def test_a_generator_that_does_not_fit_is_refused(files, monkeypatch):
    monkeypatch.setattr(transfer, "load_generator", lambda weights: Echo(96))
    with pytest.raises(TrainingError, match="96 px high"):
        render(files)


def test_driving_maps_are_those_of_the_footage(files):
    _, driving, _ = files
    with DrivingMaps(driving, 64) as maps:
        drawn = list(maps)
        assert (maps.height_px, maps.width_px) == (64, 64)
    assert len(drawn) == FRAMES
    assert drawn[0].flow_valid.sum() == 0 and drawn[1].flow_valid.sum() > 0
    assert drawn[0].part.shape == (1, 128, 128)


def peak_memory(folder: Path, frames: int) -> int:
    """Peak of the memory that Python and numpy take while a clip of so many frames is rendered, bytes."""
    clip = write_clip(folder, standing_track(frames, sway=10), height=64, width=64, samples=1, strides=(1,))
    windows = folder / "windows.h5"
    index_windows([clip.frames], [clip.pose], [clip.surface], [clip.flow], windows, DatasetSettings(0.2, 2, "body"))
    fit_driving(clip.pose, clip.surface, windows, folder / "driving.h5", SETTINGS, 1)
    tracemalloc.start()
    try:
        render((clip, folder / "driving.h5", folder))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_clip(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "load_generator", lambda weights: Echo(32))
    short, long = peak_memory(tmp_path / "short", 24), peak_memory(tmp_path / "long", 160)
    one_frame = 64 * 64 * 3
    assert long - short < 10 * one_frame


def test_panels_get_one_height_and_even_sides():
    panels = [
        np.full((height, width, 3), value, np.uint8)
        for height, width, value in ((40, 31, 50), (20, 20, 100), (80, 60, 150))
    ]
    joined = join_panels(*panels)
    assert joined.shape[0] % 2 == 0 and joined.shape[1] % 2 == 0
    strip = 16
    assert joined.shape == (80 + strip, 62 + 80 + 60 + 2 * GAP_PX, 3)
    row = joined[-10]
    assert [row[place].tolist() for place in (5, 70, 160)] == [[50] * 3, [100] * 3, [150] * 3]


def test_a_drawn_map_shows_parts_and_limbs(files):
    with DrivingMaps(files[1], 64) as maps:
        picture = draw_map(next(iter(maps)))
    assert picture.shape == (128, 128, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
