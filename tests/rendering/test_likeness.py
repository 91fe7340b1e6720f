from dataclasses import replace

import numpy as np
import pytest

from handmade import standing_track
from understudy.body.rotation import rotation
from understudy.dataset.heads import POSED, standard_face
from understudy.dataset.statistics import measure_body
from understudy.dataset.track import PoseTrack
from understudy.rendering.likeness import finger_ratios, grown_hands
from understudy.rendering.retarget import retarget
from understudy.semantics.joints import HAND_LIMBS

PX_PER_M = 100.0


def with_face(track: PoseTrack, wider: float, mouth: np.ndarray | float = 0.0) -> PoseTrack:
    """Put the standard face on a track, turning from side to side, its jaw wider, its lower lip down by `mouth` px."""
    head = standard_face().copy()
    head[:17, 0] *= wider
    face, face_z = track.face.copy(), track.face_z.copy()
    for frame in range(len(track)):
        own = head.copy()
        own[55:60, 1] += np.broadcast_to(mouth, len(track))[frame] / PX_PER_M
        points = PX_PER_M * own @ rotation((0, 1, 0), 25 * np.sin(frame / 4)).T
        face[frame, :, :2] = points[:, :2] + [64, 18]
        face_z[frame] = points[:, 2]
    return replace(track, face=face, face_z=face_z)


def jaw(track: PoseTrack) -> np.ndarray:
    return np.linalg.norm((track.face[:, 16] - track.face[:, 0])[:, :2], axis=1)


def test_the_jaw_becomes_the_performers_and_the_mouth_stays_the_drivers():
    mouth = np.where(np.arange(48) % 6 == 0, 3.0, 0.0)
    driver, performer = with_face(standing_track(48), 1.25, mouth), with_face(standing_track(48), 0.9)
    moved = retarget(driver, measure_body(driver), measure_body(performer), "hip")
    assert jaw(moved) == pytest.approx(jaw(performer), rel=0.03)
    opened = moved.face[:, 57, 1] - performer.face[:, 57, 1]
    opened -= (moved.face[:, POSED, 1] - performer.face[:, POSED, 1]).mean(1)
    assert opened[mouth > 0] - np.median(opened[mouth == 0]) == pytest.approx(3, abs=0.4)


def test_a_flat_face_becomes_the_performers_too():
    def flat(track):
        return replace(track, body_z=None, face_z=None, hands_z=None)

    driver, performer = flat(with_face(standing_track(48), 1.25)), flat(with_face(standing_track(48), 0.9))
    moved = retarget(driver, measure_body(driver), measure_body(performer), "hip")
    assert np.median(jaw(moved) / jaw(performer)) == pytest.approx(1, abs=0.05)


def test_fingers_become_the_performers():
    driver, performer = standing_track(24), standing_track(24)
    for finger in range(5):  # the driver's fingers are longer beyond their first joint
        base = driver.hands[:, :, 4 * finger + 1, None, :2]
        chain = slice(4 * finger + 2, 4 * finger + 5)
        driver.hands[:, :, chain, :2] = base + 1.2 * (driver.hands[:, :, chain, :2] - base)
    moved = retarget(driver, measure_body(driver), measure_body(performer), "hip")
    assert np.allclose(moved.hands, performer.hands, atol=0.05)
    ratios = finger_ratios(measure_body(driver), measure_body(performer), 1.0, True)
    assert ratios["index_1"] == pytest.approx(1) and ratios["index_3"] == pytest.approx(1 / 1.2)


def test_a_finger_behind_an_unseen_joint_keeps_its_end():
    hands = np.cumsum(np.ones((1, 2, 21, 3)), axis=2)
    seen = np.ones((1, 2, 21), bool)
    seen[0, 0, 6] = False
    ratios = {
        f"{finger}_{joint}": 2.0 for finger in ("thumb", "index", "middle", "ring", "little") for joint in (1, 2, 3, 4)
    }
    grown = grown_hands(hands, seen, ratios)
    for end in (3, 8, 20):
        assert np.allclose(grown[:, :, end] - grown[:, :, 0], 2 * (hands[:, :, end] - hands[:, :, 0]))
    assert len(HAND_LIMBS) == 20
