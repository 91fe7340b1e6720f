"""Draws the driver's motion as the performer: pose and surface of every driving frame in the performer's picture."""

import logging
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np

from understudy.body.figure import Figure
from understudy.body.fit import BodyShape, draw_fitted, fit_body
from understudy.body.parts import CHART
from understudy.dataset.statistics import BodyStatistics, measure_body
from understudy.dataset.track import PoseTrack, carried_track, read_track, stabilised
from understudy.dataset.windows import Windows, read_windows
from understudy.errors import FootageError
from understudy.flow.camera import CameraMotion, read_camera
from understudy.layouts import Writer, check_same_frames, create, open_file
from understudy.rendering.normalise import move_surface, move_track, normalise
from understudy.rendering.retarget import bone_ratios, retarget
from understudy.rendering.view import driving_views, place_of, stays_in_view
from understudy.settings import VERSIONS, RenderingSettings

logger = logging.getLogger(__name__)

Surfaces = Iterator[tuple[np.ndarray, np.ndarray]]  # part (P, Q) and U, V (P, Q, 2) of each frame
# Poses, surfaces, and (T, 3, 3) from pixels of each picture to the performer's reference frame; None stands still.
Fitted = tuple[PoseTrack, Surfaces, np.ndarray | None]


def fit_driving(
    pose: Path,
    surface: Path,
    windows: Path,
    driving: Path,
    settings: RenderingSettings,
    samples: int,
    camera: Path | None = None,
) -> None:
    """Write driving.h5: the driver's poses and surfaces as the performer, pixels of the performer's frames.

    Frames in which nobody was found show the last figure before them (the first one where there is none before) and
    keep `valid` false.

    Args:
        pose, surface: of the driving clip.
        windows: windows.h5 of the performer.
        driving: driving.h5 to write.
        settings: which retargeting, which rule for the height in the picture.
        samples: surface samples per pixel and axis.
        camera: camera.h5 of the driving clip; None stands still. Where it moves, `body` measures the driver's place as
            the reference frame would show it.

    Raises:
        FootageError: nobody is found in the driving clip, or the footage lacks what the retargeting stands on.
    """
    track = read_track(pose)
    if not track.valid.any():
        raise FootageError(f"{pose}: nobody is found in any frame of the driving clip; choose another clip or crop.")
    rows = held_rows(track.valid)
    if not track.valid.all():
        logger.info("%d of %d frames show nobody; the figure stands still there", (~track.valid).sum(), len(rows))
    fit = {"body": _fit_body, "global": _fit_global, "none": _fit_none}[settings.retarget]
    with (
        open_file(surface, "surface") as file,
        create(driving, "driving", f"rendering {VERSIONS['rendering']}", settings) as writer,
    ):
        _check_same_length(pose, surface, len(track), len(file["valid"]))
        performer = read_windows(windows)
        motion = read_camera(camera) if camera else CameraMotion.still(len(track))
        if camera:
            check_same_frames({pose: len(track), camera: len(motion.valid)})
        driver = _Driver(pose, track, rows, file, motion)
        moved, surfaces, views = fit(driver, performer, settings, samples)
        if views is not None:
            writer.extend(camera=views)
        _write(writer, moved, track.valid, rows, surfaces)
        writer.attributes(
            {
                "samples": samples,
                "chart": performer.chart,
                "retarget": settings.retarget,
                "height": performer.height,
                "width": performer.width,
            }
        )


def held_rows(valid: np.ndarray) -> np.ndarray:
    """Number (T,) of the frame each frame shows: itself if valid (T,), else the last valid one, else the first one."""
    last = np.maximum.accumulate(np.where(valid, np.arange(len(valid)), -1))
    return np.where(last < 0, np.argmax(valid), last)


class _Driver:
    """The driving clip: its poses (held where nobody is found), which frame each row shows, its surface.h5."""

    def __init__(self, pose: Path, track: PoseTrack, rows: np.ndarray, surface: h5py.File, motion: CameraMotion):
        self.pose = pose
        self.seen = track  # as the frames show it
        self.motion = motion
        self.rows = rows
        self.surface = surface

    def track(self, steady: bool) -> tuple[PoseTrack, BodyStatistics]:
        """Return poses and their statistics, as the reference frame would show them or as the frames do."""
        track = stabilised(self.seen, self.motion) if steady else self.seen
        return track.rows(self.rows), measure_body(track)

    def surfaces(self, performer: Windows) -> Surfaces:
        """Read the driver's own surfaces: bare where there are any and the performer trained on such."""
        bare = "body_part" in self.surface and performer.surface != "clipped"
        part, uv = (self.surface[f"body_{name}" if bare else name] for name in ("part", "uv"))
        for row in self.rows:
            yield part[row], uv[row]

    @property
    def chart(self) -> str:
        """Name of the atlas that U and V belong to."""
        return str(self.surface.attrs.get("chart", ""))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the driver's frames, pixels."""
        return self.surface["matte"].shape[1:]

    @property
    def samples(self) -> int:
        """Surface samples per pixel and axis."""
        return self.surface["part"].shape[1] // self.size[0]


def _fit_body(driver: _Driver, performer: Windows, settings: RenderingSettings, samples: int) -> Fitted:
    """Rebuild the driver's motion from the performer's bones and draw the performer's fitted body on it."""
    if performer.shape is None:
        raise FootageError(
            "The performer's surface estimator fits no body, which the retargeting 'body' poses anew; set "
            "rendering.retarget (or the transfer's retarget) to global, or surface.backend to body_model."
        )
    if performer.chart != CHART:
        raise FootageError(
            f"The performer's U and V belong to the atlas '{performer.chart}', but the retargeting 'body' draws the "
            f"body with '{CHART}', so every texel would lie elsewhere; set rendering.retarget (or the transfer's "
            "retarget) to global, which carries over the driver's own maps."
        )
    track, statistics = driver.track(steady=True)
    moved, views = retarget(track, statistics, performer.statistics, settings.place), None
    if settings.camera == "driving" and driver.motion.moving:
        views = driving_views(driver.motion, place_of(statistics, performer.statistics, settings.place), performer)
        moved = carried_track(moved, np.linalg.inv(views))
    if driver.motion.moving and not stays_in_view(moved, performer.height, performer.width):
        logger.info("the driver's camera follows them out of the picture; the film keeps their place in the frames")
        (track, statistics), views = driver.track(steady=False), None
        moved = retarget(track, statistics, performer.statistics, settings.place)
    ratios = bone_ratios(statistics, performer.statistics)
    logger.info("bones, performer over driver: %s", ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))
    shape = BodyShape.from_values(performer.shape)
    return moved, _drawn_bodies(moved, shape, performer.height, performer.width, samples), views


def _drawn_bodies(track: PoseTrack, shape: BodyShape, height: int, width: int, samples: int) -> Surfaces:
    for row in range(len(track)):
        joints = (track.body[row], track.face[row], track.hands[row])
        depths = (None if depth is None else depth[row] for depth in (track.body_z, track.face_z, track.hands_z))
        yield draw_fitted(fit_body(Figure.from_rows(*joints, *depths), shape), height, width, samples)


def _fit_global(driver: _Driver, performer: Windows, settings: RenderingSettings, samples: int) -> Fitted:
    """Carry the driver's figures and surfaces, body and all, to the performer's place and height."""
    _check_same_chart(driver, performer)
    track, statistics = driver.track(steady=False)
    similarity = normalise(track, statistics, performer.statistics)
    logger.info("the driver is scaled by %.2f to %.2f", similarity.scale.min(), similarity.scale.max())
    size, per_pixel = (performer.height, performer.width), (driver.samples, samples)
    surfaces = (
        tuple(move_surface(each, scale, shift, *size, per_pixel) for each in surface)
        for surface, scale, shift in zip(driver.surfaces(performer), similarity.scale, similarity.shift)
    )
    return move_track(track, similarity), surfaces, None


def _fit_none(driver: _Driver, performer: Windows, settings: RenderingSettings, samples: int) -> Fitted:
    """Take the driver's figures and surfaces as they are."""
    _check_same_chart(driver, performer)
    if driver.size != (performer.height, performer.width):
        raise FootageError(
            f"{driver.pose}: the driving clip's frames are {driver.size[0]} x {driver.size[1]} px, the performer's "
            f"{performer.height} x {performer.width} px (height x width); the retargeting 'none' takes the driver's "
            "maps as they are and needs equal ones. Set rendering.retarget to body, or give the clips equal crops."
        )
    if driver.samples != samples:
        raise FootageError(
            f"{driver.pose}: the driver's surface has {driver.samples} samples per pixel, {samples} are set; "
            "run estimate_surface again."
        )
    views = driver.motion.to_reference if settings.camera == "driving" and driver.motion.moving else None
    return driver.track(steady=False)[0], driver.surfaces(performer), views


def _write(writer: Writer, track: PoseTrack, valid: np.ndarray, rows: np.ndarray, surfaces: Surfaces) -> None:
    """Write poses at once and surfaces one by one."""
    joints = {one.name: getattr(track, one.name) for one in fields(track) if one.name != "valid"}
    present = {name: np.asarray(value, np.float32) for name, value in joints.items() if value is not None}
    writer.extend(**present, person_box=_boxes(track), valid=valid)
    for part, uv in surfaces:
        writer.append(part=part, uv=uv)


def _boxes(track: PoseTrack) -> np.ndarray:
    """Box (T, 4) round the joints that are present: left, top, right, bottom px; zeros where there are none."""
    points = np.concatenate([track.body, track.face, track.hands.reshape(len(track), -1, 3)], 1)
    seen = points[..., 2:] > 0
    low = np.where(seen, points[..., :2], np.inf).min(1)
    high = np.where(seen, points[..., :2], -np.inf).max(1)
    return np.where(seen.any(1), np.concatenate([low, high], 1), 0).astype(np.float32)


def _check_same_chart(driver: _Driver, performer: Windows) -> None:
    if driver.chart != performer.chart:
        raise FootageError(
            f"U and V of the driving clip belong to the atlas '{driver.chart}' ({driver.surface.filename}), those of "
            f"the performer to '{performer.chart}', so every texel would lie elsewhere; delete that surface.h5 and run "
            "again, so that one surface.backend makes both, or set rendering.retarget to body where the "
            "performer's surfaces are of body_model."
        )


def _check_same_length(pose: Path, surface: Path, poses: int, surfaces: int) -> None:
    if poses != surfaces:
        raise FootageError(
            f"{pose} holds {poses} frames, but {surface} {surfaces}; delete both and run again so that they are "
            "made from the same clip."
        )
