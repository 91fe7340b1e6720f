"""Where the person who is followed may have become another one."""

from typing import NamedTuple

import numpy as np

from understudy.semantics.boxes import box_overlap, box_sizes
from understudy.semantics.looks import look_similarity
from understudy.semantics.people import People
from understudy.semantics.smoothing import short_gaps, unbroken_runs

CROSSED = 0.4  # overlap of two people's boxes from which one may be taken for the other
WINDOW = 12  # frames on each side over which looks and sizes are compared
OTHER_LOOK = 0.55  # similarity of looks under which it may be somebody else
RESIZED = 1.5  # and ratio of sizes


class Switch(NamedTuple):
    """A frame from which on it may be somebody else; `value` is what was measured."""

    frame: int
    reason: str
    value: float


def find_switches(people: People, row: np.ndarray) -> list[Switch]:
    """Find the frames where a followed person may have become another one.

    Args:
        people: everyone's poses.
        row: (T,) int, row of the followed person in each frame, -1 where there is none.

    Returns:
        In order of frames: a crossing (overlap of boxes), a change of looks (similarity) or of size (ratio).
    """
    return sorted(_crossings(people, row) + _changes(people, row))


def _crossings(people: People, row: np.ndarray) -> list[Switch]:
    """One for each time another track's box passes over the person's, at its largest overlap."""
    boxes = people.file["person_box"][:]
    found = []
    for other in np.unique(people.track[people.track > 0]):
        overlap = np.zeros(people.frames)
        theirs = np.flatnonzero(people.track == other)
        mine = row[people.frame[theirs]]
        both = (mine >= 0) & (mine != theirs)
        overlap[people.frame[theirs[both]]] = box_overlap(boxes[mine[both]], boxes[theirs[both]])
        found += [Switch(frame, "crosses another person", float(overlap[frame])) for frame in _worst(overlap, CROSSED)]
    return found


def _changes(people: People, row: np.ndarray) -> list[Switch]:
    """Where looks or size before and after differ: at most one of a kind per window, at its worst."""
    seen = np.flatnonzero(row >= 0)
    if len(seen) < 4:
        return []
    look = people.file["look"][:][row[seen]]
    size = box_sizes(people.file["person_box"][:][row[seen]])
    span = min(WINDOW, len(seen) // 2)
    similar, ratio = np.ones(len(seen)), np.ones(len(seen))
    for place in range(span, len(seen) - span + 1 if span < len(seen) else 0):
        before, after = slice(place - span, place), slice(place, place + span)
        likeness = look_similarity(*(_mean_look(look[part]) for part in (before, after)))
        steps = np.median(size[before]), np.median(size[after])
        if place < len(seen):
            similar[place] = 1.0 if np.isnan(likeness) else likeness
            ratio[place] = max(steps) / min(steps)
    found = [Switch(int(seen[place]), "looks change", float(similar[place])) for place in _worst(-similar, -OTHER_LOOK)]
    return found + [Switch(int(seen[place]), "size changes", float(ratio[place])) for place in _worst(ratio, RESIZED)]


def _mean_look(looks: np.ndarray) -> np.ndarray:
    """Mean (2, bins) of the looks (N, 2, bins) that are known; zeros where none is."""
    total = looks.sum(0)
    return total / np.maximum(total.sum(1, keepdims=True), 1e-9)


def _worst(values: np.ndarray, limit: float) -> list[int]:
    """Places of the highest value in each run above a limit; runs nearer than a window to each other are one."""
    above = values > limit
    for start, end in short_gaps(above, WINDOW):
        above[start:end] = True
    return [start + int(values[start:end].argmax()) for start, end in unbroken_runs(above)]
