"""The page module alone: rows that appear, change and vanish, hostile values, the status line, narrow and dark."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path

import pytest
from looks import contrast, spilt
from page_module import NAMES, ORDERS, MountedTable, cells, order
from playwright.sync_api import Locator, Page, expect

from kalam_notebook.notebook.page import page_rows
from kalam_notebook.wire.types import Column

pytestmark = pytest.mark.browser


def test_rows_appear_change_and_vanish(page: Page):
    table = MountedTable(page, ORDERS)
    assert [word["kind"] for word in page.evaluate("said")] == ["hello"]
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
    expect(page.locator(".kl-facts")).to_have_text("2 rows · 3 changes · direct")
    page.wait_for_function("said.at(-1).kind === 'ack' && said.at(-1).frame === 2")


@pytest.fixture
def marks(page: Page) -> Locator:
    """What is marked as changed or new, on a page whose clock stands still until a test lets it run."""
    page.emulate_media(reduced_motion="no-preference")
    page.clock.install(time=0)
    page.clock.pause_at(1_000)
    return page.locator(".kl-changed, .kl-new")


def test_new_rows_and_changed_cells_are_marked_for_a_second(page: Page, marks: Locator):
    table = MountedTable(page, ORDERS)
    table.load([order(1), order(2)])
    page.clock.run_for(100)
    expect(page.locator("td").first).to_have_text("1")
    assert marks.count() == 0  # The first rows are not news.
    table.change({2: order(2, "Grace", "-0.50"), 3: order(3)})
    page.clock.run_for(100)
    assert marks.all_inner_texts() == ["Grace", "-0.50", page.locator("tbody tr:not(.kl-space)").nth(2).inner_text()]
    page.clock.run_for(600)
    table.change({2: order(2, "Grace", "7.00")})
    page.clock.run_for(700)
    assert marks.all_inner_texts() == ["7.00"]  # Marked anew, it stays on.
    page.clock.run_for(1_300)
    assert marks.count() == 0


def test_the_tooltip_of_a_changed_cell_tells_what_was_there(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "Ada"), order(2, "y" * 100), order(3, "")])
    cell = page.locator("td:nth-child(2)")
    cell.nth(0).hover()
    expect(cell.nth(0)).not_to_have_attribute("title", re.compile("Before"))
    table.change({1: order(1, "Grace"), 2: order(2, "z" * 100), 3: order(3, "Alan")})
    cell.nth(0).hover(position={"x": 9, "y": 9})
    expect(cell.nth(0)).to_have_attribute("title", "Before: Ada")
    cell.nth(1).hover()
    expect(cell.nth(1)).to_have_attribute("title", f"{'z' * 100}\nBefore: {'y' * 100}")
    cell.nth(2).hover()
    expect(cell.nth(2)).to_have_attribute("title", "Before: empty")
    table.change({1: order(1, None)})
    cell.nth(0).hover()
    expect(cell.nth(0)).to_have_attribute("title", "Before: Grace")
    table.change({4: order(4, None)}, removed=(1,))  # Its element may be taken for another row.
    expect(page.locator("td:nth-child(1)").last).to_have_text("4")
    cell.nth(2).hover()
    expect(cell.nth(2)).not_to_have_attribute("title", re.compile("Before"))


def test_deleted_rows_fade_in_their_places(page: Page, marks: Locator):
    table = MountedTable(page, ORDERS)
    table.load([order(i) for i in range(1, 101)])
    page.clock.run_for(100)
    expect(page.locator("td").first).to_have_text("1")
    table.change({101: order(101)}, removed=(2, 3, 90))  # One of them is out of sight.
    page.clock.run_for(100)
    gone = page.locator("tr.kl-gone")
    expect(gone).to_have_count(2)
    firsts = page.locator("tbody tr:not(.kl-space) td:first-child")
    assert firsts.all_inner_texts()[:4] == ["1", "2", "3", "4"]
    table.change({1: order(1, "Grace")})
    page.clock.run_for(100)
    assert firsts.all_inner_texts()[:4] == ["1", "2", "3", "4"]
    page.clock.run_for(1_000)
    expect(gone).to_have_count(0)
    assert firsts.all_inner_texts()[:3] == ["1", "4", "5"]
    table.change({}, removed=tuple(range(10, 40)))  # Most of what is in sight: nobody reads all of it.
    page.clock.run_for(100)
    expect(gone).to_have_count(0)
    page.emulate_media(reduced_motion="reduce")
    table.change({}, removed=(5,))
    page.clock.run_for(100)
    expect(page.locator("td", has_text=re.compile("^5$"))).to_have_count(0)


def test_marks_that_would_be_everywhere_are_left_out(page: Page, marks: Locator):
    table = MountedTable(page, ORDERS)
    table.load([order(i) for i in range(1, 101)])
    page.clock.run_for(100)
    table.change({i: order(i, "Grace") for i in range(1, 101)})
    page.clock.run_for(100)
    expect(page.locator("td").nth(1)).to_have_text("Grace")
    assert marks.count() == 0
    table.change({3: order(3, "Alan")})
    page.clock.run_for(100)
    assert marks.all_inner_texts() == ["Alan"]


def test_who_wants_no_motion_sees_none(page: Page, marks: Locator):
    page.emulate_media(reduced_motion="reduce")
    table = MountedTable(page, ORDERS)
    table.load([order(1)])
    page.clock.run_for(100)
    table.change({1: order(1, "Grace")})
    page.clock.run_for(100)
    expect(page.locator("td").nth(1)).to_have_text("Grace")
    assert marks.count() == 0


def test_a_row_that_takes_the_place_of_another_is_not_marked(page: Page, marks: Locator):
    table = MountedTable(page, ORDERS)
    table.load([order(i) for i in range(1, 301)])
    page.clock.run_for(100)
    page.locator(".kl-box").evaluate("box => { box.scrollTop = 2600 }")
    expect(page.locator("td", has_text=re.compile("^105$"))).to_be_visible()
    page.get_by_role("button", name="id").click()
    page.get_by_role("button", name="id").click()
    page.clock.run_for(100)
    assert marks.count() == 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<img src=x onerror='document.title=1'>", None),
        ("</style><script>document.title=1</script>", None),
        ("\"'`${document.title=1}`", None),
        ("a\x00b‮c\r\nd", "a␀b⟨U+202E⟩c↵d"),
        ("NULL", None),
        ("x" * 5000, "x" * 1000 + "… 5,000 characters"),
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


def test_a_copy_of_a_long_cell_is_whole_or_does_not_look_so(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "word " * 100 + "end"), order(2, "x" * 5_000), order(3, ""), order(4, " a ")])
    expect(page.locator("td.kl-null")).to_have_text("empty")
    copies = page.locator("td:nth-child(2)").evaluate_all(
        "cells => cells.map((cell) => { getSelection().selectAllChildren(cell); return getSelection().toString() })"
    )
    shown = [" ".join(copy.split()) for copy in copies]
    assert shown == ["word " * 100 + "end", "x" * 1_000 + "… 5,000 characters", "empty", "␣a␣"]


def test_long_cells_have_a_tooltip(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1, "y" * 100), order(2, "z" * 3000)])
    expect(page.locator("td[title]")).to_have_count(2)
    titles = [cell.get_attribute("title") for cell in page.locator("td[title]").all()]
    assert titles == ["y" * 100, "z" * 1000 + "…"]


def test_what_a_column_cuts_has_a_tooltip_and_its_mark_stays(page: Page):
    table = MountedTable(page, (*ORDERS, Column("vector", "Embedding", size=6)))
    texts = ["語" * 79, "W" * 79, "語" * 100, "W" * 3000, "Ada", None]
    table.load([order(i, text) | {"vector": [1 / 3] * 6} for i, text in enumerate(texts)])
    expect(page.locator("td small")).to_have_text(["100 characters", "3,000 characters"])
    assert spilt(page, ".kalam-live table") == []
    titles = [cell.get_attribute("title") for cell in page.locator("td:nth-child(2)").all()]
    assert titles == [*texts[:3], "W" * 1000 + "…", None, None]
    vectors = page.locator("td:nth-child(5)")
    assert vectors.first.get_attribute("title") == vectors.first.text_content()
    table.change({0: order(0, "short"), 1: order(1, "語" * 79)})
    expect(page.locator("td:nth-child(2)").first).to_have_text("語" * 79)


def test_the_table_is_altered(page: Page):
    table = MountedTable(page, (ORDERS[0], Column("name", "Text"), Column("keep", "Text")))
    table.load([{"id": 1, "name": "a", "keep": "k"}])
    expect(page.locator("th")).to_have_text(["idBIGINTPK", "nameTEXT", "keepTEXT"])
    altered = (ORDERS[0], Column("keep", "Text"), Column("qty", "BigInt"))
    table.alter(altered, [{"id": 1, "keep": "k", "qty": 2**53 + 1}])
    expect(page.locator("th")).to_have_text(["idBIGINTPK", "keepTEXT", "qtyBIGINT"])
    assert cells(page) == [["1", "k", "9007199254740993"]]
    table.alter((*altered, Column("note", "Text")), [{"id": 1, "keep": "k", "qty": 1, "note": "x"}])
    expect(page.locator("th")).to_have_text(["idBIGINTPK", "keepTEXT", "qtyBIGINT", "noteTEXT"])


def test_many_rows_scroll_smoothly_and_the_rest_is_told(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(i) for i in range(1, 10_001)], total=12_345)
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


FIRST_IN_SIGHT = """box => {
  const top = box.getBoundingClientRect().top + box.querySelector('thead').offsetHeight;
  const rows = [...box.querySelectorAll('tbody tr:not(.kl-space)')];
  return rows.find((row) => row.getBoundingClientRect().bottom > top + 1)?.cells[0].textContent;
}"""


def first_in_sight(page: Page) -> str:
    """The first cell of the first row that the reader sees."""
    return page.locator(".kl-box").evaluate(FIRST_IN_SIGHT)


def scroll(page: Page, rows: float) -> None:
    """Scroll by hand to a row, and wait until the page has noted it."""
    page.locator(".kl-box").evaluate(
        "(box, top) => new Promise((done) => { box.addEventListener('scroll', () => requestAnimationFrame(done),"
        " {once: true}); box.scrollTop = top; })",
        rows * 26,
    )


def settled(page: Page, facts: str) -> None:
    """Wait until a frame is drawn, and the scrolling that it brings about is over."""
    expect(page.locator(".kl-facts")).to_contain_text(facts)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_the_reader_stays_at_the_same_row_when_rows_above_go_and_come(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(i) for i in range(300)])
    expect(page.locator("td", has_text=re.compile("^1$"))).to_be_visible()
    scroll(page, 199.5)
    assert first_in_sight(page) == "199"
    table.change({}, removed=tuple(range(1, 101)))
    settled(page, "200 rows")
    assert first_in_sight(page) == "199"
    assert page.locator(".kl-box").evaluate("box => box.scrollTop") == 99.5 * 26
    table.change({row: order(row) for row in range(301, 321)})
    settled(page, "220 rows")
    assert first_in_sight(page) == "199"
    # Rows in sight and just below go: the next one that is left takes the place.
    table.change({}, removed=tuple(range(195, 231)))
    settled(page, "184 rows")
    assert first_in_sight(page) == "230"


def test_the_reader_stays_when_a_row_in_sight_moves_or_others_come_before(page: Page):
    table = MountedTable(page, ORDERS)
    ids = list(range(1, 101))
    table.load([order(i) for i in ids])
    expect(page.locator("td", has_text=re.compile("^1$"))).to_be_visible()
    scroll(page, 50)
    assert first_in_sight(page) == "51"
    moved = [51, *(i for i in ids if i != 51)]  # The very first in sight becomes the first of all.
    table.load([order(i) for i in moved], ids=moved)
    settled(page, "100 rows")
    assert first_in_sight(page) == "50"  # And 52 is where it was.
    more = [*range(201, 211), *moved]
    table.load([order(i) for i in more], ids=more)
    settled(page, "110 rows")
    assert first_in_sight(page) == "50"
    scroll(page, 0)
    newest = [301, *more]
    table.load([order(i) for i in newest], ids=newest)
    settled(page, "111 rows")
    assert first_in_sight(page) == "301"


def test_who_is_brought_to_the_end_by_deletes_does_not_follow_it(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(i) for i in range(1, 101)])
    expect(page.locator("td", has_text=re.compile("^1$"))).to_be_visible()
    scroll(page, 60)
    table.change({}, removed=tuple(range(71, 101)))
    settled(page, "70 rows")
    seen = first_in_sight(page)
    table.change({row: order(row) for row in range(101, 121)})
    settled(page, "90 rows")
    assert first_in_sight(page) == seen


def test_the_place_outlasts_a_time_out_of_sight(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(i) for i in range(1, 301)])
    expect(page.locator("td", has_text=re.compile("^1$"))).to_be_visible()
    scroll(page, 199)
    page.locator("#place").evaluate("place => { place.style.display = 'none' }")
    table.change({}, removed=tuple(range(1, 101)))
    page.wait_for_function("document.querySelector('.kl-facts').textContent.startsWith('200 rows')")
    page.locator("#place").evaluate("place => { place.style.display = '' }")
    table.change({301: order(301)})
    settled(page, "201 rows")
    assert first_in_sight(page) == "200"
    scroll(page, 1_000)
    page.locator("#place").evaluate("place => { place.style.display = 'none' }")
    table.change({row: order(row) for row in range(302, 352)})
    page.wait_for_function("document.querySelector('.kl-facts').textContent.startsWith('251 rows')")
    page.locator("#place").evaluate("place => { place.style.display = '' }")
    expect(page.locator("td", has_text=re.compile("^351$"))).to_be_in_viewport()


def test_sorting_by_hand_shows_where_it_leads(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(i) for i in range(1, 101)])
    head = page.get_by_role("button", name="id")
    for expected in ("1", "100", "1"):
        head.click()
        settled(page, "100 rows")
        assert first_in_sight(page) == expected


def test_what_a_screen_reader_is_told(page: Page):
    table = MountedTable(page, ORDERS, sql="SELECT *\nFROM app.orders")
    table.load([order(i) for i in range(1, 301)])
    box = page.get_by_role("region", name="SELECT * FROM app.orders")
    expect(box).to_have_class("kl-box")
    grid = box.get_by_role("table")
    expect(grid).to_have_attribute("aria-rowcount", "301")
    expect(grid.locator("thead tr")).to_have_attribute("aria-rowindex", "1")
    row = grid.locator("tr", has=page.locator("td:first-child", has_text=re.compile("^1$")))
    expect(row).to_have_attribute("aria-rowindex", "2")
    scroll(page, 199)
    row = grid.locator("tr", has=page.locator("td:first-child", has_text=re.compile("^200$")))
    expect(row).to_have_attribute("aria-rowindex", "201")
    table.change({}, removed=tuple(range(1, 101)))
    expect(row).to_have_attribute("aria-rowindex", "101")
    expect(grid).to_have_attribute("aria-rowcount", "201")


def test_a_countdown_is_not_read_aloud(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1)])
    status = page.get_by_role("status")
    expect(status).to_have_text("live")
    status.evaluate(
        "status => { window.told = []; new MutationObserver(() => told.push(status.textContent)).observe(status,"
        " {childList: true, characterData: true, subtree: true}); }"
    )
    for seconds in range(5, 0, -1):
        table.tell(text=f"reconnecting in {seconds} s")
        expect(page.locator(".kl-state")).to_have_text(f"reconnecting in {seconds} s")
    table.tell(text="live")
    expect(status).to_have_text("live")
    assert page.evaluate("told") == ["reconnecting", "live"]


def test_keys_belong_to_the_element_that_has_the_focus(page: Page):
    table = MountedTable(page, ORDERS)
    table.load([order(1)])
    focusable = page.locator(".kalam-live :is(button, [tabindex])")
    expect(focusable.last).to_be_attached()
    # Lumino looks for the attribute on the element itself; on an ancestor it does not hold for the element.
    assert {element.get_attribute("data-lm-suppress-shortcuts") for element in focusable.all()} == {"true"}


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


def test_a_part_of_a_table_is_never_called_the_table(page: Page, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(page_rows, "MAX_ROWS", 10_000)
    page.clock.set_fixed_time(dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC))
    table = MountedTable(page, ORDERS, status={"verified_at": 1779271385000})
    table.load([order(i, total=f"{i % 700}.00") for i in range(1, 12_001)])
    root, facts, part = page.locator(".kalam-live"), page.locator(".kl-facts"), page.locator(".kl-part")
    expect(facts).to_have_text("first 10,000 of 12,000 rows · 0 changes · direct · whole table verified 10:03:05")
    expect(root).to_have_attribute("data-tone", "part")
    expect(part).to_be_hidden()
    head = page.get_by_role("button", name="total")
    head.click()
    head.click()
    sorting = "Sorting the first 10,000 of {} rows here; the kernel"
    expect(part).to_contain_text(sorting.format("12,000"))
    table.change({12_001: order(12_001, total="999.00")})  # The greatest of all is not in the page.
    expect(facts).to_contain_text("first 10,000 of 12,001 rows · 1 change")
    expect(part).to_contain_text(sorting.format("12,001"))
    assert cells(page)[0][2] == "699.00"
    expect(root).to_have_attribute("data-tone", "part")
    head.click()  # The table's own order.
    expect(part).to_be_hidden()
    head.click()
    table.change({}, removed=tuple(range(9_001, 12_002)))
    expect(facts).to_have_text("9,000 rows · 3,002 changes · direct · verified 10:03:05")
    expect(root).to_have_attribute("data-tone", "live")
    expect(part).to_be_hidden()
    expect(head.locator("xpath=..")).to_have_attribute("aria-sort", "ascending")


def test_status_line(page: Page):
    page.clock.set_fixed_time(dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC))
    table = MountedTable(page, ORDERS)
    table.load([order(1)])
    root, state = page.locator(".kalam-live"), page.get_by_role("status")
    expect(state).to_have_text("live")
    expect(root).to_have_attribute("data-tone", "live")
    expect(page.locator(".kl-facts")).to_have_text("1 row · 0 changes · direct")
    table.tell(
        text="reconnecting in 3 s", changes=1, changed_at=1779271384000, form="re-run", verified_at=1779271385000
    )
    expect(page.locator(".kl-state")).to_have_text("reconnecting in 3 s")
    expect(root).to_have_attribute("data-tone", "waiting")
    expect(page.locator(".kl-facts")).to_have_text(
        "1 row as of 10:03:05 · 1 change · last change 10:03:04 · re-run · verified 10:03:05"
    )
    table.tell(text="live")
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
    assert page.evaluate("said.filter(({kind}) => kind === 'hello').length") == 2
    table.tell(text="live", failed=False)
    expect(state).to_have_text("live")
    table.raw([({"kind": "end", "text": "stopped: closed"}, [])])
    expect(state).to_have_text("stopped: closed")


def test_without_a_connection_the_page_tells_why_and_how_old_the_rows_are(page: Page):
    page.clock.set_fixed_time(dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC))
    table = MountedTable(page, ORDERS)
    table.load([order(1)])
    note, facts = page.get_by_role("note"), page.locator(".kl-facts")
    expect(note).to_be_hidden()
    reason = "No connection to the server: Connection refused."
    # A change came after the last proof.
    table.tell(text="reconnecting in 3 s", notice=reason, changed_at=1779271385000, verified_at=1779271384000)
    expect(note).to_have_text(f"Warning: {reason}")
    expect(facts).to_contain_text("1 row as of 10:03:05 · ")
    page.clock.set_fixed_time(dt.datetime(2026, 5, 21, 12, tzinfo=dt.UTC))
    table.tell(text="reconnecting in 2 s")
    expect(facts).to_contain_text("1 row as of 2026-05-20 10:03:05 · ")
    table.tell(text="live", notice="")
    expect(note).to_be_hidden()
    expect(facts).to_have_text("1 row · 0 changes · last change 10:03:05 · direct · verified 10:03:04")


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


@pytest.mark.parametrize(
    ("gone", "told"), [(".jp-Cell", ["hello", "unseen", "unseen"]), (".jp-NotebookPanel", ["hello"])]
)
def test_a_deleted_cell_is_told_and_a_closed_notebook_is_not(page: Page, gone: str, told: list[str]):
    page.clock.install()
    cell = "<div class='jp-Cell'><div id='place'></div></div>"
    page.set_content(f"<!doctype html><body><div class='jp-NotebookPanel'>{cell}</div></body>")
    table = MountedTable(page, ORDERS)
    table.load([order(1)])
    page.clock.run_for(100)
    expect(page.locator("td").first).to_have_text("1")
    page.evaluate("gone => { said.length = 1; hide(); document.querySelector(gone).remove(); }", gone)
    page.clock.run_for(31_500)
    assert [word["kind"] for word in page.evaluate("said")] == told


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
