"""What a clip says about a body and its place in the picture: bone lengths, head, ground, heights near and far.

Lengths are percentiles over a clip, not measures of one frame: a bone shows its length only when it lies across the
line of sight. They are compared as ratios between two clips, so that the estimator's own bias cancels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from understudy.dataset.heads import face_shape, head_scale
from understudy.dataset.track import ANKLES, FEET, SIDES, PoseTrack
from understudy.semantics.joints import FINGERS

# Bone class -> pairs of points, left and right; measured over frames and both sides.
BONES: dict[str, tuple[tuple[str, str], ...]] = {
    "hip": (("right_hip", "left_hip"),),
    "torso": (("middle_hip", "middle_shoulder"),),
    "shoulder": (("right_shoulder", "left_shoulder"),),
    "neck": (("middle_shoulder", "middle_ear"),),
    "upper_arm": (("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow")),
    "forearm": (("left_elbow", "left_wrist"), ("right_elbow", "right_wrist")),
    "hand": tuple(
        (f"{side}_hand_wrist", f"{side}_hand_{finger}_1")
        for side in ("left", "right")
        for finger in ("index", "little")
    ),
    "thigh": (("left_hip", "left_knee"), ("right_hip", "right_knee")),
    "shin": (("left_knee", "left_ankle"), ("right_knee", "right_ankle")),
    "foot": (("left_heel", "left_big_toe"), ("right_heel", "right_big_toe")),
}
# Bones of the fingers, likewise: from the joint before, which is the wrist for the first.
FINGER_BONES = {
    f"{finger}_{joint}": tuple(
        (f"{side}_hand_{finger}_{joint - 1}" if joint > 1 else f"{side}_hand_wrist", f"{side}_hand_{finger}_{joint}")
        for side in SIDES
    )
    for finger in FINGERS
    for joint in range(1, 5)
}
# Joints of the legs, and how large a share of the frames shows both of each.
LEGS = ("hip", "knee", "ankle")
FLAT_PERCENTILE = 97  # without depth only the best moments show a bent leg's length
PERCENTILE = 90  # with 80 legs that are often bent come out short and the body hangs low
LEAST_FRAMES = 5  # a bone seen in fewer frames has no length
MOST_PX = 1e6  # no picture is larger


@dataclass(frozen=True)
class Stance:
    """Where a person stands near the camera and far from it, by the lower ankle; pixels.

    Attributes:
        near_px, far_px: y of the lower ankle, near and far.
        near_height_px, far_height_px: from the ankle up to the nose or above, standing there.
    """

    near_px: float
    far_px: float
    near_height_px: float
    far_height_px: float


@dataclass(frozen=True)
class BodyStatistics:
    """A body and its place in one clip or several; None where the footage does not show it.

    Attributes:
        frames: number of frames measured.
        flat: bone class (and `head`) -> length in the picture, px; `head` is px per metre of face.
        solid: the same with depth; None without depth.
        x_px: median x of the middle of the hips.
        root_y_px: its median y.
        ground_px: median y of the lower foot.
        height_px: from the nose to the lower foot, standing.
        stance: for Everybody Dance Now's normalisation.
        shoulders_px: median place of the middle of the shoulders.
        up: direction from hips to shoulders, and from the feet where they are seen: the median angles to the side and
            away from the camera, degrees; the second is None without depth.
        shown: hip, knee, ankle -> share of the frames that show both, 0..1.
        face: the person's own face, as in `heads`: 70 points, metres of the standard face.
        wobble: how much bones change their length with depth beside the whole person's size, which true ones never do:
            the spread of a length over its median, median of the bones; None without depth.
    """

    frames: int
    flat: Mapping[str, float]
    solid: Mapping[str, float] | None
    x_px: float
    root_y_px: float
    ground_px: float | None
    height_px: float | None
    stance: Stance | None
    # files written before these were measured lack them
    shoulders_px: tuple[float, float] | None = None
    up: tuple[float, float | None] | None = None
    shown: Mapping[str, float] | None = None
    face: Sequence[Sequence[float]] | None = None
    wobble: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, for an attribute of windows.h5."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `as_json` wrote.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        stance = values["stance"]
        lengths = [number for name in ("flat", "solid") for number in (values[name] or {}).values()]
        places = [values[name] for name in ("x_px", "root_y_px", "ground_px", "height_px")]
        places += [
            values.get("wobble"),
            *(values.get("shoulders_px") or ()),
            *(values.get("up") or ()),
            *(values.get("shown") or {}).values(),
        ]
        places += [number for point in values.get("face") or () for number in point]
        if values.get("face") is not None and np.shape(values["face"]) != (70, 3):
            raise ValueError(f"a face has {np.shape(values['face'])} numbers")
        for number in (*lengths, *places, *(stance or {}).values()):
            if number is not None and not (isinstance(number, (int, float)) and abs(number) < MOST_PX):
                raise ValueError(f"a length is {number!r}")
        pairs = {name: tuple(values[name]) for name in ("shoulders_px", "up") if values.get(name) is not None}
        return cls(**{**values, **pairs, "stance": None if stance is None else Stance(**stance)})


def measure_body(track: PoseTrack) -> BodyStatistics:
    """Measure a clip; frames that are not valid do not count.

    Source: the recipe of an experiment of our own; percentiles between 80 and 97 give ratios alike.
    """
    track = track.rows(track.valid)
    middle, seen = track.place("middle_hip")
    low = track.lowest(FEET)  # (T,)
    nose, nose_seen = track.place("nose")
    heights = np.where(nose_seen, low - nose[:, 1], np.nan)
    shoulders, shoulders_seen = track.place("middle_shoulder")
    face = face_shape(track.face, track.face_z)
    return BodyStatistics(
        frames=len(track),
        flat=_lengths(track, depth=False),
        solid=_lengths(track, depth=True) if track.has_depth else None,
        x_px=float(np.median(middle[seen, 0])) if seen.any() else 0.0,
        root_y_px=float(np.median(middle[seen, 1])) if seen.any() else 0.0,
        ground_px=_percentile(low, 50),
        height_px=_percentile(heights, 90),
        stance=measure_stance(track),
        shoulders_px=_median(shoulders[shoulders_seen, :2]),
        up=measure_up(track),
        shown={joint: _shown(track, joint) for joint in LEGS},
        face=None if face is None else face.round(5).tolist(),
        wobble=_wobble(track) if track.has_depth else None,
    )


def measure_up(track: PoseTrack) -> tuple[float, float | None] | None:
    """Measure how a person usually stands in the picture: shoulders over the feet, or over the hips where those lack.

    Returns:
        Degrees to the right in the picture, and away from the camera (None without depth); None where too little is
        seen.
    """
    shoulders, seen = track.place("middle_shoulder")
    for base in ("middle_ankle", "middle_hip"):
        low, low_seen = track.place(base)
        both = seen & low_seen
        if both.sum() >= LEAST_FRAMES:
            way = (shoulders - low)[both]  # (N, 3)
            side = float(np.degrees(np.median(np.arctan2(way[:, 0], -way[:, 1]))))
            away = float(np.degrees(np.median(np.arctan2(way[:, 2], -way[:, 1])))) if track.has_depth else None
            return side, away
    return None


def _shown(track: PoseTrack, joint: str) -> float:
    """Share of the frames that show both sides of a joint."""
    return float(track.place(f"middle_{joint}")[1].mean()) if len(track) else 0.0


def _median(points: np.ndarray) -> tuple[float, float] | None:
    """Median place of points (N, 2); None of too few."""
    return tuple(np.median(points, 0).tolist()) if len(points) >= LEAST_FRAMES else None


def measure_stance(track: PoseTrack) -> Stance | None:
    """Measure where a person stands near and far: 95th and 5th percentile where the paper takes clustered extremes.

    Source: Chan, Ginosar, Zhou, Efros, Everybody Dance Now, ICCV 2019, global pose normalisation.
    """
    ankle = track.lowest(ANKLES)
    heights = ankle - _top(track)  # (T,)
    seen = np.isfinite(ankle) & (heights > 0)
    if seen.sum() < LEAST_FRAMES:
        return None
    ankle, heights = ankle[seen], heights[seen]
    near, far = np.percentile(ankle, (95, 5))
    tall = []
    for end in (near, far):
        away = np.abs(ankle - end)
        reach = max(0.05 * (near - far), np.partition(away, LEAST_FRAMES - 1)[LEAST_FRAMES - 1])
        tall.append(float(np.percentile(heights[away <= reach], 95)))
    return Stance(float(near), float(far), *tall)


def _lengths(track: PoseTrack, depth: bool) -> dict[str, float]:
    """Length of each bone class that the track shows, px."""
    lengths = {}
    for name, pairs in (BONES | FINGER_BONES).items():
        spans = [_spans(track, start, end, depth) for start, end in pairs]
        spans = np.concatenate(spans)
        if len(spans) >= LEAST_FRAMES * len(pairs) / 2:
            lengths[name] = float(np.percentile(spans, PERCENTILE if depth else FLAT_PERCENTILE))
    head = head_scale(track.face, track.face_z if depth else None)
    if head is not None:
        lengths["head"] = head
    return lengths


def _wobble(track: PoseTrack) -> float | None:
    """Measure the spread of each bone's length with depth (normal consistent median deviation) over its median.

    Each frame is brought to one size first, by what its bones have in common: who comes nearer grows.
    """
    lengths = []
    for start, end in (pair for pairs in BONES.values() for pair in pairs):
        (a, a_seen), (b, b_seen) = track.place(start), track.place(end)
        spans = np.where(a_seen & b_seen, np.linalg.norm(b - a, axis=1), np.nan)  # (T,)
        if np.isfinite(spans).sum() >= LEAST_FRAMES and (middle := np.nanmedian(spans)) > 0:
            lengths.append(spans / middle)
    if not lengths:
        return None
    lengths = np.stack(lengths)  # (bones, T)
    seen = np.isfinite(lengths).any(0)
    lengths = lengths[:, seen] / np.nanmedian(lengths[:, seen], 0)
    away = np.abs(lengths - np.nanmedian(lengths, 1, keepdims=True))
    return float(np.median(1.4826 * np.nanmedian(away, 1)))


def _spans(track: PoseTrack, start: str, end: str, depth: bool) -> np.ndarray:
    """Distances (N,) px of two points in the frames that show both."""
    (a, a_seen), (b, b_seen) = track.place(start), track.place(end)
    across = (b - a)[a_seen & b_seen]
    return np.linalg.norm(across if depth else across[:, :2], axis=1)


def _top(track: PoseTrack) -> np.ndarray:
    """Highest point of body and face (T,) px, NaN where nothing is found."""
    points = np.concatenate([track.body, track.face], 1)
    top = np.where(points[..., 2] > 0, points[..., 1], np.inf).min(1)
    return np.where(np.isfinite(top), top, np.nan)


def _percentile(values: np.ndarray, percentile: float) -> float | None:
    values = values[np.isfinite(values)]
    return float(np.percentile(values, percentile)) if len(values) >= LEAST_FRAMES else None
