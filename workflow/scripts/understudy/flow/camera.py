"""Finds how the camera moved: for each frame the homography that lays its background on the reference frame's."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np

from understudy.errors import LayoutError
from understudy.flow.alignment import Alignment, Ground, align
from understudy.flow.homography import bridged, carried, corner_motion, corners, scaled, smoothed
from understudy.flow.panorama import Panorama, step_between, trusted
from understudy.layouts import check_same_frames, create, describe, open_file
from understudy.settings import VERSIONS, CameraSettings
from understudy.video.frames import Frames

logger = logging.getLogger(__name__)

MOST_HEIGHT_PX = 256  # larger frames are compared smaller
GROW_SHARE = 0.03  # of the height: how far the matte is grown, because estimated mattes are tight
CLEAR_MATTE = 13  # of 255: a pixel shows background where the grown matte is below it
GLANCES = 24  # frames spread over a clip that say whether the camera stands still
STILL_FROM = 0.8  # share of the glances that must be trusted to say so
MOVING_FROM = 0.5  # share of the frames that must be trusted, else the camera counts as still
PASSES = 2  # over the clip after the first one
FINE = (2, 1)  # levels of those passes
SMOOTH_FRAMES = 3.0
PROGRESS_S = 10.0
SMALLEST_DETERMINANT = 1e-9  # of a homography that shows a picture at all


@dataclass(frozen=True)
class CameraMotion:
    """How a clip's camera moved.

    Attributes:
        to_reference: (T, 3, 3) float64, pixels of each frame to pixels of the reference frame; exact identities where
            the camera stands still.
        valid: (T,) bool, the frame's background could be laid on the others'; elsewhere the motion is bridged.
        moving: the camera moves.
        reference: number of the reference frame.
    """

    to_reference: np.ndarray
    valid: np.ndarray
    moving: bool
    reference: int = 0

    @classmethod
    def still(cls, frames: int, valid: bool = True) -> "CameraMotion":
        """Describe a camera that stands still, or of which nothing can be said."""
        return cls(np.tile(np.eye(3), (frames, 1, 1)), np.full(frames, valid), moving=False)


def estimate_camera(frames: Path, surface: Path, camera: Path, settings: CameraSettings) -> None:
    """Write camera.h5.

    Args:
        frames: frames.h5 of the clip.
        surface: surface.h5 of the clip; its matte says what is not background.
        camera: camera.h5 to write.
        settings: whether to look at all, and what counts as still.

    Raises:
        LayoutError: surface.h5 belongs to other frames.
    """
    with Frames(frames) as clip, open_file(surface, "surface") as masks:
        check_same_frames({frames: len(clip), surface: len(masks["valid"])})
        motion = find_motion(_Backgrounds(clip, masks), settings)
        size = clip.height, clip.width
    way = corner_motion(motion.to_reference, *size)
    if motion.moving:
        logger.info(
            "%s: the camera moves: corners by up to %.1f px from frame %d; %d of %d frames could be laid together",
            *(frames, way[motion.valid].max(), motion.reference, motion.valid.sum(), len(way)),
        )
    with create(camera, "camera", f"flow {VERSIONS['flow']}", settings) as file:
        file.extend(to_reference=motion.to_reference, valid=motion.valid)
        file.attributes({"moving": motion.moving, "reference": motion.reference, "height": size[0], "width": size[1]})


def read_camera(path: Path) -> CameraMotion:
    """Read a camera.h5.

    Raises:
        LayoutError: it is no such file, or a homography in it cannot be turned round.
    """
    with open_file(path, "camera") as file:
        facts, to_reference, valid = describe(file), file["to_reference"][:], file["valid"][:]
    check_homographies(to_reference, path, "to_reference")
    if facts["reference"] >= len(valid):
        raise LayoutError(
            f"{path}: the attribute 'reference' is {facts['reference']}, but there are {len(valid)} frames; delete it "
            "and run again."
        )
    return CameraMotion(to_reference, valid, facts["moving"], facts["reference"])


def check_homographies(homographies: np.ndarray, path: Path, name: str) -> None:
    """Ask whether homographies (T, 3, 3) of a file can be turned round.

    Raises:
        LayoutError: one cannot.
    """
    flat = np.flatnonzero(np.abs(np.linalg.det(homographies)) < SMALLEST_DETERMINANT)
    if len(flat):
        raise LayoutError(
            f"{path}: row {flat[0]} of '{name}' is no homography of a camera (its determinant is 0); delete it and run "
            "again."
        )


class _Backgrounds:
    """Grey pictures (h, w) float32 0..1 of a clip, and where they show background (h, w) bool."""

    def __init__(self, clip: Frames, masks: h5py.File):
        self._clip, self._mattes = clip, masks["matte"]
        self.factor = -(-clip.height // MOST_HEIGHT_PX)  # frame pixels per pixel of these pictures
        self.height, self.width = clip.height // self.factor, clip.width // self.factor
        self._counted = np.ones((self.height, self.width), bool)
        for box in json.loads(clip.attrs.get("ignore", "[]")):  # captions do not move with the background
            left, top, right, bottom = np.array(box) / self.factor
            self._counted[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = False

    def __len__(self) -> int:
        return len(self._clip)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        grey = cv2.cvtColor(self._clip[number], cv2.COLOR_RGB2GRAY)
        grey, matte = (
            cv2.resize(one, (self.width, self.height), interpolation=cv2.INTER_AREA)
            for one in (grey, self._mattes[number])
        )
        reach = 2 * round(GROW_SHARE * self.height) + 1
        clear = cv2.dilate(matte, np.ones((reach, reach))) < CLEAR_MATTE
        return grey.astype(np.float32) / 255, clear & self._counted

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self[number] for number in range(len(self)))


def find_motion(pictures: _Backgrounds, settings: CameraSettings) -> CameraMotion:
    """Find the camera's motion over a clip.

    Args:
        pictures: of the clip.
        settings: as in `estimate_camera`.
    """
    if settings.motion == "still" or len(pictures) < 2:
        return CameraMotion.still(len(pictures))
    still_px = settings.still_share * pictures.height
    if _stands_still(pictures, still_px):
        return CameraMotion.still(len(pictures))
    laid, valid = _lay_all(pictures)
    if valid.mean() < MOVING_FROM:
        logger.info("only %d of %d frames could be laid together; the camera counts as still", valid.sum(), len(valid))
        return CameraMotion.still(len(pictures), valid=False)
    reference = _middle_frame(laid, valid, pictures.height, pictures.width)
    motion = np.linalg.inv(laid[reference]) @ laid
    motion = motion / motion[:, 2:, 2:]
    motion[reference] = np.eye(3)
    if np.percentile(corner_motion(motion[valid], pictures.height, pictures.width), 95) < still_px:
        logger.info("the camera stands still")
        return CameraMotion.still(len(pictures))
    whole = bridged(motion, valid, pictures.height, pictures.width)
    return CameraMotion(scaled(whole, 1 / pictures.factor), valid, moving=True, reference=reference)


def _stands_still(pictures: _Backgrounds, still_px: float) -> bool:
    """Say by frames spread over the clip, each compared with the first, whether the camera stands still."""
    first, background = pictures[0]
    ground = Ground(first, background.astype(np.float32))
    numbers = np.unique(np.linspace(1, len(pictures) - 1, GLANCES).round().astype(int))
    glances = [align(*pictures[number], ground, np.eye(3)) for number in numbers.tolist()]
    believed = np.array([trusted(one) for one in glances])
    ways = corner_motion(np.stack([one.homography for one in glances]), pictures.height, pictures.width)
    logger.info(
        "compared with the first frame, %d of %d frames are trusted, their corners lie %.2f px off at most",
        *(believed.sum(), len(believed), ways[believed].max(initial=0)),
    )
    return believed.mean() >= STILL_FROM and bool((ways[believed] < still_px).all())


def _lay_all(pictures: _Backgrounds) -> tuple[np.ndarray, np.ndarray]:
    """Lay all pictures on one ground: (T, 3, 3) from their pixels to its, and which are trusted (T,).

    A first pass lays each picture on those before it; later ones all of them on the whole ground.
    """
    ground, laid, valid = _lay_forward(pictures)
    for _ in range(PASSES):
        ground = _lay_again(pictures, ground, laid, valid)
    return laid, valid


def _lay_again(pictures: _Backgrounds, ground: Panorama, laid: np.ndarray, valid: np.ndarray) -> Panorama:
    """Lay all pictures on a whole ground; changes `laid` and `valid`, returns the new ground.

    Each starts from the mean way of its neighbours: what the background does not tell of a picture, they do.
    """
    new = Panorama(pictures.height, pictures.width)
    supposed = smoothed(laid, SMOOTH_FRAMES, pictures.height, pictures.width)
    for number, (picture, background) in enumerate(pictures):
        found = ground.lay(picture, background, supposed[number], FINE)
        valid[number] = trusted(found)
        if valid[number]:
            laid[number] = found.homography
            new.add(picture, background, found)
    return new


def _lay_forward(pictures: _Backgrounds) -> tuple[Panorama, np.ndarray, np.ndarray]:
    """Lay each picture on those before it, starting from where the step since the last one leads."""
    ground = Panorama(pictures.height, pictures.width)
    laid, valid = np.tile(ground.shift, (len(pictures), 1, 1)), np.ones(len(pictures), bool)
    before: np.ndarray | None = None
    started = reported = time.monotonic()
    for number, (picture, background) in enumerate(pictures):
        if before is None:
            found = Alignment(ground.shift, 1.0, 0.0, points=0, fit=1.0, error_px=0.0)
        else:
            supposed = laid[number - 1] @ step_between(before, picture, background)
            found = ground.lay(picture, background, supposed)
            valid[number] = trusted(found)
            laid[number] = found.homography if valid[number] else supposed
        if valid[number]:
            ground.add(picture, background, found)
        before = picture
        if time.monotonic() - reported > PROGRESS_S:
            reported = time.monotonic()
            logger.info("frame %d of %d, %.1f a second", number + 1, len(pictures), number / (reported - started))
    return ground, laid, valid


def _middle_frame(laid: np.ndarray, valid: np.ndarray, height: int, width: int) -> int:
    """Choose the trusted frame whose view is nearest to the middle of all views."""
    places = carried(corners(height, width), laid)  # (T, 4, 2)
    away = np.abs(places - np.median(places[valid], axis=0)).sum((1, 2))
    return int(np.argmin(np.where(valid, away, np.inf)))
