"""A clip in three segments against the same clip whole: to the bit without a memory, half a pixel with one."""

import shutil

import h5py
import numpy as np
import pytest

from defaults import pose_settings, surface_settings
from understudy.backends import backend_fact, list_backends, load_backend
from understudy.errors import FootageError, LayoutError
from understudy.layouts import change_file, open_file
from understudy.segments import Segment
from understudy.semantics.choice import Choice
from understudy.semantics.people import BACKENDS as POSE_BACKENDS
from understudy.semantics.people import find_people, find_people_segment
from understudy.semantics.pose import estimate_pose, follow_person, register_segment
from understudy.semantics.surface import BACKENDS, estimate_surface, estimate_surface_segment, fit_surface
from understudy.settings import VERSIONS

THREE = [Segment(number, 3) for number in (1, 2, 3)]


def content(path):
    """Everything in a file but its name: datasets, and attributes of the file."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return found, dict(file.attrs)


def assert_same(one, other):
    (one, one_attributes), (other, other_attributes) = content(one), content(other)
    assert set(one) == set(other)
    assert one_attributes == other_attributes
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def people_in_segments(frames, folder, settings):
    paths = [folder / f"people_{segment}.h5" for segment in THREE]
    for segment, path in zip(THREE, paths, strict=True):
        find_people_segment(frames, path, segment, settings)
    return paths


def test_people_without_a_memory_are_joined_to_the_bit(synthetic_clip, tmp_path):
    settings = pose_settings("truth")
    segments = people_in_segments(synthetic_clip.frames, tmp_path, settings)
    find_people(synthetic_clip.frames, tmp_path / "joined.h5", settings, segments)
    find_people(synthetic_clip.frames, tmp_path / "whole.h5", settings)
    assert_same(tmp_path / "joined.h5", tmp_path / "whole.h5")


@pytest.fixture
def short_blocks(monkeypatch):
    """MediaPipe in blocks of a third of a second, for which it looks at six frames before."""
    backend = load_backend(POSE_BACKENDS, "mediapipe")
    monkeypatch.setattr(backend, "block_s", 1 / 3)
    monkeypatch.setattr(backend, "memory_frames", 6)
    return backend


@pytest.mark.slow
def test_people_with_a_memory_are_joined_to_the_bit_and_meet_at_the_seams(synthetic_clip, tmp_path, short_blocks):
    """It begins anew in each block of every clip; half a pixel of 256 off one that never does."""
    settings, frames = pose_settings("mediapipe"), synthetic_clip.frames
    segments = people_in_segments(frames, tmp_path, settings)
    find_people(frames, tmp_path / "joined.h5", settings, segments)
    find_people(frames, tmp_path / "whole.h5", settings)
    assert_same(tmp_path / "joined.h5", tmp_path / "whole.h5")
    short_blocks.block_s = 600.0
    find_people(frames, tmp_path / "at_once.h5", settings)
    followed = tmp_path / "followed.h5"
    follow_person(frames, tmp_path / "joined.h5", followed, Choice("largest"), settings)
    shifts = [tmp_path / f"shifts_{segment}.h5" for segment in THREE]
    for segment, path in zip(THREE, shifts, strict=True):
        register_segment(frames, followed, path, segment, settings)
    pose = tmp_path / "joined_pose.h5"
    estimate_pose(frames, tmp_path / "joined.h5", pose, Choice("largest"), settings, 1, [followed], shifts)
    poses = []
    for name in ("whole", "at_once"):
        estimate_pose(frames, tmp_path / f"{name}.h5", tmp_path / f"{name}_pose.h5", Choice("largest"), settings)
        poses.append(content(tmp_path / f"{name}_pose.h5")[0])
    assert_same(pose, tmp_path / "whole_pose.h5")
    for name in ("body", "face", "hands"):
        one, other = (pose[name] for pose in poses)
        assert (one[..., :2] != other[..., :2]).any(), "the memory is real"
        both = (one[..., 2] > 0) & (other[..., 2] > 0)
        off = np.linalg.norm((one - other)[..., :2], axis=-1)[both]
        assert np.median(off) < 0.5, name


@pytest.mark.parametrize("weight", [0, 50])
def test_shifts_and_motion_of_segments_are_those_of_the_whole(synthetic_clip, tmp_path, monkeypatch, weight):
    """True joints that tremble, for an estimator that looks at each frame by itself."""
    frames, people, followed = synthetic_clip.frames, tmp_path / "people.h5", tmp_path / "followed.h5"
    find_people(frames, people, pose_settings("truth"))
    random = np.random.default_rng(1)
    with change_file(people) as file:
        file["body"][..., :2] += random.normal(0, 1, file["body"][..., :2].shape) * (file["body"][..., 2:] > 0)
        file.attrs["exact"] = False
    settings = pose_settings("mediapipe", motion_weight=weight)
    follow_person(frames, people, followed, Choice("largest"), settings)
    shifts = [tmp_path / f"shifts_{segment}.h5" for segment in THREE]
    for segment, path in zip(THREE, shifts, strict=True):
        register_segment(frames, followed, path, segment, settings)
    joined, whole = tmp_path / "joined.h5", tmp_path / "whole.h5"
    estimate_pose(frames, people, joined, Choice("largest"), settings, 1, [followed], shifts)
    estimate_pose(frames, people, whole, Choice("largest"), settings)
    assert_same(joined, whole)
    assert any(content(path)[0]["motion"].any() for path in shifts) == (weight > 0)


def test_blocks_of_a_backend_are_the_segments_seams(tiny_clip, tmp_path, monkeypatch):
    """What was found in the frames before a block is not kept, and a segment may have no block at all."""
    backend = load_backend(POSE_BACKENDS, "truth")
    monkeypatch.setattr(backend, "memory_frames", 2)
    monkeypatch.setattr(backend, "block_s", 3 / 12)
    seen = []
    everybody = backend.__call__

    def watched(self, frames):
        seen.append((frames.first, frames.first + len(frames)))
        return everybody(self, frames)

    monkeypatch.setattr(backend, "__call__", watched)
    segments = people_in_segments(tiny_clip.frames, tmp_path, pose_settings("truth"))
    assert seen == [(0, 3), (1, 6)], "two blocks of three frames in three segments"
    counts = [content(path)[0]["count"].tolist() for path in segments]
    assert counts == [[], [1, 1, 1], [1, 1, 1]]
    find_people(tiny_clip.frames, tmp_path / "joined.h5", pose_settings("truth"), segments)
    find_people(tiny_clip.frames, tmp_path / "whole.h5", pose_settings("truth"))
    assert_same(tmp_path / "joined.h5", tmp_path / "whole.h5")


def test_a_segment_without_anybody_is_rows_of_nobody(tiny_clip, tmp_path, monkeypatch):
    backend = load_backend(POSE_BACKENDS, "truth")
    everybody = backend.__call__

    def later(self, frames):
        for number, poses in enumerate(everybody(self, frames), frames.first):
            yield poses if number >= 2 else ()

    monkeypatch.setattr(backend, "__call__", later)
    settings = pose_settings("truth")
    segments = people_in_segments(tiny_clip.frames, tmp_path, settings)
    with open_file(segments[0], "people") as file:
        assert file["count"][:].tolist() == [0, 0] and len(file["body"]) == 0
    find_people(tiny_clip.frames, tmp_path / "joined.h5", settings, segments)
    find_people(tiny_clip.frames, tmp_path / "whole.h5", settings)
    assert_same(tmp_path / "joined.h5", tmp_path / "whole.h5")
    monkeypatch.setattr(backend, "__call__", lambda self, frames: iter([()] * len(frames)))
    nobody = people_in_segments(tiny_clip.frames, tmp_path, settings)
    with pytest.raises(FootageError, match=r"Nobody is found in any of the 6 frames"):
        find_people(tiny_clip.frames, tmp_path / "nobody.h5", settings, nobody)


@pytest.mark.parametrize("name", ["body_model", "truth", "none"])
def test_surfaces_are_joined_to_the_bit(name, tiny_clip, tiny_pose, tmp_path):
    """What is fitted to the clip is fitted once, to all of it."""
    frames, pose, settings = tiny_clip.frames, tiny_pose, surface_settings(name, samples=2)
    fit = []
    if load_backend(BACKENDS, name).fits_clip:
        fit = [str(tmp_path / "fit.json")]
        fit_surface(frames, pose, tmp_path / "fit.json", settings)
    paths = [tmp_path / f"surface_{segment}.h5" for segment in THREE]
    for segment, path in zip(THREE, paths, strict=True):
        estimate_surface_segment(frames, pose, path, segment, settings, fit=fit)
    estimate_surface(frames, pose, tmp_path / "joined.h5", settings, segments=paths, fit=fit)
    estimate_surface(frames, pose, tmp_path / "whole.h5", settings)
    assert_same(tmp_path / "joined.h5", tmp_path / "whole.h5")


def test_every_backend_says_what_it_remembers():
    """In its source: some need programs that are not here."""
    for name in list_backends(POSE_BACKENDS):
        remembers, block_s = (backend_fact(POSE_BACKENDS, name, fact) for fact in ("memory_frames", "block_s"))
        assert bool(remembers) == (name == "mediapipe") == bool(block_s)


def test_segments_of_another_clip_or_estimator_are_refused(tiny_clip, tmp_path):
    settings = pose_settings("truth")
    segments = people_in_segments(tiny_clip.frames, tmp_path, settings)
    with pytest.raises(LayoutError, match=r"hold 4 frames, but the clip has 6"):
        find_people(tiny_clip.frames, tmp_path / "joined.h5", settings, segments[:2])
    other = shutil.copy(segments[1], tmp_path / "other.h5")
    with change_file(other) as file:
        file.attrs["producer"] = f"semantics {VERSIONS['semantics']}, truth 2"
    with pytest.raises(LayoutError, match=r"different estimators \(semantics \d, truth 1; semantics \d, truth 2\)"):
        find_people(tiny_clip.frames, tmp_path / "joined.h5", settings, [segments[0], other, segments[2]])
    with pytest.raises(FootageError, match="planned in 9 segments, but has only 6 frames"):
        find_people_segment(tiny_clip.frames, tmp_path / "ninth.h5", Segment(9, 9), settings)
