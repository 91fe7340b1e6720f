"""The generated pages are up to date."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("write_pages", ROOT / "tools" / "write_pages.py")
write_pages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(write_pages)


def test_settings_page_is_up_to_date():
    page = write_pages.settings_page()
    assert (ROOT / "docs" / "settings.md").read_text() == page, "run `make docs`"
    assert "`pose.smooth_frames` | integer | ≥ 1, ≤ 61 | `7`" in page


def test_files_page_is_up_to_date():
    page = write_pages.files_page()
    assert (ROOT / "docs" / "files.md").read_text() == page, "run `make docs`"
    assert "| `backward` | int16 | T, H, W, 2 |" in page
