"""The driver's motion with the performer's proportions: every bone vector times a ratio of two clips' bone lengths.

Ratios cancel the estimator's bias, which absolute lengths would carry into the picture; depth takes part in the ratios
as far as bones keep their length in it, but direction and foreshortening stay the driver's own.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from understudy.dataset.statistics import BONES, BodyStatistics
from understudy.dataset.track import FEET, PoseTrack
from understudy.rendering.gaps import fill_linear
from understudy.rendering.halves import anchors, completed_hips, lacks_legs, only_seen, standing_legs
from understudy.rendering.likeness import face_offsets, finger_ratios, grown_hands
from understudy.rendering.stance import shifted, stand
from understudy.rendering.touch import keep_touching
from understudy.semantics.joints import BODY

logger = logging.getLogger(__name__)

SPREAD = (0.6, 1.6)  # a bone's ratio may differ so much from the whole body's
WOBBLE = 0.05  # bones that change their length with depth by so much make depth count by half
HAND_REACH = 0.5  # a hand may lie off its wrist by so many palm lengths; farther is an error that shows
SHOULDER_WIDTHS = 1.25  # from shoulders to hips, where hips are never seen

# Joint, the joint it hangs on, its bone class; from the torso outwards. `hips` and `shoulders` are their middles.
_SIDE_TREE = (
    ("hip", "hips", "hip"),
    ("knee", "hip", "thigh"),
    ("ankle", "knee", "shin"),
    ("heel", "ankle", "foot"),
    ("big_toe", "ankle", "foot"),
    ("small_toe", "ankle", "foot"),
    ("shoulder", "shoulders", "shoulder"),
    ("elbow", "shoulder", "upper_arm"),
    ("wrist", "elbow", "forearm"),
)
_MIDDLES = ("hips", "shoulders")
_TREE = (
    ("mid_hip", "hips", "hip"),
    ("neck", "shoulders", "torso"),
    *(
        (f"{side}_{joint}", base if base in _MIDDLES else f"{side}_{base}", bone)
        for side in ("left", "right")
        for joint, base, bone in _SIDE_TREE
    ),
)
_HEAD = tuple(BODY[name] for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear"))
_WRISTS = (BODY["left_wrist"], BODY["right_wrist"])


def retarget(track: PoseTrack, driver: BodyStatistics, performer: BodyStatistics, place: str) -> PoseTrack:
    """Give the driver's motion the performer's bones and place.

    Args:
        track: the driver's poses, pixels of the driver's frames.
        driver: measured on them.
        performer: measured on the performer's training footage.
        place: "ground" puts the driver's ground on the performer's, "hip" follows the hips.

    Returns:
        Poses in pixels of the performer's frames, with depth; scores and absences are the driver's.

    Source: an experiment of our own (bone ratios, similarity of the head, root by the legs).
    """
    ratios = bone_ratios(driver, performer)
    stands = lacks_legs(driver, performer)
    if stands:
        track = completed_hips(track, _Bodies(track).hips)
    likeness = Likeness(
        face_offsets(track, driver, performer),
        finger_ratios(driver, performer, ratios["hand"], track.has_depth and _depth_trust(driver, performer) > 0.5),
    )
    bodies = _Bodies(track)
    moved = bodies.walk(bodies.root(driver, performer, ratios), ratios, driver.flat.get("hand", np.inf), likeness)
    if track.has_depth:
        moved = keep_touching(moved, track, ratios["hand"])
    if stands:
        return standing_legs(moved, performer)
    if place == "ground":
        moved = _grounded(moved, track, driver, performer, ratios["leg"])
    return only_seen(stand(moved, track, ratios["leg"]), performer)


def bone_ratios(driver: BodyStatistics, performer: BodyStatistics) -> dict[str, float]:
    """Length of each bone class, `head` and `leg`, of the performer over the driver's.

    Lengths in the picture are compared, with depth on both sides those in space, each as far as depth can be believed.
    Classes that one of the clips does not show take the median of the others, and none leaves it by more than `SPREAD`.
    """
    known = _known_ratios(performer.flat, driver.flat)
    ours, theirs, trust = performer.flat, driver.flat, _depth_trust(driver, performer)
    if trust:
        ours, theirs = performer.solid, driver.solid
        solid = _known_ratios(ours, theirs)
        known |= {name: ratio**trust * known.get(name, ratio) ** (1 - trust) for name, ratio in solid.items()}
    whole = float(np.median(list(known.values()))) if known else 1.0
    ratios = {name: whole * float(np.clip(known.get(name, whole) / whole, *SPREAD)) for name in (*BONES, "head")}
    missing = sorted(set(ratios) - set(known))
    if missing:
        logger.info("not seen in both clips, scaled like the rest of the body: %s", ", ".join(missing))
    return ratios | {"leg": _leg_ratio(ours, theirs, ratios)}


def _known_ratios(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, float]:
    """Ratio of each bone class, and of the head, that both have."""
    return {name: ours[name] / theirs[name] for name in (*BONES, "head") if ours.get(name) and theirs.get(name)}


def _depth_trust(driver: BodyStatistics, performer: BodyStatistics) -> float:
    """How far lengths in space are believed, 0..1: none without depth, less where bones change their length in it."""
    if not _solid(driver, performer):
        return 0.0
    wobble = max(each.wobble or 0.0 for each in (driver, performer))
    return 1 / (1 + (wobble / WOBBLE) ** 4)


def _solid(driver: BodyStatistics, performer: BodyStatistics) -> bool:
    """Say whether both were measured with depth."""
    return driver.solid is not None and performer.solid is not None


def _leg_ratio(ours: Mapping[str, float], theirs: Mapping[str, float], ratios: Mapping[str, float]) -> float:
    """Ratio of thigh and shin together, of the performer over the driver."""
    bones = [name for name in ("thigh", "shin") if name in ours and name in theirs]
    if not bones:
        return ratios["thigh"]
    length = sum(theirs[name] for name in bones)
    return sum(ratios[name] * theirs[name] for name in bones) / length


def _grounded(
    moved: PoseTrack, track: PoseTrack, driver: BodyStatistics, performer: BodyStatistics, legs: float
) -> PoseTrack:
    """Shift each frame up or down so that the lower foot stands over the performer's ground as over the driver's."""
    if driver.ground_px is None or performer.ground_px is None:
        logger.info("feet are not seen in both clips: the height in the picture follows the hips")
        return moved
    low, low_moved = track.lowest(FEET), moved.lowest(FEET)  # (T,)
    wanted = performer.ground_px + legs * (low - driver.ground_px)
    shift = fill_linear((wanted - low_moved)[:, None], np.isfinite(low))[:, 0]
    return shifted(moved, np.stack([np.zeros_like(shift), shift], 1))


@dataclass(frozen=True)
class Likeness:
    """What is the performer's own beyond lengths: (T, 70, 3) px of the face's points, ratio of each finger's bone."""

    face: np.ndarray
    fingers: Mapping[str, float]


class _Bodies:
    """The driver's points in space, absent ones set on the joint they hang on, so that their children keep their way.

    Attributes:
        hips, shoulders, head: (T, 3) px, middles of hips, shoulders and ears.
    """

    def __init__(self, track: PoseTrack):
        self.track = track
        self.body = _space(track.body, track.body_z)  # (T, 25, 3)
        self.face = _space(track.face, track.face_z)  # (T, 70, 3)
        self.hands = _space(track.hands, track.hands_z)  # (T, 2, 21, 3)
        self.seen = track.body[..., 2] > 0
        for side, wrist in enumerate(_WRISTS):  # a hand tells where its wrist is
            lent = ~self.seen[:, wrist] & (track.hands[:, side, 0, 2] > 0)
            self.body[lent, wrist] = self.hands[lent, side, 0]
            self.seen[lent, wrist] = True
        self.hips, self.shoulders = self._torso()
        self.head = self._head()

    def root(self, driver: BodyStatistics, performer: BodyStatistics, ratios: Mapping[str, float]) -> np.ndarray:
        """Place the middle of the hips (T, 3) px: its way about its usual place, scaled like the legs."""
        anchor, theirs, ours = anchors(driver, performer)
        legs, points = ratios["leg"], self.hips if anchor == "hips" else self.shoulders
        root = np.column_stack([ours + legs * (points[:, :2] - theirs), legs * points[:, 2]])
        return root if anchor == "hips" else root - ratios["torso"] * (self.shoulders - self.hips)

    def walk(self, root: np.ndarray, ratios: Mapping[str, float], palm_px: float, likeness: Likeness) -> PoseTrack:
        """Rebuild every frame from its root (T, 3) px outwards, each bone vector times its ratio."""
        old = {"hips": self.hips, "shoulders": self.shoulders}
        new = {"hips": root, "shoulders": root + ratios["torso"] * (self.shoulders - self.hips)}
        body = np.zeros_like(self.body)
        for name, base, bone in _TREE:
            joint = BODY[name]
            old[name] = np.where(self.seen[:, joint, None], self.body[:, joint], old[base])
            new[name] = new[base] + ratios[bone] * (old[name] - old[base])
            body[:, joint] = new[name]
        head = (new["shoulders"] + ratios["neck"] * (self.head - self.shoulders))[:, None]
        body[:, _HEAD] = head + ratios["head"] * (self.body[:, _HEAD] - self.head[:, None])
        face = head + ratios["head"] * (self.face - self.head[:, None] + likeness.face)
        old_wrists, new_wrists = (
            np.stack([places["left_wrist"], places["right_wrist"]], 1)[:, :, None] for places in (old, new)
        )
        attached = self._attached_hands(old_wrists, palm_px)
        grown = grown_hands(attached, self.track.hands[..., 2] > 0, likeness.fingers)
        off = ratios["hand"] * (attached[:, :, :1] - old_wrists) - attached[:, :, :1]
        hands = new_wrists + grown + off
        return PoseTrack(
            *(
                _rows(places, joints)
                for places, joints in ((body, self.track.body), (face, self.track.face), (hands, self.track.hands))
            ),
            self.track.valid,
            *(places[..., 2].astype(np.float32) for places in (body, face, hands)),
        )

    def _attached_hands(self, wrists: np.ndarray, palm_px: float) -> np.ndarray:
        """Draw hands (T, 2, 21, 3) that have come off their wrists (T, 2, 1, 3) back towards them."""
        root_seen = self.track.hands[:, :, :1, 2:] > 0
        off = np.where(root_seen, self.hands[:, :, :1] - wrists, 0)  # (T, 2, 1, 3)
        far = np.linalg.norm(off[..., :2], axis=-1, keepdims=True)
        return self.hands - off * (1 - np.minimum(1, HAND_REACH * palm_px / np.maximum(far, 1e-9)))

    def _torso(self) -> tuple[np.ndarray, np.ndarray]:
        """Middles of hips and shoulders (T, 3); where one is hidden it keeps its way from the other."""
        hips, hips_seen = self._middle("left_hip", "right_hip", "mid_hip")
        shoulders, shoulders_seen = self._middle("left_shoulder", "right_shoulder", "neck")
        both = hips_seen & shoulders_seen
        if both.any():
            way = fill_linear(hips - shoulders, both)
        else:
            pair = [BODY["left_shoulder"], BODY["right_shoulder"]]
            width = np.linalg.norm(np.ptp(self.body[:, pair], 1), axis=-1)  # (T,)
            way = np.stack([np.zeros_like(width), SHOULDER_WIDTHS * width, np.zeros_like(width)], 1)
        filled = np.where(hips_seen[:, None], hips, shoulders + way)
        return filled, np.where(shoulders_seen[:, None], shoulders, filled - way)

    def _middle(self, left: str, right: str, fallback: str) -> tuple[np.ndarray, np.ndarray]:
        """Middle (T, 3) of two joints, or a joint that stands for it, and where there is one (T,)."""
        pair, single = [BODY[left], BODY[right]], BODY[fallback]
        both = self.seen[:, pair].all(1)
        middle = np.where(both[:, None], self.body[:, pair].mean(1), self.body[:, single])
        return middle, both | self.seen[:, single]

    def _head(self) -> np.ndarray:
        """Middle of the ears (T, 3), else of what is seen of the head, else of the shoulders."""
        head = self.shoulders.copy()
        for joints in (_HEAD, (BODY["left_ear"], BODY["right_ear"])):
            seen = self.seen[:, joints]  # (T, K)
            enough = seen.all(1) if len(joints) == 2 else seen.any(1)
            mean = (self.body[:, joints] * seen[..., None]).sum(1) / np.maximum(seen.sum(1), 1)[:, None]
            head[enough] = mean[enough]
        return head


def _space(joints: np.ndarray, depth: np.ndarray | None) -> np.ndarray:
    """Replace the scores of joints (..., 3) by depths."""
    depth = np.zeros(joints.shape[:-1]) if depth is None else depth
    return np.concatenate([joints[..., :2], depth[..., None]], -1).astype(np.float64)


def _rows(places: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Put new places (..., 3) under the old scores; absent joints are zeros."""
    seen = joints[..., 2:] > 0
    return np.where(seen, np.concatenate([places[..., :2], joints[..., 2:]], -1), 0).astype(np.float32)
