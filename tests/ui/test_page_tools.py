"""The tools above the rows: pause, search, filters and their SQL, columns. Each by keyboard, and with words."""

from __future__ import annotations

import datetime as dt
import os
import re
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pytest
from looks import contrast_of, spilt
from page_module import NAMES, ORDERS, MountedTable, cells, order
from page_tools import shown, tool
from playwright.sync_api import Page, expect

from kalam_notebook.notebook.page import page_rows
from kalam_notebook.wire.types import Column

pytestmark = pytest.mark.browser


def add_filter(page: Page, column: str, condition: str, *values: str) -> None:
    """Add a filter by its line; values go into the fields, or name the boxes to check."""
    tool(page, "Filter").click()
    page.get_by_label("Column", exact=True).select_option(column)
    page.get_by_label("Condition").select_option(condition)
    fields = page.locator(".kl-editor input[type=text]")
    for index, value in enumerate(values):
        if fields.count():
            fields.nth(index).fill(value)
        else:
            page.locator("label", has_text=value).get_by_role("checkbox").check()
    page.get_by_role("button", name="Apply").click()


def test_pause_keeps_the_rows_and_counts_what_waits(page: Page):
    page.clock.set_fixed_time(dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC))
    table = MountedTable(page, ORDERS)
    table.load([order(1, "b"), order(2, "a"), order(3, "c")])
    shown(page, 3)
    tool(page, "Pause").focus()
    page.keyboard.press("Enter")
    pause = tool(page, re.compile("Resume"))
    expect(pause).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".kl-state")).to_have_text("paused here")
    expect(page.locator(".kl-facts")).to_have_text("3 rows as of 12:00:00 · 0 changes · direct")
    table.change({1: order(1, "z"), 4: order(4, "y")}, removed=(2,))
    expect(pause).to_have_text("Resume · 3 changes waiting")
    assert [row[1] for row in cells(page)] == ["b", "a", "c"]
    # Sorting works on what is kept, and shows nothing of what waits.
    page.get_by_role("button", name="customer").click()
    assert [row[1] for row in cells(page)] == ["a", "b", "c"]
    table.tell(text="reconnecting in 3 s")
    expect(page.locator(".kl-state")).to_have_text("paused here · reconnecting in 3 s")
    expect(page.locator(".kalam-live")).to_have_attribute("data-tone", "waiting")
    table.tell(text="live")
    pause.click()
    assert [row[1] for row in shown(page, 3)] == ["c", "y", "z"]
    expect(tool(page, "Pause")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".kl-facts")).to_have_text("3 rows · 3 changes · direct")


def test_paused_over_a_new_start_with_other_columns(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "b")])
    shown(page, 1)
    tool(page, "Pause").click()
    table.alter((ORDERS[0], Column("qty", "BigInt")), [{"id": 1, "qty": 5}])
    assert cells(page)[0][1] == "b"
    tool(page, re.compile("Resume")).click()
    assert shown(page, 1) == [["1", "5"]]


def test_search_looks_at_all_columns_as_they_are_shown(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "Ada"), order(2, "Grace", "7.25"), order(3, None)])
    shown(page, 3)
    page.locator(".kl-box").focus()
    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search in all columns")
    expect(search).to_be_focused()
    page.keyboard.type("gRaC")
    hits = page.locator(".kl-hits")
    expect(hits).to_have_text("1 of 3 rows match")
    assert shown(page, 1)[0][1] == "Grace"
    table.change({4: order(4, "Gracian"), 2: order(2, "Hedy", "7.25")})
    expect(page.locator("td").nth(1)).to_have_text("Gracian")
    expect(hits).to_have_text("1 of 4 rows match")
    search.fill("7.25")
    expect(page.locator("td").nth(1)).to_have_text("Hedy")
    search.fill("10:00:03")
    expect(page.locator("td").first).to_have_text("3")
    search.fill("null")  # NULL is no text.
    expect(hits).to_have_text("0 of 4 rows match")
    shown(page, 0)
    search.press("Escape")
    shown(page, 4)
    expect(hits).to_be_empty()


def test_what_is_searched_is_no_pattern(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "a" * 900 + "!"), order(2, "(a+)+$ \u200fb")])
    page.get_by_role("searchbox").fill("(a+)+$")  # As a pattern it would never end.
    assert shown(page, 1)[0][1] == "(a+)+$ ⟨U+200F⟩b"


def test_filters_by_type_are_told_and_taken_back(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(i, NAMES[i % 6] if i % 4 else None, f"{i}.50") for i in range(1, 13)])
    shown(page, 12)
    add_filter(page, "total", "from … to …", "3.5", "9.5")
    assert [row[2] for row in shown(page, 7)] == [f"{i}.50" for i in range(3, 10)]
    add_filter(page, "customer", "is NULL")
    assert [row[0] for row in shown(page, 2)] == ["4", "8"]
    expect(page.locator(".kl-hits")).to_have_text("2 of 12 rows match")
    table.change({4: order(4, "Ada", "4.50"), 5: order(5, None, "5.50"), 6: order(6, None, "10.50")})
    expect(page.locator("td").first).to_have_text("5")
    assert [row[0] for row in cells(page)] == ["5", "8"]
    tool(page, re.compile("customer is NULL")).click()
    expect(tool(page, "Filter")).to_be_focused()
    shown(page, 6)
    add_filter(page, "customer", "is one of", "Grace Hopper", "Alan Turing")
    expect(tool(page, re.compile("customer is"))).to_contain_text("Grace Hopper")
    assert [row[1] for row in shown(page, 1)] == ["Grace Hopper"]
    table.change({12: order(12, "Alan Turing", "9.00")})
    assert [row[1] for row in shown(page, 2)] == ["Grace Hopper", "Alan Turing"]
    table.alter((ORDERS[0], ORDERS[2]), [{"id": 1, "total": Decimal("1.00")}])
    shown(page, 1)  # Conditions on columns that are gone are gone.
    expect(page.locator(".kl-chip")).to_have_count(0)


@pytest.mark.parametrize(
    ("column", "values", "fault"),
    [
        ("total", ["1.234"], "1.234 is no DECIMAL(12, 2)"),
        ("id", ["x"], "x is no BIGINT"),
        ("placed_at", ["20.5.2026"], "20.5.2026 is no TIMESTAMP: write it as 2026-05-20T10:00:00"),
        ("id", [], "Give at least one of the two bounds."),
    ],
)
def test_a_bound_that_is_no_value_is_told(page: Page, column: str, values: list[str], fault: str):
    table = MountedTable(page, ORDERS)
    table.load([order(1), order(2)])
    add_filter(page, column, "from … to …", *values)
    expect(page.get_by_role("alert")).to_have_text(fault)
    shown(page, 2)
    page.keyboard.press("Escape")
    expect(page.locator(".kl-editor")).to_be_hidden()
    expect(tool(page, "Filter")).to_be_focused()


def test_numbers_beyond_doubles_are_compared_exactly(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(i) | {"id": 2**53 + i} for i in range(4)])
    add_filter(page, "id", "from … to …", str(2**53 + 1), str(2**53 + 2))
    assert [row[0] for row in shown(page, 2)] == [str(2**53 + 1), str(2**53 + 2)]


def test_hits_are_exact_or_not_said_to_be(page: Page, monkeypatch: pytest.MonkeyPatch):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "x" * 2_000 + "needle"), order(2, "needle")])
    page.get_by_role("searchbox").fill("needle")
    told = "1 of 2 rows match in what is here; long values are here only in part"
    expect(page.locator(".kl-hits")).to_have_text(told)
    monkeypatch.setattr(page_rows, "MAX_ROWS", 3)
    table.load([order(i, "needle") for i in range(1, 6)], ids=[1, 2, 3, 4, 5])
    expect(page.locator(".kl-hits")).to_have_text("3 of the first 3 of 5 rows match")


@pytest.mark.contract
def test_values_give_the_server_the_same_rows(page: Page, client, namespace, clipboard):
    table = MountedTable(page, VALUES)
    table.load([values_row(row) for row in ROWS])
    tool(page, "Copy").click()
    page.get_by_role("button", name="VALUES").click()
    name = make_values_table(client, namespace)
    columns = ", ".join(column.name for column in VALUES)
    client.execute_query(f"INSERT INTO {name} ({columns}) {clipboard()}")
    answer = client.query_arrow(f"SELECT {columns} FROM {name} ORDER BY id")
    wanted = pa.Table.from_pylist([values_row(row) for row in ROWS], schema=answer.schema)
    assert answer.to_pylist() == wanted.to_pylist()


WIDE = (*ORDERS, *[Column(f"c{i}", "Text") for i in range(56)])


def wide_row(i: int) -> dict:
    return order(i) | {f"c{n}": f"cell {i}.{n}" for n in range(56)}


def widths(page: Page) -> list[float]:
    return page.eval_on_selector_all(".kalam-live th", "heads => heads.map((head) => head.offsetWidth)")


def test_no_cell_is_pinned_where_nothing_scrolls(page: Page):
    # A browser works for each of them whenever something changes.
    table = MountedTable(page, (*ORDERS, Column("body", "Text")))
    table.load([order(i) | {"body": "the words of a message, and more of them"} for i in range(1, 4)])
    key = page.locator("tbody td").first
    expect(key).to_have_css("position", "static")
    page.set_viewport_size({"width": 500, "height": 640})
    expect(key).to_have_css("position", "sticky")
    page.set_viewport_size({"width": 1200, "height": 640})
    expect(key).to_have_css("position", "static")


def test_the_key_does_not_scroll_away(page: Page, tmp_path: Path):
    table = MountedTable(page, WIDE)
    table.load([wide_row(i) for i in range(1, 31)])
    box, key, other = page.locator(".kl-box"), page.locator("tbody td").first, page.locator("tbody td").nth(1)
    expect(key).to_have_text("1")
    box.evaluate("box => { box.scrollLeft = 2000; box.scrollTop = 60 }")
    expect(other).not_to_be_in_viewport()
    left = box.bounding_box()["x"]
    for pinned in (page.locator("th").first, page.locator("td", has_text=re.compile("^5$"))):
        assert pinned.bounding_box()["x"] == left
    # What scrolls below it is not seen through it.
    assert key.evaluate("cell => getComputedStyle(cell).backgroundColor").startswith("rgb(")
    folder = Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path))
    page.screenshot(path=folder / "tools-60-columns.png")
    page.set_viewport_size({"width": 400, "height": 640})  # There is no room for it.
    expect(page.locator("td", has_text=re.compile("^5$"))).not_to_be_in_viewport()


def test_columns_are_hidden_and_shown(page: Page, clipboard):
    table = MountedTable(page, ORDERS)
    table.load([order(i, f"name {i}") for i in range(1, 4)])
    tool(page, "Columns").press("Enter")
    boxes = page.locator(".kl-editor").get_by_role("checkbox")
    expect(boxes.first).to_be_focused()
    page.get_by_label("customer").uncheck()
    expect(page.locator("th")).to_contain_text(["id", "total", "placed_at"])
    table.change({4: order(4)})
    expect(page.locator("tbody tr:not(.kl-space)")).to_have_count(4)
    expect(page.locator("tbody tr:not(.kl-space)").nth(3).locator("td")).to_have_count(3)
    tool(page, "Copy").click()
    page.get_by_role("button", name="CSV", exact=True).click()
    assert clipboard().splitlines()[0] == "id,total,placed_at"
    tool(page, "Columns").click()
    expect(page.get_by_label("customer")).not_to_be_checked()
    page.get_by_label("customer").check()
    expect(page.locator("td").nth(1)).to_have_text("name 1")


def test_columns_are_made_wider_and_narrower(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(i, "a" * 30) for i in range(1, 101)])
    expect(page.locator("td").nth(1)).to_have_text("a" * 30)
    before = widths(page)
    edge = page.locator("th").nth(1).bounding_box()
    page.mouse.move(edge["x"] + edge["width"] - 2, edge["y"] + 5)
    page.mouse.down()
    page.mouse.move(edge["x"] + edge["width"] - 102, edge["y"] + 5, steps=4)
    page.mouse.up()
    assert widths(page) == pytest.approx([before[0], before[1] - 100, *before[2:]], abs=1)
    page.locator(".kl-box").evaluate("box => { box.scrollTop = 1300 }")  # Rows that come later are as wide.
    expect(page.locator("td", has_text=re.compile("^55$"))).to_be_visible()
    assert widths(page)[1] == pytest.approx(before[1] - 100, abs=1)
    assert spilt(page, ".kalam-live table") == []
    head = page.get_by_role("button", name="customer")
    head.press("Shift+ArrowRight")
    head.press("Shift+ArrowRight")
    assert widths(page)[1] == pytest.approx(before[1] - 68, abs=1)
    expect(page.locator("th").nth(1)).not_to_have_attribute("aria-sort", re.compile("."))


def test_points_of_numbers_stand_below_each_other(page: Page):
    table = MountedTable(page, (ORDERS[0], Column("score", "Double")))
    scores = [1.5, 123.25, -0.125, 1e300, float("nan"), None]
    table.load([{"id": i, "score": score} for i, score in enumerate(scores)])
    assert [row[1] for row in shown(page, 6)] == ["1.5", "123.25", "-0.125", "1e+300", "NaN", "NULL"]

    def points() -> list[float]:
        """Where the points are, in pixels."""
        return page.locator("td:nth-child(2)").evaluate_all(
            """cells => cells.slice(0, 3).map((cell) => {
              const range = document.createRange();
              const place = cell.textContent.indexOf('.');
              range.setStart(cell.firstChild, place);
              range.setEnd(cell.firstChild, place + 1);
              return range.getBoundingClientRect().left;
            })"""
        )

    assert points() == pytest.approx([points()[0]] * 3, abs=0.6)
    table.change({1: {"id": 0, "score": 1.0625}})
    expect(page.locator("td").nth(1)).to_have_text("1.0625")
    assert points() == pytest.approx([points()[0]] * 3, abs=0.6)


def test_doubles_are_shown_as_people_write_them(page: Page, clipboard):
    table = MountedTable(page, (ORDERS[0], Column("score", "Double")))
    scores = [0.1 + 0.2, 1 / 3, 4.35 * 100, -(0.7 + 0.1), 1e23, 2.0**-1074]
    table.load([{"id": i, "score": score} for i, score in enumerate(scores)])
    texts = [row[1] for row in shown(page, len(scores))]
    assert texts == ["0.3", "0.3333333333333333", "435.0", "-0.8", "1e+23", "5e-324"]
    cell = page.locator("td:nth-child(2)")
    assert [cell.nth(i).get_attribute("title") for i in range(3)] == ["0.30000000000000004", None, "434.99999999999994"]
    table.change({1: {"id": 0, "score": 0.5}})
    expect(cell.first).to_have_text("0.5")
    assert not cell.first.get_attribute("title")
    # Whole in a copy, and found as they are.
    page.get_by_role("searchbox").fill("434.99999999999994")
    shown(page, 1)
    cell.first.click()
    page.keyboard.press("Control+c")
    assert clipboard() == "score\r\n434.99999999999994\r\n"


def test_the_kernel_is_asked_for_an_attempt_a_frozen_output_or_an_end(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1)])
    expect(tool(page, "Freeze")).to_be_visible()
    expect(tool(page, "Retry now")).to_be_hidden()
    table.tell(text="reconnecting in 20 s")
    for name, kind in (("Retry now", "retry"), ("Freeze", "freeze"), ("Stop", "stop")):
        tool(page, name).press("Enter")
        assert page.evaluate("said.filter(({kind}) => kind !== 'ack').at(-1)") == {"kind": kind}
    expect(page.get_by_text("The kernel was asked; while a cell runs, it answers at its end.")).to_be_visible()
    table.tell(text="stopped: closed")
    for name in ("Retry now", "Freeze", "Stop"):
        expect(tool(page, name)).to_be_hidden()


def test_a_result_has_no_tools_of_live_tables(page: Page):
    table = MountedTable(page, ORDERS, sql="Result", status={"text": "result", "form": ""})
    table.load([order(1), order(2)])
    shown(page, 2)
    expect(page.locator(".kl-facts")).to_have_text("2 rows")
    expect(page.locator(".kalam-live")).to_have_attribute("data-tone", "stopped")
    buttons = page.get_by_role("toolbar").get_by_role("button")
    expect(buttons).to_have_text(["Filter", "Columns", "Copy", "Details", "Chart", "More"])


def test_nothing_of_a_filter_is_markup(page: Page):
    name = "<img src=x onerror=document.title=1>"
    table = MountedTable(page, (ORDERS[0], Column(name, "Text"), Column("__proto__", "Text")))
    table.load([{"id": 1, name: name, "__proto__": name}])
    add_filter(page, name, "contains", "<IMG")
    shown(page, 1)
    expect(page.locator(".kl-chip")).to_have_text(f"{name} contains “<IMG” ×")
    tool(page, re.compile("contains")).click()
    add_filter(page, "__proto__", "is one of", "<img")
    shown(page, 1)
    assert page.locator(".kalam-live img").count() == 0
    assert page.title() == ""


VALUES = (
    Column("id", "Int", flags=("pk", "nn", "uq")),
    Column("name", "Text"),
    Column("total", "Decimal", 12, 2),
    Column("score", "Double"),
    Column("at", "Timestamp"),
    Column("day", "Date"),
    Column("paid", "Boolean"),
)
ROWS = [
    (1, "O'Brien", "1.50", 0.5, "2026-05-20T10:00:00.000001", "2026-05-20", True),
    (2, "o'b_ien 100%", "-3.25", -1.5, "2026-05-20T10:00:00", "2026-05-21", False),
    (3, None, None, None, None, None, None),
    (4, "ÄRGER", "999999.99", 1e300, "1969-12-31T23:59:59.999999", "1969-12-31", True),
    (5, "", "0.00", 0.0, "2026-05-21T00:00:00", "2026-05-20", None),
]


def values_row(row: tuple) -> dict:
    nr, name, total, score, at, day, paid = row
    return {
        "id": nr,
        "name": name,
        "total": None if total is None else Decimal(total),
        "score": score,
        "at": None if at is None else dt.datetime.fromisoformat(at),
        "day": None if day is None else dt.date.fromisoformat(day),
        "paid": paid,
    }


def make_values_table(client, namespace: str) -> str:
    name = f"{namespace}.some"
    client.execute_query(
        f"CREATE TABLE {name} (id INT PRIMARY KEY, name TEXT, total DECIMAL(12, 2), score DOUBLE, "
        "at TIMESTAMP, day DATE, paid BOOLEAN) WITH (TYPE = 'SHARED')"
    )
    return name


@pytest.fixture
def values_table(client, namespace) -> str:
    """The same rows as a table of the server."""
    name = make_values_table(client, namespace)
    columns = ", ".join(column.name for column in VALUES)
    for row in ROWS:
        client.execute_query(f"INSERT INTO {name} ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7)", list(row))
    return name


@pytest.mark.contract
@pytest.mark.parametrize(
    ("column", "condition", "values"),
    [
        ("name", "contains", ["O'B"]),
        ("name", "contains", ["_i"]),
        ("name", "contains", ["0%"]),
        ("name", "contains", ["ärg"]),
        ("name", "is one of", ["O'Brien", "empty"]),
        ("name", "is NULL", []),
        ("name", "is not NULL", []),
        ("total", "from … to …", ["-3.25", "1.5"]),
        ("score", "from … to …", ["-1.5", "1e299"]),
        ("at", "from … to …", ["2026-05-20 10:00:00.000001", ""]),
        ("at", "from … to …", ["", "2026-05-20"]),
        ("day", "from … to …", ["2026-05-20", "2026-05-20"]),
        ("paid", "is one of", ["false"]),
    ],
)
def test_a_filter_means_the_same_as_its_sql(page: Page, client, values_table, column, condition, values):
    table = MountedTable(page, VALUES)
    table.load([values_row(row) for row in ROWS])
    shown(page, len(ROWS))
    add_filter(page, column, condition, *values)
    expect(page.locator(".kl-chip")).to_have_count(1)
    page.get_by_role("button", name="as SQL").click()
    where = page.get_by_label("The filters as SQL").input_value()
    answer = client.query(f"SELECT id FROM {values_table} {where} ORDER BY id")
    wanted = [str(nr) for nr in answer["id"]]
    assert 0 < len(wanted) < len(ROWS)
    assert [row[0] for row in shown(page, len(wanted))] == wanted


@pytest.mark.contract
@pytest.mark.parametrize("text", ["550E8400-e29b", "e8400e29", " 550e8400-e29b-41d4-a716-446655440000"])
def test_a_uuid_is_found_by_its_digits_and_as_sql(page: Page, client, namespace, text: str):
    first, second = UUID("550e8400-e29b-41d4-a716-446655440000"), UUID("660e8400-e29b-41d4-a716-446655440000")
    name = f"{namespace}.refs"
    client.execute_query(f"CREATE TABLE {name} (id INT PRIMARY KEY, ref UUID) WITH (TYPE = 'SHARED')")
    client.execute_query(f"INSERT INTO {name} (id, ref) VALUES (1, '{first}')")
    client.execute_query(f"INSERT INTO {name} (id, ref) VALUES (2, '{second}')")

    table = MountedTable(page, (Column("id", "Int", flags=("pk", "nn", "uq")), Column("ref", "Uuid")))
    table.load([{"id": 1, "ref": first.bytes}, {"id": 2, "ref": second.bytes}, {"id": 3, "ref": None}])
    add_filter(page, "ref", "contains", text)
    expect(page.locator(".kl-chip")).to_have_count(1)
    wanted = ["1"] if "550" in text else ["1", "2"]
    assert [row[0] for row in shown(page, len(wanted))] == wanted

    page.get_by_role("button", name="as SQL").click()
    where = page.get_by_label("The filters as SQL").input_value()
    answer = client.query(f"SELECT id FROM {name} {where} ORDER BY id")
    assert [str(nr) for nr in answer["id"]] == wanted


REPORT = '{"id": "1", "sub": "f0001", "name": "Report 1.PDF", "size": 1234, "mime": "a/b", "sha256": "aa"}'
CONTENTS = [
    (1, "89504e470d0a1a0aff", REPORT),
    (2, "8951", "a plain text"),
    (3, "", None),
    (4, None, REPORT.replace("Report 1.PDF", "kB · 5.png")),
]


@pytest.mark.contract
@pytest.mark.parametrize(
    ("column", "condition", "values", "wanted", "words"),
    [
        ("data", "begins with", ["0x8950 4E47"], ["1"], "data begins with 89504e47"),
        ("data", "begins with", ["895"], ["1", "2"], "data begins with 895"),
        ("data", "begins with", [r"\x89504e470d0a1a0a"], ["1"], "data begins with 89504e470d0a1a0a"),
        ("data", "has a size from … to …", ["1", "2"], ["2"], "data has 1 to 2 bytes"),
        ("data", "has a size from … to …", ["9", ""], ["1"], "data has 9 bytes or more"),
        ("data", "has a size from … to …", ["", "2"], ["2", "3"], "data has 2 bytes or fewer"),
        ("data", "is not NULL", [], ["1", "2", "3"], "data is not NULL"),
        ("doc", "contains", ["pdf"], ["1"], "doc contains “pdf”"),
        ("doc", "contains", ["plain"], ["2"], "doc contains “plain”"),
        ("doc", "contains", ["kb"], ["4"], "doc contains “kb”"),  # Of the name, not of the size.
    ],
)
def test_bytes_and_files_are_found_and_by_sql(page: Page, client, namespace, column, condition, values, wanted, words):
    name = f"{namespace}.contents"
    client.execute_query(f"CREATE TABLE {name} (id INT PRIMARY KEY, data BYTES, doc FILE) WITH (TYPE = 'SHARED')")
    for nr, digits, doc in CONTENTS:
        client.execute_query(f"INSERT INTO {name} (id, doc) VALUES ($1, $2)", [nr, doc])
        if digits is not None:  # An INSERT would store a debug text of them.
            client.execute_query(f"UPDATE {name} SET data = X'{digits}' WHERE id = {nr}")

    columns = (Column("id", "Int", flags=("pk", "nn", "uq")), Column("data", "Bytes"), Column("doc", "File"))
    table = MountedTable(page, columns)
    table.load(
        [
            {"id": nr, "data": None if digits is None else bytes.fromhex(digits), "doc": doc}
            for nr, digits, doc in CONTENTS
        ]
    )
    add_filter(page, column, condition, *values)
    expect(page.locator(".kl-chip")).to_have_text(f"{words} ×")
    assert [row[0] for row in shown(page, len(wanted))] == wanted

    page.get_by_role("button", name="as SQL").click()
    where = page.get_by_label("The filters as SQL").input_value()
    answer = client.query(f"SELECT id FROM {name} {where} ORDER BY id")
    assert [str(nr) for nr in answer["id"]] == wanted


@pytest.mark.parametrize(
    ("condition", "value", "told"),
    [
        ("begins with", "", "Give the first bytes in hexadecimal digits, such as 89504e47."),
        ("begins with", "PNG", "Give the first bytes in hexadecimal digits, such as 89504e47."),
        ("begins with", "00" * 9, "Give 8 bytes (16 digits) at most."),
        ("has a size from … to …", "1 kB", "1 kB is no number of bytes."),
        ("has a size from … to …", " ", "Give at least one of the two bounds."),
    ],
)
def test_a_filter_of_bytes_that_means_nothing_is_refused(page: Page, condition: str, value: str, told: str):
    table = MountedTable(page, (Column("id", "Int", flags=("pk",)), Column("data", "Bytes")))
    table.load([{"id": 1, "data": b"a"}])
    add_filter(page, "data", condition, value)
    expect(page.get_by_role("alert")).to_have_text(told)
    expect(page.locator(".kl-chip")).to_have_count(0)


@pytest.mark.contract
@pytest.mark.parametrize(
    "sql", ["SELECT * FROM {table};", "SELECT nr AS id, name FROM (SELECT id AS nr, name FROM {table}) AS s -- all"]
)
def test_what_a_filter_shows_is_followed_by_a_cell(page: Page, client, values_table, clipboard, sql: str):
    sql = sql.format(table=values_table)
    table = MountedTable(page, VALUES, sql=sql)
    table.load([values_row(row) for row in ROWS])
    add_filter(page, "name", "contains", "O'B")
    page.get_by_role("button", name="as SQL").click()
    page.get_by_role("button", name="Follow this").click()
    expect(page.get_by_role("status").filter(has_text="Copied: paste it into a cell.")).to_be_visible()
    line, query = clipboard().split("\n", 1)
    assert line == "%%kalam --live"
    with client.live(query) as live:
        assert sorted(live.df()["id"]) == [1, 2]
        if "nr" not in sql:
            assert live.form == "delta"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_the_tools_look_right_in_every_width_and_theme(page: Page, scheme: str, width: int, tmp_path: Path):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 640})
    folder = Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path))
    dark = "html { background: #0d1117 }" if scheme == "dark" else ""
    page.add_style_tag(content=f"body {{ margin: 16px }} {dark}")
    table = MountedTable(page, ORDERS, sql="SELECT * FROM shop.orders")
    table.load([order(i, NAMES[i % 6] if i % 5 else None, f"{i * 37 % 900}.{i % 10}0") for i in range(1, 31)])
    add_filter(page, "total", "from … to …", "100", "800")
    tool(page, "Pause").click()
    tool(page, "Filter").click()
    page.get_by_label("Column", exact=True).select_option("customer")
    page.get_by_label("Condition").select_option("is one of")
    table.change({5: order(5, "Katherine Johnson", "99.90")})
    expect(tool(page, re.compile("Resume"))).to_contain_text("1 change waiting")
    page.screenshot(path=folder / f"tools-{scheme}-{width}.png")
    tool(page, "Copy").click()
    page.locator("td").nth(5).click()
    page.locator("td").nth(14).click(modifiers=["Shift"])
    expect(page.locator(".kl-editor")).to_contain_text("Copy 3 rows × 2 columns as")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for part in page.locator(".kl-bar :is(button, label, .kl-hits)").all():
        assert contrast_of(part, page.locator(".kalam-live")) >= 4.5
    page.screenshot(path=folder / f"tools-chosen-{scheme}-{width}.png")
