"""Tiny clips made by hand for tests: a stick person whose joints, surface and flow are known exactly."""

from pathlib import Path

import numpy as np

from understudy.body.parts import CHART
from understudy.dataset.track import PoseTrack
from understudy.dataset.windows import ClipFiles
from understudy.layouts import create
from understudy.semantics.joints import BODY

# A person 100 px tall that stands on y = 100 with the middle of the hips at x = 0.
STANDING = {
    "nose": (0, 8),
    "neck": (0, 22),
    "mid_hip": (0, 52),
    "shoulder": (12, 22),
    "elbow": (18, 38),
    "wrist": (20, 52),
    "hip": (7, 52),
    "knee": (8, 74),
    "ankle": (8, 94),
    "eye": (2, 6),
    "ear": (5, 8),
    "big_toe": (12, 100),
    "small_toe": (15, 99),
    "heel": (7, 98),
}


def standing_track(
    frames: int = 24,
    scale: float = 1.0,
    x: float = 64.0,
    ground: float = 110.0,
    legs: float = 1.0,
    head: float = 1.0,
    sway: float = 0.0,
) -> PoseTrack:
    """A person that stands, nods its arms a little and may sway sideways.

    Args:
        frames: T.
        scale: of the whole person, 1 for 100 px.
        x: of the middle of the hips, px.
        ground: y the toes stand on, px.
        legs: length of thighs and shins, 1 as usual; the feet stay on the ground.
        head: size of the head (face, eyes, ears, nose) about the middle of the ears, 1 as usual.
        sway: greatest way to the side, px.
    """
    phase = np.arange(frames) / 12 * 2 * np.pi
    body = np.zeros((frames, 25, 3), np.float32)
    for name, joint in BODY.items():
        side, _, part = name.partition("_")
        along, down = STANDING[part] if side in ("left", "right") else STANDING[name]
        along = -along if side == "right" else along
        down = 100 - _above_ground(down, legs)
        if part in ("eye", "ear") or name == "nose":
            ears = 100 - _above_ground(STANDING["ear"][1], legs)
            along, down = along * head, ears + (STANDING.get(part, STANDING["nose"])[1] - STANDING["ear"][1]) * head
        lift = 4 * np.sin(phase) if part == "wrist" else 0
        body[:, joint, 0] = x + sway * np.sin(phase / 2) + scale * along
        body[:, joint, 1] = ground + scale * (down - 100 - lift)
        body[:, joint, 2] = 1
    return PoseTrack(
        body=body,
        face=_face(body, 5 * scale * head),
        hands=_hands(body, 8 * scale),
        valid=np.ones(frames, bool),
        body_z=np.zeros((frames, 25), np.float32),
        face_z=np.zeros((frames, 70), np.float32),
        hands_z=np.zeros((frames, 2, 21), np.float32),
    )


def _above_ground(down: float, legs: float) -> float:
    """Height above the ground of a point of the standing person whose legs are longer."""
    hip, ankle = 100 - STANDING["hip"][1], 100 - STANDING["ankle"][1]
    above = 100 - down
    longer = (legs - 1) * (hip - ankle)
    if above >= hip:
        return above + longer
    return above if above <= ankle else ankle + (above - ankle) * legs


def _face(body: np.ndarray, radius: float) -> np.ndarray:
    """A round face of 70 points about the middle of the ears."""
    middle = (body[:, BODY["left_ear"], :2] + body[:, BODY["right_ear"], :2]) / 2
    angle = np.arange(70) / 70 * 2 * np.pi
    around = radius * np.stack([np.cos(angle), np.sin(angle)], 1)
    face = np.ones((len(body), 70, 3), np.float32)
    face[..., :2] = middle[:, None] + around
    return face


def _hands(body: np.ndarray, length: float) -> np.ndarray:
    """Hands that hang straight down from the wrists."""
    hands = np.ones((len(body), 2, 21, 3), np.float32)
    for row, side in enumerate(("left", "right")):
        hands[:, row, :, :2] = body[:, BODY[f"{side}_wrist"], None, :2]
        finger = np.arange(1, 21)
        hands[:, row, 1:, 0] += (finger - 10) * length / 40
        hands[:, row, 1:, 1] += ((finger - 1) % 4 + 2) * length / 4
    return hands


def write_clip(
    folder: Path,
    track: PoseTrack,
    height: int = 128,
    width: int = 128,
    samples: int = 2,
    shape: dict | None = None,
    chart: str = CHART,
    strides: tuple[int, ...] = (1, 3),
) -> ClipFiles:
    """Write the four files of a clip.

    The person is a block of part 2 (left half) and part 1 (right half), two fifths of the picture wide, as high as the
    person, round the middle of the hips; `part` lacks its upper fifth, `body_part` is whole.
    Its picture is the frame number in every channel, its flow (2, -1) px.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = ClipFiles(*(folder / f"{name}.h5" for name in ("frames", "pose", "surface", "flow")))
    frames = len(track)
    with create(files.frames, "frames", "test") as file:
        numbers = np.arange(frames, dtype=np.uint8)[:, None, None, None]
        file.extend(rgb=np.broadcast_to(numbers, (frames, height, width, 3)).copy())
        file.attributes({"rate_numerator": 24, "rate_denominator": 1, "source": "test.mp4", "source_sha256": 64 * "7"})
    write_pose(files.pose, track)
    with create(files.surface, "surface", "test") as file:
        for row in range(frames):
            part, uv = block_surface(track.body[row], height, width, samples)
            cut = np.where(uv[..., 1] > 50, part, 0).astype(np.uint8)
            matte = (cut[::samples, ::samples] > 0).astype(np.uint8) * 255
            file.append(part=cut, uv=uv, matte=matte, valid=track.valid[row], body_part=part, body_uv=uv)
        file.attributes({"samples": samples, "chart": chart} | ({"body": shape} if shape else {}))
    with create(files.flow, "flow", "test") as file:
        for stride in strides:
            backward = np.zeros((frames, height, width, 2), np.int16)
            backward[1:] = (32 * stride, -16 * stride)
            file.extend(f"stride_{stride}", backward=backward, confidence=np.full(backward.shape[:3], 255, np.uint8))
    return files


def write_pose(path: Path, track: PoseTrack) -> None:
    """Write a pose.h5."""
    with create(path, "pose", "test") as file:
        arrays = {name: value for name, value in vars(track).items() if value is not None}
        file.extend(**arrays, person_box=np.zeros((len(track), 4), np.float32))


def block_surface(body: np.ndarray, height: int, width: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Part (P, Q) and U, V (P, Q, 2) of the block that stands for the person."""
    middle = body[BODY["mid_hip"], 0]
    y, x = ((np.arange(size * samples) + 0.5) / samples for size in (height, width))
    top, bottom = body[:, 1].min(), body[:, 1].max()
    half = 0.2 * width
    across, down = (x - middle + half) / (2 * half), (y - top) / max(bottom - top, 1)
    inside = ((down >= 0) & (down <= 1))[:, None] & ((across >= 0) & (across < 1))[None]
    part = np.where(inside, np.where(across < 0.5, 2, 1)[None], 0).astype(np.uint8)
    u, v = np.broadcast_arrays((across * 2 % 1)[None], down[:, None])
    uv = np.round(255 * np.clip(np.stack([u, v], -1), 0, 1)).astype(np.uint8)
    return part, uv * inside[..., None]
