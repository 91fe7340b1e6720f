"""Boxes of a clip that do not count: what is in them never gets into a batch."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from handmade import standing_track, write_clip
from understudy.dataset.reader import Footage
from understudy.dataset.truth import counted_pixels
from understudy.dataset.windows import index_windows
from understudy.layouts import change_file
from understudy.settings import DatasetSettings

SETTINGS = DatasetSettings(held_out=0.2, gap_frames=2, surface="both")
BOX = [9.0, 24.0, 30.5, 33.0]  # left, top, right, bottom, px of frames of 64 x 64


def windows(folder: Path, content: int, ignore: list = (BOX,)) -> Path:
    """A clip whose frames show `content` in the box."""
    clip = write_clip(folder / "clip", standing_track(30, x=32, ground=60, scale=0.5), height=64, width=64)
    with change_file(clip.frames) as file:
        file["rgb"][:, 24:33, 9:31] = content
        file.attrs["ignore"] = json.dumps(ignore)
    index_windows([clip.frames], [clip.pose], [clip.surface], [clip.flow], folder / "windows.h5", SETTINGS)
    return folder / "windows.h5"


def test_a_pixel_that_a_box_touches_does_not_count():
    counted = counted_pixels([BOX], 32, 32, 2)
    inside = np.zeros((32, 32), bool)
    inside[12:17, 4:16] = True
    assert np.array_equal(counted, ~inside)
    assert counted_pixels([], 8, 4, 2).all()


def test_what_is_in_a_box_gets_into_no_batch(tmp_path):
    batches = []
    for content in (7, 250):
        footage = Footage(windows(tmp_path / str(content), content), 32)
        batches.append(footage.sample(torch.Generator().manual_seed(1), 3, 4, strides=(1, 3)))
    for one, two in zip(batches[0].truth, batches[1].truth, strict=True):
        assert all(torch.equal(getattr(one, each.name), getattr(two, each.name)) for each in fields(one))
        assert one.picture[..., 12:17, 4:16].unique().numel() == 1
        assert one.counted.sum() == 3 * (32 * 32 - 5 * 12)


def test_no_flow_is_trusted_that_starts_or_ends_in_a_box(tmp_path):
    footage = Footage(windows(tmp_path, 7), 64)
    truth = footage.sample(torch.Generator().manual_seed(1), 1, 2).truth[-1]  # flows are 2, -1 px
    trusted = torch.ones(64, 64)
    trusted[24:33, 9:31] = 0  # starts there
    trusted[25:34, 7:29] = 0  # ends there
    assert torch.equal(truth.confidence[0, 0], trusted)


def test_other_boxes_are_other_footage(tmp_path):
    contents = [windows(tmp_path / name, 7, ignore).read_bytes() for name, ignore in (("a", [BOX]), ("b", []))]
    assert contents[0].replace(b"/a/", b"/b/") != contents[1]
