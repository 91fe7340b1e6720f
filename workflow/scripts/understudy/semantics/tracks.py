"""Who is who over time: the poses of a clip joined to tracks, one per person, numbered from the largest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from understudy.semantics.boxes import box_centres, box_overlap, box_sizes, joint_boxes
from understudy.semantics.looks import look_similarity

LONGEST_GAP_S = 1.0  # an occlusion a track survives
SHORTEST_S = 0.2  # a track seen for less is a mistake of the estimator
SPREAD, SPREAD_PER_S = 0.12, 0.3  # of a person's size: how far joints stray from where they were heading, and per gap
REACH, REACH_PER_S = 0.4, 1.0  # of a person's size: further away is somebody else, and per second of a gap
RESIZE = 1.6  # a person does not grow or shrink by more over a gap
SAME_LOOK, OTHER_LOOK = 0.9, 0.5  # similarity of looks from which it is surely the same, and surely another
UNKNOWN_LOOK = 0.6  # counted where colours cannot be compared
JOINTS, BOX, LOOK = 0.4, 0.2, 0.4  # weights; those of the first two pass to the look as a gap grows
GAP_WEIGHT = 0.5  # share that has passed after the longest gap
ACCEPTED = 0.45  # least likeness of a pose and a track
DECAY = 0.9  # of the speed, per frame of a gap
LEARNT = 0.1  # share of a new look in a track's look, and of a new step in its speed times three
CROWDED = 0.3  # overlap of boxes from which a look may show somebody else


@dataclass
class _Track:
    """A person on the way."""

    rows: list[int]
    body: np.ndarray  # (25, 3)
    look: np.ndarray  # (2, bins)
    speed: np.ndarray  # (2,) px per frame
    last: int  # frame

    def expected(self, frame: int) -> np.ndarray:
        """Return the joints (25, 3) where they were heading."""
        gap = frame - self.last
        moved = self.body.copy()
        moved[:, :2] += self.speed * (1 - DECAY**gap) / (1 - DECAY)
        return moved

    def go_on(self, row: int, frame: int, body: np.ndarray, look: np.ndarray, learn: bool) -> None:
        both = (body[:, 2] > 0) & (self.body[:, 2] > 0)
        if both.any():
            step = (body[both, :2] - self.body[both, :2]).mean(0) / (frame - self.last)
            self.speed = self.speed + 3 * LEARNT * (step - self.speed)
        known = look.sum(1) > 0
        fresh = known & (self.look.sum(1) == 0)
        self.look[fresh] = look[fresh]
        if learn:
            self.look[known] += LEARNT * (look[known] - self.look[known])
        self.rows.append(row)
        self.body, self.last = body, frame


def find_tracks(frame: np.ndarray, body: np.ndarray, look: np.ndarray, rate: float) -> np.ndarray:
    """Join the poses of a clip to tracks.

    Args:
        frame: (N,) int, frame of each pose, ascending; poses of one frame in any order.
        body: (N, 25, 3) float, BODY_25: x px, y px, score.
        look: (N, 2, bins) float, colours of torso and thighs.
        rate: frames a second.

    Returns:
        (N,) int32: number of each pose's track, 1 the largest (size times duration); 0 for those in tracks too short
        to be a person. Where no frame holds two poses there is one track: the estimator itself followed somebody.
    """
    if len(np.unique(frame)) == len(frame):
        return np.ones(len(frame), np.int32)
    boxes = joint_boxes(body)
    going: list[_Track] = []
    done: list[_Track] = []
    longest = round(LONGEST_GAP_S * rate)
    numbers, starts = np.unique(frame, return_index=True)
    for now, rows in zip(numbers, np.split(np.arange(len(frame)), starts[1:]), strict=True):
        done += [track for track in going if now - track.last > longest + 1]
        going = [track for track in going if now - track.last <= longest + 1]
        learn = ~_crowded(boxes[rows])
        pairs = _assign(going, now, rows, body, boxes, look, rate)
        for place, row in enumerate(rows):
            if row in pairs:
                going[pairs[row]].go_on(row, now, body[row], look[row], learn[place])
            else:
                going.append(_Track([row], body[row], look[row].copy(), np.zeros(2), int(now)))
    return _numbered(done + going, boxes, len(frame), rate)


def joint_similarity(one: np.ndarray, other: np.ndarray, spread: float) -> float:
    """Mean over the joints present in both (25, 3) of exp(-distance^2 / 2 spread^2), 0..1; 0 where none is shared.

    Source: the form of COCO's object keypoint similarity, with one spread (px) for all joints.
    """
    both = (one[:, 2] > 0) & (other[:, 2] > 0)
    if not both.any():
        return 0.0
    away = ((one[both, :2] - other[both, :2]) ** 2).sum(1)
    return float(np.exp(-away / (2 * spread**2)).mean())


def _assign(
    tracks: Sequence[_Track],
    now: int,
    rows: np.ndarray,
    body: np.ndarray,
    boxes: np.ndarray,
    look: np.ndarray,
    rate: float,
) -> dict[int, int]:
    """Return row to place in `tracks` for the best joint assignment; rows without a like track are left out."""
    if not tracks or not len(rows):
        return {}
    likeness = np.array(
        [[_likeness(track, now, body[row], boxes[row], look[row], rate) for row in rows] for track in tracks]
    )
    chosen = linear_sum_assignment(likeness, maximize=True)
    return {int(rows[place]): int(track) for track, place in zip(*chosen) if likeness[track, place] >= ACCEPTED}


def _likeness(track: _Track, now: int, body: np.ndarray, box: np.ndarray, look: np.ndarray, rate: float) -> float:
    """How well a pose goes on a track, 0..1."""
    gap_s = (now - track.last - 1) / rate
    expected = track.expected(now)
    there = joint_boxes(expected[None])[0]
    size, other = box_sizes(box), box_sizes(there)
    away = np.linalg.norm(box_centres(box) - box_centres(there))
    usual = (size + other) / 2
    if away > (REACH + REACH_PER_S * gap_s) * usual or not 1 / RESIZE < size / other < RESIZE:
        return 0.0
    joints = joint_similarity(expected, body, (SPREAD + SPREAD_PER_S * gap_s) * usual)
    colours = look_similarity(track.look, look)
    same = UNKNOWN_LOOK if np.isnan(colours) else np.clip((colours - OTHER_LOOK) / (SAME_LOOK - OTHER_LOOK), 0, 1)
    passed = GAP_WEIGHT * min(gap_s / LONGEST_GAP_S, 1)
    place = (JOINTS * joints + BOX * box_overlap(there, box)) * (1 - passed)
    return float(place + (LOOK + passed * (JOINTS + BOX)) * same)


def _crowded(boxes: np.ndarray) -> np.ndarray:
    """Which of the boxes (N, 4) of one frame overlap another: (N,) bool."""
    overlaps = box_overlap(boxes[:, None], boxes[None])
    np.fill_diagonal(overlaps, 0)
    return (overlaps > CROWDED).any(1)


def _numbered(tracks: Sequence[_Track], boxes: np.ndarray, count: int, rate: float) -> np.ndarray:
    """Number tracks by size times duration; short ones get 0, unless all are short."""
    longest = max(len(track.rows) for track in tracks)
    least = min(max(3, SHORTEST_S * rate), longest)
    weights = [box_sizes(boxes[track.rows]).sum() if len(track.rows) >= least else 0.0 for track in tracks]
    numbers = np.zeros(count, np.int32)
    for number, place in enumerate(np.argsort(-np.array(weights), kind="stable"), 1):
        if weights[place] > 0:
            numbers[tracks[place].rows] = number
    return numbers
