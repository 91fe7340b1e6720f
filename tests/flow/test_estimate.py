"""A clip that moves in a known way gives that flow at every stride; what is hidden is not trusted."""

import h5py
import numpy as np
import pytest

from defaults import flow_settings
from understudy.flow.estimate import UNITS_PER_PX, estimate_flow, estimate_flow_segment, pack
from understudy.layouts import open_file
from understudy.segments import Segment

SETTINGS = flow_settings(quality="medium", strides=(1, 3), slack_px=0.7)
STEP = 2  # px to the right per frame


@pytest.fixture
def panned(texture):
    """Six frames of a texture that moves to the right, so backward flow is -STEP."""
    wide = texture(1, 64, 120)
    return np.stack([wide[:, 20 - STEP * t : 100 - STEP * t] for t in range(6)])


def test_a_panned_texture_gives_its_shift_at_every_stride(panned, write_frames, tmp_path):
    estimate_flow(write_frames(panned), tmp_path / "flow.h5", SETTINGS)
    with open_file(tmp_path / "flow.h5", "flow") as file:
        assert set(file) == {"stride_1", "stride_3"}
        for stride in (1, 3):
            backward = file[f"stride_{stride}/backward"][stride:] / UNITS_PER_PX  # (T, H, W, 2) px
            confidence = file[f"stride_{stride}/confidence"][stride:]
            inner = np.s_[:, 8:-8, 16:-16]
            assert np.abs(backward[inner] - (-STEP * stride, 0)).max() < 0.3
            assert (confidence[inner] == 255).all()
            assert set(np.unique(confidence)) <= {0, 255}


def test_what_comes_from_outside_the_picture_is_not_trusted(panned, write_frames, tmp_path):
    estimate_flow(write_frames(panned), tmp_path / "flow.h5", SETTINGS)
    with h5py.File(tmp_path / "flow.h5") as file:
        entering = file["stride_3/confidence"][3:, :, : 3 * STEP - 1]  # came in within the last 3 frames
    assert (entering > 0).mean() < 0.05


@pytest.mark.parametrize("length", [1, 2])
def test_frames_before_the_stride_are_zero_and_not_trusted(panned, write_frames, tmp_path, length):
    estimate_flow(write_frames(panned[:length]), tmp_path / "flow.h5", SETTINGS)
    with open_file(tmp_path / "flow.h5", "flow") as file:
        for stride in (1, 3):
            group = file[f"stride_{stride}"]
            assert group["backward"].shape == (length, 64, 80, 2)
            assert not group["backward"][:stride].any()
            assert not group["confidence"][:stride].any()


def test_a_resting_clip_is_at_rest_and_trusted(panned, write_frames, tmp_path):
    estimate_flow(write_frames(panned[[0, 0, 0, 0]]), tmp_path / "flow.h5", SETTINGS)
    with h5py.File(tmp_path / "flow.h5") as file:
        for stride in (1, 3):
            assert np.abs(file[f"stride_{stride}/backward"][:]).max() <= 1
            assert (file[f"stride_{stride}/confidence"][stride:] == 255).all()


def test_points_hidden_in_the_frame_before_are_rejected(texture, write_frames, tmp_path):
    ground, card = texture(2, 96, 128), 255 - texture(3, 40, 40)
    clip = []
    for t in range(3):
        frame = ground.copy()
        frame[28:68, 30 + 6 * t : 70 + 6 * t] = card
        clip.append(frame)
    estimate_flow(write_frames(np.stack(clip)), tmp_path / "flow.h5", SETTINGS)
    with h5py.File(tmp_path / "flow.h5") as file:
        backward = file["stride_1/backward"][2] / UNITS_PER_PX
        trusted = file["stride_1/confidence"][2] == 255
    uncovered = np.s_[32:64, 36:40]  # the card stood here in frame 1
    assert trusted[uncovered].mean() < 0.25
    on_card = np.s_[36:60, 50:74]
    assert trusted[on_card].mean() > 0.95
    assert np.abs(backward[on_card][trusted[on_card]] - (-6, 0)).mean() < 0.1


def test_chaining_follows_a_point_that_turns_round(texture, write_frames, tmp_path):
    """The clip moves right, then back: over two frames everything is where it was."""
    wide = texture(4, 64, 120)
    clip = np.stack([wide[:, 20 - shift : 100 - shift] for shift in (0, 4, 0)])
    settings = flow_settings(quality="medium", strides=(1, 2), slack_px=0.7)
    estimate_flow(write_frames(clip), tmp_path / "flow.h5", settings)
    with h5py.File(tmp_path / "flow.h5") as file:
        backward = file["stride_2/backward"][2, 8:-8, 12:-12] / UNITS_PER_PX
    assert np.abs(backward).max() < 0.3


def test_packing_keeps_sixteenths_and_refuses_what_does_not_fit():
    flow = np.zeros((2, 3, 2), np.float32)
    flow[0, 0] = (1.0625, -2.5)
    flow[0, 1] = (3000, 0)
    flow[0, 2] = (np.nan, 0)
    flow[1, 0] = (0, -2047)
    flow[1, 1] = (0, -np.inf)
    backward, confidence = pack(flow, np.ones((2, 3), bool))
    assert backward.dtype == np.int16
    assert backward[0, 0].tolist() == [17, -40]
    assert backward[1, 0].tolist() == [0, -2047 * 16]
    assert confidence.tolist() == [[255, 0, 0], [255, 0, 255]]
    assert pack(flow, np.zeros((2, 3), bool))[1].max() == 0


def test_threads_do_not_change_the_flow(panned, write_frames, tmp_path):
    frames, found = write_frames(panned), []
    for threads in (1, 3):
        estimate_flow(frames, tmp_path / f"{threads}.h5", SETTINGS, threads)
        with open_file(tmp_path / f"{threads}.h5", "flow") as file:
            found.append(
                [file[f"stride_{stride}/{name}"][:] for stride in (1, 3) for name in ("backward", "confidence")]
            )
    for one, several in zip(*found, strict=True):
        np.testing.assert_array_equal(one, several)


def test_segments_are_joined_to_the_bit(panned, write_frames, tmp_path):
    """Chains over three frames begin in the segment before; six frames in three segments, and in five."""
    frames = write_frames(panned)
    estimate_flow(frames, tmp_path / "whole.h5", SETTINGS)
    for count in (3, 5):
        paths = [tmp_path / f"{number}of{count}.h5" for number in range(1, count + 1)]
        for path in paths:
            estimate_flow_segment(frames, path, Segment.of(path.stem), SETTINGS)
        estimate_flow(frames, tmp_path / "joined.h5", SETTINGS, segments=paths)
        with open_file(tmp_path / "whole.h5", "flow") as whole, open_file(tmp_path / "joined.h5", "flow") as joined:
            assert dict(whole.attrs) == dict(joined.attrs)
            for place in (f"stride_{stride}/{name}" for stride in (1, 3) for name in ("backward", "confidence")):
                np.testing.assert_array_equal(whole[place][:], joined[place][:])
