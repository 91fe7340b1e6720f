"""Joins the freshly drawn picture with the past one, moved along the flow."""

from torch import Tensor

from understudy.flow.warp import warp


def compose(raw: Tensor, mask: Tensor, flow: Tensor, past: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compose a frame: final = mask * raw + (1 - mask) * warp(past, flow).

    Args:
        raw: (B, 3, H, W) float, drawn afresh.
        mask: (B, 1, H, W) float 0..1, 1 means drawn afresh.
        flow: (B, 2, H, W) float px, back to the past picture.
        past: (B, 3, H, W) float, the generator's own picture of the frame before.
        valid: (B, 1, H, W) float 0/1; where it is 0 there is nothing to move and the mask becomes 1.

    Returns:
        final (B, 3, H, W), warped (B, 3, H, W), and the mask (B, 1, H, W) as it was used.

    Source: Wang et al., Video-to-Video Synthesis, NeurIPS 2018, equation 4.
    """
    warped = warp(past, flow)  # (B, 3, H, W)
    used = 1 - valid * (1 - mask)  # (B, 1, H, W)
    final = used * raw + (1 - used) * warped
    return final, warped, used
