"""A double of detectron2 and its DensePose, down to its traps: what it finds is scripted, how it answers is theirs.

Kept from the real thing: pictures are uint8 BGR; a field of the instances may be absent; slices of boxes share memory;
results are resampled to the truncated box; U and V are interpolated and not held to 0..1; results of a GPU have to be
brought to the CPU; pickled results name classes of `densepose.structures`.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, make_dataclass
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch.nn.functional import interpolate

GRID = 112  # pixels of a prediction each way


@dataclass(frozen=True)
class Person:
    """Somebody the double finds: box left, top, right, bottom px; part and U, V (0..1 and beyond) of a whole frame."""

    box: tuple[float, float, float, float]
    score: float
    part: np.ndarray  # (P, Q) at any size
    uv: np.ndarray  # (P, Q, 2)


class Boxes:
    """As detectron2's: a tensor (N, 4); what is cut out of it shares its memory."""

    def __init__(self, tensor: torch.Tensor):
        self.tensor = tensor.to(torch.float32)

    def __getitem__(self, item) -> "Boxes":
        return Boxes(self.tensor[item].view(1, -1) if isinstance(item, int) else self.tensor[item])

    def __len__(self) -> int:
        return len(self.tensor)

    def to(self, device: str) -> "Boxes":
        return Boxes(self.tensor.to(device))


class Instances:
    """As detectron2's: named fields of one length; asking for an absent one is an AttributeError."""

    def __init__(self, size: tuple[int, int], on: str = "cpu", **named):
        super().__setattr__("image_size", size)
        super().__setattr__("on", on)
        super().__setattr__("named", dict(named))

    def __getattr__(self, name):
        if name not in self.named:
            raise AttributeError(f"Cannot find field '{name}' in the given Instances!")
        return self.named[name]

    def __setattr__(self, name, value):
        assert len(value) == len(self)
        self.named[name] = value

    def has(self, name: str) -> bool:
        return name in self.named

    def to(self, device: str) -> "Instances":
        return Instances(self.image_size, device, **{name: one.to(device) for name, one in self.named.items()})

    def __getitem__(self, item) -> "Instances":
        assert type(item) is not np.int64, "detectron2 takes numbers of Python only"
        item = slice(item, item + 1) if isinstance(item, int) else item
        return Instances(self.image_size, self.on, **{name: one[item] for name, one in self.named.items()})

    def __len__(self) -> int:
        if not self.named:
            raise NotImplementedError("Empty Instances does not support __len__!")
        return len(next(iter(self.named.values())))


class ChartOutput:
    """DensePoseChartPredictorOutput: coarse_segm (N, 2, 112, 112), fine_segm, u, v (N, 25, 112, 112)."""

    def __init__(self, coarse_segm, fine_segm, u, v):
        self.coarse_segm, self.fine_segm, self.u, self.v = coarse_segm, fine_segm, u, v

    def __len__(self) -> int:
        return len(self.coarse_segm)

    def __getitem__(self, item) -> "ChartOutput":
        item = slice(item, item + 1) if isinstance(item, int) else item
        return ChartOutput(self.coarse_segm[item], self.fine_segm[item], self.u[item], self.v[item])

    def to(self, device: str) -> "ChartOutput":
        return self


class Extractor:
    """DensePoseResultExtractor: results resampled to each box, and the boxes as left, top, width, height."""

    def __call__(self, instances: Instances):
        if not (instances.has("pred_densepose") and instances.has("pred_boxes")):
            return None, None
        assert instances.on == "cpu", "tensors of a GPU cannot become arrays"
        boxes = instances.pred_boxes.tensor.clone()
        boxes[:, 2:] -= boxes[:, :2]
        output = instances.pred_densepose
        return [chart_result(output[number], boxes[number]) for number in range(len(output))], boxes


def chart_result(output: ChartOutput, box_xywh: torch.Tensor):
    """One person's labels (h, w) and U, V (2, h, w), at the box truncated to whole pixels."""
    size = tuple(max(int(length), 1) for length in box_xywh[[3, 2]])
    coarse, fine, u, v = (
        interpolate(each, size, mode="bilinear", align_corners=False)[0]
        for each in (output.coarse_segm, output.fine_segm, output.u, output.v)
    )
    labels = fine.argmax(0) * (coarse.argmax(0) > 0).long()
    uv = torch.stack([each.gather(0, labels[None])[0] for each in (u, v)]) * (labels > 0)
    return sys.modules["densepose.structures.chart_result"].DensePoseChartResultWithConfidences(labels=labels, uv=uv)


def instances_of(people: Sequence[Person], size: tuple[int, int], on: str) -> Instances:
    """What the network says: the highest score first."""
    people = sorted(people, key=lambda person: -person.score)
    if not people:
        return Instances(size, on, pred_boxes=Boxes(torch.zeros(0, 4)), scores=torch.zeros(0))
    charts = [_logits(person, size) for person in people]
    output = ChartOutput(*(torch.stack(each) for each in zip(*charts, strict=True)))
    boxes = Boxes(torch.tensor([person.box for person in people]))
    scores = torch.tensor([person.score for person in people])
    return Instances(size, on, pred_boxes=boxes, scores=scores, pred_densepose=output)


def _logits(person: Person, size: tuple[int, int]) -> tuple[torch.Tensor, ...]:
    """Coarse and fine scores, U and V of a person in the box's own grid."""
    left, top, right, bottom = person.box
    rows, columns = person.part.shape
    y = ((np.arange(GRID) + 0.5) / GRID * (bottom - top) + top) * rows / size[0]
    x = ((np.arange(GRID) + 0.5) / GRID * (right - left) + left) * columns / size[1]
    place = np.clip(y, 0, rows - 1).astype(int)[:, None], np.clip(x, 0, columns - 1).astype(int)
    part, uv = torch.from_numpy(person.part[place].astype(np.int64)), person.uv[place]
    fine = 10 * torch.nn.functional.one_hot(part, 25).permute(2, 0, 1).float()
    coarse = torch.stack([5.0 * (part == 0), 5.0 * (part > 0)])
    spread = torch.zeros(25, GRID, GRID, 2)
    for number in np.unique(part):  # each part has its own U and V everywhere, beyond its border too
        nearest = distance_transform_edt(part.numpy() != number, return_distances=False, return_indices=True)
        spread[number] = torch.from_numpy(uv[tuple(nearest)]).float()
    return coarse, fine, spread[..., 0], spread[..., 1]


class Config(SimpleNamespace):
    """A node of a configuration: keys as attributes; frozen ones take no more."""

    def merge_from_file(self, path: str) -> None:
        self.merged = path

    def freeze(self) -> None:
        self.frozen = True


def install(
    monkeypatch, script: Iterable[Sequence[Person] | Instances | Exception], on: str = "cpu"
) -> SimpleNamespace:
    """Put the double where the real thing would be.

    Args:
        monkeypatch: takes it away again.
        script: for each call of the predictor: who is found, or the instances themselves, or an error.
        on: device the answers lie on.

    Returns:
        `seen`, the pictures the predictor was given, and `configs`, what it was built with.
    """
    answers, record = iter(script), SimpleNamespace(seen=[], configs=[])

    class DefaultPredictor:
        def __init__(self, config):
            assert config.frozen and config.with_densepose
            record.configs.append(config)

        def __call__(self, bgr):
            assert bgr.dtype == np.uint8 and bgr.ndim == 3 and bgr.shape[2] == 3
            record.seen.append(bgr.copy())
            answer = next(answers)
            if isinstance(answer, Exception):
                raise answer
            if not isinstance(answer, Instances):
                answer = instances_of(answer, bgr.shape[:2], on)
            return {"instances": answer}

    def get_cfg():
        return Config(MODEL=Config(ROI_HEADS=Config()), frozen=False, with_densepose=False)

    def add_densepose_config(config):
        config.with_densepose = True

    put(monkeypatch, "detectron2", __version__="0.6")
    put(monkeypatch, "detectron2.config", get_cfg=get_cfg)
    put(monkeypatch, "detectron2.engine")
    put(monkeypatch, "detectron2.engine.defaults", DefaultPredictor=DefaultPredictor)
    put(monkeypatch, "densepose", add_densepose_config=add_densepose_config)
    put(monkeypatch, "densepose.vis")
    put(monkeypatch, "densepose.vis.extractor", DensePoseResultExtractor=Extractor)
    install_structures(monkeypatch)
    return record


def install_structures(monkeypatch) -> SimpleNamespace:
    """Put the classes of results where pickles look for them, those of 2019 and 2020 too; returns them by name."""
    tensor, confidences = torch.Tensor, ("sigma_1", "sigma_2", "kappa_u", "kappa_v")
    optional = [(name, object, None) for name in (*confidences, "fine_segm_confidence", "coarse_segm_confidence")]
    chart = {
        "DensePoseChartResult": [("labels", tensor), ("uv", tensor)],
        "DensePoseChartResultWithConfidences": [("labels", tensor), ("uv", tensor), *optional],
        "DensePoseChartResultQuantized": [("labels_uv_uint8", tensor)],
        "DensePoseChartResultCompressed": [("shape_chw", tuple), ("labels_uv_str", str)],
    }
    places = {
        "densepose.structures.chart_result": chart,
        "densepose.structures.cse": {"DensePoseEmbeddingPredictorOutput": [("embedding", tensor)]},
        "densepose.data.structures": {"DensePoseResult": [("boxes_xywh", list), ("results", list)]},
    }
    if "densepose" not in sys.modules:
        put(monkeypatch, "densepose")
    put(monkeypatch, "densepose.structures")
    put(monkeypatch, "densepose.data")
    made = {}
    for module, classes in places.items():
        own = {name: make_dataclass(name, fields) for name, fields in classes.items()}
        for one in own.values():
            one.__module__ = module
        put(monkeypatch, module, **own)
        made |= own
    return SimpleNamespace(**made)


def put(monkeypatch, name: str, **contents) -> None:
    module = ModuleType(name)
    module.__path__ = []
    vars(module).update(contents)
    monkeypatch.setitem(sys.modules, name, module)
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)
