"""Pictures and videos whose three channels are part, U and V, in either order of the channels."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from understudy.errors import BackendError
from understudy.semantics.surface_backends._people import PARTS, only_near
from understudy.video.backends._contract import SourceFrame
from understudy.video.source import SourceVideo

logger = logging.getLogger(__name__)

LOOKED_AT = 24  # pictures, spread over all, that tell the order of the channels
FEWER = 0.3  # with loss, values beyond the last part: so many in the channel of parts for one in that of V
LOSSLESS = {"ffv1", "png", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "rawvideo", "qtrle", "zmbv"}
ORDERS = {(0, 1, 2): "IUV (part in red)", (2, 1, 0): "VUI (part in blue, as OpenCV writes IUV)"}
Order = tuple[int, int, int]  # channels of part, U, V


class IuvFolder:
    """A folder of PNG pictures.

    Attributes:
        names: of the pictures, sorted.
        size: height and width of each.
    """

    def __init__(self, path: Path):
        """Look at a folder.

        Raises:
            BackendError: it holds no PNG pictures, or what they show is no part, U and V.
        """
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".png")
        marked = [file for file in files if "iuv" in file.stem.lower()]
        self.files = marked or files  # DensePose's tool of 2018 wrote ..._INDS.png beside ..._IUV.png
        if not self.files:
            kinds = ", ".join(sorted({file.suffix or "no ending" for file in path.iterdir()})) or "nothing"
            raise BackendError(
                f"{path} holds no PNG pictures ({kinds}); write IUV pictures there, one for each picture of the clip's "
                "video. JPEG will not do: it mixes part numbers."
            )
        self.path, self.names = path, [file.name for file in self.files]
        looked_at = [self._read(number) for number in _spread(len(self.files))]
        self.size = looked_at[0].shape[:2]
        self.order = channel_order(looked_at, str(path), lossy=False)
        logger.info("%s: %d pictures, channels in the order %s", path, len(self.files), ORDERS[self.order])

    def picture(self, number: int, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read the person of one picture: part (H, W) and uv (H, W, 2) uint8; `person` is the box of their joints."""
        picture = self._read(number)
        if picture.shape[:2] != self.size:
            raise BackendError(
                f"{self.files[number]} is {picture.shape[1]} x {picture.shape[0]} px, the pictures before it "
                f"{self.size[1]} x {self.size[0]} (width x height); write all of them at one size."
            )
        part, uv = split(picture, self.order)
        if part.max() > PARTS:
            raise BackendError(
                f"{self.files[number]} has {part.max()} in the channel of parts, expected 0 to {PARTS}; all pictures "
                "of a folder must have one order of channels and be saved without loss."
            )
        return only_near(part, uv, person)

    def _read(self, number: int) -> np.ndarray:
        picture = cv2.imread(str(self.files[number]), cv2.IMREAD_COLOR)
        if picture is None:
            raise BackendError(f"{self.files[number]} cannot be read as a PNG picture; write it again.")
        return picture[..., ::-1]


class IuvVideo:
    """A video; its pictures are asked for in order.

    Attributes:
        names: the number of each picture.
        size: height and width.
    """

    def __init__(self, path: Path):
        """Read a video once through, to count its pictures.

        Raises:
            BackendError: what it shows is no part, U and V.
            VideoError: it cannot be read.
        """
        self.path, self.source = path, SourceVideo(path)
        self.size = self.source.height, self.source.width
        self.names = [f"{number}.png" for number, _ in enumerate(self.source)]
        facts = self.source.facts
        self.lossy = facts.codec not in LOSSLESS or facts.colour_matrix != "rgb"
        if self.lossy:
            logger.warning(
                "%s is coded with loss (%s, %s): part numbers at borders are mixed and U, V are coarse; write PNG "
                "pictures, or a video of ffv1 in RGB (ffmpeg -c:v ffv1 -pix_fmt bgr0)",
                *(path, facts.codec, facts.colour_matrix),
            )
        chosen = set(_spread(len(self.names)))
        looked_at = [frame.picture() for number, frame in enumerate(self.source) if number in chosen]
        self.order = channel_order(looked_at, str(path), self.lossy)
        logger.info("%s: %d pictures, channels in the order %s", path, len(self.names), ORDERS[self.order])
        self._coming: Iterator[tuple[int, SourceFrame]] = iter(enumerate(self.source))
        self._shown: tuple[int, np.ndarray] = (-1, np.zeros((*self.size, 3), np.uint8))

    def picture(self, number: int, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read on to a picture: part (H, W) and uv (H, W, 2) uint8; `person` is the box of their joints."""
        if number != self._shown[0]:
            self._shown = number, next(frame for at, frame in self._coming if at == number).picture()
        part, uv = split(self._shown[1], self.order)
        part[part > PARTS] = 0  # only where coded with loss
        return only_near(part, uv * (part > 0)[..., None], person)


def channel_order(pictures: Sequence[np.ndarray], where: str, lossy: bool) -> Order:
    """Tell which channel holds the parts: of red and blue the one whose values are all part numbers.

    Args:
        pictures: (H, W, 3) uint8 RGB.
        where: for an error.
        lossy: values have strayed, so the one with far fewer others is taken.

    Raises:
        BackendError: neither does, or both do.
    """
    if not any(picture.any() for picture in pictures):
        raise BackendError(f"{where}: all {len(pictures)} pictures looked at are empty, expected IUV pictures.")
    beyond = [sum(int((picture[..., channel] > PARTS).sum()) for picture in pictures) for channel in range(3)]
    for order in ORDERS:
        part, v = beyond[order[0]], beyond[order[2]]
        if v and (part == 0 or (lossy and part < FEWER * v)):
            return order
    largest = ", ".join(str(max(int(picture[..., channel].max()) for picture in pictures)) for channel in range(3))
    raise BackendError(
        f"{where}: largest values of red, green, blue are {largest}; expected exactly one of red and blue within 0 to "
        f"{PARTS}, the part, and U, V beside it. A coloured view of DensePose (viridis) or a picture saved with loss "
        "will not do; write IUV pictures as PNG."
    )


def split(picture: np.ndarray, order: Order) -> tuple[np.ndarray, np.ndarray]:
    """Part (H, W) and uv (H, W, 2) of a picture (H, W, 3); U, V are 0 where there is no part."""
    part = picture[..., order[0]]
    return part.copy(), picture[..., list(order[1:])] * (part > 0)[..., None]


def _spread(count: int) -> Sequence[int]:
    """Numbers of at most `LOOKED_AT` pictures, spread over all."""
    return range(0, count, max(1, -(-count // LOOKED_AT)))
