"""OpenPose itself, 1.5 and later, through its Python module."""

from collections.abc import Iterator, Sequence

import numpy as np

from understudy.errors import BackendError
from understudy.semantics.openpose_layout import OpenPosePerson
from understudy.semantics.pose_backends._contract import FramePose
from understudy.semantics.pose_backends._own_process import OwnProcess, ProcessEndedError
from understudy.semantics.pose_backends._pyopenpose import PyOpenPose, advice
from understudy.settings import PoseSettings
from understudy.video.frames import Frames


class Backend:
    """One OpenPose in a process of its own: where memory is short, it ends its process without a word to Python."""

    name = "openpose"
    has_depth = False
    has_matte = False
    exact = False
    memory_frames = 0
    block_s = 0.0

    def __init__(self, settings: PoseSettings):
        self.settings = settings
        self._people = self._guarded(lambda: OwnProcess(self._start))
        self.version = self._people.greeting

    def __call__(self, frames: Frames) -> Iterator[Sequence[FramePose]]:
        for picture in frames:
            yield self.detect(picture)

    def detect(self, picture: np.ndarray) -> Sequence[FramePose]:
        try:
            people: list[OpenPosePerson] = self._guarded(lambda: self._people(picture))
        except BackendError as wrong:
            if isinstance(wrong.__cause__, ProcessEndedError):
                raise  # it has OpenPose's words already
            raise BackendError(f"{wrong} OpenPose wrote at last: {self._people.words or 'nothing'}") from wrong
        poses = (person.in_our_pixels().pose(*picture.shape[:2], self.settings.min_score) for person in people)
        return [pose for pose in poses if pose is not None]

    def _start(self) -> tuple[PyOpenPose, str]:
        openpose = PyOpenPose(self.settings.openpose)
        return openpose, openpose.version

    def _guarded(self, act):
        """Turn the end of OpenPose's process into words."""
        try:
            return act()
        except ProcessEndedError as ended:
            last = ended.words.splitlines()[-1:]  # it begins with harmless warnings
            how = f" by signal {ended.signal}" if ended.signal else ""
            raise BackendError(
                f"OpenPose ended its process{how}; {advice(''.join(last))} OpenPose wrote at last: "
                f"{ended.words or 'nothing'}"
            ) from ended
