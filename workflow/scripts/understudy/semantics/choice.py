"""Which of a clip's people is followed, as the clip table's column `person` says it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from understudy.errors import FootageError
from understudy.semantics.boxes import box_centres, box_overlap, box_sizes
from understudy.semantics.people import People
from understudy.video.frames import Frames

POINT = re.compile(r"([\d.]+),([\d.]+)@([\d.]+)")  # the clip table has checked it
TOUCHED = 0.25  # of a person's size: a point further outside their box does not mean them
SAME_PLACE = 0.2  # least mean overlap of a person in the whole picture and in the cropped one


@dataclass(frozen=True)
class Choice:
    """Who is followed: a value of the clip table, and where the people it can name are found.

    Attributes:
        person: `largest`, `central`, a track's number, or `x,y@seconds`.
        sheet: the contact sheet that shows the tracks; None where none was asked for.
        frames, people: of the whole picture, which the value speaks of, where the clip is cropped to the person; None
            where the clip's own files are meant.
    """

    person: str
    sheet: Path | None = None
    frames: Path | None = None
    people: Path | None = None

    @classmethod
    def of(cls, person: str, sheet: Sequence[str] = (), whole: Sequence[str] = ()) -> "Choice":
        """Make it from a job's inputs: no or one contact sheet; nothing, or frames.h5 and people.h5 of the whole."""
        return cls(person, *(map(Path, sheet) if sheet else (None,)), *map(Path, whole))


@dataclass(frozen=True)
class Span:
    """One track in a few numbers: seconds of the source, pixels of the upright source."""

    number: int
    first_s: float
    last_s: float
    height_px: float
    x: float
    y: float

    def __str__(self) -> str:
        place = f"about x {self.x:.0f}, y {self.y:.0f}"
        return f"{self.number} ({self.first_s:.2f} to {self.last_s:.2f} s, {self.height_px:.0f} px high, {place})"


def choose_track(people: People, frames: Frames, choice: Choice) -> int:
    """Return the number of the track that a choice means.

    Args:
        people, frames: of one clip, the ones the choice speaks of.

    Raises:
        FootageError: nobody there is meant; the message lists who is there.
    """
    tracks = np.unique(people.track[people.track > 0])
    if choice.person == "largest":
        return 1
    if choice.person == "central":
        return int(tracks[np.argmin([_distance_from_middle(people, frames, track) for track in tracks])])
    if found := POINT.fullmatch(choice.person):
        return _at_point(people, frames, choice, *map(float, found.groups()))
    if int(choice.person) in tracks:
        return int(choice.person)
    raise _nobody(people, frames, choice, f"there is no track {choice.person}")


def rows_of_track(people: People, track: int) -> np.ndarray:
    """Return the row of a track in every frame: (T,) int, -1 where it has none."""
    rows = np.full(people.frames, -1)
    mine = np.flatnonzero(people.track == track)
    rows[people.frame[mine]] = mine
    return rows


def rows_at(people: People, frames: Frames, whole: People, whole_frames: Frames, track: int) -> np.ndarray:
    """Return the rows (T,) int of cropped frames that show a track of the whole picture, -1 where none does.

    In each frame it is the pose whose box overlaps the track's most; where the whole picture lost the person, the
    crop's own track that is mostly this person goes on.
    """
    there, here = whole.file["person_box"][:], people.file["person_box"][:]
    wanted = rows_of_track(whole, track)
    corners = whole_frames.to_source(there.reshape(-1, 2, 2))
    there = frames.to_frame(corners).reshape(-1, 4)
    overlap = np.zeros(len(here))
    led = wanted[people.frame] >= 0  # rows in frames where the whole picture knows the place
    overlap[led] = box_overlap(here[led], _inside(there[wanted[people.frame[led]]], frames))
    shared = {number: overlap[led & (people.track == number)] for number in np.unique(people.track[led])}
    usual = max(shared, key=lambda number: shared[number].sum(), default=-1)
    goes_on = usual > 0 and shared[usual].mean() >= SAME_PLACE
    score = np.where(led, overlap, SAME_PLACE * (goes_on & (people.track == usual)))
    rows = np.full(people.frames, -1)
    for row in np.argsort(score, kind="stable"):  # the best comes last and stays
        if score[row] >= SAME_PLACE:
            rows[people.frame[row]] = row
    return rows


def list_tracks(people: People, frames: Frames) -> list[Span]:
    """Describe every track of a clip, the largest first."""
    boxes = frames.to_source(people.file["person_box"][:].reshape(-1, 2, 2)).reshape(-1, 4)
    spans = []
    for number in np.unique(people.track[people.track > 0]):
        mine = people.track == number
        seconds = frames.attrs["start_s"] + people.frame[mine][[0, -1]] / float(frames.rate)
        height = np.median(boxes[mine, 3] - boxes[mine, 1])
        spans.append(Span(int(number), *seconds.tolist(), float(height), *np.median(box_centres(boxes[mine]), 0)))
    return spans


def _distance_from_middle(people: People, frames: Frames, track: int) -> float:
    """Mean distance of a track from the picture's middle, half diagonals; 1 in frames without it."""
    middle = np.array([frames.width, frames.height]) / 2
    boxes = people.file["person_box"][:][people.track == track]
    away = np.linalg.norm(box_centres(boxes) - middle, axis=1) / np.linalg.norm(middle)
    return float((away.sum() + people.frames - len(away)) / people.frames)


def _at_point(people: People, frames: Frames, choice: Choice, x: float, y: float, seconds: float) -> int:
    """Find the track at a point of the upright source: the smallest box that holds it, else the nearest."""
    frame = round((seconds - frames.attrs["start_s"]) * float(frames.rate))
    rows = np.flatnonzero((people.frame == frame) & (people.track > 0))
    if not len(rows):
        raise _nobody(people, frames, choice, f"nobody is followed at {seconds:g} s")
    boxes = people.file["person_box"][:][rows]
    point = frames.to_frame(np.array([x, y]))
    outside = np.maximum(np.maximum(boxes[:, :2] - point, point - boxes[:, 2:]), 0)  # (N, 2)
    away, sizes = np.linalg.norm(outside, axis=1), box_sizes(boxes)
    best = np.lexsort((sizes, away))[0]
    if away[best] > TOUCHED * sizes[best]:
        raise _nobody(people, frames, choice, f"nobody is followed near {x:g},{y:g} at {seconds:g} s")
    return int(people.track[rows[best]])


def _nobody(people: People, frames: Frames, choice: Choice, why: str) -> FootageError:
    there = "; ".join(map(str, list_tracks(people, frames)))
    shown = f" ({choice.sheet} shows them)" if choice.sheet else ""
    return FootageError(
        f"The clip table's person is '{choice.person}', but {why} in {frames.source}. There are the tracks{shown} "
        f"{there}. Correct person in the clip table: a track's number, x,y@seconds (pixels of the upright video, "
        f"seconds of the video), largest or central; at most {people.most} people were looked for in a frame "
        f"(pose.people)."
    )


def _inside(boxes: np.ndarray, frames: Frames) -> np.ndarray:
    """Cut boxes (N, 4) at the picture's borders."""
    return np.clip(boxes, 0, [frames.width, frames.height] * 2)
