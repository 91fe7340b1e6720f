"""Skinning against poses whose answer is known; joints that follow the skin."""

import numpy as np
import pytest

from understudy.body.model import BUILDS, Body, vertex_normals
from understudy.body.rotation import rotation, rotation_between


@pytest.fixture(scope="module", params=BUILDS)
def body(request):
    return Body(request.param)


def bone(body, name):
    return body.bones.index(name)


def test_no_rotation_is_the_rest_pose(body):
    posed = body.posed({})
    assert np.abs(posed.vertices - body.rest).max() < 1e-5
    assert np.abs(posed.bone_heads - body.heads).max() < 1e-6


def test_turning_the_root_turns_everything_about_its_head(body):
    turn = rotation((0, 0, 1), 90)
    posed = body.posed({"root": turn}, (0.5, 0, 0))
    centre = body.heads[0]
    expected = (body.rest - centre) @ turn.T + centre + [0.5, 0, 0]
    assert np.abs(posed.vertices - expected).max() < 1e-5


def test_a_bone_moves_its_descendants_and_nothing_else(body):
    forearm = bone(body, "lowerarm01.L")
    moved_bones = {forearm}
    for child, parent in enumerate(body.parents):
        if parent in moved_bones:
            moved_bones.add(child)
    share = body.weights[:, sorted(moved_bones)].sum(1)
    moved = np.abs(body.posed({"lowerarm01.L": rotation((0, 1, 0), 60)}).vertices - body.rest).max(1)
    assert moved[share == 0].max() < 1e-5
    assert moved[share > 0.99].max() > 0.1


def test_unknown_bones_and_builds_are_refused(body):
    with pytest.raises(ValueError, match="no bone"):
        body.posed({"tail": np.eye(3)})
    with pytest.raises(ValueError, match="no build"):
        Body("centaur")


def test_left_is_plus_x_front_is_minus_y_up_is_plus_z(body):
    nose, neck, right_shoulder, left_shoulder, mid_hip = body.joints(body.rest)[[0, 1, 2, 5, 8]]
    assert left_shoulder[0] > 0 > right_shoulder[0]
    assert nose[1] < neck[1] - 0.03
    assert nose[2] > neck[2] > mid_hip[2]
    left, right = body.hands(body.rest)
    assert left[:, 0].min() > 0 > right[:, 0].max()


def test_builds_have_the_heights_of_people():
    height = {build: np.ptp(Body(build).rest[:, 2]) for build in BUILDS}
    assert 1.1 < height["child"] < 1.35 < 1.55 < height["woman"] < height["man"] < 1.95
    assert height["child"] < height["teen"] < height["woman"] and 2.0 < height["giant"] < 2.2


def test_joints_stand_where_bones_meet(body):
    joints = body.joints(body.rest)
    for number, name in ((3, "lowerarm01.R"), (4, "wrist.R"), (6, "lowerarm01.L"), (10, "lowerleg01.R")):
        assert np.linalg.norm(joints[number] - body.heads[bone(body, name)]) < 0.05


def test_hand_joints_are_the_bones_heads_however_the_fingers_bend(body):
    bend = {f"finger{finger}-{joint}.L": rotation((1, 0.3, 0), 35) for finger in range(1, 6) for joint in (1, 2, 3)}
    posed = body.posed({**bend, "wrist.L": rotation((0, 1, 0.2), 30), "lowerarm01.L": rotation((0, 1, 0), -40)})
    hand = body.hands(posed.vertices)[0]
    names = ["wrist.L"] + [f"finger{finger}-{joint}.L" for finger in range(1, 6) for joint in (1, 2, 3)]
    numbers = [0] + [4 * finger + joint for finger in range(5) for joint in (1, 2, 3)]
    heads = posed.bone_heads[[bone(body, name) for name in names]]
    assert np.linalg.norm(hand[numbers] - heads, axis=1).max() < 0.004


def test_finger_tips_continue_their_fingers(body):
    left = body.hands(body.rest)[0]
    for finger in range(5):
        last, tip = left[4 * finger + 3], left[4 * finger + 4]
        before = left[4 * finger + 2]
        assert (tip - last) @ (last - before) > 0
        assert 0.005 < np.linalg.norm(tip - last) < 0.05


def test_face_landmarks_lie_on_the_skin_and_turn_with_the_head(body):
    turn = rotation((0, 0, 1), 30)
    head = body.heads[bone(body, "head")]
    posed = body.posed({"head": turn})
    rest = body.face(body.rest)
    expected = (rest - head) @ turn.T + head
    inner = [*range(17, 70)]  # the jaw's rim hangs on the neck too
    moved = body.face(posed.vertices)[inner] - posed.bone_heads[bone(body, "head")] + head
    assert np.abs(moved - expected[inner]).max() < 0.008
    distance = np.linalg.norm(rest[:, None] - body.rest[None], axis=2).min(1)
    assert distance.max() < 0.012


def test_face_landmarks_are_ordered_as_in_openpose(body):
    face = body.face(body.rest)
    assert face[0, 0] < 0 < face[16, 0]  # jaw from the person's right to the left
    assert face[8, 2] < face[57, 2] < face[30, 2] < face[27, 2] < face[19, 2]  # chin, lip, nose, bridge, brow
    assert face[[36, 39, 68], 0].max() < 0 < face[[42, 45, 69], 0].min()
    assert np.abs(face[[8, 27, 30, 33, 51, 57], 0]).max() < 0.008  # the middle line


def test_normals_point_outwards(body):
    normals = vertex_normals(body.rest, body.faces)
    used = np.unique(body.faces)
    assert np.abs(np.linalg.norm(normals[used], axis=1) - 1).max() < 1e-5
    torso = body.weights[:, bone(body, "spine03")] > 0.6
    centre = body.rest[torso].mean(0)
    assert ((body.rest[torso] - centre)[:, :2] * normals[torso][:, :2]).sum(1).mean() > 0.05


def test_rotation_between_carries_one_direction_onto_the_other():
    start, end = np.array([1.0, 2, 0.5]), np.array([-0.3, 0.4, 2.0])
    turn = rotation_between(start, end)
    assert np.allclose(turn @ start / np.linalg.norm(start), end / np.linalg.norm(end))
    assert np.allclose(turn @ turn.T, np.eye(3))
    assert np.allclose(rotation((0, 0, 1), 90) @ [1, 0, 0], [0, 1, 0])
