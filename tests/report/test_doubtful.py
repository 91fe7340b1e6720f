"""Doubtful frames of poses made by hand."""

from fractions import Fraction

import numpy as np
import pytest

from handmade import standing_track
from understudy.report.doubtful import (
    COVER,
    JUMP,
    NO_SURFACE,
    NOBODY,
    SCORE,
    SWAP,
    Doubt,
    body_height,
    find_doubtful,
    write_doubtful,
)
from understudy.semantics.joints import BODY, BODY_MIRROR

T = 40
ARMS = [BODY[f"{side}_{joint}"] for side in ("left", "right") for joint in ("shoulder", "elbow", "wrist")]
LEGS = [BODY[f"{side}_{joint}"] for side in ("left", "right") for joint in ("hip", "knee", "ankle")]


@pytest.fixture
def body() -> np.ndarray:
    """Return (T, 25, 3): somebody 100 px tall who sways by 6 px and nods the arms."""
    return np.array(standing_track(frames=T, sway=6).body)


@pytest.fixture
def valid() -> np.ndarray:
    return np.ones(T, bool)


def found(doubts: list[Doubt], reason: str) -> list[int]:
    return [doubt.frame for doubt in doubts if doubt.reason == reason]


def test_a_calm_clip_is_not_doubted(body, valid):
    assert find_doubtful(body, valid, np.full(T, 0.8)) == []


def test_a_fast_dance_is_not_doubted(body, valid):
    body[..., 0] += 40 * np.sin(np.arange(T) / 4)[:, None]  # up to 10 px, a tenth of the height, a frame
    assert find_doubtful(body, valid) == []


def test_noise_of_the_estimator_is_not_doubted(body, valid):
    body[..., :2] += np.random.default_rng(0).normal(0, 1, body[..., :2].shape)
    assert find_doubtful(body, valid) == []


def test_frames_without_anybody_are_named(body, valid):
    valid[[3, 4]] = False
    body[[3, 4]] = 0
    assert find_doubtful(body, valid) == [Doubt(3, NOBODY, 0.0), Doubt(4, NOBODY, 0.0)]


def test_a_clip_without_anybody_is_doubted_whole(body, valid):
    doubts = find_doubtful(np.zeros_like(body), ~valid, np.full(T, np.nan))
    assert found(doubts, NOBODY) == list(range(T))
    assert len(doubts) == T


def test_weak_joints_are_named_with_their_score(body, valid):
    body[7, :, 2] = 0.3
    assert find_doubtful(body, valid) == [Doubt(7, SCORE, pytest.approx(0.3))]


def test_joints_missing_now_and_then_count_and_those_never_seen_do_not(body, valid):
    hidden = ("hip", "knee", "ankle", "toe", "heel", "wrist")
    body[:, [BODY[name] for name in BODY if name.endswith(hidden)]] = 0  # cropped above the hips
    assert find_doubtful(body, valid) == []
    arms = [BODY[name] for name in BODY if "shoulder" in name or "elbow" in name or "wrist" in name]
    body[9, [*arms, BODY["nose"], BODY["neck"], BODY["left_ear"]]] = 0
    assert found(find_doubtful(body, valid), SCORE) == [9]


def test_a_jump_to_another_person_is_named_on_arrival(body, valid):
    body[20:, :, 0] += 30
    doubts = find_doubtful(body, valid)
    assert doubts == [Doubt(20, JUMP, pytest.approx(0.3, abs=0.05))]


def test_a_single_wrong_frame_is_a_jump_there_and_back(body, valid):
    body[20, :, 1] += 25
    assert found(find_doubtful(body, valid), JUMP) == [20, 21]


def test_a_gap_is_no_jump(body, valid):
    body[15:20] = 0
    valid[15:20] = False
    body[20:, :, 0] += 30
    assert found(find_doubtful(body, valid), JUMP) == []


@pytest.mark.parametrize("limbs", [ARMS, LEGS])
def test_sides_exchanged_in_some_frames_are_named(body, valid, limbs):
    right = body.copy()
    body[18:23, limbs] = right[18:23][:, BODY_MIRROR[limbs]]
    swapped = found(find_doubtful(body, valid), SWAP)
    assert set(range(18, 23)) <= set(swapped)
    assert set(swapped) <= set(range(18, 27))


@pytest.mark.parametrize("frames", [10, 20, 30])
def test_turning_round_is_no_swap(body, valid, frames):
    """Sides cross over in a pirouette of half a turn in so many frames."""
    turn = np.cos(np.clip(np.arange(T) - 5, 0, frames) / frames * np.pi)
    middle = body[:, BODY["mid_hip"], 0][:, None]
    body[..., 0] = middle + (body[..., 0] - middle) * turn[:, None]
    assert found(find_doubtful(body, valid), SWAP) == []


def test_arms_that_close_and_stop_are_no_swap(body, valid):
    middle = body[:, BODY["mid_hip"], 0][:, None]
    width = np.interp(np.arange(T), [10, 13], [4, 0.5])
    body[:, ARMS, 0] = middle + (body[:, ARMS, 0] - middle) * width[:, None]
    assert found(find_doubtful(body, valid), SWAP) == []


def test_shoulders_and_hips_that_contradict_each_other_are_named(body, valid):
    body[:, ARMS] = body[:, BODY_MIRROR[ARMS]]
    assert found(find_doubtful(body, valid), SWAP) == list(range(T))


def test_body_and_matte_that_differ_are_named(body, valid):
    cover = np.full(T, 0.8)
    cover[[5, 6]] = 0.55, 0.3
    cover[7] = np.nan
    doubts = find_doubtful(body, valid, cover)
    assert doubts == [Doubt(5, COVER, 0.55), Doubt(6, COVER, 0.3), Doubt(7, NO_SURFACE, 0.0)]


def test_the_height_is_that_of_the_standing_body(body, valid):
    body[:5, :, 1] = 80 + (body[:5, :, 1] - 80) / 2  # crouching for a while
    assert body_height(body, valid) == pytest.approx(94, abs=3)


def test_the_table_has_times_in_seconds(tmp_path):
    write_doubtful(tmp_path / "doubtful.tsv", [Doubt(30, JUMP, 0.25), Doubt(45, NOBODY, 0.0)], Fraction(30000, 1001))
    assert (tmp_path / "doubtful.tsv").read_text() == (
        "frame\ttime_s\treason\tvalue\n30\t1.001\tjump\t0.250\n45\t1.502\tnobody found\t0.000\n"
    )


def test_a_clip_without_doubts_has_a_table_with_its_heading_only(tmp_path):
    write_doubtful(tmp_path / "doubtful.tsv", [], Fraction(25))
    assert (tmp_path / "doubtful.tsv").read_text() == "frame\ttime_s\treason\tvalue\n"
