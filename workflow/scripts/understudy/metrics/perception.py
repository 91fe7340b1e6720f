"""LPIPS, FID and FVD of a series, as far as the user gave weights; protocol and checksums go with the figures."""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import torch

from understudy.job import file_digest
from understudy.metrics.i3d import CLIP_FRAMES, I3d
from understudy.metrics.inception import Inception
from understudy.metrics.lpips import Lpips
from understudy.settings import NetworksSettings

LEAST_CLIPS = 2  # of which a covariance can be taken


@dataclass(frozen=True)
class Networks:
    """The networks there are weights for."""

    lpips: Lpips | None = None
    inception: Inception | None = None
    i3d: I3d | None = None

    @classmethod
    def of(cls, settings: NetworksSettings) -> Self:
        """Read the weights that the settings name.

        Raises:
            WeightsError: a file is not what it should be.
        """
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return cls(
            Lpips(settings.lpips, device) if settings.lpips.trunk and settings.lpips.heads else None,
            Inception(settings.fid, device) if settings.fid.weights else None,
            I3d(settings.fvd, device) if settings.fvd.weights else None,
        )


@dataclass
class Perception:
    """Collects what networks see of a series and of its truth."""

    networks: Networks
    _pictures: tuple[list[np.ndarray], list[np.ndarray]] = field(default_factory=lambda: ([], []))  # features
    _clips: tuple[list[np.ndarray], list[np.ndarray]] = field(default_factory=lambda: ([], []))
    _run: deque = field(default_factory=lambda: deque(maxlen=CLIP_FRAMES))
    _number: int | None = None

    def add(self, picture: np.ndarray, truth: np.ndarray, number: int) -> None:
        """Add the next picture (H, W, 3) uint8 and its truth; a jump in the numbers begins a new run."""
        if self.networks.inception is not None:
            for features, each in zip(self._pictures, (picture, truth), strict=True):
                features.append(self.networks.inception(each))
        if self.networks.i3d is None:
            return
        if self._number is not None and number != self._number + 1:
            self._run.clear()
        self._number = number
        self._run.append((picture.copy(), truth.copy()))
        if len(self._run) == CLIP_FRAMES:
            for features, clip in zip(self._clips, zip(*self._run, strict=True), strict=True):
                features.append(self.networks.i3d(clip))
            for _ in range(CLIP_FRAMES // 2):  # clips overlap by half
                self._run.popleft()

    def distance(self, picture: np.ndarray, truth: np.ndarray) -> dict[str, float]:
        """LPIPS of one frame; nothing without its weights."""
        return {"lpips": self.networks.lpips(picture, truth)} if self.networks.lpips is not None else {}

    def figures(self) -> dict[str, float | int | None]:
        """Return FID and FVD, and of how many pictures and clips; nothing without their weights."""
        figures: dict[str, float | int | None] = {}
        for name, features, things, network in (
            ("fid", self._pictures, "pictures", self.networks.inception),
            ("fvd", self._clips, "clips", self.networks.i3d),
        ):
            if network is not None:
                enough = len(features[0]) >= LEAST_CLIPS
                figures[name] = round(frechet_distance(*map(np.stack, features)), 3) if enough else None
                figures[f"{name}_{things}"] = len(features[0])
        return figures


def frechet_distance(mine: np.ndarray, theirs: np.ndarray) -> float:
    """Frechet distance of two normal distributions that have the means and covariances of features (N, C), (M, C).

    |m - m'|^2 + tr(S + S' - 2 (S S')^(1/2)); the root's trace is the sum of the singular values of X X'^T, X being the
    centred features over the root of their count less one, so that no root of a matrix without full rank is taken.

    Source: Dowson and Landau, Journal of Multivariate Analysis 12, 1982; Heusel et al., NeurIPS 2017.
    """
    centred = [(each - each.mean(0)) / np.sqrt(len(each) - 1) for each in (mine, theirs)]
    small = [np.linalg.qr(each, mode="r") for each in centred]  # the same X^T X in at most C rows
    root = np.linalg.svd(small[0] @ small[1].T, compute_uv=False).sum()
    spread = sum((each**2).sum() for each in centred)
    return float(max(((mine.mean(0) - theirs.mean(0)) ** 2).sum() + spread - 2 * root, 0.0))


def networks_protocol(settings: NetworksSettings) -> list[str]:
    """Say which weights figures stand on, and how they were taken; nothing for those that are not given."""
    sentences = []
    if settings.lpips.trunk and settings.lpips.heads:
        digests = [file_digest(Path(path))[:16] for path in (settings.lpips.trunk, settings.lpips.heads)]
        sentences.append(
            f"lpips: version 0.1 with AlexNet on whole pictures at their own size, mean over measured frames; trunk "
            f"SHA-256 {digests[0]}..., heads {digests[1]}...."
        )
    if settings.fid.weights:
        sentences.append(
            f"fid: Inception of pytorch-fid (SHA-256 {file_digest(Path(settings.fid.weights))[:16]}...) on pictures "
            "brought to 299 x 299 px, all pictures drawn against all true ones. It falls with their number and is far "
            "too high for a few hundred: compare it only between films of as many frames."
        )
    if settings.fvd.weights:
        sentences.append(
            f"fvd: logits of I3D (SHA-256 {file_digest(Path(settings.fvd.weights))[:16]}...) of clips of {CLIP_FRAMES} "
            "frames at 224 x 224 px that overlap by half, against the true ones. It falls with their number: compare "
            "it only between films of as many clips."
        )
    return sentences
