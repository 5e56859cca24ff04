"""Html and text of a table, also of hostile ones."""

from __future__ import annotations

import datetime as dt
from html.parser import HTMLParser

import pyarrow as pa
import pytest

from kalam_notebook.results.render import _width, render_html, render_message_html, render_text
from kalam_notebook.wire.types import Column, arrow_schema

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\"><svg onload='x'>",
    "`${alert(1)}` $5 and $6 \\(x\\)",
    "&lt;b&gt; &amp;",
    "a\x00b",
    "‮gnp.exe",
    "</td></tr></table>",
]
ALLOWED_TAGS = {"div", "span", "style", "table", "thead", "tbody", "tr", "th", "td", "br", "small", "b", "em", "strong"}
ALLOWED_ATTRIBUTES = {"class", "title", "align", "colspan", "role"}


class Page(HTMLParser):
    """Tags, attributes and texts of a block of html."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.cells: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "br":
            self._open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.text += data
        if {"td", "th"} & set(self._open):
            self.cells[-1] += data


def table_of(columns: dict[str, list]) -> pa.Table:
    return pa.table(columns)


@pytest.mark.parametrize("text", HOSTILE)
def test_everything_is_escaped_everywhere(text):
    table = pa.table({text: [text, text * 40]})
    columns = [Column(text, text)]
    html = render_html(table, title=text, footer=[text], notices=[text], columns=columns)
    page = Page(html)
    assert set(page.tags) <= ALLOWED_TAGS
    assert {name for name, _ in page.attributes} <= ALLOWED_ATTRIBUTES
    assert page.tags.count("style") == 1
    shown = text.replace("\x00", "␀").replace("‮", "⟨U+202E⟩")
    assert page.text.count(shown) >= 5
    assert "\x00" not in html
    assert "‮" not in html
    assert text not in html or "<" not in text
    assert Page(render_message_html(text, notices=[text])).text.count(shown) == 2


def test_math_is_not_typeset():
    assert "mathjax_ignore tex2jax_ignore" in render_html(pa.table({"price": ["$5 and $6"]}))


def test_null_differs_from_the_text_null():
    table = pa.table({"name": ["NULL", None]})
    html = render_html(table)
    assert html.count("<em>NULL</em>") == 1
    assert ">NULL</td>" in html
    assert render_text(table).splitlines()[3:5] == ["'NULL'", "NULL"]


def test_header_shows_type_and_key():
    columns = (Column("id", "BigInt", flags=("pk", "nn")), Column("price", "Decimal", 10, 2), Column("name", "Text"))
    table = arrow_schema(columns).empty_table()
    page = Page(render_html(table, columns=columns))
    assert page.cells == ["idBIGINT PK", "priceDECIMAL(10, 2)", "nameTEXT"]
    assert [value for name, value in page.attributes if name == "align"] == ["right", "right", "left"]
    assert "0 rows" in page.text


def test_first_and_last_rows_with_a_gap():
    table = pa.table({"n": range(1234)})
    page = Page(render_html(table))
    assert page.cells[1:] == [*map(str, range(10)), "… 1,214 more rows …", *map(str, range(1224, 1234))]
    assert page.text.endswith("20 of 1,234 rows shown")


@pytest.mark.parametrize(
    ("rows", "total", "max_rows", "shown", "count"),
    [
        (20, None, 20, 20, "20 rows"),
        (1, None, 20, 1, "1 row"),
        (0, None, 20, 0, "0 rows"),
        (21, None, 20, 20, "20 of 21 rows shown"),
        (3, 10, 20, 3, "3 of 10 rows shown"),
        (5, 2, 20, 5, "5 rows"),
        (5, None, 1, 1, "1 of 5 rows shown"),
        (2, None, 0, 0, "0 of 2 rows shown"),
    ],
)
def test_count_line_is_honest(rows, total, max_rows, shown, count):
    table = pa.table({"n": pa.array(range(rows), pa.int64())})
    for text in (
        Page(render_html(table, total_rows=total, max_rows=max_rows)).text,
        render_text(table, total_rows=total, max_rows=max_rows),
    ):
        assert text.endswith(count)
    html = render_html(table, total_rows=total, max_rows=max_rows)
    assert html.count("<tr>") == shown + 1


def test_a_part_of_a_table_has_no_last_rows():
    table = pa.table({"n": range(30)})
    page = Page(render_html(table, total_rows=100))
    assert page.cells[1:] == [*map(str, range(20)), "… 80 more rows …"]


def test_long_cells_are_whole_for_a_copy_and_tell_their_length():
    text = "x" * 300 + '"'
    html = render_html(pa.table({"t": [text]}))
    assert Page(html).cells[1] == f"{text} 301 characters"
    assert '<small class="kalam-mark">301 characters</small>' in html
    assert render_text(pa.table({"t": [text]})).splitlines()[3] == "x" * 40 + "… (301 characters)"


def test_longer_cells_are_cut_visibly():
    html = render_html(pa.table({"t": ["x" * 5000]}))
    page = Page(html)
    assert page.cells[1] == "x" * 1000 + "… 5,000 characters"
    assert 'class="kalam-mark"' not in html
    assert [value for name, value in page.attributes if name == "title"] == ["t", "x" * 1000 + "…"]


def test_null_empty_and_spaces_can_be_told_apart():
    table = pa.table({"t": [None, "", "NULL", "''", "empty", "a ", " a", "  "]})
    html = render_html(table)
    assert Page(html).cells[1:] == ["NULL", "empty", "NULL", "''", "empty", "a␣", "␣a", "␣␣"]
    assert html.count("<em>NULL</em>") == html.count("<em>empty</em>") == 1
    lines = [line.strip() for line in render_text(table).splitlines()[3:-1]]
    assert lines == ["NULL", "''", "'NULL'", "'" * 4, "empty", "a␣", "␣a", "␣␣"]


@pytest.mark.parametrize("width", [10, 34, 60, 80, 200])
def test_plain_text_keeps_to_a_width(width):
    table = pa.table({"id": range(40), "text": ["語 " * 60] * 40, **{f"n{i}": [i] * 40 for i in range(20)}})
    lines = render_text(table, max_width=width).splitlines()
    columns = len(lines[0].split())
    *rows, foot = lines
    assert max(map(_width, rows)) <= max(width, len("… 20 more rows …"))
    assert columns == {10: 1, 34: 1, 60: 2, 80: 5, 200: 22}[width]
    assert foot.endswith("20 of 40 rows shown" + (f", {columns} of 22 columns shown" if columns < 22 else ""))


def test_plain_text_of_any_width():
    table = pa.table({f"n{i}": [i] for i in range(40)})
    assert len(render_text(table).splitlines()[0].split()) == 40


@pytest.mark.parametrize("text", ["語" * 40, "W" * 80, '"' * 33], ids=["wide", "long", "quotes"])
def test_a_text_that_may_be_wider_than_its_column_has_a_tooltip(text):
    page = Page(render_html(pa.table({"t": [text, "W" * 32], "vector": [[1 / 3] * 6, None]})))
    assert page.cells[2] == text
    titles = [value for name, value in page.attributes if name == "title"]
    assert titles == ["t", "vector", text, "[" + ", ".join(["0.3333333333333333"] * 6) + "]"]


def test_a_long_type_has_a_tooltip():
    table = pa.table({"s": pa.array([], pa.struct({f"field_{i}": pa.int64() for i in range(9)}))})
    titles = [value for name, value in Page(render_html(table)).attributes if name == "title"]
    assert titles == ["s", str(table.schema.field("s").type)]


def test_a_help_text_stands_in_letters_of_one_width():
    text = "--user      user id\n--profile   login"
    html = render_message_html(text, aligned=True)
    assert Page(html).text == text
    assert 'class="kalam-foot kalam-aligned"' in html
    assert 'kalam-aligned"' not in render_message_html(text)


def test_notices_come_first_and_the_footer_follows_the_count():
    html = render_html(pa.table({"n": [1]}), notices=["one", "two"], footer=["12 ms", "1 request"], title="SELECT\n1")
    text = Page(html).text
    assert text.startswith("Warning: oneWarning: twoSELECT 1")
    assert text.endswith("1 row · 12 ms · 1 request")
    plain = render_text(pa.table({"n": [1]}), notices=["one"], footer=["12 ms"], title="SELECT\n1").splitlines()
    assert plain == ["Warning: one", "SELECT 1", "    n", "int64", "─────", "    1", "1 row · 12 ms"]


def test_many_columns_are_told():
    table = pa.table({f"c{i}": [i] for i in range(300)})
    page = Page(render_html(table))
    assert page.tags.count("th") == 50
    assert page.text.endswith("1 row, 50 of 300 columns shown")


def test_text_is_aligned_also_with_wide_characters():
    table = pa.table({"city": ["東京", "Köln", "o\u0308"], "n": [1, 22, 333]})
    lines = render_text(table).splitlines()
    assert lines[3:] == ["東京        1", "Köln       22", "o\u0308         333", "3 rows"]


def test_names_may_repeat_and_a_table_may_have_no_columns():
    twice = pa.Table.from_arrays([pa.array([1]), pa.array(["x"])], names=["a", "a"])
    assert Page(render_html(twice)).cells == ["aint64", "astring", "1", "x"]
    none = pa.table({})
    assert Page(render_html(none)).text == "0 rows"
    assert render_text(none) == "0 rows"


def test_exact_values_of_special_types():
    table = pa.table(
        {
            "big": [2**53 + 1],
            "at": pa.array([dt.datetime(2026, 5, 20, 10, 0, 0, 1, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
            "bytes": [b"hello world!"],
            "vector": pa.array([[0.1, 0.2] * 192], pa.list_(pa.float32(), 384)),
        }
    )
    row = ["9007199254740993", "2026-05-20T10:00:00.000001Z", "b'hello wo…' 12 bytes", "[0.1, 0.2, … 384]"]
    assert Page(render_html(table)).cells[4:] == row


def test_doubles_are_shown_as_people_write_them_with_the_whole_value_beside():
    whole = [0.1 + 0.2, 1.1 * 3, 0.1, 1 / 3, 123456789.12345679, 1e300, -2.0, float("nan"), float("inf"), None]
    html = render_html(pa.table({"d": whole}))
    shown = ["0.3", "3.3", "0.1", "0.3333333333333333", "123456789.12345679", "1e+300", "-2.0", "NaN", "Infinity"]
    page = Page(html)
    assert page.cells[1:] == [*shown, "NULL"]
    titles = [value for name, value in page.attributes if name == "title"]
    assert "0.30000000000000004" in titles
    assert "3.3000000000000003" in titles
    assert "0.30000000000000004" in render_text(pa.table({"d": whole}))
    single = render_html(pa.table({"f": pa.array([0.1], pa.float32())}))
    assert Page(single).cells[1:] == ["0.1"]
