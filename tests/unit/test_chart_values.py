"""Charts: what can be drawn, the picture that a notebook keeps, and what a live chart gives to its view."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from test_live_store import insert

from kalam_notebook.errors import ConfigError
from kalam_notebook.results.chart import render_chart_html

NOON = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"x": "idd", "y": "n"}, r"There is no column 'idd'\. Did you mean id\? There are: id, body, n\."),
        ({"x": "id", "y": ["n", "m"]}, r"There is no column 'm'\. There are: id, body, n\."),
        ({"x": "id", "y": "body"}, r"'body' is TEXT, and y takes numbers\. Numbers are: id, n\."),
        ({"x": "body", "y": "n"}, r"'body' is TEXT: kind='bar' draws it\. On x, line takes a number or a time\."),
        ({"x": "body", "y": "n", "kind": "points"}, "On x, points takes a number or a time"),
        ({"x": "id", "y": "n", "kind": "pie"}, "kind is line, bar or points, not 'pie'"),
        ({"x": "id", "y": []}, "y names one column to 8, not 0"),
        ({"x": "id", "y": ["n"] * 9}, "y names one column to 8, not 9"),
        ({"x": 7, "y": "n"}, "There is no column 7"),
        ({"x": "id", "y": [["n"]]}, "There is no column"),
    ],
)
def test_what_cannot_be_drawn_is_told(live, given, told):
    with pytest.raises(ConfigError, match=told):
        live.chart(**given)


def test_columns_of_one_name_are_told_apart(live):
    twice = live.pipe(lambda frame: pa.table([[1], [2]], names=["v", "v"]))
    with pytest.raises(ConfigError, match="Several columns are called 'v'; name them apart with AS"):
        twice.chart(x="v", y="v")


def test_a_chart_gives_its_columns_and_ends_with_its_table(kept, live):
    chart = live.chart(x="n", y=["id", "n"])
    assert repr(chart) == "<LiveChart line of id, n by n, <LiveTable a.b, 2 rows, live>>"
    assert chart.arrow().schema.names == ["n", "id", "n"]
    assert [column.name for column in chart.columns] == ["n", "id", "n"]
    version = live.version
    kept.change(insert(3, 12, "c", 7))
    delta = chart.delta(version)
    assert (delta.rows.columns[1].to_pylist(), delta.reset, delta.num_rows) == ([3], False, 3)
    with pytest.raises(AttributeError, match=r"no attribute 'df'; its live table is chart\.table"):
        _ = chart.df
    frozen = []

    class View:
        def freeze(self):
            frozen.append(chart.status)

    view = View()
    chart.attach_view(view)
    chart.freeze()
    chart.close()
    assert (frozen, live.is_closed) == (["live", "live"], True)


def test_where_no_page_is_a_chart_is_written_as_rows(live, capsys):
    live.chart(x="body", y="n", kind="bar")._ipython_display_()
    shown = capsys.readouterr().out
    assert "body" in shown
    assert "BIGINT" not in shown


# The picture.


def paths(html: str) -> list[str]:
    return re.findall(r'<path d="([^"]*)"', html)


def foot(html: str) -> str:
    return re.findall(r'kalam-foot">([^<]*)<', html)[0]


def test_a_line_is_interrupted_where_there_is_no_number():
    rows = pa.table({"x": [1, 2, 3, 4, None, 6], "y": [1.0, None, 3.0, float("nan"), 5.0, float("inf")]})
    html = render_chart_html(rows, "line")
    (path,) = paths(html)
    assert path.count("M") == 2
    assert foot(html) == "2 points · 4 rows without a number left out"


def test_rows_in_any_order_are_drawn_from_left_to_right():
    rows = pa.table({"x": [3, 1, 2], "y": [Decimal("3.5"), Decimal("1.5"), Decimal("2.5")]})
    places = [float(place.split(",")[0]) for place in paths(render_chart_html(rows, "line"))[0][1:].split("L")]
    assert places == sorted(places)
    assert len(places) == 3


def test_many_points_are_thinned_to_what_shows_and_it_is_told():
    y = np.zeros(100_000)
    y[77_777] = 1.0
    html = render_chart_html(pa.table({"x": np.arange(100_000), "y": y}), "line")
    assert foot(html) == "100,000 points, thinned: of each pixel column the first, least, greatest and last"
    heights = {float(place.split(",")[1]) for place in paths(html)[0][1:].split("L")}
    assert len(heights) == 2  # The one that is greater shows.
    assert len(html) < 60_000
    dots = render_chart_html(pa.table({"x": np.arange(100_000), "y": y}), "points")
    assert foot(dots) == "100,000 points, thinned: one for each pixel"
    assert "thinned" not in render_chart_html(pa.table({"x": [1, 2], "y": [1, 2]}), "points")


@pytest.mark.parametrize("kind", ["line", "points", "bar"])
@pytest.mark.parametrize(
    "rows",
    [
        {"x": [], "y": []},
        {"x": [None, 1.0], "y": [1.0, None]},
        {"x": [5.0], "y": [-3.0]},
        {"x": [-1.7e308, 1.7e308], "y": [1.7e308, -1.7e308]},
        {"x": [0.0, 5e-324], "y": [0.0, 1e-300]},
        {"x": [2.0**62, 2.0**62 + 1], "y": [0.0, 0.0]},
    ],
)
def test_numbers_of_all_sizes(kind, rows):
    table = pa.table({"x": pa.array(rows["x"], pa.float64()), "y": pa.array(rows["y"], pa.float64())})
    html = render_chart_html(table, kind)
    assert "nan" not in html
    assert "inf" not in html.replace("info", "")
    assert html == render_chart_html(table, kind)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([NOON, NOON + dt.timedelta(minutes=10)], ["2026-05-20 12:00", "12:02", "12:04", "12:06", "12:08", "12:10"]),
        ([NOON, NOON + dt.timedelta(milliseconds=3)], ["2026-05-20 12:00:00.000", "12:00:00.001"]),
        ([NOON, NOON + dt.timedelta(days=4)], ["2026-05-21", "2026-05-22"]),
        ([dt.date(2026, 5, 20), dt.date(2031, 5, 20)], ["2027", "2028", "2029"]),
    ],
)
def test_times_below_the_picture(times, expected):
    html = render_chart_html(pa.table({"at": times, "y": [1, 2]}), "line")
    texts = re.findall(r'text-anchor="middle"[^>]*>([^<]*)<', html)
    assert all(any(text.startswith(one) for text in texts) for one in expected), texts


def test_times_that_python_does_not_know():
    far = pa.array([-(2**62), 2**62], pa.timestamp("ms", "UTC"))
    assert "<path" in render_chart_html(pa.table({"at": far, "y": [1, 2]}), "line")


def test_bars_are_named_and_stand_on_zero():
    rows = pa.table({"room": ["a", None, "</svg><script>"], "n": [3, -2, 0], "m": [1.5, None, 2.5]})
    html = render_chart_html(rows, "bar", title="SELECT '<b>'", footer=["live"], notices=["<i>"])
    assert html.count("<rect") == 5
    assert ">NULL<" in html
    assert "<script" not in html
    assert "<b>" not in html.replace("<b>PK", "")
    assert foot(html) == "3 rows · live"
    many = render_chart_html(pa.table({"x": list(range(100)), "y": list(range(100))}), "bar")
    assert foot(many) == "first 60 of 100 rows"


def test_names_of_columns_are_text_only():
    name = '"><img src=x onerror=alert(1)>'
    html = render_chart_html(pa.table({name: [1, 2], "y" + name: [1, 2]}), "line")
    assert "<img" not in html
