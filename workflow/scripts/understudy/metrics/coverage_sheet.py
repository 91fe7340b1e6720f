"""A contact sheet of coverage: the distance over time, then each uncovered moment beside the nearest training frame."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import h5py
import numpy as np

from understudy.job import atomic_path
from understudy.layouts import open_file
from understudy.metrics.distance import Distance
from understudy.metrics.shot_list import Moment
from understudy.metrics.training_frames import TrainingFrames
from understudy.semantics.drawing import draw_pose
from understudy.semantics.part_colours import colour_parts

WIDTH_PX = 920
HEAD_PX, CURVE_PX = 46, 150
CELL_PX = (200, 150)  # height, width of a picture
TEXT_PX = WIDTH_PX - 2 * (CELL_PX[1] + 8) - 32
MARGIN = 0.12  # round the driving figure, share of its box' height
MOST_ROWS = 12
LINE_PX = 20
INK, PAPER, GREY, FAINT = (28, 28, 32), (245, 245, 245), (110, 110, 114), (205, 205, 208)
FAR, NEAR = (200, 60, 20), (30, 90, 160)


def draw_sheet(
    sheet: Path, driving: Path, found: Distance, moments: Sequence[Moment], training: TrainingFrames, threshold: float
) -> None:
    """Draw the sheet as a PNG, the farthest moments first.

    Args:
        sheet: PNG to write.
        driving: driving.h5.
        found: nearest training frame and distance of each of its frames.
        moments: uncovered ones.
        training: the performer's training frames.
        threshold: body heights.
    """
    with open_file(driving, "driving") as file:
        farthest = sorted(moments, key=lambda each: -found.distance[each.worst])[:MOST_ROWS]
        rows = [_row(file, moment, found, training) for moment in farthest]
        head = _head(f"{len(moments)} uncovered moments in {len(found.index)} driving frames")
        picture = np.concatenate([head, _curve(found.distance, threshold), *rows])
    with atomic_path(sheet) as beside:
        beside.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1])  # imwrite keeps a full disk to itself


def _head(title: str) -> np.ndarray:
    head = np.full((HEAD_PX, WIDTH_PX, 3), INK, np.uint8)
    _write(head, title, (10, 19), 0.52, PAPER)
    _write(
        head, "left: the motion asked for; right: the nearest frame of the performer's footage", (10, 38), 0.42, PAPER
    )
    return head


def _curve(distance: np.ndarray, threshold: float) -> np.ndarray:
    """Draw distance over frames, the threshold as a line, what lies above it in red."""
    panel = np.full((CURVE_PX, WIDTH_PX, 3), PAPER, np.uint8)
    left, right, top, bottom = 52, WIDTH_PX - 14, 26, CURVE_PX - 24
    there = np.isfinite(distance)
    most = max(2 * threshold, float(distance[there].max()) if there.any() else 0)
    x = left + (np.arange(len(distance)) + 0.5) / len(distance) * (right - left)
    y = bottom - np.where(there, distance, 0) / most * (bottom - top)
    level = round(bottom - threshold / most * (bottom - top))
    _write(panel, "distance from the footage (posture, limbs, skin), body heights", (left, 18), 0.42, INK)
    for value, at in ((0, bottom), (threshold, level), (most, top)):
        cv2.line(panel, (left, at), (right, at), FAR if value == threshold else FAINT, 1)
        _write(panel, f"{value:.2f}", (10, at + 4), 0.38, GREY)
    for frame in np.flatnonzero(there[1:] & there[:-1]).tolist():
        ends = [(round(x[frame + step]), round(y[frame + step])) for step in (0, 1)]
        over = max(distance[frame], distance[frame + 1]) > threshold
        cv2.line(panel, *ends, FAR if over else NEAR, 2, cv2.LINE_AA)
    _write(panel, "frame 0", (left, CURVE_PX - 8), 0.38, GREY)
    _write(panel, str(len(distance) - 1), (right - 30, CURVE_PX - 8), 0.38, GREY)
    return panel


def _row(file: h5py.File, moment: Moment, found: Distance, training: TrainingFrames) -> np.ndarray:
    """Draw one moment: the figure asked for, the nearest frame, words."""
    height, width = CELL_PX
    row = np.full((height + 12, WIDTH_PX, 3), PAPER, np.uint8)
    number = int(found.index[moment.worst])
    clip, frame = training.place(number)
    mine = (file["body"][moment.worst], file["face"][moment.worst], file["hands"][moment.worst])
    shown = _figure(file, moment.worst, *mine)
    near = training.frames(clip)[frame]
    boxes = (_box(mine[0]), _box(training.poses[number]))
    high = max(box[3] - box[1] for box in boxes) * (1 + 2 * MARGIN)
    for place, (picture, box) in enumerate(zip((shown, near), boxes, strict=True)):
        left = 8 + place * (width + 8)
        row[6 : 6 + height, left : left + width] = _crop(picture, box, high)
    left = 8 + 2 * (width + 8) + 8
    _write(row, f"frames {moment.first} to {moment.last}", (left, 32), 0.6, FAR, 2)
    _write(row, f"worst: frame {moment.worst}, {found.distance[moment.worst]:.3f} body heights", (left, 56), 0.45, INK)
    name = training.index.clips[clip].frames.parent.name
    _write(row, f"nearest: {name}, frame {frame}", (left, 76), 0.45, GREY)
    for line, words in enumerate(_wrapped(moment.words)):
        _write(row, words, (left, 106 + line * LINE_PX), 0.47, INK)
    cv2.line(row, (0, 0), (WIDTH_PX, 0), FAINT, 1)
    return row


def _figure(file: h5py.File, row: int, body: np.ndarray, face: np.ndarray, hands: np.ndarray) -> np.ndarray:
    """Draw parts and limbs of a driving frame over black, (H, W, 3) at the frames' size."""
    height, width = int(file.attrs["height"]), int(file.attrs["width"])
    parts = colour_parts(file["part"][row], file["uv"][row])
    parts = cv2.resize(parts, (width, height), interpolation=cv2.INTER_AREA)
    limbs = draw_pose(body, face, hands, height, width)
    cover = limbs.max(2, keepdims=True) / 255
    return np.round(0.75 * parts * (1 - cover) + limbs * cover).astype(np.uint8)


def _box(body: np.ndarray) -> np.ndarray:
    """Box round joints (25, 3): left, top, right, bottom px."""
    points = body[body[:, 2] > 0, :2]
    return np.concatenate([points.min(0), points.max(0)]) if len(points) else np.array([0.0, 0, 1, 1])


def _crop(picture: np.ndarray, box: np.ndarray, high: float) -> np.ndarray:
    """Cut a person out (CELL_PX), `high` px of the frame high, grey where the picture ends."""
    height, width = CELL_PX
    scale = height / max(high, 1.0)
    shift = np.array([width, height]) / 2 - scale * (box[:2] + box[2:]) / 2
    way = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    if scale < 0.5:  # averaged first, so that nothing flickers away
        picture = cv2.blur(picture, (round(1 / scale),) * 2)
    return cv2.warpAffine(picture, way, (width, height), flags=cv2.INTER_LINEAR, borderValue=FAINT)


def _wrapped(words: str) -> list[str]:
    """Break words into lines that fit beside the pictures."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        (across, _), _ = cv2.getTextSize(longer, cv2.FONT_HERSHEY_SIMPLEX, 0.47, 1)
        lines = [*lines[:-1], longer] if across <= TEXT_PX else [*lines, word]
    return lines


def _write(
    picture: np.ndarray, text: str, at: tuple[int, int], size: float, colour: tuple[int, ...], bold: int = 1
) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, bold, cv2.LINE_AA)
