"""Figures of one series of pictures against the true ones, gathered frame by frame in constant memory per frame."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from understudy.flow.agreement import sample
from understudy.metrics.image import decibels, laplacian_energy, mean, psnr, shift_tolerant_error
from understudy.metrics.motion import drift, flicker, quarters, warp_error
from understudy.metrics.perception import Networks, Perception
from understudy.metrics.similarity import Similarity

GREY = np.uint8(128)
WHOLE_EVERY = 4  # the shift-tolerant PSNR of the whole picture is taken of one measured frame in four: it costs most
REGIONS = ("face", "hands")  # that not every frame shows
DIGITS = {"db": 2, "ratio": 3}  # by the last word of a figure's name; else 4


@dataclass(frozen=True)
class TrueFrame:
    """One frame as it should look.

    Attributes:
        number: counts the frames of an unbroken run up by one; a jump or step back starts a new run.
        picture: (H, W, 3) uint8 RGB.
        person: (H, W) bool, the person and a margin.
        flow: (H, W, 2) float32 px, back to the frame before.
        trusted: (H, W) bool, where `flow` is known.
        face, hands: (H, W) bool, with a margin; None where they are not known.
        counted: (H, W) bool, what figures are taken of; None where it is everything.
        clip, frame: where it is in the footage; None where that is `number`.
    """

    number: int
    picture: np.ndarray
    person: np.ndarray
    flow: np.ndarray
    trusted: np.ndarray
    face: np.ndarray | None = None
    hands: np.ndarray | None = None
    counted: np.ndarray | None = None
    clip: int | None = None
    frame: int | None = None


@dataclass(frozen=True)
class _Moved:
    """A picture and its truth, moved along the motion to the next frame, and where both can be trusted."""

    picture: np.ndarray
    truth: np.ndarray
    trusted: np.ndarray


@dataclass
class Series:
    """Collects the figures of a series; frames without a person do not count.

    Args:
        tolerance_px: of the shift-tolerant PSNR, pixels at 128 px height.
        every: measure one frame of so many; all must be added, because each is the next one's past.
        networks: those there are weights for.
    """

    tolerance_px: float
    every: int = 1
    networks: Networks = field(default_factory=Networks)
    rows: list[dict[str, Any]] = field(default_factory=list)  # of each measured frame, by figure, not rounded
    _before: tuple[np.ndarray, TrueFrame] | None = None
    _perception: Perception = field(init=False)
    _moved: _Moved | None = None  # the frame before the last one, where the last one shows it

    def __post_init__(self) -> None:
        self._perception = Perception(self.networks)

    def add(self, picture: np.ndarray, true: TrueFrame) -> None:
        """Add the next picture (H, W, 3) uint8 and its truth."""
        picture, true, left_out = _counted_only(picture, true)
        self._perception.add(picture, true.picture, true.number)
        last = self._last(true)
        if true.number % self.every == 0 and true.person.any():
            place = {"frame": true.number if true.frame is None else true.frame}
            place |= {} if true.clip is None else {"clip": true.clip}
            seen = self._perception.distance(picture, true.picture)
            self.rows.append(place | self._measure(picture, true, last) | seen | left_out)
        self._before, self._moved = (picture, true), last

    def figures(self) -> dict[str, Any]:
        """Return means over the frames, rounded; None where there was nothing to measure."""
        person = self._column("psnr_person_db")
        figures: dict[str, Any] = {"frames": len(self.rows)}
        for name in ("psnr", "psnr_person", "shift_tolerant_psnr", "shift_tolerant_psnr_person"):
            figures[f"{name}_db"] = _rounded(_mean(self._column(f"{name}_db")), 2)
        for name in ("ssim", "ssim_person", "ms_ssim", "ms_ssim_person"):
            figures[name] = _rounded(_mean(self._column(name)), 4)
        for name in ("sharpness", "sharpness_person", "warp_error", "warp_error_person", "flicker_person"):
            figures[f"{name}_ratio"] = _rounded(self._ratio(name), 3)
        figures["drift_person_db"] = _rounded(drift(person) if len(person) else math.nan, 2)
        figures["quarters_person_db"] = [round(value, 2) for value in quarters(person)]
        for region in REGIONS:
            figures |= self._region_figures(region)
        if self.networks.lpips is not None:
            figures["lpips"] = _rounded(_mean(self._column("lpips")), 4)
        return figures | self._perception.figures() | self._ignored_figures()

    def per_frame(self) -> dict[str, list[Any]]:
        """Return a list for each figure, a value for each measured frame, rounded; None where a frame has none."""
        names = list(dict.fromkeys(name for row in self.rows for name in row if not name.startswith(("_", "ignored"))))
        return {name: [_shown(name, row.get(name, math.nan)) for row in self.rows] for name in names}

    def _region_figures(self, region: str) -> dict[str, Any]:
        """Return what is measured about the face or the hands; nothing where no frame shows them."""
        frames = self._column(f"psnr_{region}_db")
        if not len(frames):
            return {}
        names = (f"psnr_{region}_db", f"shift_tolerant_psnr_{region}_db", f"ssim_{region}", f"ms_ssim_{region}")
        means = {name: _shown(name, _mean(self._column(name))) for name in names}
        sharpness = _rounded(self._ratio(f"sharpness_{region}"), 3)
        return {f"{region}_frames": len(frames), **means, f"sharpness_{region}_ratio": sharpness}

    def _ignored_figures(self) -> dict[str, float | None]:
        """Return what share of the pixels, and of the person's, figures leave out; nothing where they take all."""
        names = ("ignored_share", "ignored_person_share")
        return {name: _rounded(_mean(self._column(name)), 4) for name in names if len(self._column(name))}

    def _last(self, true: TrueFrame) -> _Moved | None:
        """Move the frame before to this one; None at the start of a run."""
        if self._before is None or self._before[1].number != true.number - 1:
            return None
        picture, before = self._before
        moved = (sample(one.astype(np.float32), true.flow) for one in (picture, before.picture))
        return _Moved(*moved, true.trusted)

    def _measure(self, picture: np.ndarray, true: TrueFrame, last: _Moved | None) -> dict[str, float]:
        figures = self._likeness(picture, true)
        for region, mask in (("", true.counted), ("_person", true.person), *_shown_regions(true)):
            figures |= _versus(
                f"sharpness{region}", laplacian_energy(picture, mask), laplacian_energy(true.picture, mask)
            )
        if last is None or self._before is None:
            return figures
        before, true_before = self._before
        for region, mask in (("", true.trusted), ("_person", true.trusted & true.person)):
            change = warp_error(picture, before, true.flow, mask)
            figures |= _versus(
                f"warp_error{region}", change, warp_error(true.picture, true_before.picture, true.flow, mask)
            )
        return figures | self._flicker(picture, true, last)

    def _likeness(self, picture: np.ndarray, true: TrueFrame) -> dict[str, float]:
        """Return PSNR, shift-tolerant PSNR, SSIM and MS-SSIM of every region."""
        regions = (("_person", true.person), *_shown_regions(true))
        every = true.counted if true.counted is not None else np.ones(true.person.shape, bool)
        whole = len(self.rows) % WHOLE_EVERY == 0
        near = every if whole else np.logical_or.reduce([mask for _, mask in regions])
        errors = shift_tolerant_error(picture, true.picture, self.tolerance_px, near)
        similarity = Similarity.of(picture, true.picture)
        figures = {}
        for region, mask in (("", every), *regions):
            figures[f"psnr{region}_db"] = psnr(picture, true.picture, mask)
            if region or whole:
                figures[f"shift_tolerant_psnr{region}_db"] = decibels(mean(errors, mask))
            figures[f"ssim{region}"] = similarity.ssim(mask)
            figures[f"ms_ssim{region}"] = similarity.ms_ssim(mask if region or true.counted is not None else None)
        return figures

    def _flicker(self, picture: np.ndarray, true: TrueFrame, last: _Moved) -> dict[str, float]:
        """Return change on the person that is taken back; nothing at the second frame of a run."""
        if self._moved is None:
            return {}
        first, first_truth = (sample(one, true.flow) for one in (self._moved.picture, self._moved.truth))
        reached = sample(self._moved.trusted.astype(np.float32), true.flow) > 0.99
        trusted = true.trusted & true.person & reached
        mine, _ = flicker(picture, last.picture, first, trusted)
        theirs, _ = flicker(true.picture, last.truth, first_truth, trusted)
        return _versus("flicker_person", mine, theirs)

    def _column(self, name: str) -> np.ndarray:
        return np.array([row[name] for row in self.rows if not math.isnan(row.get(name, math.nan))])

    def _ratio(self, name: str) -> float:
        """Mean of a figure over the mean of the same figure of the truth."""
        true = _mean(self._column(f"_true_{name}"))
        return _mean(self._column(f"_{name}")) / true if true > 0 else math.nan


def _shown_regions(true: TrueFrame) -> list[tuple[str, np.ndarray]]:
    masks = ((region, getattr(true, region)) for region in REGIONS)
    return [(f"_{region}", mask) for region, mask in masks if mask is not None and mask.any()]


def _versus(name: str, mine: float, true: float) -> dict[str, float]:
    """A figure of the picture, of the truth, and their ratio."""
    return {f"_{name}": mine, f"_true_{name}": true, f"{name}_ratio": mine / true if true > 0 else math.nan}


def _counted_only(picture: np.ndarray, true: TrueFrame) -> tuple[np.ndarray, TrueFrame, dict[str, float]]:
    """Leave out what does not count: grey in both pictures, because windows of figures reach into it; in no mask.

    Returns:
        picture and truth so, and the shares of all pixels and of the person's that are left out.
    """
    if true.counted is None:
        return picture, true, {}
    picture, truth = (np.where(true.counted[..., None], one, GREY) for one in (picture, true.picture))
    masks = {
        name: mask & true.counted
        for name in ("person", "trusted", *REGIONS)
        if (mask := getattr(true, name)) is not None
    }
    shares = {
        "ignored_share": 1 - float(true.counted.mean()),
        "ignored_person_share": 1 - float(true.counted[true.person].mean()) if true.person.any() else math.nan,
    }
    return picture, replace(true, picture=truth, **masks), shares


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else math.nan


def _shown(name: str, value: float) -> float | int | None:
    """Round a figure as its name asks for."""
    return value if isinstance(value, int) else _rounded(value, DIGITS.get(name.rsplit("_", 1)[-1], 4))


def _rounded(value: float, digits: int) -> float | None:
    return None if math.isnan(value) else round(value, digits)
