"""Figures of one series of pictures against the true ones, gathered frame by frame in constant memory per frame."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from understudy.metrics.image import laplacian_energy, psnr, shift_tolerant_psnr, ssim
from understudy.metrics.motion import drift, warp_error

GREY = np.uint8(128)


@dataclass(frozen=True)
class TrueFrame:
    """One frame as it should look.

    Attributes:
        number: counts the frames of an unbroken run up by one; a jump or step back starts a new run.
        picture: (H, W, 3) uint8 RGB.
        person: (H, W) bool, the person and a margin.
        flow: (H, W, 2) float32 px, back to the frame before.
        trusted: (H, W) bool, where `flow` is known.
        face: (H, W) bool, the face and a margin; None where it is not known.
        counted: (H, W) bool, what figures are taken of; None where it is everything.
    """

    number: int
    picture: np.ndarray
    person: np.ndarray
    flow: np.ndarray
    trusted: np.ndarray
    face: np.ndarray | None = None
    counted: np.ndarray | None = None


@dataclass
class Series:
    """Collects the figures of a series; frames without a person do not count.

    Args:
        tolerance_px: of the shift-tolerant PSNR, pixels at 128 px height.
        every: measure one frame of so many; all must be added, because each is the next one's past.
    """

    tolerance_px: float
    every: int = 1
    _figures: list[dict[str, float]] = field(default_factory=list)
    _before: tuple[np.ndarray, TrueFrame] | None = None

    def add(self, picture: np.ndarray, true: TrueFrame) -> None:
        """Add the next picture (H, W, 3) uint8 and its truth."""
        picture, true, left_out = _counted_only(picture, true)
        if true.number % self.every == 0 and true.person.any():
            self._figures.append(self._measure(picture, true) | left_out)
        self._before = picture, true

    def figures(self) -> dict[str, float | int | None]:
        """Return means over the frames, rounded; None where there was nothing to measure."""
        whole = {name: self._column(name) for name in ("psnr", "psnr_person", "ssim", "ssim_person", "tolerant")}
        person = whole["psnr_person"]
        return {
            "frames": len(self._figures),
            "psnr_db": _rounded(_mean(whole["psnr"]), 2),
            "psnr_person_db": _rounded(_mean(person), 2),
            "ssim": _rounded(_mean(whole["ssim"]), 4),
            "ssim_person": _rounded(_mean(whole["ssim_person"]), 4),
            "shift_tolerant_psnr_person_db": _rounded(_mean(whole["tolerant"]), 2),
            "sharpness_person_ratio": _rounded(self._ratio("detail"), 3),
            "warp_error_person_ratio": _rounded(self._ratio("change"), 3),
            "drift_person_db": _rounded(drift(person) if len(person) else math.nan, 2),
            **self._face_figures(),
            **self._ignored_figures(),
        }

    def _ignored_figures(self) -> dict[str, float | None]:
        """Return what share of the pixels, and of the person's, figures leave out; nothing where they take all."""
        names = ("ignored_share", "ignored_person_share")
        return {name: _rounded(_mean(self._column(name)), 4) for name in names if len(self._column(name))}

    def _face_figures(self) -> dict[str, float | int | None]:
        """Return what is measured about the face; nothing where no frame shows one."""
        frames = self._column("psnr_face")
        if not len(frames):
            return {}
        return {
            "face_frames": len(frames),
            "psnr_face_db": _rounded(_mean(frames), 2),
            "ssim_face": _rounded(_mean(self._column("ssim_face")), 4),
            "sharpness_face_ratio": _rounded(self._ratio("detail_face"), 3),
        }

    def _measure(self, picture: np.ndarray, true: TrueFrame) -> dict[str, float]:
        truth, person, counted = true.picture, true.person, true.counted
        figures = {
            "psnr": psnr(picture, truth, counted),
            "psnr_person": psnr(picture, truth, person),
            "ssim": ssim(picture, truth, counted),
            "ssim_person": ssim(picture, truth, person),
            "tolerant": shift_tolerant_psnr(picture, truth, self.tolerance_px, person),
            "detail": laplacian_energy(picture, person),
            "true_detail": laplacian_energy(truth, person),
        }
        if true.face is not None and true.face.any():
            figures |= {
                "psnr_face": psnr(picture, truth, true.face),
                "ssim_face": ssim(picture, truth, true.face),
                "detail_face": laplacian_energy(picture, true.face),
                "true_detail_face": laplacian_energy(truth, true.face),
            }
        if self._before is not None and self._before[1].number == true.number - 1:
            before, true_before = self._before
            trusted = true.trusted & person
            figures["change"] = warp_error(picture, before, true.flow, trusted)
            figures["true_change"] = warp_error(truth, true_before.picture, true.flow, trusted)
        return figures

    def _column(self, name: str) -> np.ndarray:
        return np.array([figures[name] for figures in self._figures if not math.isnan(figures.get(name, math.nan))])

    def _ratio(self, name: str) -> float:
        """Mean of a figure over the mean of the same figure of the truth."""
        true = _mean(self._column(f"true_{name}"))
        return _mean(self._column(name)) / true if true > 0 else math.nan


def _counted_only(picture: np.ndarray, true: TrueFrame) -> tuple[np.ndarray, TrueFrame, dict[str, float]]:
    """Leave out what does not count: grey in both pictures, because windows of figures reach into it; in no mask.

    Returns:
        picture and truth so, and the shares of all pixels and of the person's that are left out.
    """
    if true.counted is None:
        return picture, true, {}
    picture, truth = (np.where(true.counted[..., None], one, GREY) for one in (picture, true.picture))
    masks = {
        name: mask & true.counted for name in ("person", "trusted", "face") if (mask := getattr(true, name)) is not None
    }
    shares = {
        "ignored_share": 1 - float(true.counted.mean()),
        "ignored_person_share": 1 - float(true.counted[true.person].mean()) if true.person.any() else math.nan,
    }
    return picture, replace(true, picture=truth, **masks), shares


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan


def _rounded(value: float, digits: int) -> float | None:
    return None if math.isnan(value) else round(value, digits)
