from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handmade import standing_track, write_clip
from understudy.dataset.windows import HELD_OUT, TRAINING, Run, index_windows, read_windows, split_runs, unbroken
from understudy.errors import FootageError
from understudy.layouts import change_file
from understudy.settings import DatasetSettings

SETTINGS = DatasetSettings(held_out=0.2, gap_frames=3, surface="both")


def index(folder: Path, *clips, settings: DatasetSettings = SETTINGS) -> Path:
    windows = folder / "windows.h5"
    columns = [[getattr(clip, name) for clip in clips] for name in ("frames", "pose", "surface", "flow")]
    index_windows(*columns, windows, settings)
    return windows


def test_runs_are_unbroken():
    valid = np.array([0, 1, 1, 0, 1, 1, 1], bool)
    assert list(unbroken(valid)) == [(1, 2), (4, 3)]
    assert list(unbroken(np.zeros(3, bool))) == []


def test_tail_is_held_out_behind_a_gap():
    runs = split_runs(0, np.ones(30, bool), SETTINGS)
    assert runs == [Run(0, 0, 21, TRAINING), Run(0, 24, 6, HELD_OUT)]


def test_invalid_frames_break_runs_on_both_sides():
    valid = np.ones(30, bool)
    valid[[5, 26]] = False
    runs = split_runs(1, valid, SETTINGS)
    assert [(run.first, run.length, run.split) for run in runs] == [(0, 5, 0), (6, 15, 0), (24, 2, 1), (27, 3, 1)]


@pytest.mark.parametrize("seed", range(20))
def test_no_training_frame_lies_within_the_gap(seed):
    chance = np.random.default_rng(seed)
    length, gap = int(chance.integers(1, 80)), int(chance.integers(0, 12))
    settings = DatasetSettings(float(chance.uniform(0.05, 0.5)), gap, "both")
    runs = split_runs(0, chance.random(length) > 0.1, settings)
    last = max((run.first + run.length for run in runs if run.split == TRAINING), default=0)
    first = min((run.first for run in runs if run.split == HELD_OUT), default=length)
    assert last == 0 or first - last >= gap


def test_file_comes_back_as_written(tmp_path):
    invalid = standing_track(30)
    invalid.valid[10] = False
    clips = [write_clip(tmp_path / "a", standing_track(30)), write_clip(tmp_path / "b", invalid)]
    found = read_windows(index(tmp_path, *clips))
    assert found.clips == tuple(clips)
    assert [run for run in found.runs if run.clip == 1] == [
        Run(1, 0, 10, TRAINING),
        Run(1, 11, 10, TRAINING),
        Run(1, 24, 6, HELD_OUT),
    ]
    assert (found.height, found.width, found.surface, found.shape) == (128, 128, "both", None)
    assert found.statistics.frames == 41


def test_bytes_follow_the_footage_and_nothing_else(tmp_path):
    """Training resumes its state where windows.h5 is the same to the byte."""
    clip = write_clip(tmp_path / "a", standing_track(30))
    first, again = (index(tmp_path, clip).read_bytes() for _ in range(2))
    with change_file(clip.frames) as file:
        file.attrs["source_sha256"] = "another film with the same poses"
    assert first == again != index(tmp_path, clip).read_bytes()


def test_statistics_are_those_of_training_frames(tmp_path):
    track = standing_track(30, x=40)
    track.body[24:, :, 0] += 50  # held out
    found = read_windows(index(tmp_path, write_clip(tmp_path / "a", track)))
    assert found.statistics.x_px == pytest.approx(40, abs=0.1)


BARE = {"px_per_m": 50.0, "thickness": 1.0, "head_px_per_m": 48.0, "arms": 1.0, "thighs": 1.0, "shins": 1.0}


def test_body_shapes_are_averaged_over_clips(tmp_path):
    clips = [
        write_clip(tmp_path / name, standing_track(30), shape=BARE | {"px_per_m": value, "relief": [value / 1000]})
        for name, value in (("a", 50.0), ("b", 60.0))
    ]
    assert read_windows(index(tmp_path, *clips)).shape == BARE | {"px_per_m": 55.0, "relief": [0.055]}


def test_clothes_are_averaged_over_the_clips_that_show_them(tmp_path):
    shapes = {"a": [0.01, 0.03], "b": [], "c": [0.03, 0.05]}
    clips = [
        write_clip(tmp_path / name, standing_track(30), shape=BARE | {"relief": each}) for name, each in shapes.items()
    ]
    assert read_windows(index(tmp_path, *clips)).shape == BARE | {"relief": pytest.approx([0.02, 0.04])}
    assert read_windows(index(tmp_path, clips[1])).shape == BARE | {"relief": []}


def test_short_footage_says_how_much_is_needed(tmp_path):
    clip = write_clip(tmp_path / "a", standing_track(20))
    with pytest.raises(FootageError, match=r"13 to train on .* a clip of 25 frames"):
        index(tmp_path, clip)
    assert not (tmp_path / "windows.h5").exists()
    index(tmp_path, write_clip(tmp_path / "b", standing_track(25)))


def test_footage_without_a_person_is_refused(tmp_path):
    track = replace(standing_track(60), valid=np.zeros(60, bool))
    with pytest.raises(FootageError, match="0 of them with a person"):
        index(tmp_path, write_clip(tmp_path / "a", track))


def test_clips_of_two_sizes_are_refused(tmp_path):
    clips = [
        write_clip(tmp_path / "a", standing_track(30)),
        write_clip(tmp_path / "b", standing_track(30), width=160),
    ]
    with pytest.raises(FootageError, match=r"128 x 160.*crops of the same proportions"):
        index(tmp_path, *clips)


def test_surfaces_of_two_atlases_are_refused(tmp_path):
    clips = [write_clip(tmp_path / name, standing_track(30), chart=name) for name in ("a", "b")]
    assert read_windows(index(tmp_path, clips[0])).chart == "a"
    with pytest.raises(FootageError, match=r"must belong to one atlas, found .*surface.h5 'a', .*surface.h5 'b'"):
        index(tmp_path, *clips)


def test_other_surfaces_give_other_windows(tmp_path):
    """A training's state is known by its windows: it must not go on with maps of another estimator."""
    clip = write_clip(tmp_path / "a", standing_track(30))
    first = index(tmp_path, clip).read_bytes()
    assert index(tmp_path, clip).read_bytes() == first
    with change_file(clip.surface) as file:
        file.attrs["sha256"] = "another"
    assert index(tmp_path, clip).read_bytes() != first
