"""OpenPose's own files: a folder of `--write_json` for the clip's video, read instead of estimating anything."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from understudy.errors import BackendError
from understudy.semantics.openpose_files import numbered_files, read_people
from understudy.semantics.openpose_layout import OpenPosePerson
from understudy.semantics.pose_backends._contract import FramePose
from understudy.settings import PoseSettings
from understudy.video.frames import Frames
from understudy.video.shown import Shown, shown_pictures

logger = logging.getLogger(__name__)

OUTSIDE = 0.1  # share of the picture's size by which OpenPose's points leave it at most


class Backend:
    """Matches the numbers of the files to the pictures that the clip's frames show."""

    name = "openpose_json"
    version = "1"
    has_depth = False
    has_matte = False
    exact = False
    memory_frames = 0
    block_s = 0.0

    def __init__(self, settings: PoseSettings):
        self.settings = settings

    def __call__(self, frames: Frames) -> Iterator[Sequence[FramePose]]:
        folder = Path(self.settings.openpose_json.path)
        files, shown = numbered_files(folder), shown_pictures(frames)
        first = first_number(list(files), shown, folder, frames.source, self.settings.openpose_json.first_number)
        _log_match(folder, files, shown, first)
        for number in shown.numbers + first:
            path = files.get(int(number))
            people = read_people(path) if path else []
            _check_pixels(path, people, shown)
            yield [pose for person in people if (pose := self._pose(person, frames))]

    def detect(self, picture: np.ndarray) -> Sequence[FramePose]:
        """Refuse: files belong to pictures of a video, so a person to crop to is chosen in the whole clip."""
        raise BackendError(
            "The pose backend 'openpose_json' finds nobody in a single picture; give crop in the clip table as "
            "left,top,width,height, or none."
        )

    def _pose(self, person: OpenPosePerson, frames: Frames) -> FramePose | None:
        """Carry a person of the source's picture into the frame."""
        ours = person.in_our_pixels()
        parts = []
        for points in (ours.body, ours.face, ours.hands):
            places = np.where(points[..., 2:] > 0, frames.to_frame(points[..., :2]), 0)
            parts.append(np.concatenate([places, points[..., 2:]], -1))
        return OpenPosePerson(*parts).pose(frames.height, frames.width, self.settings.min_score)


def first_number(numbers: Sequence[int], shown: Shown, folder: Path, video: Path, wanted: int) -> int:
    """Find the number of the file that belongs to the first picture of a video, and hold all numbers to the video.

    OpenPose counts the pictures of a video from 0; images extracted from one usually count from 1. Files may be missing
    between others, but not at an end that the clip shows.

    Args:
        numbers: of the files, ascending.
        shown: what the clip shows of its source.
        folder, video: for the messages.
        wanted: number that the settings name; -1 to find out.

    Raises:
        BackendError: the numbers do not fit the video.
    """
    low, high, last = numbers[0], numbers[-1], shown.pictures - 1
    found = f"{folder} holds {len(numbers)} files with the numbers {low} to {high}"
    expected = (
        f"{video} has {shown.pictures} pictures, expected the numbers 0 to {last} (or 1 to {last + 1} for images)"
    )
    first = wanted
    if wanted < 0:
        first = 1 if low >= 1 and high == last + 1 else 0
        if low == 1 and high < last:
            raise BackendError(
                f"{found}, but {expected}: it cannot be told whether they count from 0 or from 1. Say it by "
                f"pose.openpose_json.first_number, or run OpenPose over the whole video again."
            )
    if low < first or high > last + first:
        raise BackendError(
            f"{found}, but {expected}; they are of another video, or of one converted to another rate. Run OpenPose on "
            f"this file (images: ffmpeg -i {video.name} -fps_mode passthrough %06d.png), or name another folder in "
            f"pose.openpose_json.path."
        )
    start, end = int(shown.numbers.min()) + first, int(shown.numbers.max()) + first
    if low > start or high < end:
        raise BackendError(
            f"{found}, but the clip shows the pictures with the numbers {start} to {end} ({expected}); run OpenPose "
            f"over all of them (no --frame_first, no --frame_last), or cut the clip to them by start_s and end_s."
        )
    return first


def _log_match(folder: Path, files: Mapping[int, Path], shown: Shown, first: int) -> None:
    asked = set((shown.numbers + first).tolist())
    logger.info(
        "%s: %d files for %d pictures of the video; the clip's %d frames show %d of them, of which %d have no file",
        *(folder, len(files), shown.pictures, len(shown.numbers), len(asked), len(asked - set(files))),
    )


def _check_pixels(path: Path | None, people: Sequence[OpenPosePerson], shown: Shown) -> None:
    """Refuse points that are no pixels of this picture."""
    for person in people:
        points = person.body[person.body[:, 2] > 0, :2]
        if not len(points):
            continue
        far = np.abs(points).max(0)  # x, y
        if (far <= 1).all():
            raise BackendError(
                f"{path} holds joints between -1 and 1, expected pixels of the video; run OpenPose with "
                f"--keypoint_scale 0 (its default)."
            )
        if (far > np.array([shown.width, shown.height]) * (1 + OUTSIDE)).any():
            raise BackendError(
                f"{path} holds joints up to x {far[0]:.0f}, y {far[1]:.0f}, but the upright picture is only "
                f"{shown.width}x{shown.height} pixels; run OpenPose on this very video, upright, with "
                f"--keypoint_scale 0 and without --frame_rotate."
            )
