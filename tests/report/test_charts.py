"""Curves as SVG: known points, gaps, thresholds, nothing to draw."""

import re

from understudy.report.charts import MOST_POINTS, draw_curve

ENDS = ("0 s", "1 s")


def path(chart, kind="curve"):
    return re.search(rf'<path class="{kind}" d="([^"]+)"', chart.svg)[1]


def test_points_stand_where_they_belong():
    chart = draw_curve("x", [(0, 1.0), (5, 3.0), (10, 2.0)], ENDS)
    assert path(chart) == "M0.0 120.0L300.0 0.0L600.0 60.0"
    assert (chart.high, chart.low, chart.first, chart.last) == ("3", "1", "0 s", "1 s")


def test_a_gap_breaks_the_line():
    assert path(draw_curve("x", [(0, 1.0), (1, None), (2, 2.0), (3, 1.0)], ENDS)).count("M") == 2


def test_a_threshold_is_part_of_the_scale():
    chart = draw_curve("x", [(0, 0.0), (1, 1.0)], ENDS, threshold=2.0)
    assert path(chart, "limit") == "M0 0.0H600" and chart.high == "2"


def test_one_point_is_a_dot_and_none_is_nothing():
    assert path(draw_curve("x", [(0, 1.0)], ENDS)).endswith("h0.01")
    assert draw_curve("x", [(0, None), (1, float("nan"))], ENDS) is None
    assert draw_curve("x", [], ENDS) is None


def test_titles_are_letters_and_long_curves_are_thinned():
    chart = draw_curve('a"<b>', [(step, float(step % 7)) for step in range(10 * MOST_POINTS)], ENDS)
    assert "<b>" not in chart.svg and path(chart).count("L") <= MOST_POINTS


def test_a_wide_range_may_be_logarithmic():
    assert draw_curve("x", [(0, 1.0), (1, 100.0)], ENDS, log=True).note == "logarithmic"
    assert draw_curve("x", [(0, -1.0), (1, 100.0)], ENDS, log=True).note == ""
