"""A contact sheet of the people in a clip: a row of crops for each track, with its number, span, size and place."""

import logging
from pathlib import Path

import cv2
import numpy as np

from understudy.job import atomic_path
from understudy.semantics.choice import Span, list_tracks
from understudy.semantics.people import People, open_people
from understudy.video.frames import Frames

logger = logging.getLogger(__name__)

CROPS = 7  # of each person, spread evenly over the track
CROP_PX = (150, 100)  # height, width
MARGIN = 0.15  # round a person's joints, share of their box' height
LABEL_PX = 190
HEAD_PX = 44
LINE_PX = 18
MOST_ROWS = 30
INK, PAPER, GREY, NUMBER = (28, 28, 32), (245, 245, 245), (120, 120, 124), (200, 60, 20)


def draw_people(frames: Path, people: Path, sheet: Path) -> None:
    """Draw the contact sheet that a number is chosen by.

    Args:
        frames: frames.h5 of the picture the people were found in.
        people: its people.h5.
        sheet: PNG to write.
    """
    with Frames(frames) as clip, open_people(people) as everyone:
        spans = list_tracks(everyone, clip)
        rows = [_row(everyone, clip, span) for span in spans[:MOST_ROWS]]
        head = _head(f"{clip.source.name}: {len(spans)} people followed", everyone, rows[0].shape[1])
        picture = np.concatenate([head, *rows])
    with atomic_path(sheet) as beside:
        beside.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1])  # imwrite keeps a full disk to itself
    logger.info("%s: tracks %s", sheet, "; ".join(map(str, spans)))


def _head(title: str, people: People, width: int) -> np.ndarray:
    head = np.full((HEAD_PX, width, 3), INK, np.uint8)
    asked = f"clip table: person is a number, or x,y@seconds; at most {people.most} looked for (pose.people)"
    _write(head, title, (10, 18), 0.5, PAPER)
    _write(head, asked, (10, 36), 0.42, PAPER)
    return head


def _row(people: People, frames: Frames, span: Span) -> np.ndarray:
    """Draw one track: its label, then crops over time."""
    height, width = CROP_PX
    row = np.full((height + LINE_PX + 8, LABEL_PX + CROPS * (width + 6), 3), PAPER, np.uint8)
    _write(row, str(span.number), (10, 46), 1.5, NUMBER, 3)
    _write(row, f"{span.first_s:.2f} to {span.last_s:.2f} s", (10, 76), 0.45, INK)
    _write(row, f"{span.height_px:.0f} px high", (10, 96), 0.45, INK)
    _write(row, f"about x {span.x:.0f}, y {span.y:.0f}", (10, 116), 0.45, INK)
    mine = np.flatnonzero(people.track == span.number)
    boxes = people.file["person_box"][:]
    side = np.median(boxes[mine, 3] - boxes[mine, 1]) * (1 + 2 * MARGIN)
    for place, number in enumerate(np.unique(np.linspace(0, len(mine) - 1, CROPS).round().astype(int))):
        left = LABEL_PX + place * (width + 6)
        at = mine[number]
        crop = _crop(frames[int(people.frame[at])], boxes[at], max(side, boxes[at, 3] - boxes[at, 1]))
        row[4 : 4 + height, left : left + width] = crop
        seconds = frames.attrs["start_s"] + people.frame[at] / float(frames.rate)
        _write(row, f"{seconds:.2f} s", (left + 2, height + LINE_PX), 0.4, GREY)
    return row


def _crop(picture: np.ndarray, box: np.ndarray, side: float) -> np.ndarray:
    """Cut a person out (CROP_PX), `side` px of the frame high, the picture's border repeated where it ends."""
    height, width = CROP_PX
    scale = height / side
    centre = (box[:2] + box[2:]) / 2
    shift = np.array([width, height]) / 2 - scale * centre
    way = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    if scale < 0.5:  # averaged first, so that nothing flickers away
        picture = cv2.blur(picture, (round(1 / scale),) * 2)
    return cv2.warpAffine(picture, way, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _write(
    picture: np.ndarray, text: str, at: tuple[int, int], size: float, colour: tuple[int, ...], bold: int = 1
) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, bold, cv2.LINE_AA)
