"""Dances: turns, crossing arms, feet on the floor, natural speeds; the same for every performer."""

import numpy as np
import pytest

from understudy.body.model import BUILDS, Body, vertex_normals
from understudy.body.parts import GROUPS, group_weights
from understudy.semantics.joints import BODY
from understudy.synthetic.choreography import DANCES, dance, place_on_floor
from understudy.synthetic.legs import Foot, leg_rotations

TIMES = np.arange(0, 24, 0.2)


def joints_over_time(body, name, times=TIMES):
    """BODY_25 (T, 25, 3) in metres, floor at z = 0."""
    posed = []
    for time_s in times:
        moment = dance(name, time_s)
        posed.append(body.joints(body.posed(moment.rotations, place_on_floor(body, moment)).vertices))
    return np.stack(posed)


@pytest.fixture(scope="module", params=DANCES)
def motion(request):
    return request.param, joints_over_time(Body("neutral"), request.param)


def across(joints):
    """Unit vectors (T, 3) from the right to the left shoulder, and to the front."""
    left = joints[:, BODY["left_shoulder"]] - joints[:, BODY["right_shoulder"]]
    left[:, 2] = 0
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    return left, np.stack([left[:, 1], -left[:, 0], left[:, 2]], axis=1)


def test_the_body_turns_at_least_sixty_degrees_to_each_side(motion):
    left, _ = across(motion[1])
    turn = np.degrees(np.arctan2(left[:, 1], left[:, 0]))
    assert turn.max() >= 60 and turn.min() <= -60


def test_each_arm_crosses_the_body(motion):
    """A wrist passes the body's middle to the other side, in front of the trunk."""
    joints = motion[1]
    left, front = across(joints)
    for side, sign in (("left", 1), ("right", -1)):
        wrist = joints[:, BODY[f"{side}_wrist"]] - joints[:, BODY["neck"]]
        beyond = -sign * (wrist * left).sum(1)
        assert (beyond[(wrist * front).sum(1) > 0.1] > 0.02).any()


def test_nothing_moves_faster_than_people_do(motion):
    name, _ = motion
    joints = joints_over_time(Body("neutral"), name, np.arange(0, 12, 1 / 24))
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=2) * 24  # metres a second
    assert speed.max() < 5
    assert np.quantile(speed[:, [BODY["left_wrist"], BODY["right_wrist"]]], 0.5) > 0.1
    jerk = np.abs(np.diff(joints, n=2, axis=0)).max()
    assert jerk < 0.06  # metres between frames: no jumps


def test_the_whole_body_moves(motion):
    moved = np.ptp(motion[1], axis=0).max(1)  # (25,) metres
    assert moved.min() > 0.05


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("name", DANCES)
def test_feet_stay_on_the_floor_and_do_not_slide(build, name):
    body = Body(build)
    soles = body.weights[:, [n for n, bone in enumerate(body.bones) if bone.startswith(("foot", "toe"))]].sum(1) > 0.5
    heels = []
    for time_s in np.arange(0, 4.8, 1 / 12):
        moment = dance(name, time_s)
        vertices = body.posed(moment.rotations, place_on_floor(body, moment)).vertices
        assert vertices[soles, 2].min() == pytest.approx(0, abs=1e-5)
        heels.append(body.joints(vertices)[[BODY["left_heel"], BODY["right_heel"]]])
    heels = np.stack(heels)  # (T, 2, 3)
    assert heels[..., 2].min() > -0.005 and heels[..., 2].max() < 0.30
    speed = np.linalg.norm(np.diff(heels, axis=0)[..., :2], axis=2) * 12  # (T - 1, 2)
    assert np.quantile(speed.min(1), 0.9) < 0.12  # one foot rests, metres a second


def test_a_dance_goes_on_for_ever_and_never_repeats_exactly():
    first, later = dance("sway", 3.0), dance("sway", 3603.0)
    assert np.isfinite(later.rotations["root"]).all()
    assert any(not np.allclose(first.rotations[bone], later.rotations[bone], atol=0.02) for bone in first.rotations)


def test_the_same_time_gives_the_same_angles():
    first, second = dance("turns", 7.25), dance("turns", 7.25)
    assert all((first.rotations[bone] == second.rotations[bone]).all() for bone in first.rotations)
    for turned in first.rotations.values():
        assert np.allclose(turned @ turned.T, np.eye(3), atol=1e-9)


@pytest.mark.parametrize("build", ["woman", "man", "child"])
def test_two_performers_of_one_dance_bend_their_elbows_alike(build):
    """What makes a clip the true transfer of another: joint angles agree, bodies differ."""

    def elbows(joints):
        upper = joints[:, [3, 6]] - joints[:, [2, 5]]
        lower = joints[:, [4, 7]] - joints[:, [3, 6]]
        cosine = (upper * lower).sum(2) / np.linalg.norm(upper, axis=2) / np.linalg.norm(lower, axis=2)
        return np.degrees(np.arccos(cosine))

    times = np.arange(0, 12, 0.5)
    here, there = (joints_over_time(Body(one), "reach", times) for one in ("neutral", build))
    assert np.abs(elbows(here) - elbows(there)).max() < 10
    legs = [np.linalg.norm(joints[:, 12] - joints[:, 13], axis=1).mean() for joints in (here, there)]
    assert abs(legs[1] / legs[0] - 1) > 0.01


@pytest.mark.parametrize("side", ["L", "R"])
def test_a_leg_puts_its_ankle_where_the_foot_is_to_be(side):
    body = Body("neutral")
    pelvis = np.array([0.03, -0.02, 0.82])
    foot = Foot(0.15 if side == "L" else -0.2, -0.1, 0.05, 20.0)
    root = np.eye(3)
    posed = body.posed(leg_rotations(side, pelvis, root, foot), pelvis - body.heads[0])
    ankle = posed.bone_heads[body.bones.index(f"foot.{side}")]
    sole = body.heads[body.bones.index(f"foot.{side}"), 2] - body.rest[:, 2].min()
    assert ankle == pytest.approx([foot.x, foot.y, foot.lift + sole], abs=1e-4)
    knee = posed.bone_heads[body.bones.index(f"lowerleg01.{side}")]
    hip = posed.bone_heads[body.bones.index(f"upperleg01.{side}")]
    assert knee[1] < (hip[1] + ankle[1]) / 2  # knees bend forwards


@pytest.mark.parametrize("build", ["woman", "man"])
@pytest.mark.parametrize("name", DANCES)
def test_hands_stay_out_of_the_body(build, name):
    """Joints of the hands are at most touching: in front of the nearest skin of trunk, head and legs."""
    body = Body(build)
    own = group_weights(body).argmax(1)
    arms = [index for index, group in enumerate(GROUPS) if "arm" in group or "hand" in group]
    other = np.intersect1d(np.flatnonzero(~np.isin(own, arms)), body.faces)
    for time_s in np.arange(0.0, 19.2, 0.3):
        vertices = body.posed(dance(name, time_s).rotations).vertices
        hands = body.hands(vertices).reshape(-1, 3)
        away = np.linalg.norm(hands[:, None] - vertices[None, other], axis=2)
        nearest = other[away.argmin(1)]
        depth = ((hands - vertices[nearest]) * vertex_normals(vertices, body.faces)[nearest]).sum(1)
        assert depth[away.min(1) < 0.08].min(initial=1) > -0.01  # a fingertip may brush the thigh
