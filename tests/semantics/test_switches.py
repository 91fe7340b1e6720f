"""Warnings that the person followed may be another one: planted changes are told, nothing else is."""

import numpy as np
import pytest

from crowd import colours, walk, write_crowd
from understudy.semantics.people import open_people
from understudy.semantics.switches import find_switches

ALONE = [walk(100, 300, 60), walk(350, 350, 60, height=60.0)]


def switches(folder, rows=None):
    with open_people(folder / "people.h5") as people:
        mine = np.flatnonzero(people.track == 1)
        return find_switches(people, mine if rows is None else rows(people))


def test_a_quiet_walk_is_not_doubted(tmp_path):
    write_crowd(tmp_path, ALONE)
    assert switches(tmp_path) == []


def test_another_persons_poses_from_a_frame_on_are_told(tmp_path):
    """The row of the larger person for 30 frames, then that of the smaller: looks and size change there."""
    owner = write_crowd(tmp_path, ALONE)

    def rows(people):
        return np.concatenate([np.flatnonzero(owner == 0)[:30], np.flatnonzero(owner == 1)[30:]])

    found = {switch.reason: switch for switch in switches(tmp_path, rows)}
    assert set(found) == {"looks change", "size changes"}
    assert found["looks change"].frame == pytest.approx(30, abs=1)
    assert found["size changes"].frame == pytest.approx(30, abs=1)
    assert found["size changes"].value == pytest.approx(100 / 60, rel=0.1)


def test_a_crossing_is_told_once_where_it_is_closest(tmp_path):
    write_crowd(tmp_path, [walk(50, 350, 75), walk(350, 50, 75, height=95.0)])
    (crossing,) = switches(tmp_path)
    assert crossing.reason == "crosses another person"
    assert crossing.frame == pytest.approx(37, abs=1)
    assert crossing.value > 0.7


def test_looks_of_the_test_differ():
    generator = np.random.default_rng(1)
    assert np.sqrt(colours(0, generator) * colours(1, generator)).sum(1).max() < 0.5
