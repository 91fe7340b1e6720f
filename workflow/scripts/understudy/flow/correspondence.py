"""Flow between two surfaces: where the same point of the body, by part, U and V, was in the frame before."""

import cv2
import numpy as np

PART_STEP = 10.0  # distance between two parts in (part, U, V), so that none ever borrows from another
NEIGHBOURS = 4
REACH = 0.12  # farthest accepted neighbour, in U, V: beyond it the point was hidden or out of the picture
MEDIAN_PX = 5


def surface_correspondence(
    part: np.ndarray, uv: np.ndarray, part_before: np.ndarray, uv_before: np.ndarray, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find where each pixel's body point was in the frame before.

    The four samples before nearest in U, V span the local map from U, V to the picture; the point is read from it.

    Args:
        part: (P, Q) uint8, part index of this frame, 0 background; P and Q are `samples` times H and W.
        uv: (P, Q, 2) uint8, U, V of this frame, 0..255 for 0..1.
        part_before: (P, Q) uint8, the same of the frame before.
        uv_before: (P, Q, 2) uint8.
        samples: samples per pixel and axis.

    Returns:
        flow (H, W, 2) float32, x right, y down, pixels, from this frame back; 0 where not valid.
        valid (H, W) bool, True where the point was seen in the frame before.
    """
    height, width = part.shape[0] // samples, part.shape[1] // samples
    flow, valid = np.zeros((height, width, 2), np.float32), np.zeros((height, width), bool)
    points, here = _pixel_points(part, uv, samples)
    points_before, there = _sample_points(part_before, uv_before, samples)
    if len(points) == 0 or len(points_before) < NEIGHBOURS:
        return flow, valid
    from scipy.spatial import cKDTree  # here, because it takes a third of a second, and a resumed stage needs none

    tree = cKDTree(points_before, balanced_tree=False, compact_nodes=False)  # twice as quick to build
    distance, near = tree.query(points, k=NEIGHBOURS)  # (N, 4)
    place = _local_place(points, points_before[near], distance, there[near])
    found = distance[:, 0] < REACH
    column, row = here[found].astype(int).T
    flow[row, column] = place[found] - here[found]
    valid[row, column] = True
    return _median(flow, valid), valid


def _sample_points(part: np.ndarray, uv: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (part, U, V) as (N, 3) and the place in the picture as (N, 2) x, y px of all samples on the body."""
    row, column = np.nonzero(part)
    points = np.empty((len(row), 3), np.float32)
    points[:, 0] = part[row, column] * np.float32(PART_STEP)
    points[:, 1:] = uv[row, column] * np.float32(1 / 255)
    place = (np.stack([column, row], axis=1) + np.float32(0.5)) / np.float32(samples)
    return points, place.astype(np.float32)


def _pixel_points(part: np.ndarray, uv: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the same for one point of each pixel: the mean of its samples that share the part at its middle."""
    middle = samples // 2
    row, column = np.nonzero(part[middle::samples, middle::samples])
    wanted = part[row * samples + middle, column * samples + middle]  # (N,)
    total, count = np.zeros((len(row), 4), np.float32), np.zeros((len(row), 1), np.float32)  # U, V, x, y
    for down in range(samples):
        for right in range(samples):
            y, x = row * samples + down, column * samples + right
            same = (part[y, x] == wanted)[:, None]
            total += same * np.concatenate([uv[y, x], np.stack([x, y], axis=1)], axis=1)
            count += same
    mean = total / count
    points = np.column_stack([wanted * np.float32(PART_STEP), mean[:, :2] / 255])
    return points.astype(np.float32), (mean[:, 2:] + 0.5) / samples


def _local_place(points: np.ndarray, near: np.ndarray, distance: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Read places from a weighted linear fit of the picture over U, V through each point's neighbours.

    Args:
        points: (N, 3) float, part, U, V asked for.
        near: (N, 4, 3) float, part, U, V of the neighbours.
        distance: (N, 4) float, to the neighbours.
        there: (N, 4, 2) float, places of the neighbours, x, y px.

    Returns:
        (N, 2) float32, x, y px; never farther than half their spread outside the neighbours' box.
    """
    weight = 1 / (distance + 0.01) ** 2  # (N, 4)
    weight[distance > 1] = 0  # another part
    weight /= np.maximum(weight.sum(1, keepdims=True), 1e-9)
    weight = weight.astype(np.float32)[..., None]  # (N, 4, 1)
    offset = near[..., 1:] - points[:, None, 1:]  # (N, 4, 2)
    mean, centre = (offset * weight).sum(1), (there * weight).sum(1)  # (N, 2)
    du, dv = np.moveaxis(offset - mean[:, None], 2, 0)  # (N, 4)
    w = weight[..., 0]
    uu, uv, vv = (w * du * du).sum(1), (w * du * dv).sum(1), (w * dv * dv).sum(1)  # (N,)
    ridge = 0.02 * (uu + vv) + 1e-7  # keeps neighbours on one line harmless
    uu, vv = uu + ridge, vv + ridge
    step_u, step_v = np.clip(-mean, -0.03, 0.03).T
    gain_u, gain_v = vv * step_u - uv * step_v, uu * step_v - uv * step_u
    share = w * (du * gain_u[:, None] + dv * gain_v[:, None]) / (uu * vv - uv * uv)[:, None]  # (N, 4)
    place = centre + (share[..., None] * (there - centre[:, None])).sum(1)
    mine = np.where(w[..., None] > 0, there, centre[:, None])
    low, high = mine.min(1), mine.max(1)
    slack = (high - low) / 2
    return np.clip(place, low - slack, high + slack)


def _median(flow: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Take out single wild vectors; the ground around the body first borrows its nearest vector."""
    _, label = cv2.distanceTransformWithLabels(
        (~valid).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3, labelType=cv2.DIST_LABEL_PIXEL
    )
    vectors = np.zeros((label.max() + 1, 2), np.float32)
    vectors[label[valid]] = flow[valid]
    filled = vectors[label]  # (H, W, 2)
    smooth = [cv2.medianBlur(np.ascontiguousarray(filled[..., axis]), MEDIAN_PX) for axis in (0, 1)]
    return np.where(valid[..., None], np.stack(smooth, axis=-1), np.float32(0))
