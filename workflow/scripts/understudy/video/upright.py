"""Which way up a video is to be shown, from the display matrix that cameras write, and at what size."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np


@dataclass(frozen=True)
class Upright:
    """What turns a stored picture upright: rows and columns swapped first, then each of them reversed or not."""

    swapped: bool
    rows_reversed: bool
    columns_reversed: bool

    def turn(self, picture: np.ndarray) -> np.ndarray:
        """Turn (H, W, 3) upright; the result is (W, H, 3) where rows and columns are swapped."""
        picture = picture.swapaxes(0, 1) if self.swapped else picture
        picture = picture[::-1] if self.rows_reversed else picture
        picture = picture[:, ::-1] if self.columns_reversed else picture
        return np.ascontiguousarray(picture)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width after turning."""
        return (width, height) if self.swapped else (height, width)

    @property
    def mirrored(self) -> bool:
        """The picture is shown as in a mirror, as some front cameras ask for."""
        return self.swapped ^ self.rows_reversed ^ self.columns_reversed

    @property
    def rotation_deg(self) -> int:
        """Turn to the left, degrees: 0, 90, 180 or 270; of a mirrored picture before it is mirrored sideways."""
        if self.swapped:
            return 90 if self.rows_reversed else 270
        return 180 if self.rows_reversed else 0


def upright_of(matrix: Sequence[int] | None) -> Upright:
    """Read a display matrix, nine numbers row by row; turns that are no quarter turns go to the nearest one.

    Source: the matrix of ISO/IEC 14496-12, 8.3.2: (x, y) stored is shown at (a x + c y, b x + d y), rows (a, b, u)
    and (c, d, v).
    """
    if matrix is None:
        return Upright(False, False, False)
    a, b, _, c, d = matrix[:5]
    swapped = abs(b) > abs(a)
    to_x, to_y = (c, b) if swapped else (a, d)
    return Upright(bool(swapped), bool(to_y < 0), bool(to_x < 0))


def square_size(height: int, width: int, aspect: Fraction | None) -> tuple[int, int]:
    """Height and width with square pixels; the short side of a pixel is stretched, none is squeezed.

    Args:
        height, width: in stored pixels.
        aspect: width over height of a pixel; shapes that cannot be meant count as square.
    """
    shape = aspect or Fraction(1)
    if not Fraction(1, 8) <= shape <= 8:
        shape = Fraction(1)
    return round(height * max(1 / shape, 1)), round(width * max(shape, 1))
