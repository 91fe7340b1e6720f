"""Which flow vectors can be trusted: those that come home after a trip there and back."""

import cv2
import numpy as np

RELATIVE = 0.01  # share of the squared lengths that is forgiven: long vectors may err by more


def agreement_mask(there: np.ndarray, back: np.ndarray, slack_px: float) -> np.ndarray:
    """Mark the pixels that come home after a trip along both flows and stay inside the picture.

    Args:
        there: (H, W, 2) float32, flow from this frame to the other one, x right, y down, pixels.
        back: (H, W, 2) float32, flow from the other frame to this one, pixels.
        slack_px: round-trip error that is always forgiven, pixels.

    Returns:
        (H, W) bool, True where |there + back|^2 < 0.01 (|there|^2 + |back|^2) + slack_px^2, `back` read at the end
        of `there`. Not finite vectors never agree.

    Source: Sundaram, Brox, Keutzer, ECCV 2010, section 4, with the slack as a setting.
    """
    returned = sample(back, there)  # (H, W, 2), the way home from where `there` ends
    error = _squared(there + returned)
    forgiven = RELATIVE * (_squared(there) + _squared(returned)) + slack_px**2
    return (error < forgiven) & inside(there)


def inside(flow: np.ndarray) -> np.ndarray:
    """Mark the pixels whose flow (H, W, 2) ends on the picture; returns (H, W) bool."""
    height, width, _ = flow.shape
    x, y = _ends(flow)
    return (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)  # x, y count from pixel centres


def sample(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Read a picture (H, W) or (H, W, C) float32 where the flow (H, W, 2) px ends; bilinear, the border repeated.

    OpenCV places the samples to 1/32 px, enough for checks and for chaining flows.
    """
    if not np.isfinite(flow).all():
        flow = np.nan_to_num(flow, nan=0.0, posinf=0.0, neginf=0.0)
    x, y = _ends(flow)
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _squared(flow: np.ndarray) -> np.ndarray:
    """Squared lengths (H, W) of vectors (H, W, 2); numpy's own sum over so short an axis is slow."""
    return flow[..., 0] ** 2 + flow[..., 1] ** 2


def _ends(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y (H, W) of the vectors' ends, pixels, counted from the centre of pixel (0, 0)."""
    height, width, _ = flow.shape
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return x, y
