"""pyopenpose as each version of OpenPose has it, traps included, without a network: it finds painted blocks.

What it does was read in OpenPose's python/openpose/openpose_python.cpp at v1.5.0, v1.6.0, v1.7.0 and 2024-08. A trap
that would end the interpreter is an AssertionError here, but for None's references, which are really taken, and for
`abort_at`, where the process really ends.
"""

import ctypes
import faulthandler
import os
import sys
import weakref
from collections import Counter
from types import ModuleType

import numpy as np

VERSIONS = ("1.5", "1.6", "1.7.0", "2024")
FLAGS = {
    *("model_folder", "model_pose", "net_resolution", "face", "hand", "number_people_max", "render_pose"),
    *("keypoint_scale", "output_resolution", "num_gpu", "num_gpu_start", "logging_level", "disable_multi_thread"),
}  # of those that all versions know; an unknown one ends the process
RED, GREEN = 250, 20  # of a person's block; its blue is the person's own


def paint(picture: np.ndarray, left: int, top: int, width: int, height: int, who: int) -> None:
    """Paint a person into an RGB picture, in place."""
    picture[top : top + height, left : left + width] = (RED, GREEN, 100 + who)


def skeleton(left: float, top: float, width: float, height: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points that are found in a block: body (25, 3), face (70, 3), hands (2, 21, 3), in OpenPose's pixels.

    The neck scores above 1, the left ear is not found, the right big toe lies under the picture where the block touches
    its lower border, and faces of blocks narrower than 12 px are all zero. Blocks lower than 10 px
    score next to nothing.
    """
    share = np.arange(25) / 24
    body = np.column_stack([left + width * (share * 7 % 1), top + height * share, np.full(25, 0.8)])
    body[1, 2] = 1.02
    if height < 10:
        body[:, 2] = 0.04
    body[18] = 0
    body[22, 1] = top + height + 3
    face = np.column_stack([left + width * np.arange(70) / 70, top + height * np.arange(70) / 350, np.full(70, 0.6)])
    hand = np.column_stack(
        [np.arange(21) / 21 * width / 4, top + height / 2 + np.arange(21) / 21 * 4, np.full(21, 0.5)]
    )
    hands = np.stack(
        [hand + np.array([left + shift, 0, 0]) for shift in (0.7 * width, 0)]
    )  # the person's left is right in the picture
    return body, face * (width >= 12), hands


class _LostError(AssertionError):
    """What would have ended the interpreter."""


def make_pyopenpose(version: str, abort_at: int = -1, stop_at: int = -1) -> ModuleType:
    """Make the module `pyopenpose` of a version.

    Args:
        version: one of `VERSIONS`.
        abort_at: picture at which the GPU's memory is too little, and Caffe aborts.
        stop_at: picture from which the wrapper has stopped.
    """
    opaque, empty_is_none = version in ("1.7.0", "2024"), version in ("1.7.0", "2024")
    module = ModuleType("pyopenpose")
    module.__version__ = "dev"
    module.reads = Counter()  # of the fields of the last datum
    module.flags = {}

    class Datum:
        def __init__(self):
            self._input = None
            self._found = {}
            module.reads.clear()

        @property
        def cvInputData(self):  # noqa: N802
            raise _LostError("the picture's memory is not ours to read")

        @cvInputData.setter
        def cvInputData(self, picture):  # noqa: N802
            if picture.dtype not in (np.uint8, np.float32, np.float64):
                raise RuntimeError("Unsupported type")
            # The address and two sizes are all that is taken: no copy, no strides, no reference.
            self._input = weakref.ref(picture), picture.ctypes.data, picture.shape[:2]

        def _read(self, name):
            module.reads[name] += 1
            value = self._found.get(name)
            return [_given(one) for one in value] if isinstance(value, list) else _given(value)

        poseKeypoints = property(lambda self: self._read("poseKeypoints"))  # noqa: N815
        faceKeypoints = property(lambda self: self._read("faceKeypoints"))  # noqa: N815
        handKeypoints = property(lambda self: self._read("handKeypoints"))  # noqa: N815

        @property
        def poseIds(self):  # noqa: N802
            if not opaque:
                raise TypeError("Unable to convert function return value to a Python type!")
            return self._read("poseIds")

    def _given(value):
        """A copy at each read; what is empty looks otherwise in each version."""
        if value is not None:
            return value.astype(np.float32)
        if not empty_is_none:
            return np.array(np.nan, np.float32)  # no axes, and whatever stood in memory
        if version == "1.7.0":
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(None))  # handed out without being counted
        return None

    class WrapperPython:
        def __init__(self, *mode):
            if mode and isinstance(mode[0], int) == opaque:
                raise TypeError("__init__(): incompatible constructor arguments.")
            self.started, self.pictures = False, 0

        def configure(self, params):
            for key, value in params.items():
                if "=" in key:
                    raise RuntimeError("PyOpenPose does not support equal sign flags")
                if key not in FLAGS:
                    sys.stderr.write(f"ERROR: unknown command line flag '{key}'\n")
                    raise SystemExit(1)
                module.flags[key] = str(value)

        def start(self):
            if not module.flags["model_folder"].endswith("/"):
                raise RuntimeError(f"Prototxt file not found: {module.flags['model_folder']}pose/body_25")
            self.started = True

        def waitAndEmplace(self, datums):  # noqa: N802
            raise _LostError("free(): invalid pointer")

        def emplaceAndPop(self, datums):  # noqa: N802
            if isinstance(datums, list) == opaque:
                raise TypeError("emplaceAndPop(): incompatible function arguments.")
            if not self.started:
                raise _LostError("waits for ever")
            if self.pictures == abort_at:
                faulthandler.disable()  # pytest's; it would write the whole stack
                os.write(1, b"WARNING: this is not the CUDA version\n")
                os.write(2, b"F1122 syncedmem.cpp:71] Check failed: error == cudaSuccess (2 vs. 0)  out of memory\n")
                os.write(2, b"*** Check failure stack trace: ***\n" + b"    @  0x7f6cafe2d45d  op::SubThread<>\n" * 40)
                os.abort()
            (datum,) = datums if isinstance(datums, list) else datums.items
            stopped = 0 <= stop_at <= self.pictures
            if not stopped:
                _find(datum, self.pictures)
            self.pictures += 1
            return not stopped if opaque else None

    def _find(datum, number):
        alive, address, (height, width) = datum._input
        if alive() is None:
            raise _LostError("segmentation fault: the picture's memory was freed")
        memory = (ctypes.c_uint8 * (height * width * 3)).from_address(address)
        bgr = np.frombuffer(memory, np.uint8).reshape(height, width, 3)
        person = (bgr[..., 2] == RED) & (bgr[..., 1] == GREEN)
        found = []
        for who in np.unique(bgr[person][:, 0]):
            rows, columns = np.nonzero(person & (bgr[..., 0] == who))
            found.append(skeleton(columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1))
        if number % 2:  # nobody's place is their own
            found.reverse()
        bodies, faces, hands = (np.stack(parts) for parts in zip(*found, strict=True)) if found else (None,) * 3
        datum._found = {
            "poseKeypoints": bodies,
            "poseIds": None,  # -1 for everyone with `tracking` only
            "faceKeypoints": faces if module.flags["face"] == "True" else None,
            "handKeypoints": list(hands.swapaxes(0, 1)) if found and module.flags["hand"] == "True" else [None, None],
        }

    class VectorDatum:
        def __init__(self, datums):
            self.items = list(datums)

    module.Datum, module.WrapperPython = Datum, WrapperPython
    if opaque:
        module.VectorDatum = VectorDatum
        module.ThreadManagerMode = type("ThreadManagerMode", (), {"Asynchronous": object()})
    return module
