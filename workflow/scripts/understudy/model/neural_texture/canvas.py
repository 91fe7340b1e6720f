"""The canvas of a camera that moves: where the pictures look at it, how they see it, how it is laid together.

Axes: T frames, B batch, C channels, H rows, W columns of a picture; R rows, S columns of the canvas.
"""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

MOST_AREA = 3.0  # of the canvas over the picture's; what lies beyond is unseen
STRIP_ROWS = 32  # of the canvas are laid at a time: all pictures of all rows would fill the memory
WHOLE = 0.999  # share of a sampled mask from which it holds


@dataclass(frozen=True)
class Canvas:
    """A canvas about the reference picture, in its pixels.

    Attributes:
        rows, columns: of the canvas.
        left, top: of the reference picture's corner on the canvas.
        height, width: of a picture.
    """

    rows: int
    columns: int
    left: int
    top: int
    height: int
    width: int

    def scaled(self, factor: int) -> Self:
        """Return the same canvas for pictures `factor` times as high."""
        return type(self)(*(factor * each for each in astuple(self)))

    def see(self, laid: Tensor, camera: Tensor) -> Tensor:
        """Look at what lies on the canvas.

        Args:
            laid: (1, C, R, S) float.
            camera: (B, 3, 3) float, from each picture's px to the reference picture's.

        Returns:
            (B, C, H, W) float32, bilinear; the canvas' border is repeated outside.
        """
        with torch.autocast(laid.device.type, enabled=False):  # places in bfloat16 would be off by pixels
            grid = self._places(camera)
            return functional.grid_sample(
                laid.float().expand(len(camera), -1, -1, -1), grid, padding_mode="border", align_corners=False
            )

    def covers(self, known: Tensor, camera: Tensor) -> Tensor:
        """Look at a mask (1, 1, R, S) 0/1 on the canvas: (B, 1, H, W) 0/1, 0 beyond it."""
        with torch.autocast(known.device.type, enabled=False):
            grid = self._places(camera)
            share = functional.grid_sample(known.float().expand(len(camera), -1, -1, -1), grid, align_corners=False)
        return (share > WHOLE).float()

    def strips(self, pictures: Tensor, clear: Tensor, camera: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Lay pictures on the canvas, some rows at a time.

        Args:
            pictures: (T, 3, H, W) float32.
            clear: (T, 1, H, W) float32 0/1, where they show the background.
            camera: (T, 3, 3) float, from each picture's px to the reference picture's.

        Yields:
            pictures (T, 3, r, S), and where they show the background (T, 1, r, S) bool.
        """
        back = torch.linalg.inv(camera.double())  # from the reference picture's px
        x = torch.arange(self.columns, dtype=torch.float64) + 0.5 - self.left
        size = pictures.shape[-2:]
        for first in range(0, self.rows, STRIP_ROWS):
            y = torch.arange(first, min(first + STRIP_ROWS, self.rows), dtype=torch.float64) + 0.5 - self.top
            grid = _sampler_places(_carried(x, y, back), *size).float()
            shown = functional.grid_sample(pictures, grid, mode="bicubic", padding_mode="border", align_corners=False)
            yield shown.clamp(-1, 1), functional.grid_sample(clear, grid, align_corners=False) > WHOLE

    def _places(self, camera: Tensor) -> Tensor:
        """Sampler places (B, H, W, 2) on the canvas of each picture's pixels."""
        x, y = (torch.arange(size, device=camera.device) + 0.5 for size in (self.width, self.height))
        corner = torch.tensor([self.left, self.top], device=camera.device)
        return _sampler_places(_carried(x, y, camera.float()) + corner, self.rows, self.columns)


def canvas_about(camera: Tensor, height: int, width: int) -> Canvas | None:
    """Find the canvas that holds all views of a camera; None where it stands still.

    Args:
        camera: (T, 3, 3) float, from each picture's px to the reference picture's.
        height, width: of a picture.

    Returns:
        A canvas of at most `MOST_AREA` times the picture's area: where more was seen, the edges seen least are cut.
    """
    if torch.equal(camera, torch.eye(3, dtype=camera.dtype).expand_as(camera)):
        return None
    x, y = (torch.tensor([0.0, size], dtype=torch.float64) for size in (width, height))
    views = _carried(x, y, camera.double()).flatten(1, 2)  # (T, 4, 2), corners
    low, high = views.amin(1), views.amax(1)  # (T, 2)
    for percent in range(51):  # of the views that may lose their edge
        share = percent / 100
        least = low.quantile(share, dim=0).floor().clamp_max(0)  # the reference picture stays whole
        most = torch.maximum(high.quantile(1 - share, dim=0).ceil(), torch.tensor([width, height]))
        columns, rows = (most - least).int().tolist()
        if rows * columns <= MOST_AREA * height * width:
            break
    left, top = (-least).int().tolist()
    return Canvas(rows, columns, left, top, height, width)


def _carried(x: Tensor, y: Tensor, camera: Tensor) -> Tensor:
    """Carry a raster of places x (W,), y (H,) by homographies (B, 3, 3): (B, H, W, 2) px."""
    across, down = torch.meshgrid(x.to(camera), y.to(camera), indexing="xy")
    places = torch.stack([across, down, torch.ones_like(across)], dim=-1)  # (H, W, 3)
    moved = torch.einsum("bij,hwj->bhwi", camera, places)
    return moved[..., :2] / moved[..., 2:].clamp_min(1e-3)


def _sampler_places(places: Tensor, rows: int, columns: int) -> Tensor:
    """Turn px (B, H, W, 2) into the sampler's -1..1 from edge to edge."""
    return 2 * places / torch.tensor([columns, rows], dtype=places.dtype, device=places.device) - 1
