"""pyopenpose as it is in OpenPose 1.5, 1.6, 1.7.0 and since, behind one call: a picture in, its people out.

Source: OpenPose's python/openpose/openpose_python.cpp at v1.5.0, v1.6.0, v1.7.0 and 2024-08.
"""

import ctypes
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from understudy.errors import BackendError
from understudy.semantics.openpose_layout import OpenPosePerson
from understudy.settings import OpenposeSettings

MODULES = ("openpose.pyopenpose", "pyopenpose")  # the second on Windows, and beside its own build
NETWORKS = {
    "body": ("pose/body_25/pose_deploy.prototxt", "pose/body_25/pose_iter_584000.caffemodel"),
    "face": ("face/pose_deploy.prototxt", "face/pose_iter_116000.caffemodel"),
    "hands": ("hand/pose_deploy.prototxt", "hand/pose_iter_102000.caffemodel"),
}  # files in the folder of models


class PyOpenPose:
    """OpenPose, started; its networks are read before the first picture.

    Attributes:
        version: of the module, as far as it says.

    Raises:
        BackendError: the module or a network is missing, or OpenPose does not start.
    """

    def __init__(self, settings: OpenposeSettings):
        check_networks(settings)
        self._op = import_openpose(settings.module_folder)
        self._opaque = hasattr(self._op, "VectorDatum")  # since 1.7: lists are refused there, the vector unknown before
        self.version = f"{'1.7 or later' if self._opaque else '1.5 or 1.6'} ({self._op.__version__})"
        try:
            self._wrapper = self._op.WrapperPython()
            self._wrapper.configure(flags(settings))
            self._wrapper.start()
        except RuntimeError as wrong:
            raise BackendError(f"OpenPose does not start: {_shortened(wrong)}; {advice(str(wrong))}") from wrong

    def __call__(self, picture: np.ndarray) -> list[OpenPosePerson]:
        """Find everyone in a picture (H, W, 3) uint8 RGB; points in OpenPose's pixels of it, people in any order."""
        # BGR without gaps, and kept until the call returns: OpenPose takes the address and copies nothing.
        pixels = np.ascontiguousarray(picture[..., ::-1])
        datum = self._op.Datum()
        datum.cvInputData = pixels
        try:
            popped = self._wrapper.emplaceAndPop(self._op.VectorDatum([datum]) if self._opaque else [datum])
        except RuntimeError as wrong:
            raise BackendError(f"OpenPose failed: {_shortened(wrong)}; {advice(str(wrong))}") from wrong
        if popped is False:  # None up to 1.6, a truth value since
            raise BackendError(f"OpenPose has stopped and takes no more pictures; {advice('')}")
        return read_people(datum)


def import_openpose(folder: str) -> ModuleType:
    """Import OpenPose's Python module, from a folder where one is named.

    Raises:
        BackendError: it is not there, does not load, or is of a version before 1.5.
    """
    if folder and folder not in sys.path:
        sys.path.append(folder)
    place = f"in pose.openpose.module_folder ({folder}) or " if folder else ""
    reasons = []
    for name in MODULES:
        try:
            module = import_module(name)
        except ImportError as missing:
            reasons.append(f"{name}: {missing}")
            continue
        if hasattr(module, "WrapperPython") and hasattr(module, "Datum"):
            return module
        reasons.append(f"{name} has no WrapperPython")
    raise BackendError(
        f"OpenPose's Python module cannot be imported {place}by Python {sys.version_info[0]}.{sys.version_info[1]} "
        f"({'; '.join(reasons)}). Run with --sdm conda, which builds it into the rule's environment, or build OpenPose "
        f"1.5 or later with -DBUILD_PYTHON=ON for this Python and name its build/python in pose.openpose.module_folder."
    )


def check_networks(settings: OpenposeSettings) -> None:
    """Refuse to start without a file that will be asked for.

    Raises:
        BackendError: the folder of models is not named or lacks a file.
    """
    wanted = [part for part in NETWORKS if part == "body" or getattr(settings, part)]
    folder = Path(settings.model_folder)
    missing = [file for part in wanted for file in NETWORKS[part] if not (folder / file).is_file()]
    if settings.model_folder and not missing:
        return
    found = f"{folder} lacks {', '.join(missing)}" if settings.model_folder else "pose.openpose.model_folder is empty"
    raise BackendError(
        f"OpenPose's networks are not there: {found}; name a folder laid out as OpenPose's own `models` in "
        f"pose.openpose.model_folder and put the files there (docs/estimators.md says where to get them)"
        f"{', or switch face or hands off' if settings.face or settings.hands else ''}."
    )


def flags(settings: OpenposeSettings) -> dict[str, Any]:
    """Return OpenPose's flags, which are those of its program; they hold for the whole process."""
    gpu = {"num_gpu": 1, "num_gpu_start": settings.gpu} if settings.gpu >= 0 else {}
    return gpu | {
        "model_folder": f"{settings.model_folder.rstrip('/')}/",
        "model_pose": "BODY_25",
        "net_resolution": settings.net_resolution,
        "face": settings.face,
        "hand": settings.hands,
        "render_pose": 0,  # nothing is drawn
        "keypoint_scale": 0,  # pixels of the picture
        "logging_level": 3,
    }


def read_people(datum: Any) -> list[OpenPosePerson]:
    """Read everyone from a datum, each field once: reading copies it."""
    bodies = _read(datum.poseKeypoints, (25, 3))
    if bodies is None:
        return []  # without people the other fields are empty too
    count = len(bodies)
    faces = _for_everyone(_read(datum.faceKeypoints, (70, 3)), count, (70, 3))
    hands = [_for_everyone(_read(hand, (21, 3)), count, (21, 3)) for hand in datum.handKeypoints]
    return [OpenPosePerson(bodies[row], faces[row], np.stack([hand[row] for hand in hands])) for row in range(count)]


def _read(field: Any, shape: tuple[int, int]) -> np.ndarray | None:
    """Return a field as (P, K, 3) float64; None where it is empty, in any of the ways of the versions."""
    if field is None:  # since 1.7
        # 1.7.0 hands None out without counting it: so often that Python would one day throw None away.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))
        return None
    if field.ndim == 0 or len(field) == 0:  # up to 1.6: a lone number of no meaning
        return None
    if field.shape[1:] != shape:
        raise BackendError(
            f"OpenPose gave points of shape {field.shape}, expected one row of {shape} for each person; its networks "
            f"in pose.openpose.model_folder are of another layout: take BODY_25, face and hand."
        )
    return np.array(field, np.float64)


def _for_everyone(points: np.ndarray | None, count: int, shape: tuple[int, int]) -> np.ndarray:
    """Return points (P, K, 3) row by row for the bodies; zeros where the part is switched off."""
    if points is None:
        return np.zeros((count, *shape))
    if len(points) != count:
        raise BackendError(f"OpenPose gave {len(points)} rows of face or hand points for {count} people; report it.")
    return points


def advice(words: str) -> str:
    """Say what to do about an error of OpenPose."""
    if "out of memory" in words.lower() or "bad_alloc" in words:
        return (
            "the GPU's memory is too little: lower pose.openpose.net_resolution (-1x256), switch pose.openpose.face or "
            "hands off, or end what else runs on it."
        )
    if any(word in words for word in ("prototxt", "caffemodel", "NetParameter", "protobuf", "Proto", "shape mismatch")):
        return "a network in pose.openpose.model_folder is damaged or of another kind: get its files again."
    if any(word in words.lower() for word in ("cuda", "gpu", "no kernel image")):
        return (
            "look at nvidia-smi; pose.openpose.gpu is 0 for the GPU that the job keeps to itself and -1 for a build "
            "without CUDA. A build for other GPUs says 'no kernel image': build it anew with OPENPOSE_CUDA_ARCH."
        )
    return "mend what it names, or run OpenPose's own program on the video to see whether it works at all."


def _shortened(wrong: Exception) -> str:
    """Return the first lines of OpenPose's error, which goes on with the places in its code."""
    lines: Sequence[str] = [line.strip() for line in str(wrong).splitlines() if line.strip()]
    return " ".join(line for line in lines if "Coming from" not in line and not line.startswith("- "))[:400]
