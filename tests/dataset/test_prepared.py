import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from handmade import standing_track, write_clip
from understudy.dataset import reader
from understudy.dataset.reader import Footage
from understudy.dataset.windows import index_windows
from understudy.errors import DamageError
from understudy.settings import DatasetSettings

SETTINGS = DatasetSettings(held_out=0.2, gap_frames=2, surface="both")


@pytest.fixture
def windows(tmp_path) -> Path:
    clip = write_clip(tmp_path / "clip", standing_track(30, sway=6), height=64, width=96)
    index_windows([clip.frames], [clip.pose], [clip.surface], [clip.flow], tmp_path / "windows.h5", SETTINGS)
    return tmp_path / "windows.h5"


@pytest.fixture
def none_prepared(monkeypatch):
    def fail():
        monkeypatch.setattr(reader, "prepared_frame", lambda *_, **__: pytest.fail("a frame was prepared"))

    return fail


def same(one: Footage, two: Footage) -> bool:
    batches = [each.sample(torch.Generator().manual_seed(4), 5, 6, strides=(1, 3)) for each in (one, two)]
    pairs = [*zip(batches[0].maps, batches[1].maps, strict=True), *zip(batches[0].truth, batches[1].truth, strict=True)]
    values = [(getattr(a, one.name), getattr(b, one.name)) for a, b in pairs for one in fields(a)]
    values += [
        pair for far in zip(batches[0].far[3], batches[1].far[3], strict=True) for pair in zip(*far, strict=True)
    ]
    return all(torch.equal(a, b) for a, b in values)


@pytest.mark.parametrize("threads", [1, 3])
def test_frames_from_the_file_are_those_prepared_to_the_bit(windows, tmp_path, threads):
    kept = Footage(windows, 32)
    kept.prepare(tmp_path, threads)
    assert same(kept, Footage(windows, 32))


def test_the_next_start_prepares_none_and_opens_no_clip(windows, tmp_path, none_prepared):
    first, again = Footage(windows, 32), Footage(windows, 32)
    first.prepare(tmp_path)
    none_prepared()
    again.prepare(tmp_path)
    assert same(first, again)


def test_a_stale_file_is_never_used(windows, tmp_path):
    Footage(windows, 32).prepare(tmp_path)
    (old,) = tmp_path.glob("frames-*.npy")
    for changes in ({"height_px": 64}, {"height_px": 32, "surface": "body"}, {"height_px": 32, "most": 9}):
        Footage(windows, **changes).prepare(tmp_path)
        (new,) = tmp_path.glob("frames-*.npy")
        assert new != old
        old = new
    surface = tmp_path / "clip" / "surface.h5"
    os.utime(surface, ns=(0, 0))  # as if it were written again
    Footage(windows, 32, most=9).prepare(tmp_path)
    (new,) = tmp_path.glob("frames-*.npy")
    assert new != old


def test_a_file_that_was_not_finished_is_no_file(windows, tmp_path, monkeypatch):
    usual, count = reader.prepared_frame, []

    def broken(*arguments, **rest):
        count.append(1)
        if len(count) == 5:
            raise OSError("the disk is full")
        return usual(*arguments, **rest)

    monkeypatch.setattr(reader, "prepared_frame", broken)
    with pytest.raises(OSError, match="full"):
        Footage(windows, 32).prepare(tmp_path)
    assert not list(tmp_path.glob("*.npy")) and not list(tmp_path.glob(".*.part*"))


def test_a_damaged_file_is_prepared_anew_and_a_wrong_byte_that_comes_later_is_told(windows, tmp_path):
    kept = Footage(windows, 32)
    kept.prepare(tmp_path)
    (path,) = tmp_path.glob("frames-*.npy")
    data = path.read_bytes()
    for place in (20, 90, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :])
        again = Footage(windows, 32)
        again.prepare(tmp_path)
        assert same(again, Footage(windows, 32)) and path.read_bytes() == data, place
    path.write_bytes(data[:-5])
    again = Footage(windows, 32)
    again.prepare(tmp_path)
    assert path.read_bytes() == data
    with path.open("r+b") as file:  # the same file: it is mapped
        file.seek(len(data) // 2)
        file.write(bytes([data[len(data) // 2] ^ 64]))
    with pytest.raises(DamageError, match="delete it and run"):
        same(again, again)


def test_no_more_is_kept_than_the_memory_takes(windows, tmp_path):
    whole = Footage(windows, 32)
    size = whole._frame(0).nbytes
    small = Footage(windows, 32, cache_bytes=5 * size + 1)
    small.prepare(tmp_path)
    (file,) = tmp_path.glob("frames-*.npy")
    assert len(np.load(file, mmap_mode="r")) == 5
    assert same(small, whole)
    assert len(small._cache) == 1  # beside the file, the one frame that is needed at a time


def test_the_file_goes_when_the_stage_ends_and_its_frames_stay_usable(windows, tmp_path):
    footage = Footage(windows, 32)
    footage.prepare(tmp_path)
    footage.forget()
    assert not list(tmp_path.glob("frames-*.npy"))
    assert same(footage, Footage(windows, 32))
