"""The table of stages written out from lists of heights and clip lengths."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from understudy.errors import SettingsError

_LISTS = ("heights_px", "clip_frames")


def grown_stages(grow: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write the rows of `training.stages` from `training.grow`, whose keys are all there.

    Args:
        grow: `heights_px`, `clip_frames`, and what else a row holds.

    Returns:
        One row per stage, its keys in the schema's order.

    Raises:
        SettingsError: a list does not rise.

    Source: Wang et al., Video-to-Video Synthesis, 2018, section 3.3: space and time grow alternately; their rate halves
        as the height doubles.
    """
    for name in _LISTS:
        if any(later <= earlier for earlier, later in pairwise(grow[name])):
            raise SettingsError(f"training.grow.{name} is {list(grow[name])}, expected numbers that rise; sort them.")
    heights, lengths = grow["heights_px"], grow["clip_frames"]
    shared = {key: value for key, value in grow.items() if key not in _LISTS}
    places = alternate(len(heights), len(lengths))
    before = [0, *(s for s, _ in places)]  # of the row before; the first starts from nothing
    rows = []
    for number, (s, t) in enumerate(places):
        smaller = heights[0] / heights[s]
        own = {
            "batch": max(1, int(grow["batch"] * smaller)),
            "learning_rate": grow["learning_rate"] * smaller,
            "judges_from": round(min(1.0, max(0.0, grow["judges_from"] * len(places) - number)), 6),
            "freeze": grow["freeze"] if s > before[number] else 0.0,
            "face": 0,
        }
        rows.append({"name": f"s{s}t{t}", "height_px": heights[s], "clip_frames": lengths[t]} | shared | own)
    return rows


def alternate(heights: int, lengths: int) -> Sequence[tuple[int, int]]:
    """Return the places (S, T) in two lists, from (0, 0) to the last: T grows first, then both in turn while they can.

    Args:
        heights, lengths: entries of each list, 1 or more.
    """
    s = t = 0
    places = [(s, t)]
    longer = True  # whose turn it is
    while (s, t) != (heights - 1, lengths - 1):
        if (longer and t < lengths - 1) or s == heights - 1:
            t += 1
        else:
            s += 1
        longer = not longer
        places.append((s, t))
    return places
