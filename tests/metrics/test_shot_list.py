"""Known answers: which moments are uncovered, and in which words."""

import numpy as np
import pytest

from standing import postures, standing, turned_body
from understudy.metrics.shot_list import Moment, describe, shot_list, uncovered_moments


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        ({"left_elbow": (30, -95), "left_wrist": (32, -130)}, "the left arm raised above the head"),
        (
            {"right_elbow": (-55, -70), "right_wrist": (-90, -70)},
            "the right arm stretched out to the left of the picture",
        ),
        (
            {"right_knee": (-20, 10), "right_ankle": (-20, 55)},
            "the right leg raised, the knee at the height of the hip",
        ),
        ({"left_wrist": (6, -92)}, "the left hand at the face"),
    ],
)
def test_what_the_footage_lacks_is_named(moved, words):
    said = describe(postures(standing(**moved)), postures(standing()), 0.08)
    assert said.startswith("facing the camera, with ") and words in said


def test_sides_are_the_persons_and_the_pictures():
    body, depth = turned_body(90)
    assert describe(postures(body, depth), postures(standing()), 0.08).startswith("in profile, to the right of the")
    body, depth = turned_body(-45)
    assert "half to the left of the picture" in describe(postures(body, depth), postures(standing()), 0.08)


def test_runs_are_moments_breaks_are_bridged_and_single_frames_are_not():
    distance = np.array([0.01, 0.1, 0.2, 0.01, 0.01, 0.1, 0.01, 0.01, 0.01, 0.01, 0.01, 0.3, np.inf, 0.01])
    same = postures(standing(len(distance)))
    (moment,) = uncovered_moments(distance, np.zeros(len(distance), int), same, postures(standing()), 0.08)
    assert (moment.first, moment.last, moment.worst) == (1, 5, 2)


def test_equal_words_are_one_sentence_the_farthest_first():
    moments = [Moment(0, 4, 2, "facing the camera"), Moment(9, 9, 9, "in profile"), Moment(20, 21, 20, "in profile")]
    distance = np.zeros(30)
    distance[[2, 9, 20]] = 0.1, 0.12, 0.2
    first, second = shot_list(moments, distance)
    assert first.startswith("Film the performer in profile, as in frames 20 to 21 and 9 of the driving clip (0.20")
    assert second == (
        "Film the performer facing the camera, as in frames 0 to 4 of the driving clip (0.10 body heights from "
        "anything filmed)."
    )
    assert shot_list([], distance) == []
