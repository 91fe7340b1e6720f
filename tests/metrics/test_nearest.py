"""Known answers: the same pose elsewhere and at another size is nearest; poses without joints are not compared."""

import numpy as np

from understudy.metrics import nearest
from understudy.metrics.nearest import nearest_frames


def poses(frames: int, seed: int = 1) -> np.ndarray:
    made = np.random.default_rng(seed).uniform(-40, 40, (frames, 25, 3)).astype(np.float32)
    made[..., 2] = 1
    return made


def test_a_pose_is_found_again_wherever_it_stands_and_however_large():
    others = poses(12)
    wanted = np.array([7, 2, 11])
    mine = others[wanted].copy()
    mine[..., :2] = mine[..., :2] * 2.5 + (300, -40)
    found = nearest_frames(mine, others, 250, 100)
    assert found.index.tolist() == wanted.tolist()
    assert np.allclose(found.distance, 0, atol=1e-5)


def test_distance_is_the_mean_over_joints_in_body_heights():
    others = poses(1)
    mine = others.copy()
    mine[:, 4, 0] += 34  # one of 17 joints is 34 px off
    assert np.isclose(nearest_frames(mine, others, 100, 100).distance[0], 34 / 17 / 100)


def test_absent_joints_do_not_count():
    others = poses(6)
    mine = others[[3]].copy()
    mine[:, [2, 3, 4]] = 0
    assert nearest_frames(mine, others, 100, 100).index.tolist() == [3]


def test_poses_that_cannot_be_compared_have_no_neighbour():
    nobody = np.zeros((2, 25, 3), np.float32)
    for found in (nearest_frames(nobody, poses(4), 100, 100), nearest_frames(poses(2), nobody[:0], 100, 100)):
        assert found.index.tolist() == [-1, -1]
        assert np.isinf(found.distance).all()


def test_blocks_change_nothing(monkeypatch):
    monkeypatch.setattr(nearest, "_PAIRS", 256 * 40)
    others, mine = poses(40), poses(600, seed=2)
    together = nearest_frames(mine, others, 100, 100)
    alone = [nearest_frames(mine[[t]], others, 100, 100).index[0] for t in (0, 255, 256, 599)]
    assert together.index[[0, 255, 256, 599]].tolist() == alone
