"""Draws the driver's motion as the performer: pose and surface of every driving frame in the performer's picture."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
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
from understudy.rendering.lean import lean, turned_upright
from understudy.rendering.limbs import frame_maps, move_limbs, turn_of
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
        camera: camera.h5 of the driving clip; None stands still. Where it moves, `body` and `limbs` measure the
            driver's place as the reference frame would show it.

    Raises:
        FootageError: nobody is found in the driving clip, or the footage lacks what the retargeting stands on.
    """
    track = read_track(pose)
    if not track.valid.any():
        raise FootageError(f"{pose}: nobody is found in any frame of the driving clip; choose another clip or crop.")
    rows = held_rows(track.valid)
    if not track.valid.all():
        logger.info("%d of %d frames show nobody; the figure stands still there", (~track.valid).sum(), len(rows))
    fit = {"body": _fit_body, "limbs": _fit_limbs, "global": _fit_global, "none": _fit_none}[settings.retarget]
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


@dataclass(frozen=True)
class _View:
    """Poses of a driver, what they say about the body, and the (3, 3) map of the picture that turned them upright."""

    track: PoseTrack
    statistics: BodyStatistics
    roll: np.ndarray


class _Driver:
    """The driving clip: its poses (held where nobody is found), which frame each row shows, its surface.h5."""

    def __init__(self, pose: Path, track: PoseTrack, rows: np.ndarray, surface: h5py.File, motion: CameraMotion):
        self.pose = pose
        self.seen = track  # as the frames show it
        self.motion = motion
        self.rows = rows
        self.surface = surface

    @property
    def shown(self) -> PoseTrack:
        """Poses as the frames show them."""
        return self.seen.rows(self.rows)

    def view(self, performer: BodyStatistics, steady: bool) -> "_View":
        """Turn the poses as upright as the performer's, as the reference frame would show them or as the frames do."""
        track = stabilised(self.seen, self.motion) if steady else self.seen
        statistics = measure_body(track)
        track, roll = turned_upright(track, *lean(statistics, performer))
        return _View(track.rows(self.rows), measure_body(track), roll)

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
            "rendering.retarget (or the transfer's retarget) to limbs, which moves the driver's maps limb by limb, or "
            "surface.backend to body_model."
        )
    if performer.chart != CHART:
        raise FootageError(
            f"The performer's U and V belong to the atlas '{performer.chart}', but the retargeting 'body' draws the "
            f"body with '{CHART}', so every texel would lie elsewhere; set rendering.retarget (or the transfer's "
            "retarget) to limbs, which carries over the driver's own maps limb by limb."
        )
    posed = _pose(driver, performer, settings)
    shape = BodyShape.from_values(performer.shape)
    surfaces = _drawn_bodies(posed.track, shape, performer.height, performer.width, samples)
    return posed.track, surfaces, posed.views


def _fit_limbs(driver: _Driver, performer: Windows, settings: RenderingSettings, samples: int) -> Fitted:
    """Rebuild the driver's motion from the performer's bones and move the driver's surfaces along, limb by limb."""
    _check_same_chart(driver, performer)
    posed = _pose(driver, performer, settings)
    seen, size, per_pixel = driver.shown, (performer.height, performer.width), (driver.samples, samples)
    maps = (frame_maps(seen, posed.track, row, posed.ratios, posed.turn) for row in range(len(seen)))
    surfaces = (
        move_limbs(part, uv, limbs, *size, per_pixel)
        for (part, uv), limbs in zip(driver.surfaces(performer), maps, strict=True)
    )
    return posed.track, surfaces, posed.views


@dataclass(frozen=True)
class _Posed:
    """The retargeted poses, what their camera sees, the ratios of bones, and the turn (2, 2) of the picture."""

    track: PoseTrack
    views: np.ndarray | None
    ratios: Mapping[str, float]
    turn: np.ndarray


def _pose(driver: _Driver, performer: Windows, settings: RenderingSettings) -> _Posed:
    """Retarget the poses as the reference frame would show them, or as the frames do where that leads out of it."""
    view = driver.view(performer.statistics, steady=True)
    moved, views = retarget(view.track, view.statistics, performer.statistics, settings.place), None
    if settings.camera == "driving" and driver.motion.moving:
        place = place_of(view.statistics, performer.statistics, settings.place) @ view.roll
        views = driving_views(driver.motion, place, performer)
        moved = carried_track(moved, np.linalg.inv(views))
    if driver.motion.moving and not stays_in_view(moved, performer.height, performer.width):
        logger.info("the driver's camera follows them out of the picture; the film keeps their place in the frames")
        view, views = driver.view(performer.statistics, steady=False), None
        moved = retarget(view.track, view.statistics, performer.statistics, settings.place)
    ratios = bone_ratios(view.statistics, performer.statistics)
    logger.info("bones, performer over driver: %s", ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()))
    return _Posed(moved, views, ratios, turn_of(view.roll))


def _drawn_bodies(track: PoseTrack, shape: BodyShape, height: int, width: int, samples: int) -> Surfaces:
    for row in range(len(track)):
        joints = (track.body[row], track.face[row], track.hands[row])
        depths = (None if depth is None else depth[row] for depth in (track.body_z, track.face_z, track.hands_z))
        yield draw_fitted(fit_body(Figure.from_rows(*joints, *depths), shape), height, width, samples)


def _fit_global(driver: _Driver, performer: Windows, settings: RenderingSettings, samples: int) -> Fitted:
    """Carry the driver's figures and surfaces, body and all, to the performer's place and height."""
    _check_same_chart(driver, performer)
    track = driver.shown
    similarity = normalise(track, measure_body(driver.seen), performer.statistics)
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
    return driver.shown, driver.surfaces(performer), views


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
