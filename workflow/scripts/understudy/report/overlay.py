"""One film per clip that shows what the estimators saw, and a table of the frames to doubt, before any training."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np

from understudy.errors import LayoutError
from understudy.layouts import describe, open_file
from understudy.report.doubtful import OTHER, Doubt, find_doubtful, write_doubtful
from understudy.report.panels import flow_panel, mark_people, matte_panel, parts_panel, pose_panel
from understudy.semantics.people import People, open_people
from understudy.semantics.switches import find_switches
from understudy.settings import FilmSettings
from understudy.video.encode import USUAL, Film
from understudy.video.frames import Frames
from understudy.video.timing import Progress

logger = logging.getLogger(__name__)

LEAST_PANEL_PX, MOST_PANEL_PX = 256, 512  # height of a panel
STRIP_PX = 26  # line of text above the panels
FRAME_PX = 4  # red frame round doubtful pictures
RED, WHITE, INK = (230, 30, 30), (240, 240, 240), (28, 28, 32)
FLOW_UNITS_PER_PX = 16
NAMES = ("pose", "parts", "matte", "flow")


@dataclass(frozen=True)
class ClipPaths:
    """The files of one clip."""

    frames: Path
    people: Path
    pose: Path
    surface: Path
    flow: Path


@dataclass(frozen=True)
class Estimates:
    """The open files of one clip."""

    frames: Frames
    people: People
    pose: h5py.File
    surface: h5py.File
    flow: h5py.Group
    numbers: bool  # the numbers in people.h5 are the clip table's

    def panels(self, index: int, height: int, width: int) -> list[np.ndarray]:
        """Draw the four panels of one frame, each (height, width, 3) uint8."""
        shrinks = height < self.frames.height
        way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        picture = cv2.resize(self.frames[index], (width, height), interpolation=way)
        body, face, hands = (self.pose[name][index] for name in ("body", "face", "hands"))
        bare = self.surface["body_part"][index] if "body_part" in self.surface else None
        backward = self.flow["backward"][index].astype(np.float32) / FLOW_UNITS_PER_PX
        scale = height / self.frames.height
        drawn = pose_panel(picture, body, face, hands, scale)
        mark_people(drawn, *self._others(index), scale)
        return [
            drawn,
            parts_panel(picture, self.surface["part"][index], self.surface["uv"][index], bare),
            matte_panel(picture, self.surface["matte"][index]),
            flow_panel(picture, backward, self.flow["confidence"][index]),
        ]

    def _others(self, index: int) -> tuple[np.ndarray, list[str], list[bool]]:
        """Return everybody's joints in a frame, their numbers, and who of them is followed.

        Numbers stand there where they can be written in the clip table: those of the whole picture are another's.
        """
        first, last = np.searchsorted(self.people.frame, [index, index + 1])
        rows = first + np.flatnonzero(self.people.track[first:last] > 0)
        followed = [int(row) == self.pose["row"][index] for row in rows]
        if self.numbers:
            labels = [str(self.people.track[row]) for row in rows]
        else:
            facts = describe(self.pose)
            mine = str(facts["track"]) if facts["whole"] else ""
            labels = [mine if one else "" for one in followed]
        return self.people.file["body"][first:last][rows - first], labels, followed


def draw_overlay(
    files: ClipPaths, film: Path, doubtful: Path, crf: int, numbers: bool, settings: FilmSettings = USUAL
) -> None:
    """Draw pose, parts, matte and flow of a clip over its footage, and list its doubtful frames.

    Args:
        files: the clip's files.
        film: mp4 to write: four panels, frame number and time; doubtful frames have a red frame and their reason.
        doubtful: tab-separated table to write: frame, time_s, reason, value.
        crf: H.264 quality of the film, 0 lossless to 51.
        numbers: the tracks in people.h5 have the numbers that the clip table can name; they are shown.
        settings: what writes the film.

    Raises:
        LayoutError: the files do not belong to one clip.
    """
    frames = files.frames
    with ExitStack() as opened:
        clip, people = opened.enter_context(Frames(frames)), opened.enter_context(open_people(files.people))
        paths = {"pose": files.pose, "surface": files.surface, "flow": files.flow}
        pose, surface, flow = (opened.enter_context(open_file(path, name)) for name, path in paths.items())
        estimates = Estimates(clip, people, pose, surface, flow["stride_1"], numbers)
        _check_lengths(estimates, frames)
        doubts = find_doubtful(pose["body"][:], pose["valid"][:], body_cover(surface))
        switches = find_switches(people, pose["row"][:])
        doubts = sorted([*doubts, *(Doubt(frame, f"{OTHER}: {why}", value) for frame, why, value in switches)])
        write_doubtful(doubtful, doubts, clip.rate)
        _log_doubts(doubts, len(clip), frames)
        progress = Progress(f"overlay {frames}", len(clip))
        with Film(film, clip.rate, crf, None, settings) as written:
            for picture in draw_pictures(estimates, doubts):
                written.write(picture)
                progress.step()


def draw_pictures(estimates: Estimates, doubts: list[Doubt]) -> Iterator[np.ndarray]:
    """Yield the pictures of the film, (H, W, 3) uint8: panels side by side when upright, else two by two."""
    clip = estimates.frames
    height = min(max(clip.height, LEAST_PANEL_PX), MOST_PANEL_PX)
    width = round(clip.width * height / clip.height)
    reasons: dict[int, list[str]] = {}
    for doubt in doubts:
        reasons.setdefault(doubt.frame, []).append(f"{doubt.reason} ({doubt.value:.2f})")
    for index in range(len(clip)):
        panels = [_name(panel, name) for panel, name in zip(estimates.panels(index, height, width), NAMES, strict=True)]
        rows = [panels] if width < height else [panels[:2], panels[2:]]
        picture = np.concatenate([np.concatenate(row, 1) for row in rows])
        line = f"frame {index}   {float(index / clip.rate):.2f} s"
        yield _frame(picture, line, "; ".join(reasons.get(index, [])))


def body_cover(surface: h5py.File) -> np.ndarray:
    """Compare the drawn body with the matte in every frame.

    Returns:
        (T,) float 0..1, intersection over union; nan where the surface is not valid. The bare body is taken where
        it is stored, because the parts themselves are cut and filled by the matte.
    """
    parts = surface["body_part" if "body_part" in surface else "part"]
    matte, valid = surface["matte"], surface["valid"][:]
    cover = np.full(len(matte), np.nan)
    for index in np.flatnonzero(valid):
        person = matte[index] > 127
        share = cv2.resize((parts[index] > 0).astype(np.float32), person.shape[::-1], interpolation=cv2.INTER_AREA)
        body = share > 0.5
        cover[index] = (body & person).sum() / max((body | person).sum(), 1)
    return cover


def _name(panel: np.ndarray, name: str) -> np.ndarray:
    """Write a panel's name into its upper left corner, in place."""
    cv2.putText(panel, name, (7, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 3, cv2.LINE_AA)
    cv2.putText(panel, name, (7, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, WHITE, 1, cv2.LINE_AA)
    return panel


def _frame(picture: np.ndarray, line: str, reason: str) -> np.ndarray:
    """Put the line of text above a picture; with a reason, a red frame round it."""
    strip = np.full((STRIP_PX, picture.shape[1], 3), RED if reason else INK, np.uint8)
    cv2.putText(strip, f"{line}   {reason}", (7, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, WHITE, 1, cv2.LINE_AA)
    if reason:
        height, width, _ = picture.shape
        cv2.rectangle(picture, (0, -FRAME_PX), (width - 1, height - 1), RED, FRAME_PX)
    return np.concatenate([strip, picture])


def _check_lengths(estimates: Estimates, frames: Path) -> None:
    lengths = {
        "people": estimates.people.frames,
        "pose": len(estimates.pose["body"]),
        "surface": len(estimates.surface["part"]),
        "flow": len(estimates.flow["backward"]),
    }
    for name, length in lengths.items():
        if length != len(estimates.frames):
            raise LayoutError(
                f"{frames} holds {len(estimates.frames)} frames, but its {name} has {length} rows, so they stem from "
                f"different runs; delete the {name} file and run again."
            )


def _log_doubts(doubts: list[Doubt], frames: int, path: Path) -> None:
    touched = len({doubt.frame for doubt in doubts})
    counts = ", ".join(f"{count} {reason}" for reason, count in Counter(doubt.reason for doubt in doubts).items())
    logger.info("%s: %d of %d frames are doubtful%s", path, touched, frames, f" ({counts})" if counts else "")
