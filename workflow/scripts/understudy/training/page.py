"""The page of a training: one HTML file that needs no network and refreshes itself while the stage runs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from understudy.training.curves import Curve
from understudy.training.strip import StripShape

REFRESH = {"running": 10, "stopped": 60}  # seconds; a stage that is done stays as it is
SPAN = 100.0  # width and height of a drawing; CSS stretches it
WIDE = ("held_out/person_psnr_db", "loss/total")  # shown large, in this order
TITLES = {
    "held_out/person_psnr_db": "Held-out person, PSNR in dB (higher is better)",
    "loss/total": "Total loss (lower is better)",
    "rate/learning_rate": "Learning rate",
    "rate/steps_per_second": "Steps a second",
}
HIDDEN = ("rate/training_seconds",)


@dataclass(frozen=True)
class Pictures:
    """Where the pictures lie: `folder`, from the page; every preview by its step; the strip's shape and file name."""

    folder: str
    previews: Mapping[int, Path]
    shape: StripShape | None
    strip: str


def training_page(facts: Mapping[str, Any], curves: Mapping[str, Curve], pictures: Pictures) -> str:
    """Return the HTML of a stage.

    Args:
        facts: content of progress.json.
        curves: each figure's points.
        pictures: the previews and their strip.
    """
    title = escape(f"{facts['performer']} · {facts['stage']}")
    seconds = REFRESH.get(facts["state"])
    refresh = f'<meta http-equiv="refresh" content="{seconds}">' if seconds else ""
    wide = [_chart(name, curves[name], "wide") for name in WIDE if name in curves]
    others = [name for name in curves if name not in WIDE + HIDDEN]
    small = [_chart(name, curves[name]) for name in sorted(others, key=lambda name: (name.startswith("rate/"), name))]
    return PAGE.format(
        title=title,
        refresh=refresh,
        style=STYLE,
        script=SCRIPT if facts["state"] == "running" else "",
        head=_head(facts, title),
        strip=_strip(curves, pictures),
        wide="\n".join(wide),
        small="\n".join(small) or "<p>No step is reported yet.</p>",
        previews=_preview_list(pictures),
    )


def duration(seconds: float | None) -> str:
    """Say a time in the two largest of days, hours, minutes, seconds; a dash where it is not known."""
    if seconds is None:
        return "–"
    left, words = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not words):
            words.append(f"{count} {unit}")
    return " ".join(words[:2])


def curve_path(curve: Curve, log: bool) -> str:
    """Return the SVG path of a curve in a square of 100, its least value at the bottom; one point is a dot."""
    values = [math.log(value) if log else value for _, value in curve]
    first, low = curve[0][0], min(values)
    across = SPAN / max(curve[-1][0] - first, 1)
    up = SPAN / (max(values) - low or 1)
    points = [
        f"{(step - first) * across:.1f} {SPAN - (value - low) * up:z.1f}"
        for (step, _), value in zip(curve, values, strict=True)
    ]
    return f"M{points[0]}h0.01" if len(points) == 1 else "M" + "L".join(points)


def _head(facts: Mapping[str, Any], title: str) -> str:
    share = 100 * facts["share"]
    steps = f"{facts['step']:,}" + (f" of {facts['steps']:,}" if facts["steps"] else "")
    spent = duration(facts["seconds"]) + (f" of {duration(facts['of_seconds'])}" if facts["of_seconds"] else "")
    psnr, speed = facts["person_psnr_db"], facts["steps_per_second"]
    cells = {
        "time left": duration(facts["seconds_left"]),
        "steps": steps,
        "training time": spent,
        "held-out person": "–" if psnr is None else f"{psnr:.2f} dB",
        "steps a second": "–" if speed is None else f"{speed:.3g}",
        "picture": f"{facts['height_px']} px, {facts['clip_frames']} frame{'s' * (facts['clip_frames'] > 1)}",
    }
    listed = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in cells.items())
    state, updated = escape(facts["state"]), escape(facts["updated"])
    return f"""<h1>{title} <span class="state {state}">{state}</span></h1>
<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share:.1f}">
<div style="width:{share:.2f}%"></div></div>
<p class="share"><b>{share:.1f} %</b> <span>last news <time id="updated" datetime="{updated}">{_clock(updated)}</time>
<span id="age"></span></span></p>
<dl>{listed}</dl>"""


def _strip(curves: Mapping[str, Curve], pictures: Pictures) -> str:
    """Rows of the strip, each cut out of its one picture, with what it shows and a link to the whole preview."""
    shape = pictures.shape
    if shape is None:
        return "<p>No preview yet.</p>"
    figures = dict(curves.get(WIDE[0], []))
    source = f"{_link(pictures.folder, pictures.strip)}?{shape.steps[-1]}"  # a new address, or a browser shows the old
    rows = []
    for number, step in enumerate([None, *shape.steps]):
        label = "footage" if step is None else f"step {step:,}"
        figure = f"{figures[step]:.2f} dB" if step in figures else ""
        place = 100 * number / len(shape.steps)
        ratio = f"{shape.width} / {shape.height / (len(shape.steps) + 1):g}"
        target = pictures.previews[shape.steps[-1] if step is None else step].name
        rows.append(
            f'<a href="{_link(pictures.folder, target)}"><span>{label} <i>{figure}</i></span>'
            f'<img alt="held-out frames, {label}" src="{source}" '
            f'style="aspect-ratio:{ratio};object-position:0 {place:.3f}%"></a>'
        )
    whole = f'<p><a href="{_link(pictures.folder, pictures.strip)}">the strip as one picture</a></p>'
    return f'<div class="strip">{"".join(rows)}</div>\n{whole}'


def _chart(name: str, curve: Curve, kind: str = "") -> str:
    """One curve with its title, newest value, and the ends of its axes."""
    title = TITLES.get(name, name.removeprefix("loss/"))
    low, high = min(value for _, value in curve), max(value for _, value in curve)
    first, end = f"{curve[0][0]:,}", f"{curve[-1][0]:,}"
    log = low > 0 and high > 10 * low
    last = f"{curve[-1][1]:.4g}"
    return f"""<figure class="{kind}"><figcaption>{escape(title)}<b>{last}</b></figcaption>
<div class="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img"
aria-label="{escape(title)}: {curve[0][1]:.4g} at step {first}, {last} at step {end}">
<path d="{curve_path(curve, log)}"/></svg><i class="high">{high:.4g}</i><i class="low">{low:.4g}</i></div>
<div class="axis"><i>step {first}</i><i>{"log scale" if log else ""}</i><i>{end}</i></div></figure>"""


def _preview_list(pictures: Pictures) -> str:
    links = (
        f'<a href="{_link(pictures.folder, path.name)}">{step:,}</a>'
        for step, path in reversed(pictures.previews.items())
    )
    return " ".join(links) or "none yet"


def _link(*names: str) -> str:
    return escape(quote("/".join(names)))


def _clock(moment: str) -> str:
    """A time stamp as people read it."""
    return moment.replace("T", " ").replace("+00:00", " UTC")


STYLE = """
:root { color-scheme: light dark; --paper:#fbfaf8; --card:#fff; --ink:#1d1c1a; --soft:#5f5c57; --line:#dedbd5;
  --blue:#1f66c1; --good:#17663a; --warn:#9a4a00; }
@media (prefers-color-scheme: dark) { :root { --paper:#171716; --card:#222120; --ink:#eeece8; --soft:#b0aca5;
  --line:#3a3836; --blue:#7db2f5; --good:#79d19c; --warn:#f0ad66; } }
* { box-sizing:border-box; }
body { margin:0 auto; padding:1rem; max-width:76rem; background:var(--paper); color:var(--ink);
  font:16px/1.45 system-ui,sans-serif; }
h1 { font-size:1.5rem; margin:.2rem 0 .8rem; overflow-wrap:anywhere; }
h2 { font-size:1.1rem; margin:1.8rem 0 .5rem; }
a { color:var(--blue); }
.state { font-size:.9rem; font-weight:600; padding:.1rem .6rem; border:1px solid; border-radius:1rem;
  vertical-align:middle; color:var(--blue); }
.state.done { color:var(--good); } .state.stopped { color:var(--warn); }
.bar { height:.8rem; background:var(--line); border-radius:.4rem; overflow:hidden; }
.bar div { height:100%; background:var(--blue); }
.share { display:flex; flex-wrap:wrap; justify-content:space-between; gap:0 1rem; margin:.3rem 0 1rem; }
.share span { color:var(--soft); } .share .old { color:var(--warn); font-weight:600; }
dl { display:grid; grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr)); gap:.5rem; margin:0; }
dl div, figure { background:var(--card); border:1px solid var(--line); border-radius:.5rem; padding:.5rem .7rem; }
dt { color:var(--soft); font-size:.85rem; } dd { margin:0; font-weight:600; font-variant-numeric:tabular-nums; }
.strip { overflow-x:auto; }
.strip a { display:block; min-width:44rem; color:var(--ink); text-decoration:none; }
.strip span { display:block; font-size:.85rem; padding:.3rem 0 .1rem; }
.strip i { font-style:normal; color:var(--soft); }
.strip img { display:block; width:100%; object-fit:cover; background:var(--line); }
.charts { display:grid; gap:.6rem; grid-template-columns:repeat(auto-fill,minmax(min(15rem,100%),1fr)); }
.charts.large { grid-template-columns:repeat(auto-fit,minmax(min(24rem,100%),1fr)); margin-top:.6rem; }
figure { margin:0; min-width:0; }
figcaption { display:flex; justify-content:space-between; gap:.5rem; font-size:.9rem; overflow-wrap:anywhere; }
figcaption b { white-space:nowrap; }
.plot { position:relative; height:6rem; margin:.5rem 0 .2rem 3.6rem; border:solid var(--line); border-width:1px 0; }
.wide .plot { height:12rem; }
svg { position:absolute; inset:0; width:100%; height:100%; overflow:visible; }
path { fill:none; stroke:var(--blue); stroke-width:2; stroke-linejoin:round; stroke-linecap:round;
  vector-effect:non-scaling-stroke; }
.plot i, .axis i { font-size:.75rem; font-style:normal; color:var(--soft); font-variant-numeric:tabular-nums; }
.plot i { position:absolute; right:100%; padding-right:.4rem; }
.high { top:-.6em; } .low { bottom:-.6em; }
.axis { display:flex; justify-content:space-between; margin-left:3.6rem; }
details a { display:inline-block; padding:.15rem .35rem; font-variant-numeric:tabular-nums; }
"""

SCRIPT = """<script>
const sent = Date.parse(document.getElementById("updated").dateTime), age = document.getElementById("age");
function tell() {
  const seconds = Math.max(0, Math.round((Date.now() - sent) / 1000)), late = seconds > 300;
  age.textContent = seconds < 120 ? `(${seconds} s ago)` : `(${Math.round(seconds / 60)} min ago` +
    (late ? "; if the job no longer runs, the same command goes on from its last save)" : ")");
  age.className = late ? "old" : "";
}
tell(); setInterval(tell, 1000);
</script>"""

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}<title>{title}</title><style>{style}</style></head><body>
{head}
<div class="charts large">{wide}</div>
<h2>The same held-out frames, then and now</h2>
{strip}
<h2>Every term and rate</h2>
<div class="charts">{small}</div>
<h2>Previews</h2>
<details><summary>every preview by its step: footage, final, raw, mask from top to bottom</summary>
<p>{previews}</p></details>
{script}</body></html>
"""
