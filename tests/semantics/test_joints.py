"""Joint layouts: known names and numbers, and mirroring."""

import numpy as np

from understudy.semantics.joints import (
    BODY,
    BODY_25,
    BODY_LIMBS,
    BODY_MIRROR,
    FACE_70,
    FACE_LINES,
    FACE_MIRROR,
    HAND_21,
    HAND_LIMBS,
    mirror_pose,
)


def test_body_numbers_are_openposes():
    known = {"nose": 0, "neck": 1, "right_wrist": 4, "mid_hip": 8, "left_ankle": 14, "left_ear": 18, "right_heel": 24}
    assert {name: BODY[name] for name in known} == known
    assert len(BODY_25) == 25


def test_sizes_of_the_layouts():
    assert (len(FACE_70), len(set(FACE_70)), len(HAND_21)) == (70, 70, 21)
    assert (len(BODY_LIMBS), len(HAND_LIMBS)) == (24, 20)
    assert len(FACE_LINES) == 16 + 4 + 4 + 3 + 4 + 6 + 6 + 12 + 8


def test_limbs_hang_together():
    for limbs, count in ((BODY_LIMBS, 25), (HAND_LIMBS, 21)):
        reached = {limbs[0][0]}
        for _ in limbs:
            reached |= {end for limb in limbs if set(limb) & reached for end in limb}
        assert reached == set(range(count))


def test_mirror_tables_swap_names_and_are_their_own_inverse():
    for table in (BODY_MIRROR, FACE_MIRROR):
        np.testing.assert_array_equal(table[table], np.arange(len(table)))
    for joint, partner in enumerate(BODY_MIRROR):
        swapped = BODY_25[joint].replace("left", "x").replace("right", "left").replace("x", "right")
        assert BODY_25[partner] == swapped


def test_mirrored_face_stays_a_face(exact_face):
    """A face seen from the front is nearly its own mirror image, point by point."""
    body, hands = np.zeros((25, 3)), np.zeros((2, 21, 3))
    _, mirrored, _ = mirror_pose(body, exact_face, hands, width=200)
    size = np.ptp(exact_face[:, 1])
    assert np.abs(mirrored[:, :2] - exact_face[:, :2]).max() < 0.08 * size


def test_absent_joints_stay_absent_and_hands_change_sides():
    body, face, hands = np.zeros((25, 3)), np.zeros((70, 3)), np.zeros((2, 21, 3))
    hands[0, 3] = (10, 20, 1)
    mirrored = mirror_pose(body, face, hands, width=64)
    assert mirrored[0].any() == mirrored[1].any() == False  # noqa: E712
    np.testing.assert_array_equal(mirrored[2][1, 3], (54, 20, 1))
    assert mirrored[2].sum() == 75
