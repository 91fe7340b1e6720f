"""How still a film is where no truth is known: change along the surface, and change of the background."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from understudy.dataset.batch import SemanticMap
from understudy.flow.agreement import sample
from understudy.metrics.image import scaled_px
from understudy.metrics.motion import flicker, warp_error

GROUND_MARGIN_PX = 8  # at 128 px height: clothes and hair reach so far beyond the body


@dataclass
class Steadiness:
    """Collects the changes from frame to frame of a series of pictures; compare it with real footage's own."""

    _person: list[float] = field(default_factory=list)
    _ground: list[float] = field(default_factory=list)
    _flicker: list[float] = field(default_factory=list)
    _before: tuple[np.ndarray, np.ndarray] | None = None
    _moved: tuple[np.ndarray, np.ndarray] | None = None  # the picture before the last one, moved to it, and where

    def add(self, picture: np.ndarray, semantic: SemanticMap) -> None:
        """Add the next picture (H, W, 3) uint8 and the map it was drawn from, B = 1."""
        ground, moved = _ground(semantic, len(picture)), None
        if self._before is not None:
            before, ground_before = self._before
            flow = np.ascontiguousarray(semantic.flow[0].permute(1, 2, 0).numpy())
            valid = semantic.flow_valid[0, 0].numpy() > 0
            self._person.append(warp_error(picture, before, flow, valid))
            self._ground.append(warp_error(picture, before, np.zeros_like(flow), ground & ground_before))
            moved = sample(before.astype(np.float32), flow), valid
            if self._moved is not None:
                first, reached = (sample(each.astype(np.float32), flow) for each in self._moved)
                self._flicker.append(flicker(picture, moved[0], first, valid & (reached > 0.99))[1])
        self._before, self._moved = (picture, ground), moved

    def figures(self) -> dict[str, float | int | None]:
        """Return means over the steps, percent of the range of values; None where there was nothing to see."""
        return {
            "steps": len(self._person),
            "person_change_percent": _percent(self._person),
            "background_change_percent": _percent(self._ground),
            "flicker_index": _mean(self._flicker),
        }


def _ground(semantic: SemanticMap, height: int) -> np.ndarray:
    """Mark the pixels (H, W) well away from the body."""
    samples = semantic.samples
    part = semantic.part[0].numpy()
    rows, columns = part.shape
    body = (part > 0).reshape(rows // samples, samples, columns // samples, samples).any((1, 3))
    side = 2 * scaled_px(GROUND_MARGIN_PX, height) + 1
    return cv2.dilate(body.astype(np.uint8), np.ones((side, side), np.uint8)) == 0


def _mean(values: list[float]) -> float | None:
    seen = [value for value in values if not np.isnan(value)]
    return round(float(np.mean(seen)), 4) if seen else None


def _percent(changes: list[float]) -> float | None:
    seen = [change for change in changes if not np.isnan(change)]
    return round(100 * float(np.mean(seen)), 3) if seen else None
