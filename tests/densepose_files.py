"""DensePose's results of a synthetic clip as other tools leave them: dumps of every version, IUV pictures, videos."""

import base64
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import torch

from understudy.layouts import open_file


def true_maps(truth: Path) -> list[np.ndarray]:
    """Part, U, V (P, Q, 3) uint8 of each picture of a synthetic clip, at two samples per pixel."""
    with open_file(truth, "truth") as file:
        return [np.concatenate([part[..., None], uv], -1) for part, uv in zip(file["part"][:], file["uv"][:])]


def write_pictures(
    folder: Path, maps: list[np.ndarray], first: int = 1, name: str = "{:06d}_IUV.png", blue=True
) -> Path:
    """Write IUV pictures: part in blue, as OpenCV writes an array I, U, V, or in red."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(maps, first):
        cv2.imwrite(str(folder / name.format(number)), picture if blue else picture[..., ::-1])
    return folder


def write_video(
    path: Path, maps: list[np.ndarray], codec: str = "ffv1", pixels: str = "bgr0", blue: bool = False
) -> Path:
    """Write an IUV video: part in red, or in blue."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=12)
        stream.height, stream.width, stream.pix_fmt = *maps[0].shape[:2], pixels
        for picture in maps:
            rgb = np.ascontiguousarray(picture[..., ::-1] if blue else picture)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        file.mux(stream.encode())
    return path


def entries(maps: list[np.ndarray], result: Callable, others: Callable = lambda number: []) -> list[dict]:
    """What apply_net.py dumps of pictures at one sample per pixel: its entries come in no order.

    Args:
        maps: part, U, V (H, W, 3) of each picture.
        result: makes one person's result from the part, U, V (h, w, 3) of the box.
        others: further people of a picture, as box and part, U, V (h, w, 3), found with a higher score.
    """
    made = []
    for number, picture in enumerate(maps, 1):
        rows, columns = (np.flatnonzero((picture[..., 0] > 0).any(axis)) for axis in (1, 0))
        box = [columns[0], rows[0], columns[-1] + 1.0, rows[-1] + 1.0] if len(rows) else None
        people = [*others(number)]
        if box is not None:
            people.append((box, picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]))
        boxes = torch.tensor([box for box, _ in people]).reshape(-1, 4)
        scores = torch.linspace(0.99, 0.9, len(people))
        results = [result(one) for _, one in people]
        file = {"file_name": f"/home/me/pictures/frame_{number:06d}.png", "scores": scores}
        made.append(file | {"pred_boxes_XYXY": boxes, "pred_densepose": results})
    return made[::-1]  # os.listdir has no order either


def chart_result(classes: SimpleNamespace) -> Callable:
    """Results since October 2020: tensors of whole numbers and of 0..1."""

    def made(picture):
        labels = torch.from_numpy(picture[..., 0].astype(np.int64))
        uv = torch.from_numpy(np.moveaxis(picture[..., 1:], -1, 0) / np.float32(255))
        return classes.DensePoseChartResultWithConfidences(labels=labels, uv=uv)

    return made


def png_text(picture: np.ndarray) -> str:
    """A picture (h, w, 3) as PNG in base64, lines broken as base64.encodebytes does."""
    coded = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))[1]
    return base64.encodebytes(coded.tobytes()).decode()


def write_dump(path: Path, maps: list[np.ndarray], classes: SimpleNamespace, version: str, **more) -> Path:
    """Write a dump as apply_net.py of 2019, 2021 or 2023 did."""
    if version == "2019":  # one object for all people of a picture
        dumped = entries(maps, lambda one: ((3, *one.shape[:2]), png_text(one)), **more)
        for entry in dumped:
            box_list = [list(map(float, box)) for box in entry["pred_boxes_XYXY"]]
            entry["pred_densepose"] = classes.DensePoseResult(box_list, entry["pred_densepose"])
    elif version == "compressed":
        make = classes.DensePoseChartResultCompressed
        dumped = entries(maps, lambda one: make((3, *one.shape[:2]), png_text(one)), **more)
    elif version == "quantized":
        make = classes.DensePoseChartResultQuantized
        dumped = entries(maps, lambda one: make(torch.from_numpy(np.moveaxis(one, -1, 0).copy())), **more)
    else:
        dumped = entries(maps, chart_result(classes), **more)
    if version == "2023":
        torch.save(dumped, path)
    else:
        path.write_bytes(pickle.dumps(dumped))
    return path
