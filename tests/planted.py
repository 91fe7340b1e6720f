"""A planted performer for tests: a textured block that moves before a background, everything about it known exactly."""

from pathlib import Path

import numpy as np
import torch

from understudy.dataset.batch import ClipBatch, FrameTruth, SemanticMap
from understudy.dataset.windows import ClipFiles, index_windows
from understudy.layouts import create
from understudy.settings import (
    DatasetSettings,
    JudgeSettings,
    LossSettings,
    ModelSettings,
    PerceptualSettings,
    RolloutSettings,
    StageSettings,
    TrainingSettings,
)
from understudy.training.perceptual import CONVOLUTIONS

MODEL = ModelSettings(generator="neural_texture", width=8, texels=64, latents=3)
DATASET = DatasetSettings(held_out=0.2, gap_frames=2, surface="clipped")
LOSSES = LossSettings(
    picture=1.0, gradient=0.5, detail=0.0, person=4.0, matte=0.1, image_gan=0.05, image_features=0.5,
    temporal_difference=0.5, temporal_gan=0.05, temporal_features=0.5, flow=0.05, flow_warp=0.2, output_warp=0.1,
    mask=0.01, registration=0.05,
    perceptual=0.0, face=0.0, face_gan=0.0, face_features=0.0, hand_gan=0.0, hand_features=0.0,
)  # fmt: skip
JUDGES = JudgeSettings(
    kind="compact", levels=0, width=0, pace=0.6, momentum=0.5, gan="least_squares", frames="last", sparse=False
)
FULL = 255
BLOCK = (0.2, 0.8, 0.4)  # top, bottom, width of the block, shares of the picture


def stage(**changes) -> StageSettings:
    """A tiny stage that ends by steps."""
    usual = {
        "name": "s0t0", "height_px": 32, "clip_frames": 1, "batch": 2, "accumulate": 1, "steps": 4, "epochs": 0.0,
        "seconds": 0.0, "learning_rate": 1e-3, "decay": "cosine", "decay_from": 0.5, "judges_from": 1.0, "freeze": 0.0,
        "max_frames_backpropagate": 1, "rollout": RolloutSettings(frames=2, share=0.0),
        "face": 0,
    }  # fmt: skip
    return StageSettings(**(usual | changes))


def training(row: StageSettings, **changes) -> TrainingSettings:
    """Training settings with one stage; nothing is saved on the way unless asked."""
    usual = {
        "seed": 1, "momentum": 0.9, "precision": "float32", "gpus": 1, "compile": False, "save_seconds": 1e6,
        "preview_frames": 2,
        "perceptual": PerceptualSettings(weights="", sha256=""), "judges": JUDGES, "losses": LOSSES,
    }  # fmt: skip
    return TrainingSettings(**(usual | changes), stages=(row,))


def texture_colour(part: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Colour (..., 3), -1..1, that is planted at part, U, V: linear in both, so texels can hold it exactly."""
    return np.stack([1.6 * u - 0.8, 1.6 * v - 0.8, np.where(part == 1, 0.6, -0.6)], -1)


def background(height: int, width: int) -> np.ndarray:
    """Planted background (H, W, 3), -1..1: the same scene at every size."""
    y, x = (np.mgrid[:height, :width] + 0.5) * 32 / height
    return np.stack([0.5 * np.sin(x / 3), 0.5 * np.cos(y / 4), 0.3 * np.sin((x + y) / 5)], -1)


def surface(left: float, height: int, width: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Part (P, Q) uint8 and U, V (P, Q, 2) uint8 of a block whose left edge stands at `left` px."""
    y, x = ((np.arange(size * samples) + 0.5) / samples for size in (height, width))
    across = (x - left) / (BLOCK[2] * width)
    down = (y / height - BLOCK[0]) / (BLOCK[1] - BLOCK[0])
    inside = ((down >= 0) & (down < 1))[:, None] & ((across >= 0) & (across < 1))[None]
    part = np.where(inside, np.where(across < 0.5, 2, 1)[None], 0).astype(np.uint8)
    u, v = np.broadcast_arrays((across * 2 % 1)[None], down[:, None])
    uv = np.round(FULL * np.clip(np.stack([u, v], -1), 0, 1)).astype(np.uint8)
    return part, uv * inside[..., None]


def paint(part: np.ndarray, uv: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture (H, W, 3) -1..1 and matte (H, W) 0..1: the mean over each pixel's samples."""
    height, width = part.shape[0] // samples, part.shape[1] // samples
    behind = background(height, width).repeat(samples, 0).repeat(samples, 1)
    shown = np.where(part[..., None] > 0, texture_colour(part, uv[..., 0] / FULL, uv[..., 1] / FULL), behind)

    def pooled(values: np.ndarray) -> np.ndarray:
        return values.reshape(height, samples, width, samples, -1).mean((1, 3))

    return pooled(shown), pooled((part > 0).astype(float))[..., 0]


def planted_frame(left: float = 10.0, height: int = 32, width: int = 32, samples: int = 2, step: float = 0.0):
    """Map and truth, B = 1, of a block at `left` px that was `step` px farther left in the frame before."""
    part, uv = surface(left, height, width, samples)
    picture, matte = paint(part, uv, samples)
    covered = torch.from_numpy(part[::samples, ::samples] > 0).float()[None, None]
    flow = torch.tensor([-step, 0.0]).view(1, 2, 1, 1) * covered
    semantic = SemanticMap(
        part=torch.from_numpy(part).long()[None],
        uv=torch.from_numpy(uv).permute(2, 0, 1).float()[None] / FULL,
        drawing=torch.full((1, 3, height, width), -1.0),
        flow=flow,
        flow_valid=covered.clone(),
    )
    truth = FrameTruth(
        picture=torch.from_numpy(picture).permute(2, 0, 1).float()[None],
        matte=torch.from_numpy(matte).float()[None, None],
        flow=flow.clone(),
        confidence=torch.ones(1, 1, height, width),
    )
    return semantic, truth


def vgg19_weights(seed: int = 3) -> dict[str, torch.Tensor]:
    """Random weights in the layout and widths of VGG-19's convolutions; pictures neither fade nor grow in them."""
    random = torch.Generator().manual_seed(seed)
    made = {}
    for number, (incoming, outgoing) in CONVOLUTIONS.items():
        weight = torch.randn(outgoing, incoming, 3, 3, generator=random)
        made[f"features.{number}.weight"] = weight / (4.5 * incoming) ** 0.5
        made[f"features.{number}.bias"] = 0.1 * torch.randn(outgoing, generator=random)
    return made


def planted_clip(clip_frames: int = 1, batch: int = 2, size: int = 32) -> ClipBatch:
    """A batch of clips in which the block moves 1 px to the right a frame."""
    columns = []
    for number in range(batch):
        columns.append([planted_frame(6.0 + number + t, size, size, step=1.0) for t in range(clip_frames + 2)])
    rows = list(zip(*columns, strict=True))  # T + 2 rows of B frames
    return ClipBatch(
        maps=[SemanticMap.stack([one for one, _ in row]) for row in rows],
        truth=[FrameTruth.stack([one for _, one in row]) for row in rows],
        past_valid=torch.ones(batch, 2),
        frames=torch.zeros(batch, clip_frames + 2, dtype=torch.int64),
    )


def write_planted_clip(folder: Path, frames: int = 30, size: int = 32) -> Path:
    """Write the files of a clip of the block swinging to and fro, and their windows.h5; returns the latter."""
    files = ClipFiles(*(folder / f"{name}.h5" for name in ("frames", "pose", "surface", "flow")))
    lefts = 9.0 + 6 * np.sin(np.arange(frames) / 4)
    body = np.ones((frames, 25, 3), np.float32)
    body[..., 0] = lefts[:, None] + np.linspace(2, 8, 25)
    body[..., 1] = np.linspace(0.2 * size, 0.8 * size, 25)
    with create(files.pose, "pose", "test") as file:
        file.extend(
            body=body, face=np.zeros((frames, 70, 3), np.float32), hands=np.zeros((frames, 2, 21, 3), np.float32),
            person_box=np.zeros((frames, 4), np.float32), valid=np.ones(frames, bool),
        )  # fmt: skip
    with (
        create(files.frames, "frames", "test") as pictures,
        create(files.surface, "surface", "test") as surfaces,
        create(files.flow, "flow", "test") as flows,
    ):
        for number, left in enumerate(lefts):
            part, uv = surface(left, size, size, 2)
            picture, matte = paint(part, uv, 2)
            pictures.append(rgb=np.round((picture + 1) * 127.5).astype(np.uint8))
            surfaces.append(part=part, uv=uv, matte=np.round(matte * FULL).astype(np.uint8), valid=np.bool_(True))
            step = left - lefts[max(number - 1, 0)]
            backward = np.zeros((size, size, 2), np.int16)
            backward[..., 0] = np.round(-16 * step * (matte > 0.5))
            confidence = np.full((size, size), FULL, np.uint8)
            flows.append("stride_1", backward=backward, confidence=confidence)
        surfaces.attributes({"samples": 2, "chart": "test"})
    index_windows([files.frames], [files.pose], [files.surface], [files.flow], folder / "windows.h5", DATASET)
    return folder / "windows.h5"
