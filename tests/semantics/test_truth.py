"""The truth seen through a crop, a scale, a span and a rate."""

import json

import numpy as np
import pytest

from understudy.clips import Clip
from understudy.layouts import open_file
from understudy.semantics.truth import open_truth
from understudy.settings import DecodeSettings
from understudy.video.decode import decode_clip
from understudy.video.frames import Frames


@pytest.fixture(scope="module")
def cropped(tiny_clip, tmp_path_factory):
    """From 0.25 s on at half the rate, 64 px from column 16, row 32, shown twice as large."""
    folder = tmp_path_factory.mktemp("cropped")
    (folder / "crop.json").write_text(json.dumps({"left": 16, "top": 32, "width": 64, "height": 64}))
    clip = Clip("cropped", str(tiny_clip.video), 0.25, 0, "largest", "16,32,64,64")
    frames = folder / "frames.h5"
    decode_clip(
        tiny_clip.video, folder / "crop.json", frames, folder / "sound.mka", clip, DecodeSettings("pyav", 128, 6, 0)
    )
    return frames


def test_rows_follow_span_and_rate(cropped):
    with Frames(cropped) as frames, open_truth(frames) as truth:
        assert truth.rows.tolist() == [3, 5]


def test_joints_maps_and_matte_follow_the_crop(cropped, tiny_clip):
    with open_file(tiny_clip.folder / "truth.h5", "truth") as file:
        joints, depth = file["body"][3], file["body_z"][3]
        part, matte = file["part"][3], file["matte"][3]
    with Frames(cropped) as frames, open_truth(frames) as truth:
        found, found_depth = truth.joints("body", 0)
        np.testing.assert_allclose(truth.map("part", 0, 1), part[64:192, 32:160])
        np.testing.assert_array_equal(truth.matte(0), matte[32:96, 16:80].repeat(2, 0).repeat(2, 1))
    present = found[:, 2] > 0
    assert 5 < present.sum() < 25  # the head is cut off
    np.testing.assert_allclose(found[present, :2], (joints[present, :2] - [16, 32]) * 2, atol=1e-3)
    np.testing.assert_allclose(found_depth[present], depth[present] * 2, atol=1e-3)
    assert not found[~present].any()
