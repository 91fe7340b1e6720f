"""One of OpenPose's Caffe networks, read and run by OpenCV's dnn module."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from understudy.errors import BackendError
from understudy.semantics.pose_backends._heatmaps import MULTIPLE

OUTPUT = "net_output"
LAYOUTS = "https://github.com/CMU-Perceptual-Computing-Lab/openpose/tree/master/models"
WEIGHTS = "http://vcl.snu.ac.kr/OpenPose/models"


@dataclass(frozen=True)
class Part:
    """What one network of OpenPose is for: its files under the model folder, and the maps it gives."""

    title: str
    layout: str
    weights: str
    channels: int


BODY = Part("BODY_25", "pose/body_25/pose_deploy.prototxt", "pose/body_25/pose_iter_584000.caffemodel", 78)
FACE = Part("face", "face/pose_deploy.prototxt", "face/pose_iter_116000.caffemodel", 71)
HAND = Part("hand", "hand/pose_deploy.prototxt", "hand/pose_iter_102000.caffemodel", 22)


def check_files(folder: Path, parts: list[Part]) -> None:
    """Ask for every file at once.

    Raises:
        BackendError: this OpenCV reads no Caffe networks, or files are missing.
    """
    if int(cv2.__version__.split(".")[0]) >= 5 or not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise BackendError(
            f"The backend 'openpose_caffe' needs OpenCV 4, found {cv2.__version__}, which reads no Caffe networks any "
            f"more; install the version that envs/pose_openpose_caffe.yaml pins, or run with --sdm conda."
        )
    missing = [name for part in parts for name in (part.layout, part.weights) if not (folder / name).is_file()]
    if missing:
        found = [f"{WEIGHTS if name.endswith('.caffemodel') else LAYOUTS}/{name}" for name in missing]
        raise BackendError(
            f"pose.openpose_caffe.model_folder is '{folder}', where {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing. They are OpenPose's own models (its licence: not for "
            f"commercial use); get {' and '.join(found)}, or run models/getModels.sh of an OpenPose checkout and name "
            f"its folder models; a part that is not wanted is switched off by pose.openpose_caffe.face and .hands."
        )


class Network:
    """A network that is read, placed on its device and known to give the maps it should."""

    def __init__(self, folder: Path, part: Part, device: str):
        """Read a network.

        Raises:
            BackendError: the files are no Caffe network, or another one, or the device is not to be had.
        """
        layout, weights = folder / part.layout, folder / part.weights
        try:
            self._net = cv2.dnn.readNetFromCaffe(str(layout), str(weights))
        except cv2.error as error:
            raise BackendError(
                f"OpenCV cannot read {layout} with {weights} ({weights.stat().st_size} bytes): "
                f"{error.err or error}. Perhaps a download broke off: get both anew from {LAYOUTS}."
            ) from error
        if device == "cuda":
            self._move_to_gpu()
        names = [name for name in self._net.getLayerNames() if name == OUTPUT]
        if not names:
            raise BackendError(
                f"{layout} has no layer '{OUTPUT}', so it is not OpenPose's {part.title} network; get "
                f"{LAYOUTS}/{part.layout}."
            )
        try:
            channels = self(np.zeros((1, 3, MULTIPLE, MULTIPLE), np.float32)).shape[0]
        except cv2.error as error:
            raise BackendError(
                f"{weights} ({weights.stat().st_size} bytes) does not fit {layout}: {error.err or error}. Perhaps a "
                f"download broke off, or the two belong to different models: get both anew from {LAYOUTS}."
            ) from error
        if channels != part.channels:
            raise BackendError(
                f"{layout} gives {channels} maps, OpenPose's {part.title} network gives {part.channels}; get "
                f"{LAYOUTS}/{part.layout} and {WEIGHTS}/{part.weights}."
            )

    def __call__(self, blob: np.ndarray) -> np.ndarray:
        """Run the network on (1, 3, H, W) float32: maps (C, H / 8, W / 8) float32."""
        self._net.setInput(blob)
        return self._net.forward(OUTPUT)[0]

    def _move_to_gpu(self) -> None:
        if cv2.dnn.DNN_TARGET_CUDA not in cv2.dnn.getAvailableTargets(cv2.dnn.DNN_BACKEND_CUDA):
            raise BackendError(
                f"pose.openpose_caffe.device is 'cuda', but this OpenCV ({cv2.__version__}) was built without CUDA, or "
                f"sees no GPU; wheels never have it. Build OpenCV 4 with -D WITH_CUDA=ON -D OPENCV_DNN_CUDA=ON, or set "
                f"it to cpu, or use pose.backend openpose or rtmw."
            )
        self._net.setPreferableBackend(cv2.dnn.DNN_BACKEND_CUDA)
        self._net.setPreferableTarget(cv2.dnn.DNN_TARGET_CUDA)
