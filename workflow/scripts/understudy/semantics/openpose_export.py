"""The way back: poses of a clip as the files that OpenPose's `--write_json` would have written for its video."""

import logging
from pathlib import Path

import numpy as np

from understudy.job import atomic_folder
from understudy.layouts import open_file
from understudy.semantics.openpose_files import file_name, people_text
from understudy.semantics.openpose_layout import OpenPosePerson
from understudy.video.frames import Frames
from understudy.video.shown import shown_pictures

logger = logging.getLogger(__name__)


def export_openpose_json(frames: Path, pose: Path, keypoints: Path, clip: str) -> None:
    """Write a folder of {clip}_000000000000_keypoints.json: numbers and pixels are those of the upright source.

    Pictures of the source that the clip does not show get no file; one that it shows twice gets its first pose.

    Args:
        frames: frames.h5 of the clip.
        pose: its pose.h5.
        keypoints: the folder to write.
        clip: begins the names of the files.

    Raises:
        VideoError: the source is gone or has changed.
    """
    with Frames(frames) as opened, open_file(pose, "pose") as file, atomic_folder(keypoints) as beside:
        numbers, first = np.unique(shown_pictures(opened).numbers, return_index=True)
        rows = {name: file[name][:] for name in ("body", "face", "hands", "valid")}
        for number, row in zip(numbers.tolist(), first.tolist(), strict=True):
            people = [_person(opened, rows, row)] if rows["valid"][row] else []
            (beside / file_name(clip, number)).write_text(people_text(people), encoding="utf-8")
    logger.info("%s: %d files, numbers %d to %d", keypoints, len(numbers), numbers[0], numbers[-1])


def _person(frames: Frames, rows: dict[str, np.ndarray], row: int) -> OpenPosePerson:
    """Carry the person of a frame into OpenPose's pixels of the source."""
    parts = []
    for name in ("body", "face", "hands"):
        points = rows[name][row].astype(np.float64)
        points[..., :2] = np.where(points[..., 2:] > 0, frames.to_source(points[..., :2]), 0)
        parts.append(points)
    return OpenPosePerson(*parts).in_openpose_pixels()
