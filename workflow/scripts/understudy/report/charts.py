"""Curves for the report as inline SVG: numbers over frames or steps, no script needed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDE, HIGH = 600.0, 120.0  # of a drawing's own units; CSS stretches it
MOST_POINTS = 600


@dataclass(frozen=True)
class Chart:
    """A curve ready to show.

    Attributes:
        title: what it shows.
        svg: drawing, without its axes' words, which CSS places so that they are never stretched.
        high, low: ends of the vertical axis, in words.
        first, last: ends of the horizontal axis, in words.
        note: a further word on the axis.
        frames: frames of the film the horizontal axis spans; 0 where it shows something else.
    """

    title: str
    svg: Markup
    high: str
    low: str
    first: str
    last: str
    note: str = ""
    frames: int = 0


def draw_curve(
    title: str,
    points: Sequence[tuple[float, float | None]],
    ends: tuple[str, str],
    threshold: float | None = None,
    frames: int = 0,
    log: bool = False,
) -> Chart | None:
    """Draw a curve; None where no point has a value.

    Args:
        title: what it shows.
        points: (place, value) in rising places; a gap where the value is None.
        ends: words at both ends of the horizontal axis.
        threshold: a value to mark by a line.
        frames: of the film that the axis spans.
        log: values on a logarithmic scale, where all are above 0.
    """
    known = [(place, value) for place, value in points if value is not None and math.isfinite(value)]
    if not known:
        return None
    values = [value for _, value in known] + ([threshold] if threshold is not None else [])
    low, high = min(values), max(values)
    log = log and low > 0 and high > 10 * low
    first, last = points[0][0], points[-1][0]

    def across(place: float) -> float:
        return (place - first) / ((last - first) or 1) * WIDE

    def down(value: float) -> float:
        under, over, here = (math.log(x) if log else x for x in (low, high, value))
        return HIGH - (here - under) / ((over - under) or 1) * HIGH

    parts = [f'<path class="curve" d="{_path(points, across, down)}"/>']
    if threshold is not None:
        parts.insert(0, f'<path class="limit" d="M0 {down(threshold):.1f}H{WIDE:.0f}"/>')
    label = f"{title}: from {_word(low)} to {_word(high)}"
    svg = Markup('<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">').format(
        int(WIDE), int(HIGH), label
    ) + Markup("".join(parts) + "</svg>")
    return Chart(title, svg, _word(high), _word(low), *ends, "logarithmic" if log else "", frames)


def _path(points: Sequence[tuple[float, float | None]], across, down) -> str:
    """Return the path of a curve, broken at gaps; thinned where it has more points than can be seen."""
    every = max(1, math.ceil(len(points) / MOST_POINTS))
    path, pen = [], "M"
    for place, value in points[::every]:
        if value is None or not math.isfinite(value):
            pen = "M"
            continue
        path.append(f"{pen}{across(place):.1f} {down(value):.1f}")
        pen = "L"
    return "".join(path) + ("h0.01" if len(path) == 1 else "")


def _word(value: float) -> str:
    return f"{value:.3g}"
