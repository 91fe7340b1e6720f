"""What `apply_net.py dump` wrote: for each picture the people found in it, their boxes, parts and U, V.

Source: projects/DensePose of detectron2, 2019 to 2026. Until October 2020 a picture's results were one object with
PNG pictures in base64; since then a list of objects with tensors. Until October 2022 the file was a plain pickle;
since then torch.save writes it. All of them are read.
"""

import base64
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from understudy.errors import BackendError
from understudy.semantics.surface_backends._people import Found, chosen, placed, quantised
from understudy.semantics.surface_backends._pickles import Tensor, read_pickle

_CHART_RESULT = "densepose.structures.chart_result"
EMBEDDINGS = "DensePoseEmbeddingPredictorOutput"
RECORDS = (
    (_CHART_RESULT, "DensePoseChartResult"),
    (_CHART_RESULT, "DensePoseChartResultWithConfidences"),
    (_CHART_RESULT, "DensePoseChartResultQuantized"),
    (_CHART_RESULT, "DensePoseChartResultCompressed"),
    ("densepose.structures", "DensePoseResult"),
    ("densepose.data.structures", "DensePoseResult"),
    ("densepose.structures.cse", EMBEDDINGS),
)
_PNG = b"\x89PNG\r\n\x1a\n"


class Dump:
    """A dump, opened; the numbers of a picture are read when they are asked for.

    Attributes:
        names: file name of each picture, in the file's order, which is any.
        size: height and width of the pictures.
    """

    def __init__(self, path: Path, size: tuple[int, int], min_score: float):
        """Read what the file holds.

        Args:
            path: the file.
            size: height and width of the pictures it was made from.
            min_score: people with a lower score are left out.

        Raises:
            BackendError: it is no such file, or its boxes reach out of the pictures.
        """
        self.path, self.size, self.min_score = path, size, min_score
        entries = read_pickle(path, RECORDS)
        if not isinstance(entries, list) or not entries or not all(_is_entry(one) for one in entries):
            raise BackendError(
                f"{path} holds no list of pictures' results, expected what `apply_net.py dump` writes: for each "
                "picture its file_name, pred_boxes_XYXY and pred_densepose. Name such a file in "
                "surface.densepose_dump.path."
            )
        self.entries: list[Mapping[str, Any]] = entries
        self.names = [Path(one["file_name"].replace("\\", "/")).name for one in entries]
        self._check_boxes()

    def picture(self, number: int, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read the person of one picture: part (H, W) and uv (H, W, 2) uint8 at the pictures' size; zeros for nobody.

        Args:
            number: of the picture, in the order of `names`.
            person: (4,) box round their joints, pixels of the picture.
        """
        entry = self.entries[number]
        boxes = _boxes(entry)
        scores = _numbers(entry.get("scores"), (0,))
        if len(scores) == len(boxes):
            kept = np.flatnonzero(scores >= self.min_score)
        else:
            kept = np.arange(len(boxes))
        best = chosen(boxes[kept], person)
        results = _results(entry)
        if best is None or not results:
            return np.zeros(self.size, np.uint8), np.zeros((*self.size, 2), np.uint8)
        row = int(kept[best])
        if row >= len(results):
            raise BackendError(f"{self.path}: {entry['file_name']} has {len(boxes)} boxes, {len(results)} results.")
        where = f"{self.path}: {entry['file_name']}"
        return placed(Found(boxes[row], *_parts(results[row], where)), *self.size)

    def _check_boxes(self) -> None:
        height, width = self.size
        for entry in self.entries:
            try:
                boxes = _boxes(entry)
            except BackendError as wrong:
                raise BackendError(f"{self.path}: {wrong}") from wrong
            if len(boxes) and (boxes[:, 2].max() > width + 1 or boxes[:, 3].max() > height + 1):
                raise BackendError(
                    f"{self.path}: a box of {entry['file_name']} reaches to x {boxes[:, 2].max():.0f}, y "
                    f"{boxes[:, 3].max():.0f}, but the clip's video is {width} x {height} px; run apply_net.py on "
                    "pictures of this video in its own size."
                )


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("file_name"), str)


def _boxes(entry: Mapping[str, Any]) -> np.ndarray:
    """Boxes (N, 4) float of a picture, left, top, right, bottom px."""
    boxes = _numbers(entry.get("pred_boxes_XYXY"), (0, 4))
    if boxes.size % 4 or not np.isfinite(boxes).all():
        raise BackendError(
            f"{entry['file_name']} has boxes of shape {boxes.shape}, expected four finite numbers each, left, top, "
            "right, bottom; run apply_net.py dump again."
        )
    return boxes.reshape(-1, 4)


def _numbers(value: Any, empty: tuple[int, ...]) -> np.ndarray:
    return value.numpy().astype(np.float64) if isinstance(value, Tensor) else np.zeros(empty)


def _results(entry: Mapping[str, Any]) -> Sequence[Any]:
    """One result for each box; none where nobody was found."""
    results = entry.get("pred_densepose")
    kind = getattr(results, "kind", "")
    if kind == EMBEDDINGS:
        raise BackendError(
            f"{entry['file_name']} was estimated by a model of vertex embeddings (CSE), expected one with charts "
            "(IUV), such as densepose_rcnn_R_50_FPN_s1x; run apply_net.py dump with one of those."
        )
    if kind == "DensePoseResult":
        return results.results
    return results if isinstance(results, list) else []


def _parts(result: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Part (h, w) and uv (h, w, 2) uint8 of one person, whichever version wrote them."""
    try:
        if isinstance(result, tuple):  # until October 2020: shape and a picture
            shape, text = result
            labels, *uv = _from_png(shape, text)
        elif result.kind == "DensePoseChartResultCompressed":
            labels, *uv = _from_png(result.shape_chw, result.labels_uv_str)
        elif result.kind == "DensePoseChartResultQuantized":
            labels, *uv = result.labels_uv_uint8.numpy()
        else:
            return quantised(result.labels.numpy(), result.uv.numpy(), where)
    except (AttributeError, ValueError, TypeError) as broken:
        raise BackendError(f"{where} holds a result that is no known one ({broken}); dump it again.") from broken
    return quantised(labels, np.stack(uv), where)


def _from_png(shape: Sequence[int], text: str) -> np.ndarray:
    """Decode a picture in base64: (3, h, w) uint8 part, U, V; its own size must be the announced one."""
    data = base64.b64decode(text)
    channels, height, width = (int(length) for length in shape)
    if data[:8] != _PNG or struct.unpack(">II", data[16:24]) != (width, height) or channels != 3:
        raise ValueError("a picture of another size than announced")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("a picture that cannot be decoded")
    return np.moveaxis(picture[..., ::-1], -1, 0)
