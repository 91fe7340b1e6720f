"""A network in an ONNX file, checked against its checksum and run by onnxruntime."""

import ctypes
from pathlib import Path

import numpy as np
import onnxruntime

from understudy.errors import BackendError
from understudy.job import file_digest

QUIET = 3  # errors only
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Network:
    """One picture goes in, float32; what comes out stands in the order of the file.

    Attributes:
        path: of the file.
        digest: SHA-256 of its bytes.
        height, width: of its input, pixels.
        batch: how many pictures it takes at once; None: any number.
        outputs: shape of each output; None where an axis is free.
    """

    def __init__(self, path: Path, key: str, sha256: str, device: str):
        """Read a network.

        Args:
            path: of the .onnx file.
            key: of the setting that names it, for error messages.
            sha256: the file must have, or empty.
            device: cpu or cuda.

        Raises:
            BackendError: the file is missing, another one or no network, or the device is not to be had.
        """
        self.path = path
        self.digest = _checked_digest(path, key, sha256)
        _check_device(device)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = QUIET
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads sleep
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=[PROVIDERS[device]])
        except Exception as error:  # onnxruntime's own kinds have no parent but Exception
            raise BackendError(
                f"{key} names {path} ({path.stat().st_size} bytes), which onnxruntime {onnxruntime.__version__} cannot "
                f"read: {error}. Perhaps a download broke off, or the .zip was not unpacked (it holds end2end.onnx)."
            ) from error
        if PROVIDERS[device] not in self._session.get_providers():
            raise BackendError(
                "pose.rtmw.device is 'cuda', but onnxruntime could not start CUDA; it needs CUDA 12 and cuDNN 9. Look "
                "at what it wrote above, or set pose.rtmw.device to cpu."
            )
        (given, *others) = self._session.get_inputs()
        shape = [size if isinstance(size, int) else None for size in given.shape]
        if others or given.type != "tensor(float)" or len(shape) != 4 or shape[1] != 3 or None in shape[2:]:
            raise BackendError(
                f"{key} names {path}, whose input '{given.name}' is {given.type} of shape {given.shape}, expected one "
                f"tensor(float) of a fixed size (batch, 3, height, width); take one that docs/estimators.md names."
            )
        self._input = given.name
        self.batch, _, self.height, self.width = shape
        self.outputs = [
            tuple(size if isinstance(size, int) else None for size in found.shape)
            for found in self._session.get_outputs()
        ]

    def __call__(self, pictures: np.ndarray) -> list[np.ndarray]:
        """Run the network on (B, 3, height, width) float32; a network of fixed batch gets its pictures one by one."""
        if self.batch is None or len(pictures) == self.batch:
            return self._session.run(None, {self._input: pictures})
        if self.batch != 1:
            raise BackendError(
                f"{self.path} takes {self.batch} pictures at once; take one that takes one, or any number."
            )
        rows = [self._session.run(None, {self._input: one[None]}) for one in pictures]
        return [np.concatenate(outputs) for outputs in zip(*rows, strict=True)]


def _checked_digest(path: Path, key: str, sha256: str) -> str:
    if not path.is_file():
        raise BackendError(
            f"{key} is '{path if path.name else ''}', and no such file exists (relative paths start at the working "
            f"folder); docs/estimators.md says where RTMW's and DWPose's networks are to be had."
        )
    digest = file_digest(path)
    if sha256 and digest != sha256:
        raise BackendError(
            f"{key} names {path}, whose SHA-256 is {digest}, but {key}_sha256 asks for {sha256}; fetch the file anew, "
            f"or correct the sum."
        )
    return digest


def _check_device(device: str) -> None:
    """Ask for a GPU before onnxruntime does, which crashes where there is none (1.22)."""
    if device != "cuda":
        return
    if PROVIDERS[device] not in onnxruntime.get_available_providers():
        raise BackendError(
            f"pose.rtmw.device is 'cuda', but onnxruntime {onnxruntime.__version__} here is the CPU build; install "
            f"onnxruntime-gpu in its place (docs/estimators.md), or set pose.rtmw.device to cpu."
        )
    if count_gpus() == 0:
        raise BackendError(
            "pose.rtmw.device is 'cuda', but NVIDIA's driver is not installed here or shows this job no GPU (look at "
            "nvidia-smi and CUDA_VISIBLE_DEVICES); run it where there is one, or set pose.rtmw.device to cpu."
        )
    onnxruntime.preload_dlls()  # finds the CUDA libraries that came as wheels


def count_gpus() -> int:
    """Ask NVIDIA's driver how many GPUs this process may use; 0 where there is no driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    number = ctypes.c_int()
    failed = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(number))
    return 0 if failed else number.value
