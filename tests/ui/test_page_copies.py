"""What a page copies and saves: cells that are chosen, CSV, Markdown, VALUES, Arrow; each exactly or not at all."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest
from kept_live import KeptLive
from page_module import ORDERS, MountedTable, order
from page_tools import shown, tool
from playwright.sync_api import Page, expect

from kalam_notebook.wire.types import Column

pytestmark = pytest.mark.browser

COPIED = (
    *ORDERS[:3],
    Column("data", "Bytes"),
    Column("vector", "Embedding", size=2),
    Column("score", "Double"),
)


def copied_row(i: int, customer: str | None, data: bytes | None = b"\x01\xff") -> dict:
    return {
        "id": 2**53 + i,
        "customer": customer,
        "total": Decimal("-0.50"),
        "data": data,
        "vector": [0.5, -1.0],
        "score": 0.1 + 0.2,
    }


def test_what_is_copied_is_exact(page: Page, clipboard):
    table = MountedTable(page, COPIED)
    nasty = 'a "b", | <c>\n*d* '
    table.load([copied_row(1, nasty), copied_row(2, None), copied_row(3, "", None)])
    tool(page, "Copy").click()
    expect(page.locator(".kl-editor")).to_contain_text("Copy 3 rows × 6 columns as")
    page.get_by_role("button", name="CSV", exact=True).click()
    lines = list(csv.reader(io.StringIO(clipboard(), newline="")))
    assert lines == [
        [column.name for column in COPIED],
        ["9007199254740993", nasty, "-0.50", "01ff", "[0.5, -1.0]", "0.30000000000000004"],
        ["9007199254740994", "", "-0.50", "01ff", "[0.5, -1.0]", "0.30000000000000004"],
        ["9007199254740995", "", "-0.50", "", "[0.5, -1.0]", "0.30000000000000004"],
    ]
    page.get_by_role("button", name="Markdown").click()
    _, _, first, second, _ = clipboard().splitlines()
    assert first.startswith(r'| 9007199254740993 | a "b", \| \<c\><br>\*d\*  | -0.50 | 01ff |')
    assert " | NULL | " in second
    page.get_by_role("button", name="VALUES").click()
    text = clipboard().splitlines()
    assert text[0] == "VALUES"
    assert text[-2:] == [
        "  (9007199254740994, NULL, -0.50, X'01ff', '[0.5, -1.0]', 0.30000000000000004),",
        "  (9007199254740995, '', -0.50, NULL, '[0.5, -1.0]', 0.30000000000000004)",
    ]
    expect(page.get_by_text("3 rows × 6 columns copied")).to_be_visible()


def test_cells_are_chosen_by_keys_and_copied(page: Page, clipboard):
    table = MountedTable(page, ORDERS)
    table.load([order(i, f"name {i}") for i in range(1, 101)])
    page.locator(".kl-box").focus()
    page.keyboard.press("Enter")
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    expect(page.get_by_text("2 rows × 2 columns chosen")).to_be_visible()
    page.keyboard.press("Control+c")
    assert clipboard() == "customer,total\r\nname 1,1.50\r\nname 2,1.50\r\n"
    # The rows keep their choice while others come before them.
    table.load([order(200, "new"), *[order(i, f"name {i}") for i in range(1, 101)]], ids=[200, *range(1, 101)])
    expect(page.locator("td").first).to_have_text("200")
    assert page.locator("td.kl-chosen").all_inner_texts() == ["name 1", "1.50", "name 2", "1.50"]
    for _ in range(30):
        page.keyboard.press("ArrowDown")
    expect(page.locator("td.kl-chosen")).to_be_in_viewport()
    expect(page.locator("td.kl-chosen")).to_have_text("1.50")
    page.keyboard.press("Control+a")
    expect(page.get_by_text("101 rows × 4 columns chosen")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("td.kl-chosen")).to_have_count(0)


def test_cells_are_chosen_by_the_mouse(page: Page, clipboard):
    table = MountedTable(page, ORDERS)
    table.load([order(i, f"name {i}") for i in range(1, 11)])
    cell = page.locator("tbody tr:not(.kl-space)")
    cell.nth(1).locator("td").nth(1).click()
    cell.nth(3).locator("td").nth(2).click(modifiers=["Shift"])
    expect(page.locator("td.kl-chosen")).to_have_count(6)
    cell.nth(5).locator("td").nth(0).hover()
    page.mouse.down()
    cell.nth(6).locator("td").nth(1).hover()
    page.mouse.up()
    tool(page, "Copy").click()
    page.get_by_role("button", name="CSV", exact=True).click()
    assert clipboard() == "id,customer\r\n6,name 6\r\n7,name 7\r\n"


def test_of_what_the_page_holds_the_start_the_kernel_gives_the_rest(page: Page, clipboard):
    columns = (*COPIED, Column("many", "Embedding", size=9))
    text, numbers = "👍x" * 600, [i / 8 for i in range(9)]
    rows = [copied_row(1, text), copied_row(2, "b", b"123456789"), copied_row(3, None, None)]
    live = KeptLive(columns, [row | {"many": numbers if row["customer"] else None} for row in rows])
    table = MountedTable(page, columns)
    table.answer_from(live)
    table.follow(live)
    tool(page, "Copy").click()
    page.get_by_role("button", name="CSV", exact=True).click()
    expect(page.get_by_text("3 rows × 7 columns copied")).to_be_visible()
    _, first, second, third = csv.reader(io.StringIO(clipboard(), newline=""))
    assert (first[1], second[3], third[6]) == (text, "313233343536373839", "")
    assert first[6] == second[6] == f"[{', '.join(map(str, numbers))}]"
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as Arrow file").click()
    found = pa.ipc.open_file(saved.value.path()).read_all()
    assert found.to_pylist() == live.arrow().to_pylist()


def test_what_the_kernel_cannot_give_as_it_is_shown_is_not_copied(page: Page, clipboard):
    rows = [copied_row(1, "x" * 1_001), copied_row(2, "b", b"123456789")]
    live = KeptLive(COPIED, rows)
    table = MountedTable(page, COPIED)
    table.answer_from(live)
    table.follow(live)
    tool(page, "Copy").click()
    for changed in ([copied_row(1, "x" * 1_002), rows[1]], [rows[0], copied_row(2, "b", b"123456780")], [rows[1]]):
        live.load(changed, at=1.0)
        page.get_by_role("button", name="VALUES").click()
        expect(page.get_by_text("Not copied: what is shown has changed by now; try again.")).to_be_visible()
        live.load(rows, at=2.0)
    page.evaluate("window.emit('msg:custom', {kind: 'end', text: 'stopped: closed'}, [])")
    page.get_by_role("button", name="VALUES").click()
    told = "Not copied: There is no kernel to ask any more (stopped: closed)."
    expect(page.get_by_text(told)).to_be_visible()
    assert page.evaluate("window.copied") is None


def test_what_a_filter_shows_is_saved_as_a_file(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "Ada"), order(2, "Grace"), order(3, "Ada")])
    page.get_by_role("searchbox").fill("ada")
    shown(page, 2)
    tool(page, "Copy").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV file").click()
    lines = list(csv.reader(saved.value.path().read_text(encoding="utf-8").splitlines()))
    assert [line[:2] for line in lines] == [["id", "customer"], ["1", "Ada"], ["3", "Ada"]]
    assert saved.value.suggested_filename == "table.csv"


SAVED = (
    Column("id", "BigInt", flags=("pk", "nn", "uq")),
    Column("small", "SmallInt"),
    Column("name", "Text"),
    Column("total", "Decimal", 38, 10),
    Column("score", "Double"),
    Column("single", "Float"),
    Column("paid", "Boolean"),
    Column("zoned", "DateTime"),
    Column("at", "Timestamp"),
    Column("day", "Date"),
    Column("clock", "Time"),
    Column("data", "Bytes"),
    Column("code", "Uuid"),
    Column("vector", "Embedding", size=2),
    Column("told", "Json"),
)


def saved_row(i: int) -> dict:
    """A row with values at the edges of their types; every third value is NULL."""
    moment = dt.datetime(1969, 12, 31, 23, 59, 59, 999_999) + dt.timedelta(days=i * 40_000)
    row = {
        "id": 2**63 - 1 - i,
        "small": -(2**15) + i,
        "name": ["", "Zoë 語\r\n\u200f", '"a", b', " ends "][i % 4],
        "total": Decimal(10) ** 27 - Decimal(f"0.000000000{i}"),
        "score": [0.1 + 0.2, -0.0, float("inf"), 5e-324][i % 4],
        "single": 0.5 + i,
        "paid": i % 2 == 0,
        "zoned": moment.replace(tzinfo=dt.UTC),
        "at": moment,
        "day": moment.date(),
        "clock": moment.time(),
        "data": bytes(range(i)),
        "code": UUID(int=2**127 + i).bytes,
        "vector": [0.25 * i, -1.0],
        "told": f'{{"n": {i}}}',
    }
    return {name: value if name == "id" or (i + at) % 3 else None for at, (name, value) in enumerate(row.items())}


def saved_arrow(page: Page) -> pa.Table:
    """What the page saves as an Arrow file."""
    tool(page, "Copy").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as Arrow file").click()
    tool(page, "Copy").click()
    assert saved.value.suggested_filename == "table.arrow"
    return pa.ipc.open_file(saved.value.path()).read_all()


def test_an_arrow_file_holds_the_same_types_and_values(page: Page):
    table = MountedTable(page, SAVED)
    rows = [saved_row(i) for i in range(8)]
    table.load(rows)
    shown(page, 8)
    saved = saved_arrow(page)
    wanted = table.table(rows)
    assert saved.schema.types == wanted.schema.types
    saved.validate(full=True)
    assert saved.equals(wanted)
    assert [field.metadata for field in saved.schema] == [field.metadata for field in wanted.schema]


def test_an_arrow_file_holds_what_a_filter_shows(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(i, "Ada" if i % 2 else "Grace") for i in range(1, 7)])
    page.get_by_role("searchbox").fill("ada")
    shown(page, 3)
    page.get_by_role("button", name="id", exact=True).click()
    page.get_by_role("button", name="id", exact=True).click()
    assert saved_arrow(page).column("id").to_pylist() == [5, 3, 1]
    page.get_by_role("searchbox").fill("nobody")
    shown(page, 0)
    assert saved_arrow(page).schema.names == [column.name for column in ORDERS]


def test_no_arrow_file_without_what_writes_it(page: Page):
    table = MountedTable(page, ORDERS, parts=frozenset({"live_tools"}))
    page.evaluate(
        "() => { window.answer = async ({number}) => [{kind: 'answer', number, fault: 'No <kernel>.'}, []]; }"
    )
    table.load([order(1)])
    shown(page, 1)
    tool(page, "Copy").click()
    page.get_by_role("button", name="Save as Arrow file").click()
    expect(page.get_by_role("alert")).to_have_text("Not saved: No <kernel>.")
