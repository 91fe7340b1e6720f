"""Results for people in boxes: which of them is ours, and how their parts come into a picture and a surface."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from understudy.errors import BackendError
from understudy.semantics.matte import body_matte, cut_and_fill
from understudy.semantics.surface_backends._contract import FrameSurface

PARTS = 24
LEAST_OVERLAP = 0.1  # with the person's box, as a share of both together; less is somebody else
BESIDE = 0.25  # of the person's box: so far beyond it parts may lie, hands and hair


@dataclass(frozen=True)
class Found:
    """One person found by an estimator: the box (left, top, right, bottom px), the parts and U, V in its pixels."""

    box: np.ndarray  # (4,) float
    part: np.ndarray  # (h, w) uint8
    uv: np.ndarray  # (h, w, 2) uint8


def chosen(boxes: np.ndarray, person: np.ndarray) -> int | None:
    """Choose the box that overlaps the person's most, as a share of both together.

    Args:
        boxes: (N, 4) float, left, top, right, bottom px.
        person: (4,) float, box round the joints of the person the clip follows.

    Returns:
        Number of the box; None where none overlaps enough.
    """
    if not len(boxes):
        return None
    low, high = np.maximum(boxes[:, :2], person[:2]), np.minimum(boxes[:, 2:], person[2:])
    common = np.maximum(high - low, 0).prod(1)
    both = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(1) + np.maximum(person[2:] - person[:2], 0).prod() - common
    share = common / np.maximum(both, 1e-9)
    best = int(np.argmax(share))
    return best if share[best] >= LEAST_OVERLAP else None


def quantised(labels: np.ndarray, uv: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Bring an estimator's parts and coordinates to bytes.

    Args:
        labels: (h, w) whole numbers, 0 background, 1..24.
        uv: (2, h, w) float; interpolated, so rounding and more leads out of 0..1, or uint8 0..255.
        where: the result, for an error.

    Returns:
        part (h, w) uint8, uv (h, w, 2) uint8, 0 where there is no part.

    Raises:
        BackendError: sizes do not fit, or a part is none.
    """
    if labels.ndim != 2 or uv.shape != (2, *labels.shape):
        raise BackendError(
            f"{where} holds parts of shape {labels.shape} and U, V of shape {uv.shape}, expected (h, w) and (2, h, w); "
            "the models of DensePose with charts (IUV) write such."
        )
    if labels.size and not 0 <= labels.min() <= labels.max() <= PARTS:
        raise BackendError(
            f"{where} names part {labels.max() if labels.max() > PARTS else labels.min()}, expected 0 to {PARTS}; it "
            "is of another model than DensePose for people."
        )
    part = labels.astype(np.uint8)
    if uv.dtype != np.uint8:
        uv = np.round(255 * np.clip(np.nan_to_num(uv), 0, 1)).astype(np.uint8)
    return part, np.moveaxis(uv, 0, -1) * (part > 0)[..., None]


def placed(found: Found, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Lay a person into an empty picture: part (H, W) and uv (H, W, 2) uint8.

    The result covers the box, whose sides were truncated to whole pixels only to size it; each pixel takes the nearest
    of its samples. detectron2's own views put it at the truncated corner: up to a pixel off, another way in each frame.
    """
    left, top, right, bottom = found.box
    picks, inside = [], []
    for start, end, there, size in zip((top, left), (bottom, right), found.part.shape, (height, width)):
        index = np.floor((np.arange(size) + 0.5 - start) / max(end - start, 1e-6) * there).astype(int)
        inside.append((index >= 0) & (index < there))
        picks.append(np.clip(index, 0, there - 1))
    place = np.ix_(*picks)
    shown = inside[0][:, None] & inside[1]
    return found.part[place] * shown, found.uv[place] * shown[..., None]


def only_near(part: np.ndarray, uv: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the connected pieces of a picture that lie, by more than half, outside the person's box.

    Args:
        part: (H, W) uint8; several people may be in it.
        uv: (H, W, 2) uint8.
        person: (4,) float, box round the joints, pixels of `part`.
    """
    wider = BESIDE * (person[2:] - person[:2])
    left, top, right, bottom = np.round(np.concatenate([person[:2] - wider, person[2:] + wider])).astype(int)
    count, pieces = cv2.connectedComponents((part > 0).astype(np.uint8), connectivity=8)
    whole = np.bincount(pieces.ravel(), minlength=count)
    near = np.bincount(pieces[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)].ravel(), minlength=count)
    kept = (2 * near >= whole)[pieces] & (part > 0)
    return part * kept, uv * kept[..., None]


def joined(part: np.ndarray, uv: np.ndarray, matte: np.ndarray | None, samples: int, reach: float) -> FrameSurface:
    """Make a frame's surface from drawn parts, cut and filled by the pose's matte where there is one.

    Args:
        part: (P, Q) uint8.
        uv: (P, Q, 2) uint8.
        matte: (H, W) uint8, or None.
        samples: P / H.
        reach: how far parts grow to the border of the matte, surface samples.
    """
    if matte is not None and matte.any():
        part, uv = cut_and_fill(part, uv, matte, samples, reach)
    else:
        matte = body_matte(part, samples)
    if not part.any():
        return nothing(matte.shape, samples)
    return FrameSurface(part, uv, matte, True)


def nothing(size: Sequence[int], samples: int) -> FrameSurface:
    """Return the surface of a frame of size (H, W) in which the person is not found."""
    drawn = tuple(samples * length for length in size)
    return FrameSurface(np.zeros(drawn, np.uint8), np.zeros((*drawn, 2), np.uint8), np.zeros(size, np.uint8), False)
