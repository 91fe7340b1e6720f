"""The record is plain JSON with sorted keys, or the old one stays; the table has a line per row."""

import json
import logging

import pytest

from understudy.errors import DamageError
from understudy.metrics.record import log_table, read_record, write_record


def test_a_record_is_read_back_with_sorted_keys(tmp_path):
    path = tmp_path / "folder" / "metrics.json"
    write_record(path, {"b": 1.5, "a": {"z": None, "y": ["ä"]}})
    text = path.read_text(encoding="utf-8")
    assert read_record(path) == {"a": {"y": ["ä"], "z": None}, "b": 1.5}
    assert text.index('"a"') < text.index('"b"')
    assert text.endswith("}\n")


def test_figures_that_are_no_numbers_are_refused_and_the_old_record_stays(tmp_path):
    path = tmp_path / "metrics.json"
    write_record(path, {"psnr_db": 20})
    with pytest.raises(ValueError, match="JSON"):
        write_record(path, {"psnr_db": float("nan")})
    assert read_record(path) == {"psnr_db": 20}
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_a_record_of_other_bytes_is_no_record_and_a_missing_one_is_none(tmp_path):
    path = tmp_path / "metrics.json"
    assert read_record(path) is None
    write_record(path, {"psnr_db": 20.25, 7: [1, None]})
    whole = path.read_text()
    assert read_record(path) == {"psnr_db": 20.25, "7": [1, None]}
    for broken in (whole[: len(whole) // 2], whole.replace("20.25", "21.25"), "", "[" * 100_000, "7"):
        path.write_text(broken)
        with pytest.raises(DamageError, match=r"metrics.json is damaged.*delete it"):
            read_record(path)
    path.write_text(json.dumps({"psnr_db": 3}))
    assert read_record(path) == {"psnr_db": 3}, "without a seal a file is anybody's"


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
