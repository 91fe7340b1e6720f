"""Where in the picture the person moves: one rectangle for the whole clip, so that the frames can be cropped to it."""

import logging
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import median_filter

from understudy.backends import load_backend
from understudy.clips import Clip
from understudy.errors import FootageError
from understudy.job import atomic_path
from understudy.seals import write_json
from understudy.semantics.boxes import box_sizes, person_boxes
from understudy.semantics.choice import Choice, choose_track
from understudy.semantics.people import BACKENDS, open_people
from understudy.semantics.pose_backends._contract import FramePose, PoseBackend
from understudy.settings import DecodeSettings, PoseSettings
from understudy.video.frames import Frames
from understudy.video.source import SourceVideo

logger = logging.getLogger(__name__)

PICTURES = 24  # looked at, spread over the clip
LONGEST_PX = 640  # they are made so small at least; larger ones find no more
SEEK_S = 4  # pictures further apart than this are sought one by one instead of reading all between
UNKNOWN_S = 60  # looked at in a source that does not say how long it is
SMALLER = 0.6  # of the height that most boxes stay under: a smaller one shows somebody else
LEAP = 0.4  # of the usual height: a box that differs so much from those round it is the estimator's mistake
LEAP_WINDOW = 5  # boxes


def locate_person(
    video: Path, crop: Path, clip: Clip, choice: Choice, pose: PoseSettings, decode: DecodeSettings
) -> None:
    """Find the rectangle a clip shows and write crop.json: left, top, width, height in pixels of the upright source.

    Args:
        video: the source.
        crop: the file to write.
        clip: its row of the clip table; `crop` there says whether the rectangle is found, given, or the whole picture.
        choice: whose rectangle is found; others than the largest among the people of the whole picture.
        pose: whose backend finds the person.
        decode: the margin round the person.

    Raises:
        FootageError: nobody is found, or the given rectangle leaves the picture.
        VideoError: the video cannot be read.
    """
    source = SourceVideo(video, decode.backend, decode.ffmpeg.hardware)
    if clip.crop == "person" and choice.people is not None:
        rectangle = rectangle_round(track_boxes(choice), decode.crop_margin, source.height, source.width)
    elif clip.crop == "person":
        rectangle = _find_person(source, clip, load_backend(BACKENDS, pose.backend)(pose), decode.crop_margin)
    elif clip.crop == "none":
        rectangle = (0.0, 0.0, float(source.width), float(source.height))
    else:
        rectangle = given_rectangle(clip, source.height, source.width)
    logger.info("%s: rectangle of %.0fx%.0f px at %.0f, %.0f", clip.clip, *rectangle[2:], *rectangle[:2])
    with atomic_path(crop) as beside:
        named = dict(zip(("left", "top", "width", "height"), rectangle, strict=True))
        write_json(beside, named)


def given_rectangle(clip: Clip, height: int, width: int) -> tuple[float, float, float, float]:
    """Read left, top, width, height from the clip table and hold them to the picture.

    Raises:
        FootageError: the rectangle leaves the picture.
    """
    left, top, wide, high = (float(value) for value in clip.crop.split(","))
    if left + wide > width or top + high > height:
        raise FootageError(
            f"The clip '{clip.clip}' is cropped to '{clip.crop}' (left,top,width,height), but its upright picture is "
            f"only {width}x{height} pixels; correct crop in the clip table."
        )
    return left, top, wide, high


def rectangle_round(boxes: np.ndarray, margin: float, height: int, width: int) -> tuple[float, float, float, float]:
    """Join the boxes of one person over time and add a margin, inside the picture.

    Args:
        boxes: (N, 4) float, left, top, right, bottom px.
        margin: share of the joined box' height added on each side.
        height, width: of the picture, pixels.

    Returns:
        left, top, width, height, pixels.
    """
    left, top = boxes[:, :2].min(0)
    right, bottom = boxes[:, 2:].max(0)
    extra = margin * (bottom - top)
    left, top = max(left - extra, 0), max(top - extra, 0)
    right, bottom = min(right + extra, width), min(bottom + extra, height)
    return float(left), float(top), float(right - left), float(bottom - top)


def boxes_of_one(boxes: np.ndarray) -> np.ndarray:
    """Leave out boxes of other people and of mistakes: those much smaller than the largest, and single leaps.

    Args:
        boxes: (N, 4) float, left, top, right, bottom px, in order of time.

    Returns:
        (M, 4), at least one.
    """
    heights = boxes[:, 3] - boxes[:, 1]
    return without_leaps(boxes[heights >= SMALLER * np.percentile(heights, 80)])


def without_leaps(boxes: np.ndarray) -> np.ndarray:
    """Leave out boxes (N, 4), in order of time, that differ much from those round them."""
    typical = np.median(boxes[:, 3] - boxes[:, 1])
    around = median_filter(boxes, size=(LEAP_WINDOW, 1), mode="nearest")
    steady = (np.abs(boxes - around) < LEAP * typical).all(1)
    return boxes[steady] if steady.any() else boxes


def track_boxes(choice: Choice) -> np.ndarray:
    """Return the boxes (N, 4) of the chosen person in the whole picture, pixels of the upright source.

    Raises:
        FootageError: nobody there is meant.
    """
    with open_people(choice.people) as people, Frames(choice.frames) as frames:
        rows = np.flatnonzero(people.track == choose_track(people, frames, choice))
        boxes = people.file["person_box"][:][rows].astype(np.float64)
        if "matte" in people.file:
            boxes = np.stack([_with_matte(box, people.file["matte"][row]) for box, row in zip(boxes, rows)])
        boxes = frames.to_source(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    return without_leaps(boxes)


def _find_person(
    source: SourceVideo, clip: Clip, backend: PoseBackend, margin: float
) -> tuple[float, float, float, float]:
    boxes, looked = [], 0
    for picture in _pictures(source, clip):
        looked += 1
        scale = min(1.0, LONGEST_PX / max(picture.shape[:2]))
        small = picture if scale == 1 else cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        pose = largest_pose(backend.detect(small))
        if pose is not None:
            boxes.append(person_extent(pose) / scale)
    if not boxes:
        raise FootageError(
            f"Nobody is found in {looked} pictures of the clip '{clip.clip}' ({source.path}); if a person is seen "
            f"there, give crop as left,top,width,height in the clip table (or none for the whole picture), else "
            f"correct start_s and end_s."
        )
    logger.info("%s: person found in %d of %d pictures", clip.clip, len(boxes), looked)
    return rectangle_round(boxes_of_one(np.stack(boxes)), margin, source.height, source.width)


def person_extent(pose: FramePose) -> np.ndarray:
    """Return left, top, right, bottom (4,) px of a person's joints and, where there is one, matte."""
    box = person_boxes(pose.body[None], pose.face[None], pose.hands[None])[0].astype(np.float64)
    return box if pose.matte is None else _with_matte(box, pose.matte)


def largest_pose(poses: Sequence[FramePose]) -> FramePose | None:
    """Return the pose with the largest box of joints; None where there is no pose."""
    boxes = [person_boxes(pose.body[None], pose.face[None], pose.hands[None]) for pose in poses]
    return poses[int(np.argmax(box_sizes(np.concatenate(boxes))))] if boxes else None


def _with_matte(box: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """Widen a box (4,) to hold the largest piece of a matte (H, W)."""
    if not (matte > 127).any():
        return box
    rows, columns = np.nonzero(_largest_piece(matte > 127))
    low = np.minimum(box[:2], [columns.min(), rows.min()])
    return np.concatenate([low, np.maximum(box[2:], [columns.max() + 1, rows.max() + 1])])


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    """Keep the largest connected piece of a mask (H, W)."""
    _, pieces, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return pieces == 1 + facts[1:, cv2.CC_STAT_AREA].argmax()


def _pictures(source: SourceVideo, clip: Clip) -> Iterator[np.ndarray]:
    """Read pictures (H, W, 3) uint8 RGB spread evenly over the clip's span."""
    start = Fraction(clip.start_s)
    ends = [end for end in (Fraction(clip.end_s), source.duration_s) if end]
    end = min(ends) if ends else start + UNKNOWN_S
    step = (end - start) / PICTURES
    if step > SEEK_S:
        for number in range(PICTURES):
            yield next(source.frames(start + (number + Fraction(1, 2)) * step)).picture()
        return
    wanted = start
    for frame in source.frames(start):
        if frame.time_s >= end:
            return
        if frame.time_s >= wanted:
            yield frame.picture()
            wanted += step
