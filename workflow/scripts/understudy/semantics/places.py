"""Maps in pixels of a clip's source, carried into its frames by nearest neighbour: part numbers are never mixed."""

import numpy as np

from understudy.video.frames import Frames


def in_frame(picture: np.ndarray, frames: Frames, samples: int, fine: tuple[float, float]) -> np.ndarray:
    """Look up a map of the source at the centres of a frame's samples.

    Args:
        picture: (P, Q, ...) map of the upright source.
        frames: the clip; its crop and scale lead into the source.
        samples: wanted per pixel of the frame and axis.
        fine: samples of `picture` per pixel of the source, along y and x.

    Returns:
        (samples * H, samples * W, ...); 0 outside the source.
    """
    left, top, _, _ = frames.crop
    origin, scale = (top, left), (float(frames.attrs["scale_y"]), float(frames.attrs["scale_x"]))
    places, inside = [], []
    for axis, size in enumerate((frames.height, frames.width)):  # rows, then columns
        centres = (np.arange(size * samples) + 0.5) / samples  # px of the frame
        source = (centres / scale[axis] + origin[axis]) * fine[axis]
        index = np.floor(source + 1e-6).astype(int)
        inside.append((index >= 0) & (index < picture.shape[axis]))
        places.append(np.clip(index, 0, picture.shape[axis] - 1))
    found = picture[places[0]][:, places[1]]
    found[~inside[0]] = 0
    found[:, ~inside[1]] = 0
    return found


def covered(mask: np.ndarray, frames: Frames, fine: tuple[float, float]) -> np.ndarray:
    """Average a map of the source, such as a matte, over each pixel of the frame.

    Args:
        mask: (P, Q) uint8, 0..255, of the upright source.
        frames: the clip.
        fine: samples of `mask` per pixel of the source, along y and x.

    Returns:
        (H, W) uint8.
    """
    smallest = min(frames.attrs["scale_y"] / fine[0], frames.attrs["scale_x"] / fine[1])
    dense = 2 * int(np.ceil(1 / smallest))  # two look-ups and more per sample of the map
    found = in_frame(mask, frames, dense, fine)
    return np.round(found.reshape(frames.height, dense, frames.width, dense).mean((1, 3))).astype(np.uint8)


def to_source(points: np.ndarray, frames: Frames) -> np.ndarray:
    """Carry points (..., 2), x, y in pixels of the frames, into the upright source; undoes `Frames.to_frame`."""
    left, top, _, _ = frames.crop
    scale = np.array([frames.attrs["scale_x"], frames.attrs["scale_y"]])
    return np.asarray(points, np.float64) / scale + (left, top)
