"""Where the camera of a film stands: still at the performer's reference frame, or moving as the driver's did."""

import logging

import numpy as np

from understudy.dataset.statistics import BodyStatistics
from understudy.dataset.track import PoseTrack
from understudy.dataset.windows import TRAINING, Windows, clip_motion
from understudy.flow.camera import CameraMotion
from understudy.flow.homography import carried, corners, from_corners
from understudy.rendering.halves import anchors
from understudy.rendering.retarget import bone_ratios

logger = logging.getLogger(__name__)

IN_VIEW = 0.98  # share of frames in which the hips must stay in a picture whose camera stands still
SHARES = np.linspace(1, 0, 21)  # of the driver's camera motion that are tried, until the plate has seen its views
SLACK_SHARE = 0.02  # of the height: views may look so far beyond what was seen


def place_of(driver: BodyStatistics, performer: BodyStatistics, place: str) -> np.ndarray:
    """Return the similarity (3, 3) that carries the driver's place to the performer's, pixels to pixels.

    Args:
        driver, performer: as `retarget` takes them.
        place: "ground" or "hip".
    """
    legs = bone_ratios(driver, performer)["leg"]
    _, (their_x, theirs), (our_x, ours) = anchors(driver, performer)
    if place == "ground" and None not in (performer.ground_px, driver.ground_px):
        ours, theirs = performer.ground_px, driver.ground_px
    return np.array([[legs, 0, our_x - legs * their_x], [0, legs, ours - legs * theirs], [0, 0, 1.0]])


def driving_views(motion: CameraMotion, place: np.ndarray, performer: Windows) -> np.ndarray:
    """Move the film's camera as the driver's, as far as the performer's footage shows what it sees.

    Args:
        motion: of the driver's camera.
        place: (3, 3), from the driver's reference frame to the performer's, pixels.
        performer: whose clips say what was seen.

    Returns:
        (T, 3, 3) float64, from pixels of each picture to pixels of the performer's reference frame.
    """
    low, high = seen_box(performer)
    rest = corners(performer.height, performer.width)
    ways = carried(rest, place @ motion.to_reference @ np.linalg.inv(place)) - rest  # (T, 4, 2)
    slack = SLACK_SHARE * performer.height
    inside = [((rest + s * ways > low - slack) & (rest + s * ways < high + slack)).all() for s in SHARES]
    share = SHARES[int(np.argmax(inside))]
    logger.info(
        "the camera moves %.0f %% as far as the driver's; more the performer's footage does not show", 100 * share
    )
    if share == 0:
        return np.tile(np.eye(3), (len(ways), 1, 1))
    return np.stack([from_corners(rest + share * way, performer.height, performer.width) for way in ways])


def seen_box(performer: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Return left, top and right, bottom (2,) px about all views of the training footage, in its reference frame."""
    rest = corners(performer.height, performer.width)
    places = [rest[None]]
    for number, clip in enumerate(performer.clips):
        views = clip_motion(clip).to_reference
        runs = (run for run in performer.runs if (run.clip, run.split) == (number, TRAINING))
        places += [carried(rest, views[run.first : run.first + run.length]) for run in runs]
    every = np.concatenate(places).reshape(-1, 2)
    return every.min(0), every.max(0)


def stays_in_view(track: PoseTrack, height: int, width: int) -> bool:
    """Say whether the hips of nearly all frames that show anybody lie in a picture."""
    hips, seen = track.place("middle_hip")
    inside = (hips[:, :2] > 0).all(1) & (hips[:, 0] < width) & (hips[:, 1] < height)
    return not seen.any() or bool(inside[seen].mean() >= IN_VIEW)
