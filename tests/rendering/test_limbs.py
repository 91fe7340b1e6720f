import numpy as np
import pytest

from handmade import standing_track
from understudy.rendering.limbs import limb_maps, move_limbs, turn_of
from understudy.rendering.retarget import _TREE
from understudy.semantics.joints import BODY

RATIOS = dict.fromkeys(
    ("hip", "torso", "shoulder", "neck", "upper_arm", "forearm", "hand", "thigh", "shin", "foot"), 1.0
)
RATIOS["head"] = 1.0


def surface(body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A trunk and a left shin, drawn where the joints are; V runs down."""
    part, uv = np.zeros((128, 128), np.uint8), np.zeros((128, 128, 2), np.uint8)
    for number, ends, half in ((2, ("neck", "mid_hip"), 10), (12, ("left_knee", "left_ankle"), 3)):
        (x, top), (_, bottom) = (body[BODY[name], :2].round().astype(int) for name in ends)
        part[top:bottom, x - half : x + half] = number
        uv[top:bottom, x - half : x + half, 1] = np.linspace(0, 255, bottom - top).astype(np.uint8)[:, None]
    return part, uv


def moved(ratios: dict, old: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return move_limbs(*surface(old), limb_maps(old, new, ratios, np.eye(2)), 128, 128, (1, 1))


def test_limbs_that_do_not_move_keep_their_surface_to_the_bit():
    body = standing_track(1).body[0]
    part, uv = surface(body)
    found, found_uv = moved(RATIOS, body, body)
    assert np.array_equal(found, part) and np.array_equal(found_uv, uv)


def test_a_shin_grows_along_and_not_across():
    old, new = standing_track(1).body[0], standing_track(1).body[0]
    new[BODY["left_ankle"], 1] += 10
    new[BODY["left_knee"], 1] -= 10
    part, _ = moved(RATIOS | {"shin": 2.0}, old, new)
    rows, columns = np.nonzero(part == 12)
    assert np.ptp(rows) + 1 == pytest.approx(40, abs=1) and np.ptp(columns) + 1 == 6
    assert rows.min() == pytest.approx(new[BODY["left_knee"], 1], abs=1)
    assert (part == 2).sum() == (surface(old)[0] == 2).sum()


def test_samples_and_a_turned_picture():
    old = standing_track(1).body[0]
    turn = np.array([[0.0, -1], [1, 0]])
    new = old.copy()
    new[:, :2] = (old[:, :2] - 64) @ turn.T + 64
    maps = limb_maps(old, new, RATIOS, turn)
    part, _ = move_limbs(*surface(old), maps, 128, 128, (1, 2))
    assert part.shape == (256, 256)
    wanted = np.rot90(surface(old)[0], -1).repeat(2, 0).repeat(2, 1)
    assert (part == wanted).mean() > 0.98
    assert np.allclose(turn_of(np.block([[3 * turn, np.ones((2, 1))], [np.zeros((1, 2)), np.ones((1, 1))]])), turn)


def test_limbs_without_joints_are_not_drawn():
    old = standing_track(1).body[0]
    hidden = old.copy()
    hidden[BODY["left_ankle"]] = 0
    part, _ = moved(RATIOS, old, hidden)
    assert not (part == 12).any() and (part == 2).any()


def test_every_bone_of_the_tree_has_a_ratio():
    assert {bone for _, _, bone in _TREE} <= set(RATIOS)
