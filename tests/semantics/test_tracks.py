"""People planted in a clip, their poses shuffled in every frame: each keeps one track through everything they do."""

import numpy as np
import pytest

from crowd import RATE, shuffled, standing, walk
from understudy.semantics.tracks import find_tracks, joint_similarity


def assert_each_keeps_one_track(track, owner, number_of_people):
    for number in range(number_of_people):
        assert len(set(track[owner == number])) == 1, f"person {number} has tracks {set(track[owner == number])}"
    assert set(track) == set(range(1, number_of_people + 1))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("looks", [True, False], ids=["dressed", "alike"])
def test_two_people_cross(seed, looks):
    paths = [walk(50, 350, 75), walk(350, 50, 75, height=95.0)]
    frame, body, look, owner = shuffled(paths, np.random.default_rng(seed), looks=looks)
    assert_each_keeps_one_track(find_tracks(frame, body, look, RATE), owner, 2)


@pytest.mark.parametrize("gap", [5, 15, 25])
def test_an_occlusion_of_up_to_a_second_is_survived(gap):
    """One passes behind another and is not seen for so long; a third stands by."""
    middle = 40
    paths = [
        walk(60, 340, 80, hidden=[(middle - gap // 2, middle - gap // 2 + gap)]),
        walk(210, 190, 80, height=120.0),
        walk(380, 380, 80, height=90.0),
    ]
    frame, body, look, owner = shuffled(paths, np.random.default_rng(gap))
    assert_each_keeps_one_track(find_tracks(frame, body, look, RATE), owner, 3)


def test_both_are_lost_where_they_cross_and_found_on_the_other_side():
    hidden = [(32, 44)]
    paths = [walk(50, 350, 75, hidden=hidden), walk(350, 50, 75, hidden=hidden)]
    frame, body, look, owner = shuffled(paths, np.random.default_rng(2))
    assert_each_keeps_one_track(find_tracks(frame, body, look, RATE), owner, 2)


def test_people_come_and_go():
    """Somebody who is away for longer than an occlusion lasts is somebody new."""
    paths = [walk(100, 120, 150), [None] * 30 + walk(300, 250, 60), walk(200, 210, 150, hidden=[(50, 110)])]
    frame, body, look, owner = shuffled(paths, np.random.default_rng(3))
    track = find_tracks(frame, body, look, RATE)
    assert len(set(track[owner == 0])) == len(set(track[owner == 1])) == 1
    first, second = set(track[(owner == 2) & (frame < 50)]), set(track[(owner == 2) & (frame >= 110)])
    assert len(first) == len(second) == 1 and first != second
    assert len(set(track)) == 4


def test_crowd_of_six_with_a_dance_in_the_middle():
    """Six people change places again and again, each lost for half a second now and then."""
    generator = np.random.default_rng(4)
    time = np.arange(200) / RATE
    paths = []
    for number in range(6):
        x = 250 + 180 * np.sin(0.6 * time + number * np.pi / 3)
        y = 140 + 30 * np.cos(0.6 * time + number * np.pi / 3)
        path = [(*place, 90.0 + 6 * number) for place in zip(x, y)]
        for first in generator.choice(np.arange(20, 170, 15), 3, replace=False):
            path[first : first + 12] = [None] * 12
        paths.append(path)
    frame, body, look, owner = shuffled(paths, generator)
    assert_each_keeps_one_track(find_tracks(frame, body, look, RATE), owner, 6)


def test_tracks_are_numbered_by_size_times_duration_and_short_ones_dropped():
    paths = [walk(100, 100, 60, height=80.0), walk(300, 300, 60, height=150.0), [None] * 20 + walk(200, 200, 3)]
    frame, body, look, owner = shuffled(paths, np.random.default_rng(5))
    track = find_tracks(frame, body, look, RATE)
    assert set(track[owner == 1]) == {1}
    assert set(track[owner == 0]) == {2}
    assert set(track[owner == 2]) == {0}


def test_one_pose_a_frame_is_one_track_however_it_jumps():
    """An estimator that finds one person has followed them itself; all it found is used, as ever."""
    paths = [walk(50, 60, 20, hidden=[(5, 15)]), [None] * 40 + walk(350, 300, 20)]
    frame, body, look, _ = shuffled(paths, np.random.default_rng(6))
    assert set(find_tracks(frame, body, look, RATE)) == {1}


def test_a_clip_of_few_frames_keeps_its_people():
    paths = [walk(100, 100, 2), walk(300, 300, 2, height=90.0)]
    frame, body, look, owner = shuffled(paths, np.random.default_rng(7))
    assert_each_keeps_one_track(find_tracks(frame, body, look, RATE), owner, 2)


def test_joint_similarity_has_known_values():
    one, other = standing(100, 100, 100), standing(110, 100, 100)
    assert joint_similarity(one, one, 10) == pytest.approx(1)
    assert joint_similarity(one, other, 10) == pytest.approx(np.exp(-0.5))
    other[:, 2] = 0
    assert joint_similarity(one, other, 10) == 0
