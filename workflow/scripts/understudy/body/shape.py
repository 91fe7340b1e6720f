"""The sizes of a clip's body: from its bones over all frames and from its silhouettes on a few."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from understudy.body.figure import BODY, Figure
from understudy.body.fit import (
    FACE_LEAST_POINTS,
    FACE_POINTS,
    BodyShape,
    Template,
    face_turn,
    fit_body,
    template,
)
from understudy.body.silhouette import body_edges, silhouette

THICKNESSES = (0.8, 0.95, 1.1, 1.25, 1.4, 1.6, 1.8)  # tried; the best is found between them
SHARES = (0.6, 0.8, 1.0, 1.2, 1.45)  # of it, tried for each kind of limb, then for the torso alone
VARIED = ("thighs", "shins", "arms")
SILHOUETTES = 10  # frames compared at most
HEAD_SPREAD = (0.85, 1.3)  # sizes of head over body that people have; others are the estimator's mistakes

_TORSO = (("right_shoulder", "left_shoulder"), ("right_hip", "left_hip"))
_BONES = tuple(
    (f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for start, end in (("shoulder", "elbow"), ("hip", "knee"), ("knee", "ankle"))
)


def fit_shape(
    figures: Sequence[Figure], mattes: Sequence[np.ndarray], silhouettes: int = SILHOUETTES, build: str = "neutral"
) -> BodyShape:
    """Fit the sizes of a clip's body.

    Args:
        figures: frames of the clip in which a person is seen.
        mattes: (H, W) uint8 of the same frames, 0..255; all zero where there is none. It is asked for a few only.
        silhouettes: frames, spread over the clip, whose silhouettes are compared.
        build: which rest body.

    Returns:
        Medians over the frames for the sizes; the thickness at which drawn and seen silhouettes agree best.

    Raises:
        ValueError: no frame shows a bone.
    """
    rest = template(build)
    bones = np.array([bone_size(figure, rest) for figure in figures])
    if np.isnan(bones).all():
        raise ValueError("no frame shows two neighbouring joints of torso, arms or legs")
    px_per_m = float(np.nanmedian(bones))
    faces = np.array([face_size(figure, rest) for figure in figures])
    head = px_per_m if np.isnan(faces).all() else float(np.nanmedian(faces))
    head = float(np.clip(head, *(share * px_per_m for share in HEAD_SPREAD)))
    shape = BodyShape(px_per_m, 1.0, head)
    chosen = np.unique(np.linspace(0, len(figures) - 1, min(silhouettes, len(figures))).astype(int))
    pairs = [(figures[index], mattes[index]) for index in chosen]
    return fit_thickness(shape, [pair for pair in pairs if (pair[1] > 127).any()], build)


def bone_size(figure: Figure, rest: Template) -> float:
    """Pixels per metre of one frame: the median over torso and long bones, nan where none is seen.

    Bones that point at the camera look short where the depth is unknown, but they are few at a time.
    """
    seen, points, model = figure.body_score > 0, figure.body, rest.joints
    ratios = [
        _ratio(points[[BODY[start], BODY[end]]], model[[BODY[start], BODY[end]]])
        for start, end in _BONES
        if seen[BODY[start]] and seen[BODY[end]]
    ]
    joints = [BODY[name] for pair in _TORSO for name in pair]
    if seen[joints].all():
        middles = [np.stack([places[joints[:2]].mean(0), places[joints[2:]].mean(0)]) for places in (points, model)]
        ratios += 2 * [_ratio(*middles)]  # the torso is long and counts twice
        ratios.append(_ratio(points[joints[:2]], model[joints[:2]]))
    return float(np.median(ratios)) if ratios else np.nan


def face_size(figure: Figure, rest: Template) -> float:
    """Pixels per metre of the head in one frame, nan where no face is seen or its depth is unknown."""
    seen = figure.face_score[FACE_POINTS] > 0
    points = figure.face[FACE_POINTS][seen]
    if seen.sum() < FACE_LEAST_POINTS or np.ptp(points[:, 2]) == 0:
        return np.nan
    return face_turn(rest.face[FACE_POINTS][seen], points)[0]


def fit_thickness(shape: BodyShape, seen: Sequence[tuple[Figure, np.ndarray]], build: str = "neutral") -> BodyShape:
    """Fit the thickness as a whole, then that of each kind of limb, so that drawn and seen silhouettes agree best.

    Args:
        shape: the other sizes.
        seen: frames with their mattes (H, W) uint8; none leaves the shape as it is.
        build: which rest body.
    """
    if not seen:
        return shape
    for name, tried in (("thickness", THICKNESSES), *((name, SHARES) for name in VARIED)):
        shape = _best([replace(shape, **{name: value}) for value in tried], tried, name, seen, build)
    alone = {name: getattr(shape, name) * shape.thickness for name in VARIED}
    tried = [share * shape.thickness for share in SHARES]
    shapes = [replace(shape, thickness=value, **{name: alone[name] / value for name in VARIED}) for value in tried]
    shape = _best(shapes, tried, "thickness", seen, build)
    return replace(shape, **{name: alone[name] / shape.thickness for name in VARIED})


def _best(
    shapes: Sequence[BodyShape],
    tried: Sequence[float],
    name: str,
    seen: Sequence[tuple[Figure, np.ndarray]],
    build: str,
) -> BodyShape:
    """The shape whose silhouettes agree best, its field `name` set between the values tried."""
    agreement = np.array([silhouette_agreement(shape, seen, build) for shape in shapes])
    return replace(shapes[int(agreement.argmax())], **{name: _peak(np.array(tried), agreement)})


def silhouette_agreement(shape: BodyShape, seen: Sequence[tuple[Figure, np.ndarray]], build: str) -> float:
    """Intersection over union, 0..1, of drawn and seen silhouettes of frames with their mattes (H, W) uint8."""
    rest = template(build)
    both = either = 0
    for figure, matte in seen:
        fitted = fit_body(figure, shape, build)
        present = fitted.present[rest.face_group]
        drawn = silhouette(fitted.vertices[:, :2], rest.faces, body_edges(), *matte.shape, present)
        person = matte > 127
        both, either = both + (drawn & person).sum(), either + (drawn | person).sum()
    return both / max(either, 1)


def _peak(places: np.ndarray, values: np.ndarray) -> float:
    """Place of the highest value, between the places tried by a parabola through the best three."""
    best = int(np.clip(values.argmax(), 1, len(places) - 2))
    square, slope, _ = np.polyfit(places[best - 1 : best + 2], values[best - 1 : best + 2], 2)
    if square >= 0:
        return float(places[values.argmax()])
    return float(np.clip(-slope / (2 * square), places[0], places[-1]))


def _ratio(seen: np.ndarray, model: np.ndarray) -> float:
    """Length of a bone (2, 3) over that of another (2, 3)."""
    return float(np.linalg.norm(seen[1] - seen[0]) / np.linalg.norm(model[1] - model[0]))
