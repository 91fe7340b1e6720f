"""RAFT from its authors' weights, which you bring; slower than `dis` on a CPU, better on a GPU and in large motion."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from understudy.errors import BackendError
from understudy.flow.backends._raft import DOWN, Raft
from understudy.job import file_digest
from understudy.settings import FlowSettings

ITERATIONS = {"medium": 12, "fine": 32}
LEAST_PX = 128  # of a side: the coarsest level of the correlation pyramid has two cells then
PARALLEL = "module."  # the published weights were saved from several GPUs
TWICE = ".norm3."  # and hold a block's third norm under two names


class Backend:
    """Teed and Deng, RAFT: Recurrent All-Pairs Field Transforms for Optical Flow, ECCV 2020."""

    name = "raft"

    def __init__(self, settings: FlowSettings):
        """
        Raises:
            BackendError: the weights are missing, others than asked for or no RAFT's, or there is no such device.
        """
        chosen = settings.raft
        path = Path(chosen.weights)
        if chosen.device == "cuda" and not torch.cuda.is_available():
            raise BackendError(
                "flow.raft.device is cuda, but PyTorch finds no GPU here; run the job where there is one, or set "
                "flow.raft.device to cpu (about a second a frame at 256 px)."
            )
        self.device = torch.device(chosen.device)
        self.iterations = ITERATIONS[settings.quality]
        self.version = f"large {_digest(path, chosen.sha256)[:12]}, {self.iterations} iterations"
        self.network = load_network(path).to(self.device)

    @torch.inference_mode()
    def __call__(self, here: np.ndarray, there: np.ndarray) -> np.ndarray:
        """Estimate the flow from one frame (H, W, 3) uint8 RGB to another: (H, W, 2) float32 px."""
        height, width = here.shape[:2]
        pictures = [_padded(frame).to(self.device) for frame in (here, there)]
        flow = self.network(*pictures, self.iterations)[0, :, :height, :width]
        return np.ascontiguousarray(flow.permute(1, 2, 0).cpu().numpy())


def load_network(path: Path) -> Raft:
    """Load the large RAFT from a state dict (.pth), with or without the prefix `module.`.

    Raises:
        BackendError: the file is no state dict of it.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a wrong file raises is anybody's guess
        raise BackendError(
            f"flow.raft.weights names {path} ({path.stat().st_size} bytes), which is no PyTorch state dict: {error}. "
            f"Take raft-things.pth or raft-sintel.pth out of the authors' archive."
        ) from error
    network = Raft()
    named = found if isinstance(found, dict) and all(isinstance(name, str) for name in found) else {}
    state = {name.removeprefix(PARALLEL): values for name, values in named.items()}
    state = {name: values for name, values in state.items() if TWICE not in name}
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in state]
    wrong = [name for name in wanted if name in state and getattr(state[name], "shape", None) != wanted[name].shape]
    strange = [name for name in state if name not in wanted]
    if missing or wrong or strange:
        listed = ", ".join((missing or wrong or strange)[:3])
        raise BackendError(
            f"{path} is no state dict of the large RAFT: {len(missing)} of {len(wanted)} tensors are missing, "
            f"{len(wrong)} have another shape, {len(strange)} are unknown (such as {listed}). Take raft-things.pth or "
            f"raft-sintel.pth; the small variant is another network."
        )
    if not all(state[name].isfinite().all() for name in wanted):
        raise BackendError(f"{path} holds weights that are not finite; it is damaged: fetch it anew.")
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def _digest(path: Path, sha256: str) -> str:
    if not path.is_file():
        raise BackendError(
            f"flow.raft.weights is '{path if path.name else ''}', and no such file exists (relative paths start at the "
            f"working folder); docs/estimators.md says where the weights are to be had."
        )
    digest = file_digest(path)
    if sha256 and digest != sha256:
        raise BackendError(
            f"flow.raft.weights names {path}, whose SHA-256 is {digest}, but flow.raft.sha256 asks for {sha256}; fetch "
            f"the file anew, or correct the sum."
        )
    return digest


def _padded(frame: np.ndarray) -> Tensor:
    """Turn a frame into (1, 3, H', W') of -1..1, its last row and column repeated up to what the network takes."""
    picture = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].float() / 127.5 - 1
    height, width = (max(LEAST_PX, -(-side // DOWN) * DOWN) for side in picture.shape[-2:])
    return functional.pad(picture, (0, width - picture.shape[-1], 0, height - picture.shape[-2]), mode="replicate")
