"""The table of stages from lists of heights and clip lengths."""

from itertools import pairwise

import pytest

from understudy.errors import SettingsError
from understudy.stages import alternate, grown_stages
from understudy.validation import complete, load_schema

SMALLEST = {"performers": {"ada": {"clips": ["ada"]}}}


def table(**training):
    return complete(SMALLEST | {"training": training})["training"]["stages"]


def test_length_and_height_grow_in_turn():
    assert alternate(3, 3) == [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]
    assert alternate(2, 4) == [(0, 0), (0, 1), (1, 1), (1, 2), (1, 3)]
    assert alternate(4, 2) == [(0, 0), (0, 1), (1, 1), (2, 1), (3, 1)]
    assert alternate(1, 3) == [(0, 0), (0, 1), (0, 2)]
    assert alternate(3, 1) == [(0, 0), (1, 0), (2, 0)]
    assert alternate(1, 1) == [(0, 0)]


@pytest.mark.parametrize(("heights", "lengths"), [(s, t) for s in range(1, 6) for t in range(1, 6)])
def test_every_row_grows_one_of_the_two_and_the_last_is_the_greatest(heights, lengths):
    places = alternate(heights, lengths)
    assert places[0] == (0, 0) and places[-1] == (heights - 1, lengths - 1)
    for (s, t), (later_s, later_t) in pairwise(places):
        assert (later_s - s, later_t - t) in ((0, 1), (1, 0))


def test_without_a_table_the_default_grows():
    rows = table()
    assert [(row["name"], row["height_px"], row["clip_frames"]) for row in rows] == [
        ("s0t0", 128, 1), ("s0t1", 128, 3), ("s1t1", 256, 3), ("s1t2", 256, 6),
    ]  # fmt: skip
    assert [row["batch"] for row in rows] == [4, 4, 2, 2]
    assert [row["learning_rate"] for row in rows] == [8e-4, 8e-4, 4e-4, 4e-4]
    assert [row["judges_from"] for row in rows] == [1, 1, 1, 0.5]


def test_rows_have_the_schemas_keys_in_its_order():
    wanted = list(load_schema()["properties"]["training"]["properties"]["stages"]["items"]["properties"])
    for row in (*table(), *table(stages=[{"clip_frames": 1, "name": "s0t0", "height_px": 64}])):
        assert list(row) == wanted


def test_a_table_that_is_given_wins():
    grow = {"heights_px": [64], "clip_frames": [2]}
    given = [{"name": "s3t4", "height_px": 128, "clip_frames": 5}]
    assert [row["name"] for row in table(grow=grow, stages=given)] == ["s3t4"]
    assert [row["height_px"] for row in table(grow=grow, stages=[])] == [64]
    assert "grow" not in complete(SMALLEST | {"training": {"grow": grow}})["training"]  # no job sees it


def test_rest_stands_in_every_row_and_freezing_where_the_height_grows():
    rows = table(
        grow={
            "heights_px": [256, 512, 1024], "clip_frames": [12, 24], "batch": 2, "epochs": 10, "decay": "linear",
            "learning_rate": 2e-4, "judges_from": 0, "freeze": 0.3, "rollout": {"share": 0.1},
        }
    )  # fmt: skip
    assert [row["name"] for row in rows] == ["s0t0", "s0t1", "s1t1", "s2t1"]
    assert [row["freeze"] for row in rows] == [0, 0, 0.3, 0.3]
    assert [row["batch"] for row in rows] == [2, 2, 1, 1]
    assert [row["learning_rate"] for row in rows] == pytest.approx([2e-4, 2e-4, 1e-4, 5e-5])
    for row in rows:
        assert (row["epochs"], row["seconds"], row["steps"]) == (10, 0, 0)
        assert (row["decay"], row["judges_from"], row["rollout"]) == ("linear", 0, {"frames": 32, "share": 0.1})


def test_seconds_default_to_no_limit_where_another_is_given():
    row = {"name": "s0t0", "height_px": 64, "clip_frames": 1}
    seconds = [
        table(stages=[row | limits])[0]["seconds"]
        for limits in ({}, {"steps": 9}, {"epochs": 2}, {"steps": 0}, {"steps": 9, "seconds": 5})
    ]
    assert seconds == [120, 0, 0, 120, 5]


@pytest.mark.parametrize("name", ["heights_px", "clip_frames"])
def test_lists_must_rise(name):
    with pytest.raises(SettingsError, match=rf"training.grow.{name} is \[64, 32\].*rise"):
        table(grow={name: [64, 32]})


def test_rows_do_not_depend_on_each_other():
    grow = {
        "heights_px": [64, 128],
        "clip_frames": [1],
        "batch": 1,
        "learning_rate": 1e-3,
        "judges_from": 1,
        "freeze": 0,
    }
    assert [row["batch"] for row in grown_stages(grow)] == [1, 1]  # never none
