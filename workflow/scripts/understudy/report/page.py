"""Writes the report: one folder with a page and the films it shows, to be looked at anywhere without a network."""

import base64
import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from understudy.job import atomic_path
from understudy.report.runs import flattened
from understudy.report.transfer_view import TransferPlan, view_transfer
from understudy.settings import RELEASE, VERSIONS, ReportSettings

logger = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
PACKAGES = ("torch", "numpy", "opencv-contrib-python-headless", "av", "h5py", "c2pa-python", "Jinja2")


def build_report(
    page: Path,
    results: Path,
    transfers: Sequence[Mapping[str, Any]],
    configuration: Mapping[str, Any],
    settings: ReportSettings,
) -> None:
    """Write the page, and take the films it shows into its folder.

    Args:
        page: index.html to write; films go into `films/` beside it.
        results: folder of all results, as docs/architecture.md lays it out.
        transfers: what to show, the fields of `TransferPlan`.
        configuration: all of it, defaults filled in.
        settings: how many runs are kept, and what this one is called.

    Raises:
        DamageError: a film is not what was written.
    """
    views = [view_transfer(page.parent, results, TransferPlan(**one), configuration, settings) for one in transfers]
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "player.js"))
    content = {
        "title": settings.title,
        "written": datetime.now(UTC).strftime("%-d %B %Y, %H:%M UTC"),
        "transfers": views,
        "settings": _setting_rows(configuration),
        "versions": _versions(),
    }
    with atomic_path(page) as beside:
        beside.write_text(render(content, style, script), encoding="utf-8")
    logger.info("%s: %d films; send its folder whole", page, len(views))


def render(content: Mapping[str, Any], style: str, script: str) -> str:
    """Fill the page; every text is escaped, and only our own script may run."""
    engine = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    engine.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    ours = {"style": Markup(style), "script": Markup(script), "script_hash": f"sha256-{digest}"}
    return engine.get_template("report.html").render(content, **ours)


def _setting_rows(settings: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each section of the configuration with its keys and values."""
    return [(name, list(flattened(section, name).items())) for name, section in settings.items()]


def _versions() -> list[tuple[str, str]]:
    """Versions of Understudy, of its rooms, of Python and of the packages that write the page."""
    rows = [
        ("Understudy", RELEASE),
        ("its rooms (parts of the program)", ", ".join(f"{room} {number}" for room, number in VERSIONS.items())),
    ]
    rows.append(("Python", python_version()))
    for name in PACKAGES:
        try:
            rows.append((name, version(name)))
        except PackageNotFoundError:  # another environment brings it
            continue
    return rows
