"""detectron2's DensePose, frame by frame, through its own predictor and extractor of results.

U and V belong to DensePose's own atlas, which is not the parametric body's. Source: Güler, Neverova, Kokkinos,
DensePose: Dense Human Pose Estimation In The Wild, CVPR 2018; projects/DensePose of detectron2.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from understudy.errors import BackendError
from understudy.semantics.pose_rows import PoseRows
from understudy.semantics.surface_backends._contract import FrameSurface
from understudy.semantics.surface_backends._people import Found, chosen, joined, nothing, placed, quantised
from understudy.settings import DensePoseSettings, SurfaceSettings
from understudy.video.frames import Frames

logger = logging.getLogger(__name__)

CONFIGS = Path(sys.prefix) / "share" / "understudy" / "densepose"  # where the environment's post-deploy puts them
FROM_SOURCE = "run with --sdm conda, whose environment builds it (envs/surface_densepose.post-deploy.sh)"


class Backend:
    """Loads the network once; each frame is seen at its own size, the person drawn at that of the samples."""

    name = "densepose"
    chart = "densepose"
    has_body = False
    fits_clip = False

    def __init__(self, settings: SurfaceSettings):
        """Load the network.

        Raises:
            BackendError: detectron2 or its DensePose are not installed or broken, a file is missing, there is no GPU.
        """
        self.settings = settings
        tools = _imported()
        self.version = tools.version
        self._torch = tools.torch
        self._extract = tools.extractor()
        self._predict = _predictor(settings.densepose, tools)

    def __call__(self, frames: Frames, pose: PoseRows, threads: int = 1) -> Iterator[FrameSurface]:
        self._torch.set_num_threads(threads)
        valid, boxes, mattes = pose["valid"][:], pose["person_box"][:], pose.get("matte")
        for index in range(len(frames)):
            drawn = self._person(frames[index], boxes[index]) if valid[index] else None
            if drawn is None:
                yield nothing((frames.height, frames.width), self.settings.samples)
                continue
            reach = self.settings.reach * (boxes[index][3] - boxes[index][1]) * self.settings.samples
            yield joined(*drawn, None if mattes is None else mattes[index], self.settings.samples, float(reach))

    def attributes(self) -> dict[str, Any]:
        return {}

    def _person(self, rgb: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Estimate one frame (H, W, 3) uint8: the person's part (P, Q) and uv (P, Q, 2); None where nobody is found."""
        found = self._instances(rgb)
        if not found.has("pred_densepose") or not len(found):
            return None  # without anybody the results' field may be absent
        if hasattr(found.pred_densepose, "embedding"):
            raise BackendError(
                f"surface.densepose.config '{self.settings.densepose.config}' is a model of vertex embeddings (CSE), "
                "expected one with charts (IUV), such as densepose_rcnn_R_50_FPN_s1x; change config and weights."
            )
        best = chosen(found.pred_boxes.tensor.numpy(), person)
        if best is None:
            return None
        one, samples = found[best], self.settings.samples
        # a larger box makes the extractor draw as many samples; a new one, since cut-outs share memory
        one.pred_boxes = type(one.pred_boxes)(one.pred_boxes.tensor * samples)
        (result,), _ = self._extract(one)
        drawn = quantised(result.labels.numpy(), result.uv.numpy(), "DensePose's result")
        box = one.pred_boxes.tensor[0].numpy()
        return placed(Found(box, *drawn), samples * rgb.shape[0], samples * rgb.shape[1])

    def _instances(self, rgb: np.ndarray) -> Any:
        """Run the network and bring what it found to the CPU."""
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        try:
            return self._predict(bgr)["instances"].to("cpu")
        except self._torch.cuda.OutOfMemoryError as full:
            raise BackendError(
                f"The GPU's memory is too little for DensePose at frames of {rgb.shape[1]} x {rgb.shape[0]} px "
                f"({full}); leave the GPU to this job alone, lower INPUT.MIN_SIZE_TEST in a copy of the model's .yaml "
                "(surface.densepose.config), or set surface.densepose.device to cpu."
            ) from full


@dataclass(frozen=True)
class _Tools:
    """What is used of PyTorch, detectron2 and DensePose."""

    torch: Any
    version: str
    empty_config: Callable[[], Any]
    add_densepose: Callable[[Any], None]
    predictor: Callable[[Any], Any]
    extractor: Callable[[], Any]


def _imported() -> _Tools:
    """Import the environment's modules.

    Raises:
        BackendError: one is not installed, or does not fit the installed PyTorch.
    """
    try:
        import detectron2
        import torch
        from densepose import add_densepose_config
        from densepose.vis.extractor import DensePoseResultExtractor
        from detectron2.config import get_cfg
        from detectron2.engine.defaults import DefaultPredictor
    except ModuleNotFoundError as missing:
        raise BackendError(
            f"surface.backend 'densepose' needs the Python package '{missing.name}', which is not installed here; "
            f"{FROM_SOURCE}, or set surface.backend to densepose_dump and estimate elsewhere."
        ) from missing
    except (ImportError, OSError, RuntimeError) as broken:
        raise BackendError(
            f"surface.backend 'densepose' cannot load detectron2 ({broken}); it was built for another PyTorch: "
            f"{FROM_SOURCE}."
        ) from broken
    version = str(detectron2.__version__)
    return _Tools(torch, version, get_cfg, add_densepose_config, DefaultPredictor, DensePoseResultExtractor)


def _predictor(settings: DensePoseSettings, tools: _Tools) -> Any:
    """Build the network with its weights, as detectron2's own tools do."""
    if settings.device.startswith("cuda") and not tools.torch.cuda.is_available():
        raise BackendError(
            f"surface.densepose.device is '{settings.device}', but PyTorch finds no GPU here; run on a machine "
            "with one, or set it to cpu (half a minute a frame)."
        )
    if not Path(settings.weights).is_file():
        raise BackendError(
            f"surface.densepose.weights names {settings.weights or 'no file'}, which does not exist; download the "
            "model's weights and write their path there (docs/estimators.md)."
        )
    config = tools.empty_config()
    tools.add_densepose(config)
    config.merge_from_file(str(_config_file(settings.config)))
    config.MODEL.WEIGHTS = settings.weights
    config.MODEL.DEVICE = settings.device
    config.MODEL.ROI_HEADS.SCORE_THRESH_TEST = settings.min_score
    config.freeze()
    logger.info("DensePose %s with %s on %s", settings.config, settings.weights, settings.device)
    return tools.predictor(config)


def _config_file(name: str) -> Path:
    """Find a model's configuration: a path, or a name within the environment."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else CONFIGS / f"{name}.yaml"
    if path.is_file():
        return path
    there = ", ".join(sorted(file.stem for file in CONFIGS.glob("densepose*.yaml"))) or "none"
    raise BackendError(
        f"surface.densepose.config is '{name}', but {path} does not exist; name one of this environment ({there}), or "
        "the path of a .yaml file."
    )
