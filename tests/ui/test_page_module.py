"""The page module alone: rows that appear, change and vanish, hostile values, the status line, narrow and dark."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from page_module import MountedTable
from playwright.sync_api import Browser, Page, expect

from kalam_notebook.wire.types import Column

pytestmark = pytest.mark.browser

ORDERS = (
    Column("id", "BigInt", flags=("pk", "nn", "uq")),
    Column("customer", "Text"),
    Column("total", "Decimal", 12, 2),
    Column("placed_at", "Timestamp"),
)
PLACED = dt.datetime(2026, 5, 20, 10, 0, tzinfo=dt.UTC)
NAMES = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Barbara Liskov", "Edsger Dijkstra", "Radia Perlman")


def order(i: int, customer: str | None = "Ada", total: str = "1.50") -> dict:
    placed = PLACED + dt.timedelta(seconds=i, microseconds=i)
    return {"id": i, "customer": customer, "total": Decimal(total), "placed_at": placed}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 900, "height": 700}, timezone_id="UTC")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_content(
        "<!doctype html><body><div data-kalam-twin='abc123'>static copy</div>"
        "<div data-kalam-twin='other'>another</div><div id='place'></div></body>"
    )
    yield page
    context.close()
    assert errors == []


def cells(page: Page) -> list[list[str]]:
    """The texts of the rows on screen."""
    return page.eval_on_selector_all(
        ".kalam-live tbody tr:not(.kl-space)", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )


def test_rows_appear_change_and_vanish(page: Page):
    table = MountedTable(page, ORDERS)
    assert page.evaluate("said") == [{"kind": "hello"}]
    expect(page.locator(".kalam-live")).to_be_hidden()
    expect(page.get_by_text("static copy")).to_be_visible()
    table.load([order(1) | {"id": 2**53 + 1}, order(2, None)])
    expect(page.get_by_text("static copy")).to_be_hidden()
    expect(page.get_by_text("another")).to_be_visible()
    expect(page.locator("th").first).to_have_text("idBIGINTPK")
    expect(page.locator("tbody tr:not(.kl-space)")).to_have_count(2)
    assert cells(page)[0][0] == "9007199254740993"
    assert cells(page)[1] == ["2", "NULL", "1.50", "2026-05-20T10:00:02.000002Z"]
    table.change({2: order(2, "Grace", "-0.50"), 3: order(3, "Alan")}, removed=(1,))
    expect(page.locator("tbody tr:not(.kl-space)").first).to_contain_text("Grace")
    assert [row[:3] for row in cells(page)] == [["2", "Grace", "-0.50"], ["3", "Alan", "1.50"]]
    flashing = page.locator("td[class*=kl-changed]")
    assert flashing.all_inner_texts() == ["Grace", "-0.50"]
    expect(page.locator("tr.kl-new-a td").first).to_have_text("3")
    expect(page.locator(".kl-facts")).to_have_text("2 rows · 3 changes · direct")
    page.wait_for_function("said.at(-1).kind === 'ack' && said.at(-1).frame === 2")


def test_a_cell_flashes_again_when_it_changes_again(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1)])
    cell = page.locator("td").nth(1)
    expect(cell).to_have_text("Ada")
    table.change({1: order(1, "b")})
    expect(cell).to_have_class(re.compile("kl-changed-a"))
    table.change({1: order(1, "c")})
    expect(cell).to_have_class(re.compile("kl-changed-b"))
    expect(page.locator("td[class*=kl-changed]")).to_have_count(1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<img src=x onerror='document.title=1'>", None),
        ("</style><script>document.title=1</script>", None),
        ("\"'`${document.title=1}`", None),
        ("a\x00b‮c\r\nd", "a␀b⟨U+202E⟩c↵d"),
        ("NULL", None),
        ("x" * 5000, "x" * 80 + "… 5,000 characters"),
    ],
)
def test_nothing_of_the_data_is_markup(page: Page, value: str, shown: str | None):
    columns = (Column(value[:200], value[:200], flags=("pk",)), Column("j", "Json"))
    table = MountedTable(page, columns, sql=value, status={"text": f"stopped: {value[:200]}", "notice": value[:200]})
    table.load([{columns[0].name: value, "j": value}])
    cell = page.locator("td").first
    expect(cell).to_have_text(shown or value, use_inner_text=False)
    assert page.locator(".kalam-live :is(img, script)").count() == 0
    assert page.title() == ""
    expect(page.locator("td.kl-null")).to_have_count(0)


def test_long_cells_have_a_tooltip(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "y" * 100), order(2, "z" * 3000)])
    expect(page.locator("td[title]")).to_have_count(2)
    titles = [cell.get_attribute("title") for cell in page.locator("td[title]").all()]
    assert titles == ["y" * 100, "z" * 1000 + "…"]


def test_ten_thousand_rows_scroll_smoothly_and_the_rest_is_told(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(i) for i in range(1, 10_002)], total=12_345)
    expect(page.locator(".kl-foot")).to_have_text("first 10,000 of 12,345 rows")
    assert page.locator("tbody tr").count() < 80
    box = page.locator(".kl-box")
    box.evaluate("box => { box.scrollTop = box.scrollHeight / 2 }")
    expect(page.locator("td", has_text=re.compile("^5001$"))).to_be_visible()
    box.evaluate("box => { box.scrollTop = box.scrollHeight }")
    expect(page.locator("td", has_text=re.compile("^10000$"))).to_be_visible()
    assert page.locator("tbody tr").count() < 80


def test_who_stands_at_the_end_stays_there(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(i) for i in range(1, 101)])
    expect(page.locator("td", has_text=re.compile("^1$"))).to_be_visible()
    table.change({101: order(101)})
    expect(page.locator(".kl-facts")).to_contain_text("101 rows")
    assert page.locator(".kl-box").evaluate("box => box.scrollTop") == 0
    page.locator(".kl-box").evaluate("box => { box.scrollTop = box.scrollHeight }")
    expect(page.locator("td", has_text=re.compile("^101$"))).to_be_visible()
    table.change({102: order(102)})
    expect(page.locator("td", has_text=re.compile("^102$"))).to_be_in_viewport()


def test_columns_grow_with_their_cells_and_never_shrink(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "a" * 30)])
    expect(page.locator("td").nth(1)).to_have_text("a" * 30)

    def widths() -> list[float]:
        return page.eval_on_selector_all(".kalam-live th", "heads => heads.map((head) => head.offsetWidth)")

    before = widths()
    for customer in ("b", "c", "d"):
        table.change({1: order(1, customer)})
        expect(page.locator("td").nth(1)).to_have_text(customer)
    assert widths() == before
    table.change({1: order(1, "w" * 60)})
    expect(page.locator("td").nth(1)).to_have_text("w" * 60)
    assert widths()[1] > before[1]


def test_sorting_works_in_the_page_and_stays_while_rows_change(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "b", "10.00"), order(2, None, "9.00"), order(3, "a", "-1.00")])
    head = page.get_by_role("button", name="total")
    head.click()
    expect(page.locator("th").nth(2)).to_have_attribute("aria-sort", "ascending")
    assert [row[2] for row in cells(page)] == ["-1.00", "9.00", "10.00"]
    table.change({4: order(4, "c", "9.50")})
    expect(page.locator("tbody tr:not(.kl-space)")).to_have_count(4)
    assert [row[2] for row in cells(page)] == ["-1.00", "9.00", "9.50", "10.00"]
    page.get_by_role("button", name="customer").click()
    assert [row[1] for row in cells(page)] == ["a", "b", "c", "NULL"]
    page.get_by_role("button", name="customer").click()
    page.get_by_role("button", name="customer").click()
    assert [row[0] for row in cells(page)] == ["1", "2", "3", "4"]


def test_status_line(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1)])
    root, state = page.locator(".kalam-live"), page.get_by_role("status")
    expect(state).to_have_text("live")
    expect(root).to_have_attribute("data-tone", "live")
    expect(page.locator(".kl-facts")).to_have_text("1 row · 0 changes · direct")
    table.tell(
        text="reconnecting in 3 s", changes=1, changed_at=1779271384000, form="re-run", verified_at=1779271385000
    )
    expect(state).to_have_text("reconnecting in 3 s")
    expect(root).to_have_attribute("data-tone", "waiting")
    expect(page.locator(".kl-facts")).to_have_text(
        "1 row · 1 change · last change 10:03:04 · re-run · verified 10:03:05"
    )
    table.tell(text="stopped: closed")
    expect(root).to_have_attribute("data-tone", "stopped")
    table.tell(text="stopped: refused", failed=True, notice="Deletes are not told.\nAnd <more>.")
    expect(root).to_have_attribute("data-tone", "failed")
    expect(page.get_by_role("note")).to_have_text(
        "Warning: Deletes are not told.\nWarning: And <more>.", use_inner_text=True
    )
    page.evaluate("emit('comm_live_update')")
    expect(state).to_have_text("stopped: the kernel has gone")
    assert page.evaluate("said.at(-1)") == {"kind": "hello"}
    table.tell(text="live", failed=False)
    expect(state).to_have_text("live")
    table.raw([({"kind": "end", "text": "stopped: closed"}, [])])
    expect(state).to_have_text("stopped: closed")


def test_lost_frames_are_asked_for(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1)])
    table.rows.version = 7  # As if frames had been dropped on the way.
    table.change({2: order(2)})
    page.wait_for_function("said.filter(({kind}) => kind === 'hello').length === 2")
    table.load([order(1), order(2), order(3)])
    expect(page.locator("tbody tr:not(.kl-space)")).to_have_count(1)  # Version 1 is what the page has.


def test_views_come_and_go(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1)])
    expect(page.locator("td").first).to_have_text("1")
    page.evaluate("hide()")
    expect(page.locator(".kalam-live")).to_have_count(0)
    expect(page.get_by_text("static copy")).to_be_visible()
    table.change({2: order(2)})
    page.evaluate("() => { window.hide = show(); show(); }")
    expect(page.locator("tbody tr:not(.kl-space)")).to_have_count(4)
    page.evaluate("end()")


def test_a_table_without_rows_shows_its_columns(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([])
    expect(page.locator("th")).to_have_count(4)
    expect(page.locator(".kl-facts")).to_have_text("0 rows · 0 changes · direct")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1200])
def test_looks_right_in_every_width_and_theme(page: Page, scheme: str, width: int, tmp_path: Path):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 640})
    dark = "html { background: #0d1117 }" if scheme == "dark" else ""
    page.add_style_tag(content=f"body {{ margin: 16px }} {dark}")
    sql = "SELECT id, customer, total, placed_at FROM shop.orders WHERE status = 'open'"
    table = MountedTable(
        page, ORDERS, sql=sql, status={"notice": "app.orders is a STREAM table: deletes are not told."}
    )
    table.load([order(i, NAMES[i % 6] if i % 5 else None, f"{i * 37 % 900}.{i % 10}0") for i in range(1, 31)])
    table.tell(changed_at=1779271384000)
    table.change({5: order(5, "Katherine Johnson", "99.90"), 31: order(31, "Hedy Lamarr")})
    expect(page.locator("td", has_text="Katherine Johnson")).to_be_visible()
    # The table scrolls in its own box; the page does not.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colour, background = page.locator(".kalam-live").evaluate(
        "el => [getComputedStyle(el).color, getComputedStyle(el).backgroundColor]"
    )
    assert contrast(colour, background) > 7
    folder = Path(os.environ.get("KALAM_TEST_SCREENSHOTS", tmp_path))
    page.screenshot(path=folder / f"page-{scheme}-{width}.png")


def contrast(one: str, two: str) -> float:
    """The WCAG contrast ratio of two CSS colours ``rgb(r, g, b)``."""

    def luminance(colour: str) -> float:
        channels = [int(n) / 255 for n in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)
