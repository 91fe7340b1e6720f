"""The record is plain JSON with sorted keys, or the old one stays; the table has a line per row."""

import json
import logging

import pytest

from understudy.metrics.record import log_table, write_record


def test_a_record_is_read_back_with_sorted_keys(tmp_path):
    path = tmp_path / "folder" / "metrics.json"
    write_record(path, {"b": 1.5, "a": {"z": None, "y": ["ä"]}})
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == {"a": {"y": ["ä"], "z": None}, "b": 1.5}
    assert text.index('"a"') < text.index('"b"')
    assert text.endswith("}\n")


def test_figures_that_are_no_numbers_are_refused_and_the_old_record_stays(tmp_path):
    path = tmp_path / "metrics.json"
    write_record(path, {"psnr_db": 20})
    with pytest.raises(ValueError, match="JSON"):
        write_record(path, {"psnr_db": float("nan")})
    assert json.loads(path.read_text()) == {"psnr_db": 20}
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_the_table_has_every_figure_and_a_dash_where_it_is_absent(caplog):
    with caplog.at_level(logging.INFO):
        log_table("figures", {"film": {"psnr_db": 20.5}, "yardstick": {"psnr_db": None, "ssim": 0.9}})
    lines = caplog.records[0].getMessage().splitlines()
    assert lines[1:] == [
        "| figures | psnr_db | ssim |",
        "|---|---|---|",
        "| film | 20.5 | - |",
        "| yardstick | - | 0.9 |",
    ]
    caplog.clear()
    log_table("nothing", {"film": {}})
    assert not caplog.records
