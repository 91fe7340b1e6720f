"""What a transfer will move, before any training: the retargeted figure over the performer's background."""

import logging
from pathlib import Path

import cv2
import h5py
import numpy as np
import torch

from understudy.dataset.windows import TRAINING, Windows, clip_motion, read_windows
from understudy.errors import LayoutError
from understudy.flow.camera import check_homographies
from understudy.layouts import open_file
from understudy.model.neural_texture.plate import Plate, start_plate
from understudy.rendering.layout import join_labelled
from understudy.semantics.drawing import draw_pose
from understudy.semantics.part_colours import colour_parts
from understudy.settings import FilmSettings, RenderingSettings
from understudy.video.encode import Film
from understudy.video.frames import Frames
from understudy.video.timing import Progress

logger = logging.getLogger(__name__)

MOST_PX = 384  # height of the preview
PLATE_FRAMES = 48  # training frames, evenly chosen, that the background is put together from
COVER = 0.8  # how much of the background the surface hides
LABELS = ("driving clip", "figure, before training")


def preview_transfer(
    driving: Path,
    windows: Path,
    driving_frames: Path,
    video: Path,
    settings: RenderingSettings,
    film_settings: FilmSettings,
) -> None:
    """Draw the retargeted skeleton and surface over the performer's background, beside the driving clip.

    Args:
        driving: driving.h5.
        windows: windows.h5 of the performer, whose frames show the background.
        driving_frames: frames.h5 of the driving clip; gives the rate, and the left picture.
        video: the film to write.
        settings: its quality.
        film_settings: what writes it.

    Raises:
        LayoutError: driving.h5 and frames.h5 are not of the same clip.
    """
    performer = read_windows(windows)
    scale = min(1.0, MOST_PX / performer.height)
    plate = performer_plate(performer, scale)
    with Frames(driving_frames) as frames, open_file(driving, "driving") as file:
        if len(file["valid"]) != len(frames):
            raise LayoutError(
                f"{driving} holds {len(file['valid'])} frames, but {driving_frames} {len(frames)}; delete {driving} "
                "and run again."
            )
        if "camera" in file:
            check_homographies(file["camera"][:], driving, "camera")
        progress = Progress(f"preview {driving}", len(frames))
        with Film(video, frames.rate, settings.crf, None, film_settings) as film:
            for row, rgb in enumerate(frames):
                film.write(join_labelled((rgb, draw_preview(file, row, plate, scale)), LABELS))
                progress.step()


def performer_plate(performer: Windows, scale: float) -> Plate:
    """Put the background together from training frames, `scale` times their size."""
    rows = [(run.clip, run.first + n) for run in performer.runs if run.split == TRAINING for n in range(run.length)]
    chosen = [rows[n] for n in np.unique(np.linspace(0, len(rows) - 1, PLATE_FRAMES).astype(int))]
    size = round(performer.width * scale), round(performer.height * scale)
    pictures, mattes, views = [], [], []
    for number, clip in enumerate(performer.clips):
        motion = clip_motion(clip)
        with Frames(clip.frames) as frames, open_file(clip.surface, "surface") as surface:
            for row in (row for which, row in chosen if which == number):
                pictures.append(cv2.resize(frames[row], size, interpolation=cv2.INTER_AREA))
                mattes.append(cv2.resize(surface["matte"][row], size, interpolation=cv2.INTER_AREA))
                views.append(scaled_view(motion.to_reference[row], scale))
    moving = any(clip_motion(clip).moving for clip in performer.clips)
    return start_plate(
        torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1,
        torch.from_numpy(np.stack(mattes)).float()[:, None] / 255,
        torch.from_numpy(np.stack(views)).float() if moving else None,
    )


def scaled_view(homography: np.ndarray, scale: float) -> np.ndarray:
    """A homography (3, 3) of pictures, for the same pictures at another size."""
    sizes = np.diag([scale, scale, 1.0])
    return sizes @ homography @ np.linalg.inv(sizes)


def draw_preview(driving: h5py.File, row: int, plate: Plate, scale: float) -> np.ndarray:
    """Draw one frame (H, W, 3) uint8: surface over the background, limbs, face and hands over both."""
    view = scaled_view(driving["camera"][row], scale) if "camera" in driving else np.eye(3)
    behind = plate(torch.from_numpy(view)[None].float())[0][0].detach()
    picture = ((behind.clamp(-1, 1) + 1) * 127.5).numpy().transpose(1, 2, 0)  # (H, W, 3)
    height, width = picture.shape[:2]
    part, uv = driving["part"][row], driving["uv"][row]
    shown = (part > 0).astype(np.float32)  # (P, Q)
    colours, cover = (
        cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA)
        for each in (colour_parts(part, uv) * shown[..., None], shown)
    )
    picture = picture * (1 - COVER * cover[..., None]) + COVER * colours
    joints = (driving[name][row].copy() for name in ("body", "face", "hands"))
    lines = draw_pose(*(_smaller(each, scale) for each in joints), height, width)
    over = lines.max(2, keepdims=True) / 255
    return np.round(np.clip(picture * (1 - over) + lines * over, 0, 255)).astype(np.uint8)


def _smaller(joints: np.ndarray, scale: float) -> np.ndarray:
    joints[..., :2] *= scale
    return joints
