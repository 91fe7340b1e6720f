"""What figures are measured against: held-out frames, and the true transfer of a synthetic pair."""

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from understudy.dataset.batch import FrameTruth
from understudy.dataset.maps import NetworkSize, landmark_box
from understudy.dataset.reader import Footage
from understudy.errors import FootageError
from understudy.flow.estimate import UNITS_PER_PX
from understudy.metrics.image import person_mask
from understudy.metrics.series import TrueFrame
from understudy.model.crops import MARGIN
from understudy.semantics.truth import Truth
from understudy.video.frames import Frames

TRUSTED = 0.5  # least confidence of a flow that figures stand on


def held_out_frames(footage: Footage) -> Iterator[TrueFrame]:
    """Yield the frames of a split in order; numbers jump between its runs."""
    number = 0
    for run in footage.runs:
        for frame, (semantic, truth) in enumerate(footage.play(run), run.first):
            true = _from_batch(number, truth, semantic.boxes[0].numpy())
            yield replace(true, clip=run.clip, frame=frame)
            number += 1
        number += 1


def true_transfer(clip: Frames, truth: Truth, height: int, width: int) -> Iterator[TrueFrame]:
    """Yield the frames of a synthetic clip at a size, with exact mattes and flows."""
    size = NetworkSize(height, width, 1)
    for number in range(len(clip)):
        flow, visible = _true_flow(truth, number, height, width)
        landmarks = (truth.joints("face", number)[0], *truth.joints("hands", number)[0])
        boxes = np.stack([landmark_box(_scaled(each, height / clip.height), size) for each in landmarks])
        face, *hands = (square_mask(box, (height, width)) for box in boxes)
        yield TrueFrame(
            number=number,
            picture=resized(clip[number], height, width),
            person=person_mask(resized(truth.matte(number), height, width)),
            flow=flow,
            trusted=visible,
            face=face,
            hands=hands[0] | hands[1],
        )


def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring a picture to a size, averaging over areas."""
    if picture.shape[:2] == (height, width):
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def check_same_view(truth: Frames, performer: Frames, driving_frames: int) -> None:
    """Hold the true transfer to the driving clip's length and the performer's view.

    Raises:
        FootageError: they differ, so that the true transfer shows something else than the film.
    """
    if len(truth) != driving_frames:
        raise FootageError(
            f"The true transfer {truth.path} has {len(truth)} frames, but the driving clip {driving_frames}; "
            "both must show the same motion frame for frame: correct the transfer's truth in the configuration."
        )
    views = [(*frames.crop, frames.height, frames.width) for frames in (truth, performer)]
    if not np.allclose(*views, atol=0.5):
        raise FootageError(
            f"The true transfer {truth.path} shows the part {views[0][:4]} of its video, but the performer's clip "
            f"{performer.path} the part {views[1][:4]} (left, top, width, height, pixels), so their persons stand in "
            "different places; set crop to none for both in the clip table."
        )


def square_mask(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mark the square about the box (4,) px of a face or a hand in a picture of a size, as its network sees it.

    Returns:
        (H, W) bool.
    """
    middle, half = (box[:2] + box[2:]) / 2, MARGIN * (box[2:] - box[:2]).max() / 2
    y, x = np.ogrid[: size[0], : size[1]]
    return (np.abs(x + 0.5 - middle[0]) < half) & (np.abs(y + 0.5 - middle[1]) < half)


def _scaled(landmarks: np.ndarray, factor: float) -> np.ndarray:
    return landmarks * np.array((factor, factor, 1), np.float32)


def _from_batch(number: int, truth: FrameTruth, boxes: np.ndarray) -> TrueFrame:
    """Make a frame of the footage's; boxes (3, 4) px of face, left and right hand."""
    picture = ((truth.picture[0].permute(1, 2, 0).numpy() + 1) * 127.5).round().astype(np.uint8)
    counted = truth.counted[0, 0].numpy() > 0
    face, *hands = (square_mask(box, picture.shape[:2]) for box in boxes)
    return TrueFrame(
        number=number,
        picture=np.ascontiguousarray(picture),
        person=person_mask((truth.matte[0, 0].numpy() * 255).round().astype(np.uint8)),
        flow=np.ascontiguousarray(truth.flow[0].permute(1, 2, 0).numpy()),
        trusted=truth.confidence[0, 0].numpy() > TRUSTED,
        face=face,
        hands=hands[0] | hands[1],
        counted=None if counted.all() else counted,
    )


def _true_flow(truth: Truth, number: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the exact flow (H, W, 2) px of a frame at a size, and where the point was seen before (H, W) bool."""
    rows = truth.rows
    source = truth.file["backward"].shape[1:3]
    if number == 0 or rows[number] != rows[number - 1] + 1:  # the clip skips or repeats frames of its video
        return np.zeros((height, width, 2), np.float32), np.zeros((height, width), bool)
    left, top, crop_width, crop_height = truth.frames.crop
    x = (np.arange(width) + 0.5) * crop_width / width + left  # px of the source
    y = (np.arange(height) + 0.5) * crop_height / height + top
    column, row = np.floor(x).astype(int).clip(0, source[1] - 1), np.floor(y).astype(int).clip(0, source[0] - 1)
    flow = truth.file["backward"][rows[number]][row][:, column].astype(np.float32) / UNITS_PER_PX
    visible = truth.file["visible"][rows[number]][row][:, column] > 0
    return flow * np.float32((width / crop_width, height / crop_height)), visible
